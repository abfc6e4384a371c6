"""A Gaussian process with the arc kernel, for spaces where much is inactive (Swersky et al 2013).

A number x in [0, 1] is put on an arc, ``w (sin(pi rho x), cos(pi rho x))``, and at the centre of its circle where it is
inactive; so two points that both lack it do not differ in it, and one that has it is equally far from one that lacks
it, whatever its value.  A choice is a corner, ``w`` times one-hot, or the centre.  The kernel is Matern with nu = 5/2
over all these coordinates together, and positive definite, being a kernel of Euclidean points.  Parameters are those
of maximum posterior; the paper's slice sampling is left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autonas.surrogates.kernels import matern

__all__ = ["ArcProcess", "arc_distances"]

_STEPS = 40  # evaluations of the posterior
_WEIGHT_SD = 2.0  # of ln w
_NOISE_MEAN, _NOISE_SD = -6.0, 1.5  # of ln noise
_SQRT5 = math.sqrt(5)


def arc_distances(
    left: np.ndarray, right: np.ndarray, sizes: Sequence[int], rho: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances by column for ``w = 1``, and their derivatives by rho.

    Parameters
    ----------
    left, right : (n, d) and (m, d) arrays
        Numbers in [0, 1], choices as whole numbers from 0, NaN for what is inactive.
    sizes : sequence of int
        Number of values of a choice, 0 for a number.
    rho : (d,) array
        Share of the half circle that a number uses, in [0, 1].

    Returns
    -------
    distances, slopes : (d, n, m) arrays
        Both inactive: 0; one: 1; two numbers: ``2 (1 - cos(pi rho (x - x')))``; two different choices: 2.
    """
    active = ~np.isnan(left).T[:, :, None], ~np.isnan(right).T[:, None, :]
    both = active[0] & active[1]
    distances = (active[0] ^ active[1]).astype(float)
    slopes = np.zeros_like(distances)
    for i, size in enumerate(sizes):
        steps = np.where(both[i], left[:, i, None] - right[:, i], 0)
        if size:
            distances[i] += 2.0 * (steps != 0)
        else:
            angles = np.pi * rho[i] * steps
            distances[i] += 2 * (1 - np.cos(angles))
            slopes[i] = 2 * np.pi * steps * np.sin(angles)
    return distances, slopes


class ArcProcess:
    """Posterior of a Gaussian process with the arc kernel; speaks as SMAC's models do.

    Parameters
    ----------
    sizes : sequence of int
        As in :func:`arc_distances`.
    scales : sequence of float
        What each column is divided by, so that numbers lie in [0, 1].
    """

    def __init__(self, sizes: Sequence[int], scales: Sequence[float]) -> None:
        self.sizes = list(sizes)
        self.scales = np.asarray(scales, dtype=float)
        d = len(self.sizes)
        # theta: ln w, rho, ln noise
        self.prior = np.concatenate([np.full(d, -0.5 * math.log(d)), np.full(d, 0.5), [_NOISE_MEAN]])
        self._bounds = [(-6.0, 3.0)] * d + [(0.0, 1.0)] * d + [(-12.0, 1.0)]

    def train(self, X: np.ndarray, y: np.ndarray) -> ArcProcess:
        """Fit the parameters, then condition on all trials.

        Parameters
        ----------
        X : (n, d) array
        y : (n, 1) array
            Losses, on any scale around 0.
        """
        self.condition(X, y, self.parameters(X, y))
        return self

    def parameters(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Theta of maximum posterior, of data as in :meth:`train`."""
        from scipy.optimize import minimize

        return minimize(
            self.objective,
            self.prior,
            (X / self.scales, y.ravel()),
            method="L-BFGS-B",
            jac=True,
            bounds=self._bounds,
            options={"maxfun": _STEPS},
        ).x

    def condition(self, X: np.ndarray, y: np.ndarray, theta: np.ndarray) -> None:
        """Learn the data, with given parameters."""
        self.theta, self._X = theta, X / self.scales
        correlation = self.correlation(self._X, self._X)
        self._factor, self._alpha, self._variance = self._condition(correlation, y.ravel())[:3]

    def correlation(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """The kernel with the fitted parameters, of scaled points; 1 where two are equal; (n, m)."""
        u, v = self._arcs(left), self._arcs(right)
        return matern(np.maximum((u**2).sum(1)[:, None] + (v**2).sum(1) - 2 * u @ v.T, 0))

    def _arcs(self, X: np.ndarray) -> np.ndarray:
        """Scaled points as points of a Euclidean space, whose distances are those of :func:`arc_distances`."""
        w, rho, _ = self._split(self.theta)
        columns = []
        for i, size in enumerate(self.sizes):
            x = X[:, i, None]
            there = (
                x == np.arange(size)
                if size
                else np.concatenate([np.sin(np.pi * rho[i] * x), np.cos(np.pi * rho[i] * x)], 1)
            )
            columns.append(w[i] * np.nan_to_num(there.astype(float)))
        return np.concatenate(columns, 1)

    def predict_marginalized(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the loss without noise, (n, 1) each."""
        from scipy.linalg import solve_triangular

        cross = self.correlation(X / self.scales, self._X)
        spread = solve_triangular(self._factor, cross.T, lower=True)
        variance = self._variance * np.maximum(1 - (spread**2).sum(0), 1e-12)
        return (cross @ self._alpha)[:, None], variance[:, None]

    def objective(self, theta: np.ndarray, X: np.ndarray, z: np.ndarray) -> tuple[float, np.ndarray]:
        """Negative log posterior of theta, up to a constant, and its gradient."""
        d = len(self.sizes)
        w, rho, noise = self._split(theta)
        distances, slopes = arc_distances(X, X, self.sizes, rho)
        r2 = np.tensordot(w**2, distances, 1)
        self.theta = theta
        factor, alpha, variance, inverse = self._condition(matern(r2), z)
        deviation = (theta - self.prior) / np.concatenate([np.full(d, _WEIGHT_SD), np.full(d, np.inf), [_NOISE_SD]])
        value = (len(z) + 2) / 2 * math.log(variance) + np.log(np.diag(factor)).sum() + (deviation**2).sum() / 2

        outer = (inverse - np.outer(alpha, alpha) / variance) / 2
        r = _SQRT5 * np.sqrt(r2)
        by_r2 = outer * (-(5 / 6) * (1 + r) * np.exp(-r))
        by_weight = 2 * w**2 * np.tensordot(distances, by_r2, 2)
        by_rho = w**2 * np.tensordot(slopes, by_r2, 2)
        gradient = np.concatenate([by_weight, by_rho, [noise * np.trace(outer)]])
        gradient[:d] += deviation[:d] / _WEIGHT_SD
        gradient[-1] += deviation[-1] / _NOISE_SD
        return float(value), gradient

    def _split(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        d = len(self.sizes)
        return np.exp(theta[:d]), theta[d : 2 * d], math.exp(theta[-1])

    def _condition(self, correlation: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
        """Cholesky factor, weights of the trials, profiled variance, inverse."""
        from scipy.linalg import cho_solve, cholesky

        noise = math.exp(self.theta[-1])
        factor = cholesky(correlation + noise * np.eye(len(z)), lower=True)
        inverse = cho_solve((factor, True), np.eye(len(z)))
        alpha = inverse @ z
        return factor, alpha, float(z @ alpha + 2) / (len(z) + 2), inverse
