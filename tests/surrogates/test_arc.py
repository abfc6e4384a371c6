"""The arc kernel: its distances, its parameters, and what it is worth where much is inactive."""

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from autonas.surrogates.arc import ArcProcess, arc_distances
from autonas.surrogates.kernels import matern

nan = np.nan


def conditional_points(n, rng):
    """A depth in 0..3 and, for each layer that exists, a width and one of three operations."""
    X = np.full((n, 7), nan)
    depth = rng.integers(0, 4, n)
    X[:, 0] = depth / 3
    for layer in range(3):
        there = depth > layer
        X[there, 1 + 2 * layer] = rng.random(there.sum())
        X[there, 2 + 2 * layer] = rng.integers(0, 3, there.sum())
    return X


SIZES = [0, 0, 3, 0, 3, 0, 3]


def toy_loss(X):
    """Every layer that exists adds a part that depends on its width and its operation."""
    loss = 0.3 * np.abs(3 * X[:, 0] - 2)
    for layer, (best, level) in enumerate([(0.2, 0.5), (0.5, -0.5), (0.8, 0.5)]):
        there = ~np.isnan(X[:, 1 + 2 * layer])
        operation = X[there, 2 + 2 * layer].astype(int)
        loss[there] += 2 * (X[there, 1 + 2 * layer] - best) ** 2 - level + np.array([0.0, 0.3, -0.3])[operation]
    return loss


@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
def test_distances_are_those_of_the_paper(rho):
    left = np.array([[nan, nan], [nan, 1], [0.2, 1], [0.2, 0]])
    right = np.array([[nan, nan], [0.9, 2], [0.9, 1]])
    distances, _ = arc_distances(left, right, [0, 3], np.array([rho, 0.5]))
    numbers = 2 * (1 - np.cos(np.pi * rho * 0.7))
    expected_numbers = [[0, 1, 1], [0, 1, 1], [1, numbers, numbers], [1, numbers, numbers]]
    expected_choices = [[0, 1, 1], [1, 2, 0], [1, 2, 0], [1, 2, 2]]
    assert distances == pytest.approx(np.array([expected_numbers, expected_choices]), abs=1e-12)


def test_distances_are_those_of_points_on_an_arc():
    rng = np.random.default_rng(0)
    X, rho = rng.random((20, 3)), rng.random(3)
    X[rng.random(X.shape) < 0.3] = nan
    arcs = np.stack([np.sin(np.pi * rho * X), np.cos(np.pi * rho * X)], 2)
    arcs = np.where(np.isnan(arcs), 0, arcs)
    expected = ((arcs[:, None] - arcs) ** 2).sum(3)
    assert np.moveaxis(arc_distances(X, X, [0, 0, 0], rho)[0], 0, 2) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_kernel_knows_points_by_their_distances(seed):
    rng = np.random.default_rng(seed)
    left, right = conditional_points(30, rng), conditional_points(20, rng)
    process = ArcProcess(SIZES, np.ones(7))
    w, rho = rng.random(7), rng.random(7)
    process.theta = np.concatenate([np.log(w), rho, [0.0]])
    r2 = np.tensordot(w**2, arc_distances(left, right, SIZES, rho)[0], 1)
    assert process.correlation(left, right) == pytest.approx(matern(r2), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_kernel_is_positive_definite(seed):
    rng = np.random.default_rng(seed)
    X = conditional_points(200, rng)
    process = ArcProcess(SIZES, np.ones(7))
    process.theta = np.concatenate([rng.normal(size=7), rng.random(7), [0.0]])
    gram = process.correlation(X, X)
    assert np.diag(gram) == pytest.approx(np.ones(200))
    assert np.linalg.eigvalsh(gram).min() > -1e-10


def test_the_gradient_is_that_of_the_objective():
    rng = np.random.default_rng(1)
    X = conditional_points(25, rng)
    z = rng.normal(size=25)
    process = ArcProcess(SIZES, np.ones(7))
    for _ in range(3):
        theta = process.prior + 0.2 * rng.normal(size=len(process.prior))

        def value(theta):
            return process.objective(theta, X, z)[0]

        def gradient(theta):
            return process.objective(theta, X, z)[1]

        assert check_grad(value, gradient, theta, epsilon=1e-6) < 1e-4 * np.linalg.norm(gradient(theta))


def test_prediction_is_that_of_a_gaussian_process():
    rng = np.random.default_rng(2)
    X, new = conditional_points(30, rng), conditional_points(10, rng)
    y = toy_loss(X)
    process = ArcProcess(SIZES, np.ones(7)).train(X, y[:, None])
    mean, variance = process.predict_marginalized(new)
    K = process.correlation(X, X) + np.exp(process.theta[-1]) * np.eye(30)
    cross = process.correlation(new, X)
    inverse = np.linalg.inv(K)
    scale = (y @ inverse @ y + 2) / (30 + 2)
    assert mean.ravel() == pytest.approx(cross @ inverse @ y, rel=1e-6)
    expected = scale * (1 - np.einsum("ij,jk,ik->i", cross, inverse, cross))
    assert variance.ravel() == pytest.approx(expected, rel=1e-5, abs=1e-9)


def test_scales_bring_places_in_a_list_into_the_unit_interval():
    rng = np.random.default_rng(3)
    X = conditional_points(30, rng)
    y = toy_loss(X)[:, None]
    scales = np.array([1.0, 5, 1, 1, 1, 1, 1])
    plain = ArcProcess(SIZES, np.ones(7)).train(X, y).predict_marginalized(X)
    scaled = ArcProcess(SIZES, scales).train(X * scales, y).predict_marginalized(X * scales)
    assert scaled[0] == pytest.approx(plain[0], rel=1e-6)


def left_out(K, y):
    """Predictions of every point from all others, in closed form."""
    inverse = np.linalg.inv(K)
    return y - inverse @ y / np.diag(inverse)


@pytest.mark.filterwarnings("ignore:The optimal value found")  # of the other process
def test_it_predicts_better_than_imputation():
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X = conditional_points(60, rng)
        y = toy_loss(X)
        y = (y - y.mean()) / y.std()
        process = ArcProcess(SIZES, np.ones(7)).train(X, y[:, None])
        K = process.correlation(X, X) + np.exp(process.theta[-1]) * np.eye(60)
        arc = np.sqrt(np.mean((left_out(K, y) - y) ** 2))

        default = np.array([0.5, 0.5, 0, 0.5, 0, 0.5, 0])
        imputed = np.where(np.isnan(X), default, X)
        kernel = ConstantKernel(1.0) * RBF(np.ones(7), (0.05, 50)) + WhiteKernel(1e-2, (1e-6, 1))
        imputing = GaussianProcessRegressor(kernel, optimizer=_quiet_lbfgs).fit(imputed, y)
        rbf = np.sqrt(np.mean((left_out(imputing.kernel_(imputed), y) - y) ** 2))
        errors.append((arc, rbf))
    arc, rbf = np.mean(errors, axis=0)
    assert arc < 0.9 * rbf


def _quiet_lbfgs(objective, start, bounds):
    from scipy.optimize import minimize

    found = minimize(objective, start, method="L-BFGS-B", jac=True, bounds=bounds)
    return found.x, found.fun


def test_many_trials_are_fitted_on_a_part():
    rng = np.random.default_rng(4)
    X = conditional_points(500, rng)
    y = toy_loss(X)
    process = ArcProcess(SIZES, np.ones(7)).train(X, y[:, None])
    new = conditional_points(100, rng)
    assert np.corrcoef(process.predict_marginalized(new)[0].ravel(), toy_loss(new))[0, 1] > 0.97
