"""The Gaussian process against scikit-learn's, dense formulas and finite differences."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.gaussian_process.kernels import Matern

from autonas.surrogates.gp import GaussianProcess, Points
from autonas.surrogates.kernels import MAIN, base, matern, squared_distances


def points(rng, n, branches=False):
    X = rng.random((n, 5))
    labels = rng.integers(3, size=n)
    return Points(X, np.eye(3)[labels] if branches else np.zeros((n, 0)))


def process(branches=False, pairs=0.0):
    weights = np.array([0.3, -0.5, 1.25])
    return GaussianProcess(
        np.array([0, 0, 1, 2, 2]), np.full(5, 0.4), weights, 3 * branches, int(branches), pairs=pairs
    )


def test_matern_is_scikit_learns():
    rng = np.random.default_rng(0)
    X, Y = rng.random((7, 3)), rng.random((4, 3))
    expected = Matern(length_scale=1.0, nu=2.5)(X, Y)
    assert matern(squared_distances(X, Y)) == pytest.approx(expected, abs=1e-12)


def test_the_main_effects_of_choices_are_the_weighted_overlap():
    rng = np.random.default_rng(0)
    choices, weights = rng.integers(3, size=(6, 4)), np.array([0.5, 1.0, 2.0, 3.0])
    one_hot = (np.eye(3)[choices] / np.sqrt(2) * np.sqrt(weights)[:, None]).reshape(6, -1)
    same = (choices[:, None] == choices) @ weights / weights.sum()
    far = np.full((6, 6), 1e6)  # nothing is left of the Matern part
    assert base(far, one_hot @ one_hot.T, weights.sum()) == pytest.approx(MAIN * same, abs=1e-12)


@pytest.mark.parametrize("pairs", [0.0, 0.3])
@pytest.mark.parametrize("branches", [False, True])
def test_the_gradient_is_that_of_the_objective(branches, pairs):
    rng = np.random.default_rng(1)
    gp, data, z = process(branches, pairs), points(rng, 12, branches), rng.normal(size=12)
    theta = gp.prior + 0.4 * rng.normal(size=len(gp.prior))
    given = *gp.by_block(data.features), data.branches, z
    _, gradient = gp.objective(theta, *given)
    numeric = approx_fprime(theta, lambda t: gp.objective(t, *given)[0], 1e-6)
    assert gradient == pytest.approx(numeric, abs=2e-4)


@pytest.mark.parametrize("pairs", [0.0, 0.3])
@pytest.mark.parametrize("branches", [False, True])
def test_the_posterior_is_the_dense_formula(branches, pairs):
    rng = np.random.default_rng(2)
    gp, seen, new = process(branches, pairs), points(rng, 15, branches), points(rng, 6, branches)
    z = rng.normal(size=15)
    theta = gp.prior + 0.3 * rng.normal(size=len(gp.prior))
    weights, noise, amplitudes = np.exp(theta[:3]), np.exp(theta[3]), theta[4:]

    def covariance(left, right):
        u, v = ((p.features - 0.4) * np.sqrt(weights)[gp.block] for p in (left, right))
        linear = 2 / weights.sum() * u @ v.T
        k = (0.7 - pairs) * Matern(nu=2.5)(u, v) + 0.3 * linear + pairs * linear**2
        if branches:
            k = k * np.outer(np.exp(left.branches @ amplitudes), np.exp(right.branches @ amplitudes))
            k = k + (left.branches.argmax(1)[:, None] == right.branches.argmax(1))
        return k

    inverse = np.linalg.inv(covariance(seen, seen) + noise * np.eye(15))
    cross = covariance(new, seen)
    variance = (z @ inverse @ z + 2) / (15 + 2)
    posterior = gp.posterior(seen, z, theta)
    mean, deviation = posterior.predict(new)
    assert posterior.variance == pytest.approx(variance)
    assert mean == pytest.approx(cross @ inverse @ z)
    rest = np.diag(covariance(new, new)) - np.einsum("ij,jk,ik->i", cross, inverse, cross)
    assert deviation == pytest.approx(np.sqrt(variance * rest))
    assert posterior.fitted == pytest.approx(posterior.predict(seen)[0])


def test_targets_at_their_means_change_no_mean_and_shrink_the_deviation():
    rng = np.random.default_rng(3)
    gp, seen, more, new = process(), points(rng, 15), points(rng, 2), points(rng, 6)
    posterior = gp.posterior(seen, rng.normal(size=15), gp.prior)
    extended = posterior.extended(more, posterior.predict(more)[0])
    before, after = posterior.predict(new), extended.predict(new)
    assert after[0] == pytest.approx(before[0])
    assert (after[1] < before[1]).all()


def test_a_fit_finds_what_matters():
    rng = np.random.default_rng(4)
    gp, data = process(), points(rng, 40)
    z = np.sin(6 * data.features[:, 2])  # block 1 alone
    z = (z - z.mean()) / z.std()
    theta = gp.fit(data, z, gp.prior, calls=50)
    assert theta[1] > max(theta[0], theta[2]) + 2
    assert theta[3] < -4
    start, _ = gp.objective(gp.prior, *gp.by_block(data.features), data.branches, z)
    end, _ = gp.objective(theta, *gp.by_block(data.features), data.branches, z)
    assert end < start
    new = points(rng, 20)
    truth = np.sin(6 * new.features[:, 2])
    mean, _ = gp.posterior(data, z, theta).predict(new)
    assert np.corrcoef(mean, truth)[0, 1] > 0.98
