"""The scale on which learners fit a regression target.

Targets are standardised; a positive target with a long right tail is fitted on its logarithm first
("auto").  Predictions come back in the target's own units, clipped to the range that was seen plus a
margin, so that no learner extrapolates an exponential.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["TargetScale"]


class TargetScale:
    """Standardised, possibly logarithmic, view of a regression target.

    Parameters
    ----------
    y : (rows,) array
        Training targets, finite.
    mode : {"auto", "raw"}
        "auto" takes the logarithm if all targets are positive and their skewness exceeds 0.8.
    """

    def __init__(self, y: np.ndarray, mode: str = "auto") -> None:
        y = np.asarray(y, dtype=np.float64)
        centred = y - y.mean()
        spread = y.std()
        skewness = float((centred**3).mean() / spread**3) if spread > 0 else 0.0
        self.log = bool(mode == "auto" and y.min() > 0 and skewness > 0.8)
        z = np.log(y) if self.log else y
        self.mean, self.std = float(z.mean()), float(z.std()) or 1.0
        self.low, self.high = float(z.min()) - 0.3 * self.std, float(z.max()) + 0.3 * self.std

    def forward(self, y: np.ndarray) -> np.ndarray:
        """Targets on the fitted scale."""
        z = np.log(y) if self.log else np.asarray(y, dtype=np.float64)
        return (z - self.mean) / self.std

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """Predictions in the target's own units, clipped to the range of the training targets."""
        y = np.clip(np.asarray(z, dtype=np.float64) * self.std + self.mean, self.low, self.high)
        return np.exp(y) if self.log else y

    def state(self) -> dict[str, Any]:
        """Plain numbers."""
        return dict(self.__dict__)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TargetScale:
        """Inverse of :meth:`state`."""
        scale = cls.__new__(cls)
        scale.__dict__.update(state)
        return scale
