"""Extrapolation by a weighted sum of eleven parametric families with a posterior (Domhan et al 2015).

Given the shape parameters of one family and the noise, its offset and factor are Gaussian, so the probability of what
was seen and the distribution of the final loss have closed forms.  The posterior is a sum over draws of shapes and
noise from their prior, each weighted by that probability: importance sampling that is exact in the linear parameters,
takes a millisecond where an ensemble sampler takes seconds, and has no randomness left after the draws.  The weights of
the paper's sum are the posterior probabilities of the families.  As there, a curve never ends worse than it began, nor
beyond a loss of 0.  New is :meth:`Parametric.fit`: complete curves of the same task say which draws are common, and how
far curves fall.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autonas.surrogates.curves.base import Curve, CurveModel, LogOdds
from autonas.surrogates.curves.families import FAMILIES

__all__ = ["MODEL", "Parametric"]

DRAWS = 128  # of each family
NOISES = (0.002, 0.006, 0.02, 0.06)  # standard deviations, as parts of the first loss
DROP = (0.4, 0.35)  # mean and standard deviation of how much of the first loss is gone in the end, before any is known
PATIENCE = 10  # complete curves that weigh as much as the prior
FULL = 100.0  # x at the end of training
_LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Fitted:
    """Per draw and noise: log probability of what was seen, then mean and variance of the drop at the horizon."""

    log_evidence: np.ndarray
    mean: np.ndarray
    variance: np.ndarray


class Parametric(CurveModel):
    """Needs no complete curve, and learns from those that there are."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        rng = np.random.default_rng((seed, 2015))
        self._draws = [(family, family.draw(rng, DRAWS)[:, :, None]) for family in FAMILIES.values()]
        self._noise = np.array(NOISES)
        self._log_prior = np.zeros((DRAWS * len(FAMILIES), len(NOISES)))
        self._scale, self._line, self._drop = LogOdds(), np.zeros(2), DROP

    def fit(self, curves: Sequence[Curve], configs: Sequence[np.ndarray] | None = None) -> None:
        self._log_prior, self._line, self._drop = np.zeros_like(self._log_prior), np.zeros(2), DROP
        usable = [curve for curve in curves if len(curve) > 1]
        if not usable:
            return
        drops = np.array([1 - curve[-1][1] / curve[0][1] for curve in usable])
        share = len(drops) / (len(drops) + PATIENCE)
        self._scale = LogOdds(usable)
        first = self._scale.forward(np.array([curve[0][1] for curve in usable]))
        line = np.array([np.ones(len(first)), first]).T
        self._line = np.linalg.solve(line.T @ line + np.diag([PATIENCE, PATIENCE]), line.T @ (drops - DROP[0]))
        variance = share * float(np.mean((drops - DROP[0] - line @ self._line) ** 2)) + (1 - share) * DROP[1] ** 2
        self._drop = DROP[0], math.sqrt(variance)
        total = np.full_like(self._log_prior, PATIENCE / self._log_prior.size)
        for curve in usable:
            total += _normalised(self._fitted(curve, 1.0).log_evidence)
        self._log_prior = np.log(total)

    def predict(self, prefix: Curve, horizon: float = 1.0, config: np.ndarray | None = None) -> tuple[float, float]:
        fitted = self._fitted(prefix, horizon)
        mass, mean, variance = _truncated(fitted.mean, np.sqrt(fitted.variance))
        weights = _normalised(fitted.log_evidence + self._log_prior + np.log(np.maximum(mass, 1e-300)))
        drop = float((weights * mean).sum())
        spread = float((weights * (variance + (mean - drop) ** 2)).sum())
        first = prefix[0][1]
        return first * (1 - drop), first * math.sqrt(spread)

    def _fitted(self, curve: Curve, horizon: float) -> Fitted:
        """Bayesian linear regression of the drop since the first loss on every shape, for every noise.

        ``drop(x) = u + d h(x) + noise`` with h = 0 at the first point and 1 at the end of training.
        """
        x = FULL * np.array([z for z, _ in curve])
        y = 1 - np.array([loss for _, loss in curve]) / max(curve[0][1], 1e-12)
        h, ahead = self._shapes(x, FULL * horizon)
        noise2 = self._noise**2
        d0, d_sd = self._drop
        d0 = d0 + self._line[0] + self._line[1] * float(self._scale.forward(curve[0][1]))
        # precision and right-hand side of (u, d); the prior of u has the variance of the noise
        n = len(y)
        a11 = (n + 1) / noise2
        a12 = h.sum(1)[:, None] / noise2
        a22 = (h**2).sum(1)[:, None] / noise2 + 1 / d_sd**2
        b1 = y.sum() / noise2
        b2 = (h @ y)[:, None] / noise2 + d0 / d_sd**2
        determinant = a11 * a22 - a12**2
        u, d = (a22 * b1 - a12 * b2) / determinant, (a11 * b2 - a12 * b1) / determinant
        log_evidence = (
            -n / 2 * (_LOG_2PI + np.log(noise2))
            - np.log(noise2) / 2
            - math.log(d_sd)
            - np.log(determinant) / 2
            - (y @ y / noise2 + (d0 / d_sd) ** 2 - b1 * u - b2 * d) / 2
        )
        ahead = ahead[:, None]
        variance = (a22 - 2 * ahead * a12 + ahead**2 * a11) / determinant + noise2
        return Fitted(log_evidence, u + d * ahead, variance)

    def _shapes(self, x: np.ndarray, horizon: float) -> tuple[np.ndarray, np.ndarray]:
        """Shapes at x, (draws, n), and at the horizon, (draws,)."""
        points = np.concatenate([x, [horizon, FULL]])
        rows = []
        for family, parameters in self._draws:
            values = np.broadcast_to(family.shape(points, *parameters), (DRAWS, len(points)))
            rise = values[:, -1:] - values[:, :1]
            # a shape that has ended before the first point explains a curve that does not move
            rows.append(np.where(rise > 1e-9, (values - values[:, :1]) / np.maximum(rise, 1e-9), 0.0))
        h = np.concatenate(rows)
        return h[:, :-2], h[:, -2]


def _normalised(log_weights: np.ndarray) -> np.ndarray:
    weights = np.exp(log_weights - log_weights.max())
    return weights / weights.sum()


def _truncated(mean: np.ndarray, sd: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mass, mean and variance of normal distributions between 0 and 1."""
    from scipy.special import ndtr

    low, high = -mean / sd, (1 - mean) / sd
    density_low, density_high = np.exp(-(low**2) / 2 - _LOG_2PI / 2), np.exp(-(high**2) / 2 - _LOG_2PI / 2)
    mass = np.maximum(ndtr(high) - ndtr(low), 1e-12)
    shift = (density_low - density_high) / mass
    variance = 1 + (low * density_low - high * density_high) / mass - shift**2
    return mass, np.clip(mean + sd * shift, 0, 1), sd**2 * np.clip(variance, 0, 1)


MODEL = Parametric
