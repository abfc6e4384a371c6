"""Curves that decay exponentially towards asymptotes (freeze-thaw: Swersky et al 2014).

The process is that of ``surrogates/freezethaw.py``, on the log odds of losses: complete curves of a search tell its
parameters and what to expect of a configuration, and the start of a curve is joined to that by Bayes' rule.  Real
curves are no such decays, so the uncertainty is widened by how wrong each half of the curves was about the other.
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
SEEN = 0.25  # share of the curves that tells how wrong the process is about the rest
STEPS = 20.0  # time of a whole training; the prior of the process expects decays within a few units
_APART = 1e3  # between configurations of which nothing is known


class FreezeThaw(CurveModel):
    """Learns from at least three complete curves; before that it knows nothing."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._posterior: freezethaw.CurvePosterior | None = None
        self._wider = 1.0

    def fit(self, curves: Sequence[Curve], configs: Sequence[np.ndarray] | None = None) -> None:
        self._posterior, self._wider = None, 1.0
        n = len(curves)
        if n < FEWEST:
            return
        wrong = []
        for half in (range(0, n, 2), range(1, n, 2)) if n >= 2 * FEWEST else ():
            self._learn([curves[i] for i in half], None if configs is None else [configs[i] for i in half])
            for i in sorted(set(range(n)) - set(half)):
                prefix = [point for point in curves[i] if point[0] <= SEEN] or [curves[i][0]]
                mean, sd = self._predicted(prefix, 1.0, None if configs is None else configs[i])
                wrong.append((self._known(curves[i]).values[-1] - mean) / sd)
        if wrong:
            self._wider = max(1.0, float(np.sqrt(np.mean(np.square(wrong)))))
        self._learn(curves, configs)

    def _learn(self, curves: Sequence[Curve], configs: Sequence[np.ndarray] | None) -> None:
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
        mean, sd = self._predicted(prefix, horizon, config)
        return self._odds.normal(self._mean + self._sd * mean, self._wider * self._sd * sd)

    def _predicted(self, prefix: Curve, horizon: float, config: np.ndarray | None) -> tuple[float, float]:
        """On the scale of the process."""
        assert self._posterior is not None
        x = config if self._with_configs and config is not None else self._centre + _APART * self._scale
        (mean,), (sd,) = self._posterior.marginals((x - self._centre)[None, :] / self._scale)
        curve = self._known(prefix)
        told = self._process.sums(self._theta, [curve])
        own, others = 1 / told.variances[0], 1 / sd**2
        asymptote = (own * told.estimates[0] + others * mean) / (own + others)
        offset, slope, variance = self._posterior.step(curve, STEPS * horizon)
        return float(offset + slope * asymptote), math.sqrt(variance + slope**2 / (own + others))

    def _known(self, curve: Curve) -> freezethaw.Curve:
        """A curve as the process sees it."""
        losses = self._odds.forward(np.array([loss for _, loss in curve]))
        return freezethaw.Curve(tuple(STEPS * z for z, _ in curve), (losses - self._mean) / self._sd)


MODEL = FreezeThaw
