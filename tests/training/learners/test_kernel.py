from __future__ import annotations

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge

from autonas.data.task import Folds
from autonas.training.calibration import fit_temperature, log_loss
from autonas.training.kernels import Kernel, median_distance
from autonas.training.learners import kernel as module
from autonas.training.learners.kernel import LEARNER, KernelLearner


def trained(task, seed=0, **options):
    learner = KernelLearner(options, task.problem, seed)
    learner.train(task)
    return learner


def gram(task, name="laplace", width=0.7):
    x = task.view("dense").astype(float)
    x = x - x.mean(axis=0)
    return Kernel(name, width, median_distance(x))(x, x)


@pytest.mark.parametrize("name", ["laplace", "rbf"])
def test_numbers_equal_scikit_learn_refitted_on_every_fold(tasks, name):
    task = tasks("regression", "repeated")
    task.y = task.y - 200  # not positive: no logarithm
    learner = trained(task, kernel=name, width=0.7)
    k, y = gram(task, name) + 1e6, task.y  # the large constant is a nearly free intercept
    z = (y - y.mean()) / y.std()
    parts = []
    for train, valid in task.folds.pairs:
        model = KernelRidge(alpha=learner.info["penalty"], kernel="precomputed").fit(k[np.ix_(train, train)], z[train])
        parts.append((model.predict(k[np.ix_(valid, train)]) * y.std() + y.mean())[:, None])
    np.testing.assert_allclose(learner.out_of_fold(), task.folds.average(parts), atol=2e-3 * y.std())
    final = KernelRidge(alpha=learner.info["penalty"], kernel="precomputed").fit(k, z).predict(k)
    np.testing.assert_allclose(
        learner.predict(task.view("dense"))[:, 0], final * y.std() + y.mean(), atol=2e-3 * y.std()
    )


def test_classes_come_out_calibrated(tasks):
    for kind in ("binary", "multiclass"):
        task = tasks(kind)
        # some labels at random: classes that can be told apart perfectly have no best temperature
        rng = np.random.default_rng(0)
        task.y = np.where(rng.random(240) < 0.2, rng.integers(0, task.problem.n_outputs, 240), task.y)
        scores = trained(task).out_of_fold()
        assert fit_temperature(scores, task.y) == pytest.approx(1, abs=0.15)
        assert log_loss(scores, task.y) < 0.9


def test_landmarks_come_near_the_exact_kernel(make_task, monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 6))
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=1200)
    exact = trained(make_task(X, y), kernel="rbf").out_of_fold()
    monkeypatch.setattr(module, "_EXACT_ROWS", 100)
    task = make_task(X, y)
    near = trained(task, kernel="rbf")
    assert near.info["landmarks"] == 1200
    assert len(near.centres) == 1200
    errors = [np.mean((scores[:, 0] - y) ** 2) for scores in (exact, near.out_of_fold())]
    assert errors[1] < 1.15 * errors[0]


def test_landmarks_predict_left_out_rows_as_a_refit_does(make_task, monkeypatch):
    monkeypatch.setattr(module, "_EXACT_ROWS", 100)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = np.sin(2 * X[:, 0]) + X[:, 1]
    both = make_task(X, y, "kfold")
    learner = trained(both, kernel="rbf")
    # one pair by itself is solved from its own rows, without subtraction
    train, valid = both.folds.pairs[0]
    k = lambda a, b: Kernel("rbf", 0.7, learner.unit)(a, b).astype(float)  # noqa: E731
    x, centres = both.view("dense") - learner.mean, learner.centres
    z = (y - y.mean()) / y.std()
    design = np.hstack([k(x[train], centres), np.ones((len(train), 1))])
    metric = np.zeros((301, 301))
    metric[:300, :300] = k(centres.astype(float), centres.astype(float)) + 1e-5 * np.eye(300)
    c = np.linalg.solve(design.T @ design + learner.info["penalty"] * metric, design.T @ z[train])
    predicted = (k(x[valid], centres) @ c[:-1] + c[-1]) * y.std() + y.mean()
    np.testing.assert_allclose(learner.out_of_fold()[valid, 0], predicted, atol=5e-3)


@pytest.mark.parametrize("exact", [True, False])
def test_integer_weights_are_repetitions(make_task, monkeypatch, exact):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 4))
    y = np.sin(2 * X[:, 0]) + X[:, 1]
    weight = rng.integers(1, 4, 100)
    again = np.repeat(np.arange(100), weight)
    folds = [np.arange(100) % 4 == f for f in range(4)]
    pairs = Folds(tuple((np.flatnonzero(~v), np.flatnonzero(v)) for v in folds), 100)
    repeated = Folds(tuple((np.flatnonzero(~v[again]), np.flatnonzero(v[again])) for v in folds), len(again))
    monkeypatch.setattr(module, "_EXACT_ROWS", 5000 if exact else 10)
    # the unit of distance, the landmarks and the scale of the target are not weighted: give both the same
    monkeypatch.setattr(module, "median_distance", lambda x: 2.0)
    learners = []
    for task in (make_task(X, y, pairs, weight.astype(float)), make_task(X[again], y[again], repeated)):
        task._views["dense"] = task.X.astype(np.float32)
        learner = KernelLearner({"kernel": "rbf"}, task.problem)
        learner.scale = trained(make_task(X, y, pairs)).scale
        learner.train(task)
        learners.append(learner)
    tolerance = 1e-4 if exact else 0.05  # landmarks drawn from repeated rows are others
    np.testing.assert_allclose(learners[0].out_of_fold()[again], learners[1].out_of_fold(), atol=tolerance)


def test_learned_scales_help_where_few_columns_matter(make_task):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 20))
    y = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
    task = make_task(X, y)
    equal = trained(task, kernel="rbf").out_of_fold()[:, 0]
    learner = trained(task, kernel="rbf", scales="learned")
    learned = learner.out_of_fold()[:, 0]
    assert np.mean((learned - y) ** 2) < 0.5 * np.mean((equal - y) ** 2)
    assert learner.scales[:3].min() > 2 * learner.scales[3:].max()


def test_scales_are_learned_inside_the_folds(make_task):
    # noise with many columns: scales that had seen the left-out rows would predict them
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 100)), rng.normal(size=150)
    task = make_task(X, y)
    error = np.mean((trained(task, kernel="rbf", scales="learned").out_of_fold()[:, 0] - y) ** 2)
    assert error > 0.95 * y.var()


def test_the_file_names_its_learner():
    assert LEARNER is KernelLearner
