"""Where the minimum may be: expected improvement, and what an observation would tell about the place of the minimum.

Entropy search (Hennig & Schuler 2012) as FABOLAS and freeze-thaw use it: the minimum is sought among some
*representer points*, whose joint posterior is known.  Left out: expectation propagation; the chance of every point to
be the minimum is counted in samples, the same ones before and after every observation.
"""

from __future__ import annotations

import numpy as np

__all__ = ["chances", "entropy", "expected_improvement", "information_gain"]

_SAMPLES = 200
_OUTCOMES = 5  # values that an observation is imagined to have
_JITTER = 1e-6
_CHUNK = 64  # observations at once


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """By how much less than ``best`` normal variables are on average."""
    from scipy.special import ndtr

    u = (best - mean) / deviation
    improvement: np.ndarray = deviation * (u * ndtr(u) + np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi))
    return improvement


def entropy(p: np.ndarray) -> np.ndarray:
    """Of distributions over the last axis, in nats."""
    value: np.ndarray = -(p * np.log(np.where(p > 0, p, 1))).sum(-1)
    return value


def chances(mean: np.ndarray, covariance: np.ndarray, rng: np.random.Generator, samples: int = _SAMPLES) -> np.ndarray:
    """How probably each of ``n`` jointly normal variables is the smallest, (n,)."""
    normals = rng.standard_normal((samples, len(mean)))
    return _counts((mean + normals @ _root(covariance).T)[None])[0]


def information_gain(
    mean: np.ndarray, covariance: np.ndarray, effects: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Expected loss of entropy about which variable is the smallest, for each of ``m`` observations.

    Parameters
    ----------
    mean, covariance : (n,) and (n, n) arrays
        Of the variables.
    effects : (m, n) array
        Covariance of every observation with the variables, divided by the standard deviation of the observation:
        the means move by ``effects`` times a standard normal number, and the covariance loses their outer product.
    rng : Generator

    Returns
    -------
    (m,) array
        In nats; the error of sampling may leave it below 0.
    """
    from scipy.special import ndtri

    normals = rng.standard_normal((_SAMPLES, len(mean)))
    now = entropy(_counts((mean + normals @ _root(covariance).T)[None]))[0]
    steps = ndtri((np.arange(_OUTCOMES) + 0.5) / _OUTCOMES)
    steps = steps / steps.std()
    gains = []
    for start in range(0, len(effects), _CHUNK):
        part = effects[start : start + _CHUNK]
        roots = _root(covariance - part[:, :, None] * part[:, None, :])
        drawn = mean + normals @ roots.swapaxes(1, 2)  # (part, samples, n)
        after = [entropy(_counts(drawn + step * part[:, None])) for step in steps]
        gains.append(now - np.mean(after, axis=0))
    return np.concatenate([np.empty(0), *gains])


def _counts(drawn: np.ndarray) -> np.ndarray:
    """Shares of the samples in which each variable is the smallest, (m, n) of (m, samples, n)."""
    m, samples, n = drawn.shape
    places = np.arange(m)[:, None] * n + drawn.argmin(2)
    return np.bincount(places.ravel(), minlength=m * n).reshape(m, n) / samples


def _root(covariance: np.ndarray) -> np.ndarray:
    """Cholesky factors, of matrices that may be positive definite but for rounding."""
    n = covariance.shape[-1]
    scale = np.maximum(np.trace(covariance, axis1=-2, axis2=-1) / n, 1e-300)[..., None, None]
    eye = np.eye(n)
    jitter = _JITTER
    while True:
        try:
            return np.linalg.cholesky(covariance + jitter * scale * eye)
        except np.linalg.LinAlgError:
            jitter *= 10
