"""Gaussian process over curves that decay exponentially towards an asymptote (Swersky et al 2014).

The logarithm of a loss is an asymptote plus a sum of decaying exponentials plus noise.  Asymptotes of different
configurations have a Gaussian process over the configurations, so complete curves of similar configurations help; given
its asymptote a curve is independent of all others, which keeps the cost at one small matrix per curve and one of the size
of the number of curves.  Parameters maximise the likelihood instead of being sampled.  The search strategy that pauses
and resumes trainings has this model too, on its own; left out here: warping of the inputs.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autonas.surrogates.curves.base import Curve, CurveModel, log_losses
from autonas.surrogates.kernels import matern, squared_distances

__all__ = ["MODEL", "FreezeThaw", "decay"]

MOST = 100  # curves, the latest
CALLS = 400  # of the likelihood
LENGTHS = (0.5, 1.0, 2.0, 4.0)  # length scales to choose from, in units of the root of the number of features
_NUGGET = 0.2  # share of the variance of asymptotes that no configuration explains
_BOUNDS = [(-7.0, 3.0), (-2.0, 2.0), (-4.0, 2.0), (-7.0, 0.0), (-10.0, 5.0), (-5.0, 3.0)]


def decay(s: np.ndarray, t: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    """``beta^alpha / (s + t + beta)^alpha``: a mixture of exponential decays with Gamma(alpha, beta) rates.

    Parameters
    ----------
    s : (n,) array
    t : (m,) array

    Returns
    -------
    (n, m) array
    """
    return (beta / (s[:, None] + t + beta)) ** alpha


@dataclass(frozen=True)
class Parameters:
    """Of the process, on the logarithmic scale of losses."""

    amplitude: float = 1.0
    alpha: float = 1.0
    beta: float = 0.3
    noise: float = 0.05
    mean: float = -0.5
    spread: float = 1.0

    @classmethod
    def from_vector(cls, theta: np.ndarray) -> Parameters:
        """From logarithms, except for the mean."""
        amplitude, alpha, beta, noise, _, spread = np.exp(theta)
        return cls(float(amplitude), float(alpha), float(beta), float(noise), float(theta[4]), float(spread))

    def covariance(self, t: np.ndarray) -> np.ndarray:
        """Of one curve around its asymptote, noise included."""
        return self.amplitude**2 * decay(t, t, self.alpha, self.beta) + self.noise**2 * np.eye(len(t))


class FreezeThaw(CurveModel):
    """Knows a little from its prior, and more from complete curves."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._parameters = Parameters()
        self._configs: np.ndarray | None = None

    def fit(self, curves: Sequence[Curve], configs: Sequence[np.ndarray] | None = None) -> None:
        self._configs = None
        if len(curves) < 3:
            self._parameters = Parameters()
            return
        curves = list(curves)[-MOST:]
        self._parameters = _fitted(curves)
        if configs is not None:
            self._learn_asymptotes(curves, np.array(list(configs)[-MOST:], dtype=float))

    def _learn_asymptotes(self, curves: Sequence[Curve], configs: np.ndarray) -> None:
        """The process over configurations, given what each curve says of its asymptote."""
        self._centre, scale = configs.mean(0), configs.std(0)
        self._scale = np.where(scale > 0, scale, 1.0) * math.sqrt(configs.shape[1])
        told = [_asymptote(self._parameters, curve) for curve in curves]
        values, variances = np.array(told).T
        self._configs = (configs - self._centre) / self._scale
        best = -math.inf
        for length in LENGTHS:
            covariance = self._similarity(self._configs, length) + np.diag(
                variances + _NUGGET * self._parameters.spread**2
            )
            inverse = np.linalg.inv(covariance)
            alpha = inverse @ (values - self._parameters.mean)
            likelihood = -((values - self._parameters.mean) @ alpha + np.linalg.slogdet(covariance)[1]) / 2
            if likelihood > best:
                best, self._length, self._inverse, self._alpha = likelihood, length, inverse, alpha

    def predict(self, prefix: Curve, horizon: float = 1.0, config: np.ndarray | None = None) -> tuple[float, float]:
        p = self._parameters
        mean, variance = self._prior(config)
        t, y = np.array([z for z, _ in prefix]), log_losses(prefix)
        inverse = np.linalg.inv(p.covariance(t))
        precision = inverse.sum()
        spread = 1 / (1 / variance + precision)
        asymptote = spread * (mean / variance + (inverse @ y).sum())
        end = np.array([horizon])
        weights = p.amplitude**2 * decay(end, t, p.alpha, p.beta)[0] @ inverse
        rest = 1 - weights.sum()  # Omega of the paper
        expected = weights @ y + rest * asymptote
        own = p.amplitude**2 * float(decay(end, end, p.alpha, p.beta)[0, 0]) + p.noise**2
        cross = p.amplitude**2 * decay(end, t, p.alpha, p.beta)[0]
        sd = math.sqrt(max(own - float(weights @ cross) + rest**2 * spread, 1e-12))
        loss = math.exp(float(expected))
        return loss, loss * sd

    def _prior(self, config: np.ndarray | None) -> tuple[float, float]:
        """Mean and variance of the asymptote before the curve is seen."""
        p = self._parameters
        if self._configs is None or config is None:
            return p.mean, p.spread**2
        x = (config[None, :] - self._centre) / self._scale
        cross = self._similarity(x, self._length)[0]
        explained = cross @ self._inverse @ cross
        return p.mean + float(cross @ self._alpha), max(p.spread**2 - float(explained), _NUGGET * p.spread**2)

    def _similarity(self, x: np.ndarray, length: float) -> np.ndarray:
        assert self._configs is not None
        covariance = (1 - _NUGGET) * matern(squared_distances(x, self._configs) / length**2)
        return self._parameters.spread**2 * covariance


def _asymptote(parameters: Parameters, curve: Curve) -> tuple[float, float]:
    """What one curve says of its asymptote: generalised least squares and its variance."""
    inverse = np.linalg.inv(parameters.covariance(np.array([z for z, _ in curve])))
    precision = inverse.sum()
    return float((inverse @ log_losses(curve)).sum() / precision), float(1 / precision)


def _fitted(curves: Sequence[Curve]) -> Parameters:
    """The most likely parameters, with asymptotes as if configurations were unrelated."""
    from scipy.optimize import minimize

    together: dict[tuple[float, ...], list[np.ndarray]] = defaultdict(list)
    for curve in curves:
        together[tuple(z for z, _ in curve)].append(log_losses(curve))
    groups = [(np.array(grid), np.array(losses)) for grid, losses in together.items()]

    def objective(theta: np.ndarray) -> float:
        parameters = Parameters.from_vector(theta)
        total = 0.0
        for t, losses in groups:
            covariance = parameters.covariance(t) + parameters.spread**2
            _, log_determinant = np.linalg.slogdet(covariance)
            off = losses - parameters.mean
            total += (len(off) * log_determinant + (off * np.linalg.solve(covariance, off.T).T).sum()) / 2
        return total

    ends = np.array([log_losses(curve)[-1] for curve in curves])
    start = np.array([0.0, 0.0, -1.0, -3.0, float(ends.mean()), math.log(max(float(ends.std()), 0.1))])
    start = np.clip(start, *np.array(_BOUNDS).T)
    found = minimize(objective, start, method="L-BFGS-B", bounds=_BOUNDS, options={"maxfun": CALLS})
    return Parameters.from_vector(found.x)


MODEL = FreezeThaw
