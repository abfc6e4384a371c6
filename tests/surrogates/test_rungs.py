"""The process over rungs: its gradient, the posterior from a plain solve, and what a rung tells."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import check_grad

from autonas.surrogates.rungs import RungPoints, RungProcess


def _some(n: int = 25) -> tuple[RungProcess, RungPoints, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    process = RungProcess(np.array([0, 0, 1, 2]), np.full(4, 0.5), np.zeros(3), 4, 2, 1)
    points = RungPoints(rng.random((n, 4)), np.eye(2)[rng.integers(0, 2, n)], rng.integers(0, 4, n))
    theta = process.prior + 0.3 * rng.standard_normal(len(process.prior))
    return process, points, rng.standard_normal(n), theta


def test_gradient() -> None:
    process, points, z, theta = _some()
    data = (*process.by_block(points.features), points.branches, points.rungs, z)
    error = check_grad(lambda t: process.objective(t, *data)[0], lambda t: process.objective(t, *data)[1], theta)
    assert error < 1e-4


def test_posterior_mean_at_what_was_seen() -> None:
    process, points, z, theta = _some()
    posterior = process.posterior(points, z, theta)
    np.testing.assert_allclose(posterior.predict(points)[0], posterior.fitted, atol=1e-9)


def test_extended_is_seen_at_once() -> None:
    process, points, z, theta = _some()
    first, rest = np.arange(20), np.arange(20, 25)
    extended = process.posterior(points[first], z[first], theta).extended(points[rest], z[rest])
    np.testing.assert_allclose(extended.fitted, process.posterior(points, z, theta).fitted, atol=1e-9)


def test_informed_is_the_fall_of_the_variance() -> None:
    """What a trial explains, against conditioning on it."""
    process, points, z, theta = _some()
    posterior = process.posterior(points, z, theta)
    rng = np.random.default_rng(1)
    new = RungPoints(np.repeat(rng.random((1, 4)), 4, 0), np.repeat([[1.0, 0.0]], 4, 0), np.arange(4))
    before = posterior.predict(new)[1][-1] ** 2
    for rung, share in enumerate(posterior.informed(new)):
        after = posterior.extended(new[np.array([rung])], np.zeros(1)).predict(new)[1][-1] ** 2
        assert share == pytest.approx(1 - after / before, abs=1e-6)


def test_noise_of_a_low_rung_is_found() -> None:
    """A rung of pure noise gets a far larger noise than the full one."""
    rng = np.random.default_rng(0)
    features = rng.random((40, 1))
    rungs = np.tile([0, 1], 20)
    truth = np.sin(4 * features[:, 0])
    z = np.where(rungs == 1, truth, rng.standard_normal(40))
    process = RungProcess(np.array([0]), np.array([0.5]), np.zeros(1), 2)
    points = RungPoints(features, np.zeros((40, 0)), rungs)
    theta = process.fit(points, z, process.prior, calls=60)
    low, full = process.noises(theta)
    assert low > 30 * full
    full_at = RungPoints(features, np.zeros((40, 0)), np.ones(40, dtype=int))
    assert np.abs(process.posterior(points, z, theta).predict(full_at)[0] - truth).max() < 0.1
