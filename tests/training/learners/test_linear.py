from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression, Ridge

from autonas.core.clock import Clock
from autonas.training.calibration import log_softmax
from autonas.training.learners import linear
from autonas.training.learners.linear import LEARNER, LinearLearner


def trained(task, **options):
    learner = LinearLearner(options, task.problem)
    learner.train(task)
    return learner


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize("newton", [True, False])
def test_classes_equal_scikit_learn_on_every_fold(tasks, kind, newton, monkeypatch):
    monkeypatch.setattr(linear, "_NEWTON_COLUMNS", 10_000 if newton else 0)
    weight = np.random.default_rng(0).uniform(0.2, 2, 240)
    task = tasks(kind, "kfold", weight)
    scores, x = trained(task, strength=0.1).out_of_fold(), task.view("dense")
    for train, valid in task.folds.pairs:
        reference = LogisticRegression(C=0.1, tol=1e-8, max_iter=5000)
        reference.fit(x[train].astype(float), task.y[train], sample_weight=weight[train])
        np.testing.assert_allclose(
            np.exp(log_softmax(scores[valid])), reference.predict_proba(x[valid]), atol=1e-5 if newton else 5e-3
        )


def test_every_strength_is_solved_from_zero_and_far_enough(tasks, monkeypatch):
    # a loose tolerance would return nearly the same model for both
    monkeypatch.setattr(linear, "_NEWTON_COLUMNS", 0)
    task = tasks("multiclass")
    x = task.view("dense")
    norms = []
    for strength in (0.2, 20.0):
        learner = trained(task, strength=strength)
        train, _ = task.folds.pairs[0]
        reference = LogisticRegression(C=strength, tol=1e-8, max_iter=5000).fit(x[train].astype(float), task.y[train])
        norms.append(np.linalg.norm(learner.coefficients[0][:-1]))
        assert norms[-1] == pytest.approx(np.linalg.norm(reference.coef_), rel=0.05)
    assert norms[1] > 1.5 * norms[0]


@pytest.mark.parametrize("columns", [10, 300])
def test_numbers_equal_ridge_regression_at_the_chosen_penalty(make_task, columns):
    # few columns are solved by normal equations, many by the linear kernel
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, columns)) + 3
    y = X[:, :3].sum(axis=1) - 20 + rng.normal(size=120)  # not positive: no logarithm
    weight = rng.uniform(0.2, 2, 120)
    task = make_task(X, y, "kfold", weight)
    learner = trained(task, strength=0.5)
    x, penalty = task.view("dense").astype(float), learner.info["penalty"]
    assert penalty in [factor / 0.5 for factor in (0.2, 1, 5, 25, 125)]
    scores = learner.out_of_fold()[:, 0]
    z = (y - y.mean()) / y.std()
    errors = {}
    for factor in (0.2, 1, 5, 25, 125):
        predicted = np.empty(120)
        for train, valid in task.folds.pairs:
            model = Ridge(alpha=factor / 0.5).fit(x[train], z[train], sample_weight=weight[train])
            predicted[valid] = model.predict(x[valid]) * y.std() + y.mean()
        errors[factor / 0.5] = np.average((predicted - y) ** 2, weights=weight)
        if factor / 0.5 == penalty:
            np.testing.assert_allclose(scores, predicted, atol=1e-4 * y.std())
    assert penalty == min(errors, key=errors.__getitem__)
    final = Ridge(alpha=penalty).fit(x, z, sample_weight=weight).predict(x) * y.std() + y.mean()
    np.testing.assert_allclose(learner.predict(task.view("dense"))[:, 0], final, atol=1e-3 * y.std())


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("work", [0, linear._CLOSED_WORK])
def test_sparse_words_equal_the_same_numbers_in_full(make_task, kind, work, monkeypatch):
    monkeypatch.setattr(linear, "_CLOSED_WORK", work)
    rng = np.random.default_rng(0)
    words = rng.normal(size=(150, 400)) * (rng.random((150, 400)) < 0.05)
    signal = words[:, :20].sum(axis=1)
    y = (signal > 0).astype(np.int64) if kind == "classification" else signal
    scores = []
    for X in (csr_array(words.astype(np.float32)), words.astype(np.float32)):
        task = make_task(X, y)
        task._views["words"] = X
        learner = LinearLearner({"features": "words", "strength": 1.0}, task.problem)
        learner.train(task)
        scores.append(np.hstack([learner.out_of_fold(), learner.predict(X)]))
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-3)


def test_descent_stops_with_the_clock(make_task, monkeypatch):
    monkeypatch.setattr(linear, "_NEWTON_COLUMNS", 0)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 200))
    y = np.digitize(X[:, :10].sum(axis=1), [-3, -1, 1, 3]).astype(np.int64)
    task = make_task(X, y)
    learner = LinearLearner({"strength": 100.0}, task.problem)
    task.view("dense")
    clock = Clock(0.05)
    learner.train(task, clock=clock)
    assert clock.elapsed() < 0.5
    assert np.isfinite(learner.out_of_fold()).all()


def test_the_file_names_its_learner():
    assert LEARNER is LinearLearner
