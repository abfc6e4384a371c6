"""A Gaussian process over configurations and rungs of fidelity, so that all trials are in one model.

    cov((x, p), (x', p')) = c + e p p' + K(x, x') ((1 + b p) (1 + b p') + d^2 p p'),    p = (1 - t)^2

t is the place of a rung, 0 the lowest and 1 the full one; K the kernel of ``kernels.py``; p the basis of FABOLAS
(Klein et al 2017a).  What a low rung says of the full one fades as d grows; b gives it another spread and e another
mean.  Every rung has noise of its own, of which low fidelities often mostly consist.  Parameters are
``theta = (ln w_1 .. ln w_blocks, ln noise_1 .. ln noise_rungs, b, ln d, t_1 .. t_branches)``, of maximum posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, lapack

from autonas.surrogates.gp import IMPOSSIBLE, GaussianProcess, Points, Posterior, evidence
from autonas.surrogates.kernels import base, base_gradient, base_variance, squared_norms

__all__ = ["RungPoints", "RungPosterior", "RungProcess"]

_WEIGHT_SD, _TILT_SD, _EXTRA_MEAN, _EXTRA_SD = 1.2, 0.5, -0.7, 1.0
_NOISE_FULL, _NOISE_FULL_SD, _NOISE_LOW, _NOISE_LOW_SD = -4.0, 1.5, 0.0, 2.0
_OFFSET = 1.0  # as in ``gp.py``
_CONSTANT, _SHIFT = 1.0, 4.0  # c and e


@dataclass(frozen=True)
class RungPoints(Points):
    """Configurations at rungs.

    Attributes
    ----------
    rungs : (n,) array of int
        0 is the lowest.
    """

    rungs: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> RungPoints:
        return RungPoints(self.features[rows], self.branches[rows], self.rungs[rows])

    def join(self, other: Points) -> RungPoints:
        """Both, one under the other."""
        assert isinstance(other, RungPoints)
        joined = super().join(other)
        return RungPoints(joined.features, joined.branches, np.concatenate([self.rungs, other.rungs]))


class RungProcess(GaussianProcess):
    """Prior over functions of a space at several rungs.

    Parameters
    ----------
    block, centre, log_weights, n_branches, n_roots
        As in :class:`~autonas.surrogates.gp.GaussianProcess`.
    n_rungs : int
        At least 2.
    """

    def __init__(
        self,
        block: np.ndarray,
        centre: np.ndarray,
        log_weights: np.ndarray,
        n_rungs: int,
        n_branches: int = 0,
        n_roots: int = 0,
    ) -> None:
        super().__init__(block, centre, log_weights, n_branches, n_roots)
        self.n_rungs = n_rungs
        self.gaps = (1 - np.arange(n_rungs) / (n_rungs - 1)) ** 2
        noise = np.linspace(_NOISE_LOW, _NOISE_FULL, n_rungs)
        self.prior = np.concatenate([log_weights, noise, [0.0, _EXTRA_MEAN], np.zeros(n_branches)])
        noise_sd = [_NOISE_LOW_SD] * (n_rungs - 1) + [_NOISE_FULL_SD]
        weight_sd = [_WEIGHT_SD] * self.n_blocks
        self._sd = np.array([*weight_sd, *noise_sd, _TILT_SD, _EXTRA_SD, *np.ones(n_branches)])
        self._bounds = [(-7.0, 5.0)] * self.n_blocks + [(-10.0, 6.0)] * n_rungs + [(-1.0, 3.0), (-5.0, 3.0)]
        self._bounds += [(-3.0, 3.0)] * n_branches

    def by_rung(self, theta: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Factor of K between rungs, (n_left, n_right)."""
        tilt, extra = self._between(theta)
        p, q = self.gaps[left], self.gaps[right]
        return np.outer(1 + tilt * p, 1 + tilt * q) + extra**2 * np.outer(p, q)

    def noises(self, theta: np.ndarray) -> np.ndarray:
        """Variance of the noise of each rung, (n_rungs,)."""
        variances: np.ndarray = np.exp(theta[self.n_blocks : self.n_blocks + self.n_rungs])
        return variances

    def objective(  # type: ignore[override]  # one argument more, which ``_data`` brings
        self,
        theta: np.ndarray,
        distances: np.ndarray,
        norms: np.ndarray,
        branches: np.ndarray,
        rungs: np.ndarray,
        z: np.ndarray,
    ) -> tuple[float, np.ndarray]:
        """Negative log posterior of theta (up to a constant) and its gradient; ``rungs`` is an (n,) array."""
        n, k = len(z), self.n_blocks
        m = k + self.n_rungs
        weights, _, amplitudes = self._parts(theta)
        tilt, extra = self._between(theta)
        total = weights.sum()
        r2 = (weights @ distances).reshape(n, n)
        sizes = weights @ norms
        products = (sizes[:, None] + sizes - r2) / 2
        correlation = base(r2, products, total)
        scale = np.exp(branches @ amplitudes)
        scales = scale[:, None] * scale
        core = scales * correlation
        if self.n_roots:
            core = core + _OFFSET * (branches @ branches.T) / self.n_roots
        p = self.gaps[rungs]
        by_rung = self.by_rung(theta, rungs, rungs)
        noises = self.noises(theta)
        covariance = _CONSTANT + _SHIFT * np.outer(p, p) + core * by_rung + np.diag(noises[rungs])
        found = evidence(covariance, z)
        if found is None:
            return IMPOSSIBLE, np.zeros_like(theta)
        value, outer = found
        off = (theta - self.prior) / self._sd
        value += (off**2).sum() / 2
        gradient = off / self._sd
        gradient[k:m] += noises * np.bincount(rungs, np.diag(outer), self.n_rungs)
        by_core = outer * core
        gradient[m] += 2 * p @ by_core @ (1 + tilt * p)
        gradient[m + 1] += 2 * extra**2 * (p @ by_core @ p)
        outer = outer * by_rung * scales
        gradient[m + 2 :] += 2 * branches.T @ (outer * correlation).sum(1)
        gradient[:k] += weights * base_gradient(r2, products, outer, distances, norms, total)
        return value, gradient

    def fit(self, points: Points, z: np.ndarray, start: np.ndarray, calls: int = 8) -> np.ndarray:
        """Theta after a few steps of L-BFGS from ``start``."""
        from scipy.optimize import minimize

        assert isinstance(points, RungPoints)
        found = minimize(
            self.objective,
            start,
            (*self.by_block(points.features), points.branches, points.rungs, z),
            method="L-BFGS-B",
            jac=True,
            bounds=self._bounds,
            options={"maxfun": calls},
        )
        return found.x if found.fun < IMPOSSIBLE else start

    def posterior(self, points: Points, z: np.ndarray, theta: np.ndarray) -> RungPosterior:
        """What is believed after ``z`` was seen at the points."""
        assert isinstance(points, RungPoints)
        return RungPosterior(self, points, z, theta)

    def _parts(self, theta: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        m = self.n_blocks + self.n_rungs
        return np.exp(theta[: self.n_blocks]), float(np.exp(theta[m - 1])), theta[m + 2 :]

    def _between(self, theta: np.ndarray) -> tuple[float, float]:
        m = self.n_blocks + self.n_rungs
        return float(theta[m]), float(np.exp(theta[m + 1]))


class RungPosterior(Posterior):
    """A Gaussian process that has seen targets at several rungs; attributes as in :class:`Posterior`."""

    _process: RungProcess
    _points: RungPoints

    def __init__(
        self, process: RungProcess, points: RungPoints, z: np.ndarray, theta: np.ndarray, variance: float | None = None
    ) -> None:
        self._process, self._theta, self._points, self._z = process, theta, points, z
        self._weights, _, self._amplitudes = process._parts(theta)  # noqa: SLF001
        self._scale = np.sqrt(self._weights)[process.block]
        self._units = self._scaled(points)
        self._norms = squared_norms(self._units)
        noise = process.noises(theta)[points.rungs]
        self._factor, failed = lapack.dpotrf(
            self._covariance(self._units, self._norms, points) + np.diag(noise), lower=1
        )
        if failed:
            raise np.linalg.LinAlgError("the covariance of the Gaussian process is not positive definite")
        self._alpha, _ = lapack.dpotrs(self._factor, z, lower=1)
        self.variance = (float(z @ self._alpha) + 2) / (len(z) + 2) if variance is None else variance
        self.fitted = z - noise * self._alpha

    def predict(self, points: Points) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the function itself (without noise) at the points' rungs, (n,) each."""
        assert isinstance(points, RungPoints)
        units = self._scaled(points)
        norms = squared_norms(units)
        cross = self._covariance(units, norms, points)
        explained = blas.dtrsm(1.0, self._factor, cross.T, lower=1)
        p = self._process.gaps[points.rungs]
        tilt, extra = self._process._between(self._theta)  # noqa: SLF001
        own = _CONSTANT + _SHIFT * p**2 + self._core(points, norms) * ((1 + tilt * p) ** 2 + (extra * p) ** 2)
        rest = np.maximum(own - np.einsum("ij,ij->j", explained, explained), 1e-8)
        return cross @ self._alpha, np.sqrt(self.variance * rest)

    def informed(self, points: RungPoints) -> np.ndarray:
        """Share of the variance at the last point that a trial at each point would explain, (n,) in [0, 1].

        Parameters
        ----------
        points : RungPoints
            One configuration at several rungs.
        """
        units = self._scaled(points)
        norms = squared_norms(units)
        explained = blas.dtrsm(1.0, self._factor, self._covariance(units, norms, points).T, lower=1)
        p, rungs = self._process.gaps[points.rungs], points.rungs
        by_rung = self._process.by_rung(self._theta, rungs, rungs)
        rest = _CONSTANT + _SHIFT * np.outer(p, p) + self._core(points, norms)[:, None] * by_rung
        rest -= explained.T @ explained
        own = np.maximum(np.diag(rest), 1e-8)
        shares: np.ndarray = rest[:, -1] ** 2 / (own[-1] * (own + self._process.noises(self._theta)[rungs]))
        return shares

    def extended(self, points: Points, z: np.ndarray) -> RungPosterior:
        """After more targets, with the same parameters."""
        joined, targets = self._points.join(points), np.concatenate([self._z, z])
        return RungPosterior(self._process, joined, targets, self._theta, self.variance)

    def _core(self, points: Points, norms: np.ndarray) -> np.ndarray:
        """K(x, x), (n,)."""
        core: np.ndarray = base_variance(norms, self._weights.sum())
        if self._process.n_roots:
            core = core * np.exp(2 * (points.branches @ self._amplitudes)) + _OFFSET
        return core

    def _covariance(self, units: np.ndarray, norms: np.ndarray, left: Points) -> np.ndarray:
        assert isinstance(left, RungPoints)
        p, q = self._process.gaps[left.rungs], self._process.gaps[self._points.rungs]
        covariance = super()._covariance(units, norms, left)
        covariance *= self._process.by_rung(self._theta, left.rungs, self._points.rungs)
        covariance += _CONSTANT + _SHIFT * np.outer(p, q)
        return covariance
