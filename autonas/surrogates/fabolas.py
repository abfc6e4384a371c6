"""A Gaussian process over configurations and the share of the data they are trained on (FABOLAS: Klein et al 2017a).

    k((x, s), (x', s')) = M(x, x') phi(s)' Sigma phi(s')

M is the Matern correlation with nu = 5/2 and a length scale for each block of features; phi is ``(1, (1 - t)^2)`` for a
loss, which flattens towards the full data, and ``(1, t)`` for a logarithm of costs, where t is the logarithm of the
share, 0 at the lowest and 1 at all data, as in the released code.  Sigma is given by its Cholesky factor.  Added here:
noise that changes with t, since few data make noisy losses.  Parameters are of maximum posterior; the samples of them
that the paper averages over are left out.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from autonas.surrogates.kernels import matern, squared_distances

__all__ = ["FidelityPosterior", "FidelityProcess", "Points", "basis"]

Points = tuple[np.ndarray, np.ndarray]
"""Features, (n, n_features), and places of the fidelities, (n,)."""

_WEIGHT_SD, _NOISE_MEAN, _NOISE_SD, _FACTOR_SD = 1.2, -4.0, 1.5, 1.0
_CALLS = 25
_IMPOSSIBLE = 1e10


def basis(t: np.ndarray, of: Literal["loss", "cost"]) -> np.ndarray:
    """phi, (n, 2), of places of fidelities."""
    return np.stack([np.ones_like(t), (1 - t) ** 2 if of == "loss" else t], axis=1)


class FidelityProcess:
    """Prior, with ``theta = (ln w_1 .. ln w_blocks, ln L_11, L_21, ln L_22, ln noise at t = 0, at t = 1)``.

    Parameters
    ----------
    block : (n_features,) array of int
        Block of each feature.
    of : {"loss", "cost"}
    """

    def __init__(self, block: np.ndarray, of: Literal["loss", "cost"]) -> None:
        self.block, self.of = block, of
        self.n_blocks = int(block.max()) + 1 if len(block) else 0
        self.prior = np.array([*np.full(self.n_blocks, -0.5), 0.0, 0.0, 0.0, _NOISE_MEAN, _NOISE_MEAN])
        self._sd = np.array([*np.full(self.n_blocks, _WEIGHT_SD), *[_FACTOR_SD] * 3, _NOISE_SD, _NOISE_SD])
        self._bounds = [(-7.0, 5.0)] * self.n_blocks + [
            (-5.0, 3.0),
            (-5.0, 5.0),
            (-5.0, 3.0),
            (-10.0, 1.0),
            (-10.0, 1.0),
        ]

    def fit(self, features: np.ndarray, t: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Theta of maximum posterior, near enough.

        Parameters
        ----------
        features : (n, n_features) array
        t : (n,) array
            Places of the fidelities.
        z : (n,) array
            Targets with mean 0 and standard deviation 1.
        """
        from scipy.optimize import minimize

        distances = np.array(
            [squared_distances(f, f) for f in (features[:, self.block == b] for b in range(self.n_blocks))]
        ).reshape(self.n_blocks, len(z), len(z))
        found = minimize(
            self.objective,
            self.prior,
            (distances, t, z),
            method="L-BFGS-B",
            jac=True,
            bounds=self._bounds,
            options={"maxfun": _CALLS},
        )
        theta: np.ndarray = found.x if found.fun < _IMPOSSIBLE else self.prior
        return theta

    def objective(
        self, theta: np.ndarray, distances: np.ndarray, t: np.ndarray, z: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Negative log posterior (up to a constant) and its gradient, from (n_blocks, n, n) squared distances."""
        weights, factor = self.parts(theta)
        noise, phi = self.noise(theta, t), basis(t, self.of)
        r2 = np.tensordot(weights, distances, 1)
        correlation, products = matern(r2), phi @ factor
        by_fidelity = products @ products.T
        try:
            root = np.linalg.cholesky(correlation * by_fidelity + np.diag(noise))
        except np.linalg.LinAlgError:
            return _IMPOSSIBLE, np.zeros_like(theta)
        half = np.linalg.inv(root)
        inverse = half.T @ half
        alpha = inverse @ z
        off = (theta - self.prior) / self._sd
        value = z @ alpha / 2 + np.log(np.diag(root)).sum() + (off**2).sum() / 2

        outer = (inverse - np.outer(alpha, alpha)) / 2
        r = np.sqrt(5 * r2)
        slope = -(5 / 6) * (1 + r) * np.exp(-r)
        by_weight = weights * np.tensordot(distances, outer * by_fidelity * slope, 2)
        by_factor = 2 * phi.T @ (outer * correlation) @ products
        by_chol = [by_factor[0, 0] * factor[0, 0], by_factor[1, 0], by_factor[1, 1] * factor[1, 1]]
        by_noise = noise * np.diag(outer)
        gradient = np.array([*by_weight, *by_chol, (1 - t) @ by_noise, t @ by_noise])
        return float(value), gradient + off / self._sd

    def noise(self, theta: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Variance of the noise, (n,)."""
        variance: np.ndarray = np.exp((1 - t) * theta[-2] + t * theta[-1])
        return variance

    def parts(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights, and the Cholesky factor of Sigma."""
        k = self.n_blocks
        factor = np.array([[np.exp(theta[k]), 0.0], [theta[k + 1], np.exp(theta[k + 2])]])
        return np.exp(theta[:k]), factor

    def kernel(self, theta: np.ndarray, left: Points, right: Points) -> np.ndarray:
        """Covariance without noise, (n_left, n_right)."""
        weights, factor = self.parts(theta)
        scale = np.sqrt(weights)[self.block]
        correlation = matern(squared_distances(left[0] * scale, right[0] * scale))
        return correlation * ((basis(left[1], self.of) @ factor) @ (basis(right[1], self.of) @ factor).T)


class FidelityPosterior:
    """What is believed after targets were seen.

    Parameters
    ----------
    process : FidelityProcess
    points : Points
    z : (n,) array
    theta : (n_theta,) array
    """

    def __init__(self, process: FidelityProcess, points: Points, z: np.ndarray, theta: np.ndarray) -> None:
        self._process, self._points, self._z, self._theta = process, points, z, theta
        noise = process.noise(theta, points[1])
        root = np.linalg.cholesky(process.kernel(theta, points, points) + np.diag(noise))
        self._half = np.linalg.inv(root)
        self._alpha = self._half.T @ (self._half @ z)

    def mean(self, features: np.ndarray, t: np.ndarray) -> np.ndarray:
        """(m,) array."""
        return self._process.kernel(self._theta, (features, t), self._points) @ self._alpha

    def covariance(self, left: Points, right: Points) -> np.ndarray:
        """Without noise, (n_left, n_right)."""
        kernel, theta = self._process.kernel, self._theta
        explained = (kernel(theta, left, self._points) @ self._half.T) @ (
            kernel(theta, right, self._points) @ self._half.T
        ).T
        return kernel(theta, left, right) - explained

    def noise(self, t: np.ndarray) -> np.ndarray:
        """Variance of the noise, (m,)."""
        return self._process.noise(self._theta, t)

    def variance(self, features: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Without noise, (m,)."""
        explained = self._process.kernel(self._theta, (features, t), self._points) @ self._half.T
        own = ((basis(t, self._process.of) @ self._process.parts(self._theta)[1]) ** 2).sum(1)
        return np.maximum(own - (explained**2).sum(1), 1e-10)

    def extended(self, features: np.ndarray, t: np.ndarray) -> FidelityPosterior:
        """As if the mean had come true at more points."""
        points = np.concatenate([self._points[0], features]), np.concatenate([self._points[1], t])
        z = np.concatenate([self._z, self.mean(features, t)])
        return FidelityPosterior(self._process, points, z, self._theta)
