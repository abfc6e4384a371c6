"""The contract of a curve model, and what all of them do to curves.

A curve is pairs of progress, in (0, 1], and loss.  Losses are positive, as log loss and squared error are.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

__all__ = ["Curve", "CurveModel", "LogOdds", "best_so_far", "normal_cdf", "values_at"]

Curve = Sequence[tuple[float, float]]
"""Pairs of progress and loss, progress rising."""

SMALLEST = 1e-6  # a loss of 0 has no logarithm
_HIGH, _MARGIN, _BEND, _FARTHEST = 0.9, 1.05, 0.98, 30.0
_SLACK = 1e-9  # of a comparison of progress


class CurveModel(ABC):
    """Predicts how a learning curve ends.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, curves: Sequence[Curve], configs: Sequence[np.ndarray] | None = None) -> None:
        """Learn from complete curves.

        Parameters
        ----------
        curves : sequence of Curve
            Their last losses are the final ones.
        configs : sequence of (d,) array, optional
            Configuration of each curve, as numbers.
        """

    @abstractmethod
    def predict(self, prefix: Curve, horizon: float = 1.0, config: np.ndarray | None = None) -> tuple[float, float]:
        """Mean and standard deviation of the loss at a progress.

        Parameters
        ----------
        prefix : Curve
            What was seen so far, at least one point.
        horizon : float
            Progress, not before the last one of the prefix.
        config : (d,) array, optional

        Returns
        -------
        mean, sd : float
            ``sd`` is infinite where the model has learned nothing that would tell.
        """

    def chance(self, prefix: Curve, best: float, config: np.ndarray | None = None) -> float:
        """Probability that the final loss is below ``best``; 1 where the curve is there already."""
        if min(loss for _, loss in prefix) < best:
            return 1.0
        mean, sd = self.predict(prefix, 1.0, config)
        return 0.5 if math.isinf(sd) else normal_cdf((best - mean) / max(sd, 1e-12))


def normal_cdf(z: float) -> float:
    """Distribution function of the standard normal distribution."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def best_so_far(curve: Curve) -> list[tuple[float, float]]:
    """The curve of the lowest loss until then: of the weights that a training with early stopping keeps."""
    losses = np.minimum.accumulate([loss for _, loss in curve])
    return [(z, float(loss)) for (z, _), loss in zip(curve, losses, strict=True)]


def values_at(curve: Curve, grid: Sequence[float] | np.ndarray) -> np.ndarray:
    """Losses that had been seen last at each progress of the grid, (len(grid),); before the first one, the first."""
    progress = np.array([z for z, _ in curve])
    last = np.searchsorted(progress, np.asarray(grid) + _SLACK, side="right") - 1
    return np.array([loss for _, loss in curve])[np.maximum(last, 0)]


class LogOdds:
    """The scale on which losses of one task are compared: logarithm of ``loss / (ceiling - loss)``.

    The ceiling stands for knowing nothing.  Small losses differ by their ratio, and so do small improvements over the
    ceiling; on this scale what is still to come of a curve is about as uncertain for bad curves as for good ones.

    Parameters
    ----------
    curves : sequence of Curve
        The ceiling is a high quantile of their first losses.
    """

    def __init__(self, curves: Sequence[Curve] = ()) -> None:
        first = [curve[0][1] for curve in curves]
        self.ceiling = max(_MARGIN * float(np.quantile(first, _HIGH)), SMALLEST) if first else 1.0

    def forward(self, losses: np.ndarray | float) -> np.ndarray:
        """From losses; above the bend, near the ceiling, the scale goes on logarithmically."""
        ratio = np.maximum(np.asarray(losses, dtype=float) / self.ceiling, SMALLEST)
        inside = np.minimum(ratio, _BEND)
        found: np.ndarray = np.log(inside / (1 - inside)) + np.log1p((ratio - inside) / (_BEND * (1 - _BEND)))
        return found

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """To losses."""
        bend = math.log(_BEND / (1 - _BEND))
        inside = np.minimum(values, bend)
        beyond = np.expm1(np.minimum(values - inside, _FARTHEST))
        found: np.ndarray = self.ceiling * (
            1 / (1 + np.exp(-np.maximum(inside, -_FARTHEST))) + _BEND * (1 - _BEND) * beyond
        )
        return found

    def normal(self, mean: float, sd: float) -> tuple[float, float]:
        """Median of a loss that is normally distributed on this scale, and half the width of its central 68%.

        They stand for mean and standard deviation, which a heavy tail beyond the ceiling would make useless.
        """
        low, centre, high = self.inverse(np.array([mean - sd, mean, mean + sd])).tolist()
        return centre, (high - low) / 2
