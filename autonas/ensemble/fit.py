"""Combine members' out-of-fold predictions: greedy average, its temperature, and an honest second layer.

Every step leaves a complete ensemble, so that a clock may end the work anywhere; a step of the second layer
stays only if its own out-of-fold predictions have a lower loss than the average without it (Wolpert 1992).
Left out: features of the data in the second layer, and a third one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autonas.core.clock import Clock
from autonas.core.objective import Metric
from autonas.ensemble.boosted import FOLDS, fit_boosted
from autonas.ensemble.combine import Ensemble, Kind, average_of
from autonas.ensemble.layer import Fitted, base_scores, inputs, outputs
from autonas.ensemble.linear import MAX_WORK, fit_linear, linear
from autonas.ensemble.pool import FEW_ROWS, Pool, largest, weigh
from autonas.ensemble.rows import common_rows
from autonas.training.calibration import fit_temperature

__all__ = ["fit_ensemble", "SIZE"]

SIZE = 20
MAX_ROWS = 50_000  # more rows do not change a few dozen weights
STACK_MEMBERS, STACK_ROWS = 5, 100
BOOST_ROWS, BOOST_CLASSES = 2000, 12
MIXES = {1: ((0.5, 0.5), (0.2, 0.8)), 2: ((0.2, 0.4, 0.4), (0.1, 0.2, 0.7))}  # average and layers, by their number
NEGLIGIBLE = 0.03  # weight of a member that is dropped, if the loss then rises by no more than the next
TOLERANCE = 5e-4
IMPORT_SECONDS = 1.5  # LightGBM's import, and a few rounds


def fit_ensemble(
    members: list[np.ndarray],
    y: np.ndarray,
    *,
    metric: Metric,
    kind: Kind,
    weight: np.ndarray | None = None,
    clock: Clock | None = None,
    size: int = SIZE,
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Ensemble:
    """Combine out-of-fold predictions.

    Parameters
    ----------
    members : list of (rows, outputs) arrays
        Calibrated probabilities, or values in the target's unit; NaN in rows that a member does not
        predict.  Which rows and members are used: :func:`common_rows`.
    y : (rows,) array
        Class codes or targets.
    metric : Metric
        Optimised through its surrogate where it has one.
    kind : {"classification", "regression"}
    weight : (rows,) array or None
    clock : Clock or None
        Everything ends within it; without a limit the result depends on the seed alone.
    size : int
        Largest number of distinct members; 1 gives the single best.
    seed : int
    groups : (rows,) array or None
        The folds of the second layer keep rows of one group together.

    Raises
    ------
    DataError
        If no member predicts any row.

    Returns
    -------
    Ensemble

    References
    ----------
    Caruana et al 2004, "Ensemble selection from libraries of models".
    """
    clock = clock or Clock()
    members = [np.reshape(m, (len(y), -1)) for m in members]
    rows, usable = common_rows(members, y, weight, kind)
    if len(rows) > MAX_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MAX_ROWS, replace=False))
    w = np.ones(len(rows)) if weight is None or not np.any(weight[rows] > 0) else weight[rows].astype(np.float64)
    pool = Pool([members[i][rows] for i in usable], y[rows], w / w.mean(), kind, metric)
    groups = None if groups is None else groups[rows]

    greedy = weigh(pool, size, clock.part(0.5), seed)
    temperature = 1.0
    if kind == "classification" and size > 1 and len(np.unique(pool.y)) > 1:
        logits = np.log(np.maximum(average_of(pool.members, greedy, 1.0), 1e-12))
        temperature = fit_temperature(logits, pool.y, pool.weight)
    average = average_of(pool.members, greedy, temperature)
    kept, fitted, mix, mixed = _second_layer(pool, greedy, average, size, clock, seed, groups)

    used = [pool.members[i] for i in kept]
    low, high = (min(m.min() for m in used), max(m.max() for m in used)) if kind == "regression" else (-np.inf, np.inf)
    shares = mix[0] * greedy
    for share, layer in zip(mix[1:], fitted, strict=True):
        shares[kept] += share * _by_member(layer.use, len(kept))
    weights = np.zeros(len(members))
    weights[usable] = shares / shares.sum()
    ensemble = Ensemble(
        kind=kind,
        members=[usable[i] for i in kept],
        weights=weights,
        loss=metric.loss(pool.y, mixed if kind == "classification" else np.clip(mixed, low, high), pool.weight),
        average=greedy[kept],
        temperature=temperature,
        scale=pool.scale,
        low=float(low),
        high=float(high),
        mix=mix,
        layers=[layer.layer for layer in fitted],
    )
    needed = [i for i in ensemble.members if weights[i] >= min(NEGLIGIBLE, 0.5 / len(kept))]
    # whoever predicts pays for every member; of few rows that is little, and there the small weights are on purpose
    if len(needed) == len(kept) or len(rows) < FEW_ROWS or clock.over():
        return ensemble
    fewer = fit_ensemble(
        [members[i][rows] for i in needed], pool.y, metric=metric, kind=kind, weight=pool.weight, clock=clock,
        size=size, seed=seed, groups=groups,
    )  # fmt: skip
    if fewer.loss > ensemble.loss + TOLERANCE * abs(ensemble.loss):
        return ensemble
    weights = np.zeros(len(members))
    weights[needed] = fewer.weights
    return replace(fewer, members=[needed[i] for i in fewer.members], weights=weights)


def _by_member(use: np.ndarray, n_members: int) -> np.ndarray:
    """(members,) shares from the use of each column."""
    total = use.sum()
    return use.reshape(n_members, -1).sum(axis=1) / (total if total > 0 else 1.0)


def _second_layer(
    pool: Pool,
    greedy: np.ndarray,
    average: np.ndarray,
    size: int,
    clock: Clock,
    seed: int,
    groups: np.ndarray | None,
) -> tuple[list[int], list[Fitted], tuple[float, ...], np.ndarray]:
    """Members that are needed, layers that help, the shares of average and layers, the mixed predictions."""
    used = np.flatnonzero(greedy)
    alone: tuple[list[int], list[Fitted], tuple[float, ...], np.ndarray] = (used.tolist(), [], (1.0,), average)
    n, kind = len(pool.y), pool.kind
    rarest = np.bincount(pool.y, minlength=pool.n_outputs).min() if kind == "classification" else n
    if min(len(pool.members), size) < STACK_MEMBERS or n < STACK_ROWS or rarest < FOLDS or clock.over():
        return alone
    if groups is not None and len(np.unique(groups)) < FOLDS:
        return alone
    kept = _inputs_worth_keeping(pool, greedy, average, size, clock)
    X = inputs([pool.members[i] for i in kept], average, kind, pool.scale)
    base = base_scores(average, kind, pool.scale)
    y = pool.y if kind == "classification" else pool.y / pool.scale

    layers: list[Fitted] = []
    mix: tuple[float, ...] = (1.0,)
    mixed, loss = average, pool.loss(average)
    for fit in (fit_linear, fit_boosted):
        if fit is fit_boosted and (n < BOOST_ROWS or pool.n_outputs > BOOST_CLASSES or clock.left() < IMPORT_SECONDS):
            break
        fitted = fit(X, y, base, pool.weight, kind, clock, seed, groups)
        if fitted is None:
            continue
        trial = [*layers, fitted]
        parts = np.stack([average, *(outputs(f.scores, kind, pool.scale) for f in trial)])
        for shares in MIXES[len(trial)]:
            candidate = np.tensordot(shares, parts, axes=1)
            candidate_loss = pool.loss(candidate)
            if candidate_loss < loss:
                layers, mix, mixed, loss = trial, shares, candidate, candidate_loss
    return (kept, layers, mix, mixed) if layers else alone


def _inputs_worth_keeping(pool: Pool, greedy: np.ndarray, average: np.ndarray, size: int, clock: Clock) -> list[int]:
    """Numbers of the members whose predictions a second layer reads: whoever predicts pays for every one.

    They are those of the greedy average, and those that a linear layer over all uses more than half as much as
    the mean member.
    """
    m = len(pool.members)
    base = base_scores(average, pool.kind, pool.scale)
    if m * base.size * base.shape[1] > MAX_WORK:
        return np.flatnonzero(greedy).tolist()
    X = inputs(pool.members, average, pool.kind, pool.scale)
    y = pool.y if pool.kind == "classification" else pool.y / pool.scale
    layer = linear(X, y, base, pool.weight, pool.kind, clock)
    share = _by_member(np.linalg.norm(layer.coef, axis=1) * X.std(axis=0), m)
    share[share < 0.5 / m] = 0
    return np.flatnonzero(largest(2.0 * (greedy > 0) + share, size)).tolist()
