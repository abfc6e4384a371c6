"""The process over configurations and fidelities: kernel, gradient, predictions."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from autonas.surrogates.fabolas import FidelityPosterior, FidelityProcess, basis
from autonas.surrogates.kernels import matern, squared_distances

BLOCK = np.array([0, 1, 1])


def points(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, 3)), rng.random(n)


def test_bases():
    t = np.array([0.0, 0.25, 1.0])
    assert basis(t, "loss") == pytest.approx(np.array([[1, 1], [1, 0.5625], [1, 0]]))
    assert basis(t, "cost") == pytest.approx(np.array([[1, 0], [1, 0.25], [1, 1]]))


@pytest.mark.parametrize("of", ["loss", "cost"])
def test_kernel_is_the_product_and_positive(of):
    process = FidelityProcess(BLOCK, of)
    theta = np.array([0.3, -0.4, 0.2, -0.7, -0.1, -3.0, -4.0])
    x, t = points(80)
    factor = np.array([[np.exp(0.2), 0], [-0.7, np.exp(-0.1)]])
    phi = basis(t, of)
    scaled = x * np.exp(np.array([0.3, -0.4, -0.4]) / 2)
    expected = matern(squared_distances(scaled, scaled)) * (phi @ factor @ factor.T @ phi.T)
    kernel = process.kernel(theta, (x, t), (x, t))
    assert kernel == pytest.approx(expected)
    assert np.linalg.eigvalsh(kernel).min() > -1e-10


@pytest.mark.parametrize("of", ["loss", "cost"])
def test_gradient(of):
    process = FidelityProcess(BLOCK, of)
    x, t = points(15)
    z = np.sin(5 * x[:, 0]) + (1 - t)
    distances = np.array([squared_distances(x[:, b == BLOCK], x[:, b == BLOCK]) for b in (0, 1)])
    for theta in (process.prior, np.array([0.3, -0.4, 0.2, -0.7, -0.1, -3.0, -1.0])):
        error = check_grad(
            lambda a: process.objective(a, distances, t, z)[0],
            lambda a: process.objective(a, distances, t, z)[1],
            theta,
        )
        assert error < 1e-3


def test_posterior_is_that_of_textbooks():
    process = FidelityProcess(BLOCK, "loss")
    (x, t), (new, places) = points(12), points(5, seed=1)
    z = np.cos(4 * x[:, 1]) - t
    theta = np.array([0.3, -0.4, 0.2, -0.7, -0.1, -3.0, -4.0])
    posterior = FidelityPosterior(process, (x, t), z, theta)
    inverse = np.linalg.inv(process.kernel(theta, (x, t), (x, t)) + np.diag(np.exp(-3 * (1 - t) - 4 * t)))
    cross = process.kernel(theta, (new, places), (x, t))
    covariance = process.kernel(theta, (new, places), (new, places)) - cross @ inverse @ cross.T
    assert posterior.mean(new, places) == pytest.approx(cross @ inverse @ z)
    assert posterior.covariance((new, places), (new, places)) == pytest.approx(covariance)
    assert posterior.variance(new, places) == pytest.approx(np.diag(covariance))
    extended = posterior.extended(new, places)
    assert extended.mean(x, t) == pytest.approx(posterior.mean(x, t))
    assert (extended.variance(x, t) <= posterior.variance(x, t) + 1e-9).all()


def test_full_fidelity_is_predicted_from_low_ones():
    """The best of configurations that were only seen at a twenty-seventh to a seventh of the data."""
    x = np.repeat(np.linspace(0, 1, 9), 3)
    s = np.tile([1 / 27, 2 / 27, 4 / 27], 9)
    t = 1 + np.log(s) / np.log(27)
    loss = (x - 0.3) ** 2 + 0.5 * (1 - s) ** 2
    z = (loss - loss.mean()) / loss.std()
    process = FidelityProcess(np.zeros(1, dtype=int), "loss")
    posterior = FidelityPosterior(process, (x[:, None], t), z, process.fit(x[:, None], t, z))
    grid = np.linspace(0, 1, 101)
    best = grid[posterior.mean(grid[:, None], np.ones(101)).argmin()]
    assert best == pytest.approx(0.3, abs=0.03)


def test_costs_are_predicted():
    """Seconds in proportion to the data, and to something about the configuration: logarithms within 10%."""
    rng = np.random.default_rng(0)
    x = rng.random((20, 1))
    s = rng.choice([1 / 27, 2 / 27, 4 / 27, 8 / 27], 20)
    log_cost = np.log(60 * s * (1 + 4 * x[:, 0]))
    t = 1 + np.log(s) / np.log(27)
    centre, scale = log_cost.mean(), log_cost.std()
    process = FidelityProcess(np.zeros(1, dtype=int), "cost")
    z = (log_cost - centre) / scale
    posterior = FidelityPosterior(process, (x, t), z, process.fit(x, t, z))
    new = np.linspace(0.05, 0.95, 7)[:, None]
    predicted = centre + scale * posterior.mean(new, np.ones(7))
    assert predicted == pytest.approx(np.log(60 * (1 + 4 * new[:, 0])), rel=0.1)
