"""The median stopping rule (Golovin et al 2017), the plain reference of all stopping rules.

A training stops if its best loss so far is worse than the median, over complete curves, of their running averages up to
the same progress.  As a prediction the rule says that a curve keeps its rank: the final loss is that of the complete
curves with the same rank now.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autonas.surrogates.curves.base import Curve, CurveModel, LogOdds, values_at

__all__ = ["MODEL", "Median"]


class Median(CurveModel):
    """Compares with the curves that are complete."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._curves: list[Curve] = []

    def fit(self, curves: Sequence[Curve], configs: Sequence[np.ndarray] | None = None) -> None:
        self._curves, self._scale = list(curves), LogOdds(curves)

    def predict(self, prefix: Curve, horizon: float = 1.0, config: np.ndarray | None = None) -> tuple[float, float]:
        progress, loss = prefix[-1]
        if not self._curves:
            return loss, math.inf
        seen = self._scale.forward(np.array([values_at(curve, [progress, horizon]) for curve in self._curves]))
        now, end = np.sort(seen[:, 0]), np.sort(seen[:, 1])
        mean = float(np.interp(self._scale.forward(loss), now, end))
        wrong = np.interp(seen[:, 0], now, end) - seen[:, 1]
        return self._scale.normal(mean, math.sqrt(float(np.mean(wrong**2))))

    def chance(self, prefix: Curve, best: float, config: np.ndarray | None = None) -> float:
        """1 if the rule lets the training go on, else 0."""
        if not self._curves:
            return 1.0
        averages = [
            np.mean([loss for z, loss in curve if z <= prefix[-1][0]] or [curve[0][1]]) for curve in self._curves
        ]
        return float(min(loss for _, loss in prefix) <= np.median(averages))


MODEL = Median
