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
from autonas.core.scores import NAMED
from autonas.ensemble.greedy import MANY, PICKS, ROUNDS, LogLossAverage, MetricAverage, SquaredErrorAverage, select
from autonas.ensemble.stacking import (
    BOOSTED_FOLDS,
    LINEAR_FOLDS,
    BoostedLayer,
    Fitted,
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
    rows, usable = common_rows(members, y, weight, kind)
    if len(rows) > MAX_ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MAX_ROWS, replace=False))
    data = _Data([members[i][rows] for i in usable], y[rows], _weights(weight, rows), kind, metric)
    greedy = _select(data, clock, size, seed)
    used = greedy > 0
    temperature = 1.0
    if kind == "classification" and size > 1 and len(np.unique(data.y)) > 1:
        logits = base_scores_full(_average(data.members, greedy, 1.0, kind))
        temperature = fit_temperature(logits, data.y, data.weight)
    average = _average(data.members, greedy, temperature, kind)
    ...
'''
