"""Combine members' out-of-fold predictions: greedy average, its temperature, and an honest second layer.

Every step leaves a complete ensemble, so that a clock may end the work anywhere; a step of the second layer
stays only if its own out-of-fold predictions have a lower loss than the average without it (Wolpert 1992).
Left out: features of the data in the second layer, and a third one.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from autonas.core.clock import Clock
from autonas.core.objective import Metric
from autonas.core.scores import NAMED
from autonas.ensemble.greedy import (
    MANY,
    PICKS,
    ROUNDS,
    LogLossAverage,
    MetricAverage,
    SquaredErrorAverage,
    pick,
    select,
)
from autonas.ensemble.rows import common_rows, row_losses
from autonas.ensemble.stacking import (
    BOOSTED_FOLDS,
    MAX_WORK,
    BoostedLayer,
    Fitted,
    LinearLayer,
    base_scores,
    fit_boosted,
    fit_linear,
    inputs,
    linear,
    outputs,
)
from autonas.training.calibration import fit_temperature, softmax

__all__ = ["Ensemble", "fit_ensemble", "SIZE"]

Kind = Literal["classification", "regression"]

SIZE = 20
MAX_ROWS = 100_000  # more rows do not change a few dozen weights
FEW_ROWS, UNIFORM, HOPELESS = 1000, 0.3, 0.25
STACK_MEMBERS, STACK_ROWS, BOOST_ROWS, BOOST_CLASSES = 5, 100, 4000, 12
IMPORT_SECONDS = 1.5  # LightGBM's import, and a few rounds
_TINY = 1e-12
_BUDGET = 1e9  # numbers that a greedy selection may read for a metric that has no cheap form


@dataclass
class Ensemble:
    """A fitted combination.

    Attributes
    ----------
    members : list of int
        Which of the members that were given :meth:`predict` needs, in this order.
    weights : (all members,) array
        How much each contributes; sums to 1, 0 for members that are not used.
    loss : float
        Of the metric; the second layer's part comes from models that had not seen the rows.
    """

    kind: Kind
    members: list[int]
    weights: np.ndarray
    loss: float
    average: np.ndarray
    temperature: float = 1.0
    scale: float = 1.0
    low: float = -np.inf
    high: float = np.inf
    mix: tuple[float, ...] = (1.0,)
    layers: list[LinearLayer | BoostedLayer] = field(default_factory=list)

    def predict(self, predictions: list[np.ndarray]) -> np.ndarray:
        """Combine the predictions of ``self.members``.

        Parameters
        ----------
        predictions : list of (rows, outputs) arrays
            In the order of ``self.members``: probabilities, or values.

        Returns
        -------
        (rows, outputs) float64 array.  Probabilities sum to 1.  Values lie within the range of the
        members' predictions, of the row at hand or of all rows at the fit, whichever is wider.
        """
        predictions = [np.reshape(p, (len(p), -1)) for p in predictions]
        average = _average(predictions, self.average, self.temperature)
        total = self.mix[0] * average
        if self.layers:
            X = inputs(predictions, average, self.kind, self.scale)
            base = base_scores(average, self.kind, self.scale)
            for share, layer in zip(self.mix[1:], self.layers, strict=True):
                total += share * outputs(layer.add(X, base), self.kind, self.scale)
        if self.kind == "classification":
            return total / total.sum(axis=1, keepdims=True)
        low = np.minimum(np.min(predictions, axis=0), self.low)
        return np.clip(total, low, np.maximum(np.max(predictions, axis=0), self.high))

    def state(self) -> dict[str, Any]:
        """Plain state (see ``autonas.core.state``)."""
        return {
            **{k: v for k, v in self.__dict__.items() if k not in ("mix", "layers")},
            "mix": list(self.mix),
            "layers": [layer.state() for layer in self.layers],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Ensemble:
        """Inverse of :meth:`state`."""
        layers = [LinearLayer(**s) if "coef" in s else BoostedLayer(**s) for s in state["layers"]]
        return cls(**{**state, "mix": tuple(state["mix"]), "layers": layers})


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
    data = _Data([members[i][rows] for i in usable], y[rows], w / w.mean(), kind, metric)

    greedy = _select(data, size, clock, seed)
    temperature = 1.0
    if kind == "classification" and size > 1 and len(np.unique(data.y)) > 1:
        logits = np.log(np.maximum(_average(data.members, greedy, 1.0), _TINY))
        temperature = fit_temperature(logits, data.y, data.weight)
    average = _average(data.members, greedy, temperature)
    kept, fitted, mix, mixed = _second_layer(data, greedy, average, size, clock, seed)

    used = [data.members[i] for i in kept]
    low, high = (min(m.min() for m in used), max(m.max() for m in used)) if kind == "regression" else (-np.inf, np.inf)
    shares = mix[0] * greedy
    for share, layer in zip(mix[1:], fitted, strict=True):
        shares[kept] += share * _by_member(layer.use, len(kept))
    weights = np.zeros(len(members))
    weights[usable] = shares
    return Ensemble(
        kind=kind,
        members=[usable[i] for i in kept],
        weights=weights,
        loss=metric.loss(data.y, mixed if kind == "classification" else np.clip(mixed, low, high), data.weight),
        average=greedy[kept],
        temperature=temperature,
        scale=data.scale,
        low=float(low),
        high=float(high),
        mix=mix,
        layers=[layer.layer for layer in fitted],
    )


@dataclass
class _Data:
    """Members on the common rows; ``weight`` has mean 1."""

    members: list[np.ndarray]
    y: np.ndarray
    weight: np.ndarray
    kind: Kind
    metric: Metric

    @property
    def n_outputs(self) -> int:
        return self.members[0].shape[1]

    @functools.cached_property
    def scale(self) -> float:
        """Standard deviation of the target."""
        if self.kind == "classification":
            return 1.0
        centre = np.average(self.y, weights=self.weight)
        return float(np.sqrt(np.average((self.y - centre) ** 2, weights=self.weight))) or 1.0

    @functools.cached_property
    def smooth(self) -> LogLossAverage | SquaredErrorAverage:
        share = self.weight / self.weight.sum()
        if self.kind == "regression":
            return SquaredErrorAverage(np.stack([m[:, 0] - self.y for m in self.members]), share)
        rows = np.arange(len(self.y))
        return LogLossAverage(np.stack([m[rows, self.y] for m in self.members]), share)

    @functools.cached_property
    def exact(self) -> MetricAverage:
        return MetricAverage(np.stack(self.members), self.y, self.weight, self.metric, self.smooth)

    def constant_loss(self) -> float:
        """Log loss or squared error of the best constant prediction."""
        if self.kind == "regression":
            return self.scale**2
        share = np.bincount(self.y, weights=self.weight) / self.weight.sum()
        share = share[share > 0]
        return float(-(share @ np.log(share)))

    def loss(self, mixed: np.ndarray) -> float:
        """Of the metric's surrogate: what decides whether the second layer stays."""
        if self.metric.surrogate == "itself":
            return self.metric.loss(self.y, mixed, self.weight)
        return float(np.average(row_losses(mixed, self.y, self.kind), weights=self.weight))


def _average(members: Sequence[np.ndarray], weights: np.ndarray, temperature: float) -> np.ndarray:
    total = np.zeros(members[0].shape)
    for member, weight in zip(members, weights, strict=True):
        if weight > 0:
            total += weight * member
    if temperature == 1:
        return total
    return softmax(np.log(np.maximum(total, _TINY)) / temperature)


def _select(data: _Data, size: int, clock: Clock, seed: int) -> np.ndarray:
    """(members,) weights of the greedy average."""
    m, n = len(data.members), len(data.y)
    if size == 1:
        return pick(data.exact, np.arange(m), m, 1, clock, picks=1)
    itself = data.metric.surrogate == "itself"
    cost = n * data.n_outputs + 5e3 if data.metric.name in NAMED else 20 * n * data.n_outputs + 3e5
    if not itself:
        cost = n
    picks = int(np.clip(_BUDGET / (m * cost), 5, PICKS))
    rounds = int(min(_BUDGET / (m * cost * picks), ROUNDS))
    weights = select(data.exact if itself else data.smooth, m, size, clock, seed, picks, rounds)
    if n >= FEW_ROWS or m < MANY:
        return weights
    # Few rows say too little to tell good members apart: some weight for each that is not hopeless.
    losses = data.smooth.after(np.zeros(m, dtype=np.int64), np.arange(m))[:, 0]
    best = losses.min()
    worthy = losses <= best + HOPELESS * max(0.0, data.constant_loss() - best)
    return _largest((1 - UNIFORM) * weights + UNIFORM * worthy / worthy.sum(), size)


def _largest(weights: np.ndarray, size: int) -> np.ndarray:
    """The ``size`` largest weights, summing to 1; the others 0."""
    kept = weights.copy()
    kept[np.argsort(-weights, kind="stable")[size:]] = 0
    return kept / kept.sum()


def _by_member(use: np.ndarray, n_members: int) -> np.ndarray:
    """(members,) shares from the use of each column."""
    total = use.sum()
    return use.reshape(n_members, -1).sum(axis=1) / (total if total > 0 else 1.0)


def _second_layer(
    data: _Data, greedy: np.ndarray, average: np.ndarray, size: int, clock: Clock, seed: int
) -> tuple[list[int], list[Fitted], tuple[float, ...], np.ndarray]:
    """Members that are needed, layers that help, the shares of average and layers, the mixed predictions."""
    used = np.flatnonzero(greedy)
    alone: tuple[list[int], list[Fitted], tuple[float, ...], np.ndarray] = (used.tolist(), [], (1.0,), average)
    n, kind = len(data.y), data.kind
    rarest = np.bincount(data.y, minlength=data.n_outputs).min() if kind == "classification" else n
    if min(len(data.members), size) < STACK_MEMBERS or n < STACK_ROWS or rarest < BOOSTED_FOLDS or clock.over():
        return alone
    kept = _inputs_worth_keeping(data, greedy, average, size, clock)
    X = inputs([data.members[i] for i in kept], average, kind, data.scale)
    base = base_scores(average, kind, data.scale)
    y = data.y if kind == "classification" else data.y / data.scale

    layers: list[Fitted] = []
    mix: tuple[float, ...] = (1.0,)
    mixed, loss = average, data.loss(average)
    for fit in (fit_linear, fit_boosted):
        if fit is fit_boosted and (n < BOOST_ROWS or data.n_outputs > BOOST_CLASSES or clock.left() < IMPORT_SECONDS):
            break
        fitted = fit(X, y, base, data.weight, kind, clock, seed)
        if fitted is None:
            continue
        shares = (0.2, 0.4, 0.4) if layers else (0.5, 0.5)
        parts = [average, *(outputs(f.scores, kind, data.scale) for f in (*layers, fitted))]
        candidate = np.sum([s * p for s, p in zip(shares, parts, strict=True)], axis=0)
        if data.loss(candidate) < loss:
            layers, mix, mixed, loss = [*layers, fitted], shares, candidate, data.loss(candidate)
    return (kept, layers, mix, mixed) if layers else alone


def _inputs_worth_keeping(data: _Data, greedy: np.ndarray, average: np.ndarray, size: int, clock: Clock) -> list[int]:
    """Members of the greedy average, and those that a linear layer over all uses more than half as much as
    the mean member: whoever predicts pays for every one.
    """
    m = len(data.members)
    X = inputs(data.members, average, data.kind, data.scale)
    base = base_scores(average, data.kind, data.scale)
    if X.size * base.shape[1] > MAX_WORK:
        return np.flatnonzero(greedy).tolist()
    y = data.y if data.kind == "classification" else data.y / data.scale
    layer = linear(X, y, base, data.weight, data.kind, clock)
    share = _by_member(np.linalg.norm(layer.coef, axis=1) * X.std(axis=0), m)
    share[share < 0.5 / m] = 0
    return np.flatnonzero(_largest(greedy + share, size)).tolist()
