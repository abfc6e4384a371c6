"""The last loss that was seen is the final one: the reference that every curve model has to beat.

Its uncertainty is how far that was wrong on complete curves at the same progress.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autonas.surrogates.curves.base import Curve, CurveModel, LogOdds, values_at

__all__ = ["MODEL", "Last"]


class Last(CurveModel):
    """Predicts no change."""

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
        wrong = math.sqrt(float(np.mean((seen[:, 1] - seen[:, 0]) ** 2)))
        return loss, self._scale.normal(float(self._scale.forward(loss)), wrong)[1]


MODEL = Last
