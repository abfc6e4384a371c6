from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge

from autonas.data.task import Folds
from autonas.training.closed_form import KernelSystem, NormalEquations, kernel_ridge, training_rows
from autonas.training.kernels import Kernel, learned_scales, median_distance

N = 90


def kfold(n: int, k: int, repeats: int = 1, fitted: int | None = None) -> Folds:
    pairs = []
    for repeat in range(repeats):
        fold = np.random.default_rng(repeat).permutation(np.arange(n) % k)
        pairs += [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(fitted or k)]
    return Folds(tuple(pairs), n)


def holdout(n: int) -> Folds:
    return Folds(((np.arange(n // 3, n), np.arange(n // 3)),), n)


def growing(n: int) -> Folds:
    """As for series in time: rows after the validation rows are not used."""
    third = n // 3
    first, second = (np.arange(third), np.arange(third, 2 * third)), (np.arange(2 * third), np.arange(2 * third, n))
    return Folds((first, second), n)


FOLDS = {
    "k-fold": kfold(N, 5),
    "repeated": kfold(N, 4, repeats=2),
    "partial": kfold(N, 5, fitted=3),
    "hold-out": holdout(N),
    "growing": growing(N),
}


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 4))
    y = np.stack([np.sin(x[:, 0]) + 5, x[:, 1] * x[:, 2]], axis=1)
    return x, y, rng.uniform(0.2, 3, N)


def bordered(kernel, y, diagonal):
    """Kernel ridge regression with a free intercept, straight from its definition."""
    n = len(kernel)
    system = np.block([[kernel + np.diag(diagonal), np.ones((n, 1))], [np.ones((1, n)), np.zeros((1, 1))]])
    solved = np.linalg.solve(system, np.vstack([y, np.zeros((1, y.shape[1]))]))
    return solved[:-1], solved[-1]


@pytest.mark.parametrize("folds", FOLDS.values(), ids=FOLDS.keys())
@pytest.mark.parametrize("penalty", [1e-3, 0.5, 10.0])
def test_leaving_folds_out_in_closed_form_equals_refitting_each(rows, folds, penalty):
    x, y, weight = rows
    kernel = Kernel("laplace", 0.7, median_distance(x))(x, x)
    parts, dual, intercept = KernelSystem(kernel, y, weight, folds).solve(penalty)
    for (train, valid), part in zip(folds.pairs, parts, strict=True):
        own, constant = bordered(kernel[np.ix_(train, train)], y[train], penalty / weight[train])
        np.testing.assert_allclose(part, kernel[np.ix_(valid, train)] @ own + constant, atol=1e-7)
    used = training_rows(folds)
    own, constant = bordered(kernel[np.ix_(used, used)], y[used], penalty / weight[used])
    np.testing.assert_allclose(dual[used], own, atol=1e-6)
    np.testing.assert_allclose(intercept, constant, atol=1e-7)


def test_single_precision_is_near_enough(rows):
    x, y, weight = rows
    kernel = Kernel("rbf", 0.7, median_distance(x))(x, x)
    exact = KernelSystem(kernel, y, weight, FOLDS["k-fold"]).solve(0.01)[0]
    single = KernelSystem(kernel.astype(np.float32), y, weight, FOLDS["k-fold"]).solve(0.01)[0]
    np.testing.assert_allclose(np.vstack(single), np.vstack(exact), atol=2e-3)


def test_kernel_ridge_equals_scikit_learn_with_a_nearly_free_constant(rows):
    x, y, _ = rows
    unit = median_distance(x)
    distances = np.linalg.norm(x[:, None] - x[None], axis=2)
    kernel = np.exp(-0.7 * distances / unit)
    np.testing.assert_allclose(Kernel("laplace", 0.7, unit)(x, x), kernel, atol=1e-6)
    reference = KernelRidge(alpha=0.3, kernel="precomputed").fit(kernel + 1e6, y)
    dual, intercept = kernel_ridge(kernel.copy(), y, np.full(N, 0.3))
    np.testing.assert_allclose(kernel @ dual + intercept, reference.predict(kernel + 1e6), atol=1e-4)


@pytest.mark.parametrize("folds", FOLDS.values(), ids=FOLDS.keys())
def test_normal_equations_equal_ridge_regression_of_every_fold(rows, folds):
    x, y, weight = rows
    pairs, final = NormalEquations(lambda part: x[part], y, weight, folds).solve(2.0)
    fits = [*zip((train for train, _ in folds.pairs), pairs, strict=True), (training_rows(folds), final)]
    for used, coefficients in fits:
        reference = Ridge(alpha=2.0).fit(x[used], y[used], sample_weight=weight[used])
        np.testing.assert_allclose(coefficients[:-1], reference.coef_.T, atol=1e-9)
        np.testing.assert_allclose(coefficients[-1], reference.intercept_, atol=1e-9)


def test_landmarks_on_every_row_are_the_exact_kernel(rows):
    x, y, _ = rows
    kernel = Kernel("rbf", 0.7, median_distance(x))(x, x)
    folds = FOLDS["k-fold"]
    fits, final = NormalEquations(lambda part: kernel[part], y, None, folds).solve(0.1, kernel + 1e-10 * np.eye(N))
    train, valid = folds.pairs[0]
    # landmarks include left-out rows (their targets are not used): the same space of functions on every fold
    dual, intercept = bordered(kernel, y, np.full(N, 0.1))
    np.testing.assert_allclose(kernel @ final[:-1] + final[-1], kernel @ dual + intercept, atol=1e-4)
    own, constant = bordered(kernel[np.ix_(train, train)], y[train], np.full(len(train), 0.1))
    expected = kernel[np.ix_(valid, train)] @ own + constant
    np.testing.assert_allclose(kernel[valid] @ fits[0][:-1] + fits[0][-1], expected, atol=1e-4)


@pytest.mark.parametrize("form", ["rows", "columns"])
def test_integer_weights_are_repetitions(rows, form):
    x, y, _ = rows
    weight = np.random.default_rng(3).integers(1, 4, N).astype(float)
    again = np.repeat(np.arange(N), weight.astype(int))
    folds = FOLDS["k-fold"]
    repeated = Folds(
        tuple((np.flatnonzero(np.isin(again, t)), np.flatnonzero(np.isin(again, v))) for t, v in folds.pairs),
        len(again),
    )
    kernel = Kernel("rbf", 0.7, 2.0)
    if form == "rows":
        parts = KernelSystem(kernel(x, x), y, weight, folds).solve(0.3)[0]
        others = KernelSystem(kernel(x[again], x[again]), y[again], None, repeated).solve(0.3)[0]
    else:
        fits = NormalEquations(lambda part: x[part], y, weight, folds).solve(0.3)[0]
        fits_again = NormalEquations(lambda part: x[again][part], y[again], None, repeated).solve(0.3)[0]
        parts = [x[v] @ c[:-1] + c[-1] for (_, v), c in zip(folds.pairs, fits, strict=True)]
        others = [x[again][v] @ c[:-1] + c[-1] for (_, v), c in zip(repeated.pairs, fits_again, strict=True)]
    averaged, averaged_again = folds.average(parts), repeated.average(others)
    np.testing.assert_allclose(averaged[again], averaged_again, atol=1e-5)


def test_a_centred_linear_kernel_does_not_leak_the_target():
    # more columns than rows, target independent of them: with a penalised intercept of zero, left-out rows would be
    # predicted as minus the sum of the others, which is the target itself
    rng = np.random.default_rng(0)
    n = 60
    x = rng.normal(size=(n, 400))
    x -= x.mean(axis=0)
    y = np.where(np.arange(n) % 2, 1.0, -1.0)[:, None]
    each = Folds(tuple((np.delete(np.arange(n), i), np.array([i])) for i in range(n)), n)
    without = x @ x.T + 1e-6 * np.eye(n)
    leaking = y - (np.linalg.solve(without, y) / np.diag(np.linalg.inv(without))[:, None])
    assert abs(np.corrcoef(leaking.ravel(), y.ravel())[0, 1]) > 0.9  # the trap is real
    parts = KernelSystem(x @ x.T, y, None, each).solve(1e-3)[0]
    # what is left is the honest bias of leaving one out: the mean of the others leans the other way
    error = np.mean((np.vstack(parts) - y) ** 2)
    assert error > 0.9


def test_slopes_are_the_squared_gradients():
    rng = np.random.default_rng(0)
    x, centres, dual = rng.normal(size=(20, 3)), rng.normal(size=(15, 3)), rng.normal(size=(15, 2))
    for name in ("rbf", "laplace"):
        kernel, h = Kernel(name, 0.7, 1.3), 1e-5
        expected = []
        for column in range(3):
            step = h * (np.arange(3) == column)
            gradient = (kernel(x + step, centres) - kernel(x - step, centres)) @ dual / (2 * h)
            expected.append((gradient**2).mean(axis=0).sum())
        np.testing.assert_allclose(kernel.slopes(x, centres, dual), expected, rtol=1e-5)


def test_learned_scales_find_the_columns_that_matter():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 10))
    y = np.sin(2 * x[:, :1]) + 0.5 * x[:, 1:2] ** 2
    scales = learned_scales(x, y, None, "rbf", 0.7, 0.1, rounds=2)
    assert scales.max() == 1.0
    assert scales.min() >= 1e-3
    assert scales[:2].min() > 3 * scales[2:].max()
