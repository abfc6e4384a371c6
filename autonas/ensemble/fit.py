"""Combine members' out-of-fold predictions: greedy average, its temperature, and an honest second layer.

Every step leaves a complete ensemble, so that a clock may end the work anywhere; a step of the second layer
stays only if its own out-of-fold predictions have a lower loss than the average without it (Wolpert 1992).
Left out: features of the data in the second layer, and a third one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from autonas.core.clock import Clock
from autonas.core.objective import Metric
from autonas.ensemble.greedy import MANY, PICKS, ROUNDS, LogLossAverage, MetricAverage, SquaredErrorAverage, select
from autonas.ensemble.stacking import (
    BoostedLayer,
    LinearLayer,
    base_scores,
    fit_boosted,
    fit_linear,
    inputs,
    outputs,
)
from autonas.errors import DataError
from autonas.training.calibration import fit_temperature

__all__ = ["Ensemble", "fit_ensemble", "SIZE"]

Kind = Literal["classification", "regression"]

SIZE = 20
MAX_ROWS = 100_000  # more rows do not change a few dozen weights
FEW_ROWS, UNIFORM, HOPELESS = 1000, 0.3, 0.25
STACK_MEMBERS, BOOST_ROWS, BOOST_CLASSES = 5, 4000, 12
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
        average = _average(predictions, self.average, self.temperature, self.kind)
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

    References
    ----------
    Caruana et al 2004, "Ensemble selection from libraries of models".
    """
    clock = clock or Clock()
    rows, usable = common_rows(members, y, kind)
    if len(rows) > MAX_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MAX_ROWS, replace=False))
    w = np.ones(len(rows)) if weight is None else np.asarray(weight, dtype=np.float64)[rows]
    w = w / w.mean() if w.sum() > 0 else np.ones(len(rows))
    target = y[rows]
    chosen = [members[i][rows] for i in usable]
    greedy = _select(chosen, target, w, metric, kind, clock, size, seed)
    used = np.flatnonzero(greedy)
    ensemble = Ensemble(kind, [usable[i] for i in used], np.zeros(len(members)), np.inf, greedy[used])
    if kind == "regression":
        ensemble.scale = float(target.std()) or 1.0
        ensemble.low, ensemble.high = float(min(m.min() for m in chosen)), float(max(m.max() for m in chosen))
    elif len(used) > 1 and len(np.unique(target)) > 1:
        mixed = _average([chosen[i] for i in used], greedy[used], 1.0, kind)
        ensemble.temperature = fit_temperature(np.log(np.clip(mixed, 1e-7, 1)), target, w)
    ensemble.weights[ensemble.members] = greedy[used]
    mixed = ensemble.predict([chosen[i] for i in used])
    ensemble.loss = metric.loss(target, mixed, w)
    if size > 1 and len(usable) >= STACK_MEMBERS and len(np.unique(target)) > 1:
        ensemble = _second_layer(ensemble, chosen, usable, greedy, target, w, metric, clock, size, seed)
    return ensemble


def common_rows(members: list[np.ndarray], y: np.ndarray, kind: str) -> tuple[np.ndarray, list[int]]:
    """Rows on which members are compared, and the members that predict all of them.

    The best member's rows count; others that do not predict them all are left out, unless what all
    share is at least a fifth of the rows and a hundred of them: a network that had time for some folds only is
    then compared on these.
    """
    finite = [np.isfinite(m).all(axis=1) for m in members]
    able = [i for i, f in enumerate(finite) if f.any()]
    if not able:
        raise DataError("No member predicts any row. At least one member with finite predictions is required.")
    shared = np.logical_and.reduce([finite[i] for i in able])
    if shared.sum() >= max(100, len(y) // 5) or all((finite[i] == finite[able[0]]).all() for i in able):
        return np.flatnonzero(shared), able

    def loss(i: int) -> float:
        m, t = members[i][finite[i]], y[finite[i]]
        if kind == "regression":
            return float(np.mean((m[:, 0] - t) ** 2))
        return float(-np.log(np.clip(m[np.arange(len(t)), t], 1e-7, 1)).mean())

    widest = max(f.sum() for f in finite)
    best = min((i for i in able if 2 * finite[i].sum() >= widest), key=loss)
    rows = np.flatnonzero(finite[best])
    return rows, [i for i in able if finite[i][rows].all()]


def _select(
    members: list[np.ndarray],
    y: np.ndarray,
    w: np.ndarray,
    metric: Metric,
    kind: str,
    clock: Clock,
    size: int,
    seed: int,
) -> np.ndarray:
    """Weights of the greedy average; on few rows, part of the weight is spread over all sound members."""
    share = w / w.sum()
    average: LogLossAverage | SquaredErrorAverage | MetricAverage
    if kind == "classification":
        average = LogLossAverage(np.array([m[np.arange(len(y)), y] for m in members]), share)
    else:
        average = SquaredErrorAverage(np.array([m[:, 0] - y for m in members], dtype=np.float64), share)
    n = len(members)
    picks, rounds = PICKS, ROUNDS
    if metric.surrogate == "itself" or size == 1:  # a single model is chosen by the metric itself
        average = MetricAverage(np.array(members), y, w, metric, average)
        reads = n * n * len(y) * members[0].shape[1] * picks / max(n, 1)
        rounds = ROUNDS if reads * ROUNDS < _BUDGET else 1
    weights = select(average, n, size, clock, seed, picks, rounds)
    if len(y) < FEW_ROWS and n >= MANY and size >= n:
        losses = average.after(np.zeros(n, dtype=np.int64), np.arange(n))[:, -1]
        naive = (
            float(-np.log(np.maximum(np.bincount(y, share, members[0].shape[1])[y], 1e-9)) @ share)
            if (kind == "classification")
            else float(((y - y @ share) ** 2) @ share)
        )
        sound = losses <= losses.min() + HOPELESS * max(naive - losses.min(), 0.0)
        weights = (1 - UNIFORM) * weights + UNIFORM * sound / sound.sum()
    return weights


def _second_layer(
    ensemble: Ensemble,
    chosen: list[np.ndarray],
    usable: list[int],
    greedy: np.ndarray,
    y: np.ndarray,
    w: np.ndarray,
    metric: Metric,
    clock: Clock,
    size: int,
    seed: int,
) -> Ensemble:
    """The ensemble with the layers that pay, or as it was."""
    kind, scale = ensemble.kind, ensemble.scale
    # the strongest members by themselves and all that the average uses
    alone = np.array([_smooth(m, y, w, kind) for m in chosen])
    order = sorted(range(len(chosen)), key=lambda i: (greedy[i] == 0, alone[i]))
    picked = sorted(order[:size])
    used = [chosen[i] for i in picked]
    average = _average(used, greedy[picked], ensemble.temperature, kind)
    base = base_scores(average, kind, scale)
    X = inputs(used, average, kind, scale)
    target = y / scale if kind == "regression" else y
    fits = [fit_linear(X, target, base, w, kind, clock, seed)]
    if len(y) >= BOOST_ROWS and average.shape[1] <= BOOST_CLASSES and clock.left() > 0.5:
        fits.append(fit_boosted(X, target, base, w, kind, clock, seed))
    layers = [f for f in fits if f is not None]
    best, best_loss = average, _judge(average, y, w, metric, kind)
    best_mix: tuple[float, ...] = (1.0,)
    best_layers: list[LinearLayer | BoostedLayer] = []
    for some in ([layers[0]] if layers else [], layers):
        if not some:
            continue
        first = 0.2 if len(some) == 2 else 0.5
        mix = (first, *[(1 - first) / len(some)] * len(some))
        mixed = first * average + sum(
            share * outputs(f.scores, kind, scale) for share, f in zip(mix[1:], some, strict=True)
        )
        loss = _judge(mixed, y, w, metric, kind)
        if loss < best_loss:
            best, best_loss, best_mix, best_layers = mixed, loss, mix, [f.layer for f in some]
    if not best_layers:
        return ensemble
    weights = np.zeros(len(ensemble.weights))
    influence = best_mix[0] * greedy[picked]
    for share, f in zip(best_mix[1:], layers, strict=False):
        use = f.use.reshape(len(picked), -1).sum(axis=1)
        influence = influence + share * (use / use.sum() if use.sum() > 0 else greedy[picked])
    weights[[usable[i] for i in picked]] = influence / influence.sum()
    return Ensemble(
        kind,
        [usable[i] for i in picked],
        weights,
        metric.loss(y, best, w),
        greedy[picked],
        ensemble.temperature,
        scale,
        ensemble.low,
        ensemble.high,
        best_mix,
        best_layers,
    )


def _smooth(p: np.ndarray, y: np.ndarray, w: np.ndarray, kind: str) -> float:
    if kind == "regression":
        return float(w @ (p[:, 0] - y) ** 2 / w.sum())
    return float(w @ -np.log(np.clip(p[np.arange(len(y)), y], 1e-7, 1)) / w.sum())


def _judge(p: np.ndarray, y: np.ndarray, w: np.ndarray, metric: Metric, kind: str) -> float:
    return metric.loss(y, p, w) if metric.surrogate == "itself" else _smooth(p, y, w, kind)


def _average(members: list[np.ndarray], weights: np.ndarray, temperature: float, kind: str) -> np.ndarray:
    """Weighted average; probabilities are sharpened or flattened by the temperature."""
    total = np.zeros(members[0].shape, dtype=np.float64)
    for member, share in zip(members, weights, strict=True):
        if share:
            total += share * member
    if kind == "regression" or temperature == 1.0:
        return total
    logs = np.log(np.clip(total, 1e-7, 1)) / temperature
    p = np.exp(logs - logs.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)
