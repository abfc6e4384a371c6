"""Curves that decay exponentially towards asymptotes, which resemble those of similar configurations (Swersky et al 2014).

The process is that of ``surrogates/freezethaw.py``, on the log odds of losses: complete curves of a search tell its
parameters and what to expect of a configuration, and the start of a curve is joined to that by Bayes' rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autonas.surrogates import freezethaw
from autonas.surrogates.curves.base import Curve, CurveModel, LogOdds

__all__ = ["MODEL", "FreezeThaw"]

FEWEST = 3  # curves
MOST = 100  # curves, the latest
STEPS = 20.0  # time of a whole training; the prior of the process expects decays within a few units
_APART = 1e3  # between configurations of which nothing is known


class FreezeThaw(CurveModel):
    """Learns from at least three complete curves; before that it knows nothing."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._posterior: freezethaw.CurvePosterior | None = None

    def fit(self, curves: Sequence[Curve], configs: Sequence[np.ndarray] | None = None) -> None:
        self._posterior = None
        if len(curves) < FEWEST:
            return
        curves = list(curves)[-MOST:]
        self._with_configs = configs is not None
        x = (
            np.arange(len(curves))[:, None] * _APART
            if configs is None
            else np.array(list(configs)[-MOST:], dtype=float)
        )
        scale = x.std(0) * math.sqrt(x.shape[1]) if self._with_configs else np.ones(1)
        self._centre, self._scale = x.mean(0), np.where(scale > 0, scale, 1.0)
        self._odds = LogOdds(curves)
        ends = self._odds.forward(np.array([curve[-1][1] for curve in curves]))
        self._mean, self._sd = float(ends.mean()), max(float(ends.std()), 1e-3)
        self._process = freezethaw.CurveProcess(np.zeros(x.shape[1], dtype=int))
        features, known = (x - self._centre) / self._scale, [self._known(curve) for curve in curves]
        self._theta = self._process.fit(features, known)
        self._posterior = freezethaw.CurvePosterior(self._process, features, known, self._theta)

    def predict(self, prefix: Curve, horizon: float = 1.0, config: np.ndarray | None = None) -> tuple[float, float]:
        if self._posterior is None:
            return prefix[-1][1], math.inf
        x = config if self._with_configs and config is not None else self._centre + _APART * self._scale
        (mean,), (sd,) = self._posterior.marginals((x - self._centre)[None, :] / self._scale)
        curve = self._known(prefix)
        told = self._process.sums(self._theta, [curve])
        own, others = 1 / told.variances[0], 1 / sd**2
        asymptote = (own * told.estimates[0] + others * mean) / (own + others)
        offset, slope, variance = self._posterior.step(curve, STEPS * horizon)
        sd = math.sqrt(variance + slope**2 / (own + others))
        return self._odds.normal(float(self._mean + self._sd * (offset + slope * asymptote)), float(self._sd * sd))

    def _known(self, curve: Curve) -> freezethaw.Curve:
        """A curve as the process sees it."""
        losses = self._odds.forward(np.array([loss for _, loss in curve]))
        return freezethaw.Curve(tuple(STEPS * z for z, _ in curve), (losses - self._mean) / self._sd)


MODEL = FreezeThaw
