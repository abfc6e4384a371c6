"""The process over learning curves: its kernel is a mixture of decays, and its blocks are the whole."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import check_grad
from scipy.stats import gamma, multivariate_normal

from autonas.surrogates.freezethaw import Curve, CurvePosterior, CurveProcess, decay
from autonas.surrogates.kernels import squared_distances

BLOCK = np.array([0, 1])
THETA = np.array([0.3, -0.4, -0.2, 0.4, 0.3, 0.8, -3.0])


def data(steps=(5, 5, 5), seed=0):
    rng = np.random.default_rng(seed)
    features = rng.random((len(steps), 2))
    curves = []
    for n, x in zip(steps, features, strict=True):
        times = np.arange(1.0, n + 1)
        curves.append(Curve(tuple(times), x.sum() + np.exp(-0.5 * times) + 0.05 * rng.standard_normal(n)))
    return features, curves


def joint(process, theta, features, curves):
    """Covariance of all asymptotes and all losses, and the losses."""
    between = process.between(theta, features, features)
    owner = np.repeat(np.arange(len(curves)), [len(curve.times) for curve in curves])
    losses = between[np.ix_(owner, owner)]
    start = 0
    for curve in curves:
        part = slice(start, start + len(curve.times))
        losses[part, part] += process.within(theta, curve.times)
        start = part.stop
    return between, between[:, owner], losses, np.concatenate([curve.values for curve in curves])


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.5, 3.0), (2.5, 0.7)])
def test_kernel_is_a_mixture_of_decays(alpha, beta):
    for t, other in [(0.0, 0.0), (1.0, 2.0), (5.0, 5.0)]:
        expected, _ = quad(
            lambda rate, s=t + other: np.exp(-rate * s) * gamma.pdf(rate, alpha, scale=1 / beta), 0, np.inf, limit=200
        )
        found = decay(np.array([t]), np.array([other]), alpha, beta)[0, 0]
        assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("steps", [(5, 5, 5), (1, 4, 4, 7)])
def test_blocks_are_the_joint_process(steps):
    features, curves = data(steps)
    process = CurveProcess(BLOCK)
    between, cross, losses, values = joint(process, THETA, features, curves)
    inverse = np.linalg.inv(losses)
    posterior = CurvePosterior(process, features, curves, THETA)
    mean, covariance = posterior.asymptotes(features)
    assert mean == pytest.approx(cross @ inverse @ values, abs=1e-8)
    assert covariance == pytest.approx(between - cross @ inverse @ cross.T, abs=1e-8)
    marginal = posterior.marginals(features)
    assert marginal[0] == pytest.approx(mean)
    assert marginal[1] ** 2 == pytest.approx(np.diag(covariance))
    # the likelihood as well
    distances = np.array([squared_distances(features[:, [b]], features[:, [b]]) for b in (0, 1)])
    off = (THETA - process.prior) / process._sd
    expected = -multivariate_normal(np.zeros(len(values)), losses).logpdf(values) - len(values) / 2 * np.log(2 * np.pi)
    assert process.objective(THETA, distances, curves)[0] - (off**2).sum() / 2 == pytest.approx(expected, abs=1e-8)


def test_next_step_is_the_joint_process():
    """Of an old curve, and of a new one."""
    features, curves = data((4, 6))
    process = CurveProcess(BLOCK)
    _, _, losses, values = joint(process, THETA, features, curves)
    posterior = CurvePosterior(process, features, curves, THETA)
    mean, covariance = posterior.asymptotes(features)
    longer = [Curve((*curves[0].times, 5.0), np.append(curves[0].values, 0.0)), curves[1]]
    _, _, wider, _ = joint(process, THETA, features, longer)
    order = [0, 1, 2, 3, *range(5, 11), 4]
    wider = wider[np.ix_(order, order)]
    weights = np.linalg.solve(losses, wider[:-1, -1])
    offset, slope, variance = posterior.step(curves[0], 5.0)
    assert offset + slope * mean[0] == pytest.approx(weights @ values)
    assert variance + slope**2 * covariance[0, 0] == pytest.approx(wider[-1, -1] - weights @ wider[:-1, -1])
    assert posterior.step(None, 1.0) == pytest.approx((0, 1, process.within(THETA, (1.0,))[0, 0]))


def test_gradient():
    features, curves = data((3, 3, 5, 2))
    process = CurveProcess(BLOCK)
    distances = np.array([squared_distances(features[:, [b]], features[:, [b]]) for b in (0, 1)])
    for theta in (process.prior, THETA):
        error = check_grad(
            lambda a: process.objective(a, distances, curves)[0],
            lambda a: process.objective(a, distances, curves)[1],
            theta,
        )
        assert error < 1e-2 * np.abs(process.objective(theta, distances, curves)[1]).max()


def test_asymptote_of_an_exponential_decay():
    """Six steps of exp(-0.3 t) + 0.2: the central 95% of what is believed of the end hold 0.2."""
    times = np.arange(1.0, 7)
    curve = Curve(tuple(times), np.exp(-0.3 * times) + 0.2)
    process = CurveProcess(np.zeros(1, dtype=int))
    features = np.zeros((1, 1))
    for theta in (process.prior, process.fit(features, [curve])):
        mean, deviation = CurvePosterior(process, features, [curve], theta).marginals(features)
        assert abs(mean[0] - 0.2) < 1.96 * deviation[0]
        assert mean[0] < curve.values[-1], "it goes on falling"
        assert deviation[0] < 0.5
