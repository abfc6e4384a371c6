"""A Gaussian process over learning curves that decay to asymptotes (freeze-thaw: Swersky et al 2014).

A loss after time t is the asymptote of its configuration, plus a sum of exponential decays, plus noise:
``k(t, t') = s b^a / (t + t' + b)^a`` is the mixture of ``exp(-l (t + t'))`` over rates l ~ Gamma(a, b).  Asymptotes
are a Gaussian process over configurations (Matern, nu = 5/2).  Given its asymptote no curve tells about another, so
that each is summed up by one estimate of its asymptote and the variance of that, and only matrices of the size of one
curve, or of the number of curves, are inverted.  Parameters are of maximum posterior.  Left out: input warping, and the
samples of the parameters that the paper averages over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autonas.surrogates.kernels import matern, squared_distances

__all__ = ["Curve", "CurvePosterior", "CurveProcess", "decay"]

_CALLS = 20
_STEP = 1e-5  # of finite differences by the parameters of time
_IMPOSSIBLE = 1e10


def decay(t: np.ndarray, other: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    """Covariance of decaying parts, (n, m), 1 at time 0."""
    return (beta / (t[:, None] + other + beta)) ** alpha


@dataclass(frozen=True)
class Curve:
    """Losses of one configuration.

    Parameters
    ----------
    times : tuple of float
        Rising, above 0.
    values : (n_times,) array
    """

    times: tuple[float, ...]
    values: np.ndarray


@dataclass(frozen=True)
class _Sums:
    """What curves say of their asymptotes: estimates, variances of these, and minus the log of what else they are."""

    estimates: np.ndarray
    variances: np.ndarray
    rest: float


class CurveProcess:
    """Prior, ``theta = (ln w_1 .. ln w_blocks, ln variance of asymptotes, ln s, ln a, ln b, ln noise)``.

    Parameters
    ----------
    block : (n_features,) array of int
        Block of each feature.
    """

    def __init__(self, block: np.ndarray) -> None:
        self.block = block
        self.n_blocks = int(block.max()) + 1 if len(block) else 0
        self.prior = np.array([*np.full(self.n_blocks, -0.5), -0.5, 0.0, 0.0, 0.7, -4.0])
        self._sd = np.array([*np.full(self.n_blocks, 1.2), 1.0, 1.0, 0.7, 1.0, 1.5])
        self._bounds = [(-7.0, 5.0)] * self.n_blocks + [
            (-5.0, 3.0),
            (-5.0, 3.0),
            (-2.0, 2.0),
            (-3.0, 5.0),
            (-10.0, 1.0),
        ]

    def fit(self, features: np.ndarray, curves: Sequence[Curve]) -> np.ndarray:
        """Theta of maximum posterior, near enough; values have mean 0 and deviation 1 or so."""
        from scipy.optimize import minimize

        distances = np.array(
            [squared_distances(f, f) for f in (features[:, self.block == b] for b in range(self.n_blocks))]
        ).reshape(self.n_blocks, len(curves), len(curves))
        found = minimize(
            self.objective,
            self.prior,
            (distances, curves),
            method="L-BFGS-B",
            jac=True,
            bounds=self._bounds,
            options={"maxfun": _CALLS},
        )
        theta: np.ndarray = found.x if found.fun < _IMPOSSIBLE else self.prior
        return theta

    def objective(self, theta: np.ndarray, distances: np.ndarray, curves: Sequence[Curve]) -> tuple[float, np.ndarray]:
        """Negative log posterior (up to a constant) and its gradient, from (n_blocks, n, n) squared distances."""
        weights, amplitude = np.exp(theta[: self.n_blocks]), float(np.exp(theta[self.n_blocks]))
        r2 = np.tensordot(weights, distances, 1)
        prior = amplitude * matern(r2)
        sums = self.sums(theta, curves)
        value, inverse, alpha = _likelihood(prior, sums)
        off = (theta - self.prior) / self._sd
        gradient = off / self._sd
        if inverse is None:
            return _IMPOSSIBLE, np.zeros_like(theta)

        outer = (inverse - np.outer(alpha, alpha)) / 2
        r = np.sqrt(5 * r2)
        slope = -(5 / 6) * amplitude * (1 + r) * np.exp(-r)
        gradient[: self.n_blocks] += weights * np.tensordot(distances, outer * slope, 2)
        gradient[self.n_blocks] += (outer * prior).sum()
        for k in range(self.n_blocks + 1, len(theta)):
            moved = theta.copy()
            moved[k] += _STEP
            gradient[k] += (_likelihood(prior, self.sums(moved, curves))[0] - value) / _STEP
        return value + float((off**2).sum()) / 2, gradient

    def sums(self, theta: np.ndarray, curves: Sequence[Curve]) -> _Sums:
        """Each curve as one estimate of its asymptote; those seen at the same times share a matrix."""
        estimates, variances, rest = np.empty(len(curves)), np.empty(len(curves)), 0.0
        alike: dict[tuple[float, ...], list[int]] = defaultdict(list)
        for i, curve in enumerate(curves):
            alike[curve.times].append(i)
        for times, members in alike.items():
            root = np.linalg.cholesky(self.within(theta, times))
            half = np.linalg.inv(root)
            values = half @ np.stack([curves[i].values for i in members], axis=1)
            ones = half.sum(1)
            precision = float(ones @ ones)
            estimates[members] = ones @ values / precision
            variances[members] = 1 / precision
            squares = (values**2).sum() - precision * (estimates[members] ** 2).sum()
            rest += float(squares) / 2 + len(members) * (np.log(np.diag(root)).sum() + np.log(precision) / 2)
        return _Sums(estimates, variances, rest)

    def within(self, theta: np.ndarray, times: Sequence[float]) -> np.ndarray:
        """Covariance of one curve around its asymptote, noise included."""
        t = np.array(times)
        return self.decays(theta, t, t) + float(np.exp(theta[-1])) * np.eye(len(t))

    def decays(self, theta: np.ndarray, t: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The same between two sets of times, without noise."""
        scale, alpha, beta = np.exp(theta[-4:-1])
        found: np.ndarray = scale * decay(t, other, float(alpha), float(beta))
        return found

    def between(self, theta: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Covariance of asymptotes, from features."""
        scale = np.exp(theta[: self.n_blocks] / 2)[self.block]
        covariance: np.ndarray = np.exp(theta[self.n_blocks]) * matern(squared_distances(left * scale, right * scale))
        return covariance


def _likelihood(prior: np.ndarray, sums: _Sums) -> tuple[float, np.ndarray | None, np.ndarray]:
    """Minus the log likelihood (up to a constant), and inverse and weights of the process over asymptotes."""
    try:
        root = np.linalg.cholesky(prior + np.diag(sums.variances))
    except np.linalg.LinAlgError:
        return _IMPOSSIBLE, None, sums.estimates
    half = np.linalg.inv(root)
    inverse = half.T @ half
    alpha = inverse @ sums.estimates
    value = sums.rest + float(sums.estimates @ alpha) / 2 + float(np.log(np.diag(root)).sum())
    return value, inverse, alpha


class CurvePosterior:
    """What is believed of asymptotes and of the next steps after curves were seen.

    Parameters
    ----------
    process : CurveProcess
    features : (n, n_features) array
    curves : sequence of Curve
    theta : (n_theta,) array
    """

    def __init__(self, process: CurveProcess, features: np.ndarray, curves: Sequence[Curve], theta: np.ndarray) -> None:
        self._process, self._features, self._curves, self._theta = process, features, curves, theta
        sums = process.sums(theta, curves)
        covariance = process.between(theta, features, features) + np.diag(sums.variances)
        self._half = np.linalg.inv(np.linalg.cholesky(covariance))
        self._alpha = self._half.T @ (self._half @ sums.estimates)

    def asymptotes(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean, (m,), and covariance, (m, m)."""
        cross = self._process.between(self._theta, features, self._features)
        explained = cross @ self._half.T
        covariance = self._process.between(self._theta, features, features) - explained @ explained.T
        return cross @ self._alpha, covariance

    def marginals(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of asymptotes, (m,) each."""
        cross = self._process.between(self._theta, features, self._features)
        rest = float(np.exp(self._theta[self._process.n_blocks])) - ((cross @ self._half.T) ** 2).sum(1)
        return cross @ self._alpha, np.sqrt(np.maximum(rest, 1e-10))

    def step(self, curve: Curve | None, time: float) -> tuple[float, float, float]:
        """The loss of a curve (None: of a new one) at a later time, given its asymptote f.

        Returns
        -------
        offset, slope, variance : float
            Its mean is ``offset + slope f``; the variance includes noise.
        """
        t = np.array([time])
        own = float(self._process.within(self._theta, (time,))[0, 0])
        if curve is None:
            return 0.0, 1.0, own
        cross = self._process.decays(self._theta, t, np.array(curve.times))[0]
        weights = np.linalg.solve(self._process.within(self._theta, curve.times), cross)
        return float(weights @ curve.values), 1 - float(weights.sum()), own - float(cross @ weights)
