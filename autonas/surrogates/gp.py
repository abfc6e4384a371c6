"""A Gaussian process with automatic relevance determination, fitted by maximum a posteriori.

The kernel is that of ``kernels.py``: a length scale for each block of features, an amplitude for each branch of the
space.  The parameters are ``theta = (ln w_1 .. ln w_blocks, ln noise, t_1 .. t_branches)``; the variance of the
process is profiled out.  Everything costs O(n^3), so callers bound n.  Left out: a mean other than zero (targets are
standardised) and samples of theta.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack
from scipy.optimize import minimize

from autonas.surrogates.kernels import base, base_gradient, base_variance, matern, squared_distances, squared_norms

__all__ = ["IMPOSSIBLE", "LITTLE_NOISE", "NOISE", "GaussianProcess", "Points", "Posterior", "evidence"]

_WEIGHT_SD = 1.2
NOISE, LITTLE_NOISE = (-4.0, 1.5), (-6.0, 2.5)  # prior means and standard deviations of ln noise
_OFFSET = 1.0  # b of the kernel, where there are branches
IMPOSSIBLE = 1e10


@dataclass(frozen=True)
class Points:
    """Configurations as the model sees them.

    Attributes
    ----------
    features : (n, n_features) array
    branches : (n, n_branches) array
        Indicators of the values of the choices that open branches; no columns if there are none.
    """

    features: np.ndarray
    branches: np.ndarray

    def __len__(self) -> int:
        return len(self.features)

    def __getitem__(self, rows: np.ndarray) -> Points:
        return Points(self.features[rows], self.branches[rows])

    def join(self, other: Points) -> Points:
        """Both, one under the other."""
        return Points(np.concatenate([self.features, other.features]), np.concatenate([self.branches, other.branches]))


class GaussianProcess:
    """Prior over functions of a space.

    Parameters
    ----------
    block : (n_features,) array of int
        Block of each feature.
    centre : (n_features,) array
        Mean of the features over the space.
    log_weights : (n_blocks,) array
        Prior means of ``ln w``.
    n_branches, n_roots : int
        Branches of the space, and choices that open them.
    noise : (float, float)
        Prior mean and standard deviation of ``ln noise``, where targets have a variance of about one.
    pairs : float
        Share of the effects of pairs in the kernel.
    """

    def __init__(
        self,
        block: np.ndarray,
        centre: np.ndarray,
        log_weights: np.ndarray,
        n_branches: int = 0,
        n_roots: int = 0,
        noise: tuple[float, float] = NOISE,
        pairs: float = 0.0,
    ) -> None:
        self.block = block
        self.centre = centre
        self.n_blocks = len(log_weights)
        self.n_roots = n_roots
        self.pairs = pairs
        self.prior = np.concatenate([log_weights, [noise[0]], np.zeros(n_branches)])
        self._sd = np.concatenate([np.full(self.n_blocks, _WEIGHT_SD), [noise[1]], np.ones(n_branches)])
        self._bounds = [(-7.0, 5.0)] * self.n_blocks + [(-10.0, 1.0)] + [(-3.0, 3.0)] * n_branches

    def objective(
        self, theta: np.ndarray, distances: np.ndarray, norms: np.ndarray, branches: np.ndarray, z: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Negative log posterior of theta (up to a constant) and its gradient.

        Parameters
        ----------
        theta : (n_theta,) array
        distances, norms : (n_blocks, n * n) and (n_blocks, n) arrays
            From :meth:`by_block`.
        branches : (n, n_branches) array
        z : (n,) array
        """
        n = len(z)
        weights, noise, amplitudes = self._parts(theta)
        total = weights.sum()
        r2 = (weights @ distances).reshape(n, n)
        sizes = weights @ norms
        products = (sizes[:, None] + sizes - r2) / 2
        correlation = base(r2, products, total, self.pairs)
        covariance = correlation
        if self.n_roots:
            scale = np.exp(branches @ amplitudes)
            scales = scale[:, None] * scale
            covariance = _OFFSET * (branches @ branches.T) / self.n_roots + scales * correlation
        covariance = covariance + noise * np.eye(n)
        found = evidence(covariance, z)
        if found is None:
            return IMPOSSIBLE, np.zeros_like(theta)
        value, outer = found
        off = (theta - self.prior) / self._sd
        value += (off**2).sum() / 2
        gradient = off / self._sd
        gradient[self.n_blocks] += noise * np.trace(outer)
        if self.n_roots:
            outer = outer * scales
            gradient[self.n_blocks + 1 :] += 2 * branches.T @ (outer * correlation).sum(1)
        by_weight = base_gradient(r2, products, outer, distances, norms, total, self.pairs)
        gradient[: self.n_blocks] += weights * by_weight
        return value, gradient

    def by_block(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Squared distances (n_blocks, n * n), and squared norms of centred features (n_blocks, n), of each block."""
        n = len(features)
        distances, norms = np.empty((self.n_blocks, n * n)), np.empty((self.n_blocks, n))
        centred = features - self.centre
        for number in range(self.n_blocks):
            columns = centred[:, self.block == number]
            distances[number] = squared_distances(columns, columns).ravel()
            norms[number] = (columns**2).sum(1)
        return distances, norms

    def fit(self, points: Points, z: np.ndarray, start: np.ndarray, calls: int = 8) -> np.ndarray:
        """Theta after a few steps of L-BFGS from ``start``."""
        found = minimize(
            self.objective,
            start,
            (*self.by_block(points.features), points.branches, z),
            method="L-BFGS-B",
            jac=True,
            bounds=self._bounds,
            options={"maxfun": calls},
        )
        return found.x if found.fun < IMPOSSIBLE else start

    def posterior(self, points: Points, z: np.ndarray, theta: np.ndarray) -> Posterior:
        """What is believed after ``z`` was seen at the points."""
        return Posterior(self, points, z, theta)

    def _parts(self, theta: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        return np.exp(theta[: self.n_blocks]), float(np.exp(theta[self.n_blocks])), theta[self.n_blocks + 1 :]


class Posterior:
    """A Gaussian process that has seen targets.

    Attributes
    ----------
    variance : float
        Of the process.
    fitted : (n,) array
        Posterior mean at the points that were seen.
    """

    def __init__(
        self, process: GaussianProcess, points: Points, z: np.ndarray, theta: np.ndarray, variance: float | None = None
    ) -> None:
        self._process, self._theta, self._points, self._z = process, theta, points, z
        self._weights, self._noise, self._amplitudes = process._parts(theta)  # noqa: SLF001
        self._scale = np.sqrt(self._weights)[process.block]
        self._units = self._scaled(points)
        self._norms = squared_norms(self._units)
        covariance = self._covariance(self._units, self._norms, points) + self._noise * np.eye(len(z))
        self._factor, failed = lapack.dpotrf(covariance, lower=1)
        if failed:
            raise np.linalg.LinAlgError("the covariance of the Gaussian process is not positive definite")
        alpha, _ = lapack.dpotrs(self._factor, z, lower=1)
        self._alpha = alpha
        self.variance = (float(z @ alpha) + 2) / (len(z) + 2) if variance is None else variance
        self.fitted = z - self._noise * alpha

    def predict(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the function itself (without noise), (n,) each."""
        units = self._scaled(points)
        norms = squared_norms(units)
        cross = self._covariance(units, norms, points)
        mean = cross @ self._alpha
        explained = blas.dtrsm(1.0, self._factor, cross.T, lower=1)
        prior = base_variance(norms, self._weights.sum(), self._process.pairs)
        if self._process.n_roots:
            prior = prior * np.exp(2 * (points.branches @ self._amplitudes)) + _OFFSET
        rest = np.maximum(prior - np.einsum("ij,ij->j", explained, explained), 1e-8)
        return mean, np.sqrt(self.variance * rest)

    def extended(self, points: Points, z: np.ndarray) -> Posterior:
        """After more targets, with the same parameters."""
        joined, targets = self._points.join(points), np.concatenate([self._z, z])
        return Posterior(self._process, joined, targets, self._theta, self.variance)

    def similarity(self, points: Points, others: Points) -> np.ndarray:
        """Matern correlation under the current length scales, (n_points, n_others)."""
        return matern(squared_distances(self._scaled(points), self._scaled(others)))

    def _scaled(self, points: Points) -> np.ndarray:
        return (points.features - self._process.centre) * self._scale

    def _covariance(self, units: np.ndarray, norms: np.ndarray, left: Points) -> np.ndarray:
        """Between points, whose scaled features are ``units``, and those that were seen."""
        products = units @ self._units.T
        r2 = -2 * products
        r2 += norms[:, None]
        r2 += self._norms
        np.maximum(r2, 0, out=r2)
        covariance = base(r2, products, self._weights.sum(), self._process.pairs)
        if self._process.n_roots:
            right = self._points
            covariance *= np.exp(left.branches @ self._amplitudes)[:, None]
            covariance *= np.exp(right.branches @ self._amplitudes)
            covariance += _OFFSET * (left.branches @ right.branches.T) / self._process.n_roots
        return covariance


def evidence(covariance: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray] | None:
    """Negative log evidence of targets, their variance integrated out, and its gradient.

    Parameters
    ----------
    covariance : (n, n) array
        Up to the variance, whose prior is a weak inverse gamma.
    z : (n,) array

    Returns
    -------
    (value, gradient) or None
        Up to a constant; the gradient is (n, n).  None: the matrix is not positive definite.
    """
    factor, failed = lapack.dpotrf(covariance, lower=1)
    if failed:
        return None
    inverse, _ = lapack.dpotri(factor, lower=1)
    inverse = np.tril(inverse) + np.tril(inverse, -1).T
    alpha = inverse @ z
    variance = (z @ alpha + 2) / (len(z) + 2)
    value = (len(z) + 2) / 2 * np.log(variance) + np.log(np.diag(factor)).sum()
    return value, (inverse - np.outer(alpha, alpha) / variance) / 2
