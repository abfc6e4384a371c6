from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from autonas.core.clock import Clock
from autonas.errors import ModelError
from autonas.training.calibration import log_softmax
from autonas.training.learners.boosting import LEARNER, BoostingLearner

PLAIN = {"leaves": 6, "min_rows": 5, "learning_rate": 0.1, "row_share": 1.0, "column_share": 1.0}
OBJECTIVES = {
    "binary": ("binary", "binary_logloss"),
    "multiclass": ("multiclass", "multi_logloss"),
    "regression": ("regression", "l2"),
}


@pytest.mark.parametrize("sampled", [False, True])
@pytest.mark.parametrize("kind", OBJECTIVES)
def test_equals_lightgbm_with_early_stopping_on_every_fold(tasks, kind, sampled):
    weight = np.random.default_rng(0).uniform(0.2, 2, 240)
    task = tasks(kind, "kfold", weight)
    rng = np.random.default_rng(1)
    if kind == "regression":
        task.y = task.y - 200  # not positive: no logarithm
    else:
        # some labels at random: LightGBM counts rounds without a tree, which come where nothing is left to learn
        task.y = np.where(rng.random(240) < 0.2, rng.integers(0, task.problem.n_outputs, 240), task.y)
    options = PLAIN | ({"row_share": 0.8, "column_share": 0.4} if sampled else {})
    learner = BoostingLearner(options, task.problem, seed=7)
    learner.train(task)
    X, y = task.view("codes"), task.y
    label = (y - y.mean()) / y.std() if kind == "regression" else y
    objective, metric = OBJECTIVES[kind]
    parameters = {
        "objective": objective,
        "metric": metric,
        "learning_rate": 0.1,
        "num_leaves": 6,
        "min_data_in_leaf": 5,
        "bagging_fraction": options["row_share"],
        "bagging_freq": 1,
        "feature_fraction": options["column_share"],
        "lambda_l2": 0.01,
        "seed": 7,
        "data_random_seed": 7,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "num_threads": 1,
    } | ({"num_class": task.problem.n_outputs} if kind == "multiclass" else {})
    whole = lightgbm.Dataset(X, label, weight=weight, params=parameters).construct()
    for fold, (train, valid) in enumerate(task.folds.pairs):
        train_set, valid_set = (whole.subset(np.sort(rows).tolist()) for rows in (train, valid))
        stop = lightgbm.early_stopping(80, verbose=False)
        model = lightgbm.train(parameters, train_set, 3000, valid_sets=[valid_set], callbacks=[stop])
        assert learner.info["rounds"][fold] == model.best_iteration
        predicted = model.predict(X[valid])
        scores = learner.out_of_fold()[valid]
        if kind == "regression":
            np.testing.assert_allclose(scores[:, 0], predicted * y.std() + y.mean(), rtol=1e-4)
        else:
            expected = np.stack([1 - predicted, predicted], axis=1) if kind == "binary" else predicted
            np.testing.assert_allclose(np.exp(log_softmax(scores)), expected, atol=1e-5)


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_stopping_half_way_changes_nothing(tasks, kind):
    task = tasks(kind)
    options = PLAIN | {"learning_rate": 0.05, "row_share": 0.8, "column_share": 0.5}
    once, twice = (BoostingLearner(options, task.problem) for _ in range(2))
    once.train(task)
    for until in (1 / 100, 1 / 50, 1.0):
        twice.train(task, until)
        assert twice.progress == until
    np.testing.assert_array_equal(once.out_of_fold(), twice.out_of_fold())
    np.testing.assert_array_equal(once.predict(task.view("codes")), twice.predict(task.view("codes")))


@pytest.mark.parametrize("kind", OBJECTIVES)
def test_a_restored_booster_goes_on_as_one_run_when_nothing_is_sampled(tasks, kind):
    task = tasks(kind)
    once = BoostingLearner(PLAIN | {"learning_rate": 0.03}, task.problem)
    once.train(task)
    part = BoostingLearner(PLAIN | {"learning_rate": 0.03}, task.problem)
    for until in (1 / 100, 1 / 40, 1.0):
        part.train(task, until)
        state, part = part.state(), BoostingLearner(PLAIN | {"learning_rate": 0.03}, task.problem)
        part.restore(state)
    assert part.info["rounds"] == once.info["rounds"]
    np.testing.assert_allclose(part.out_of_fold(), once.out_of_fold(), atol=1e-5, rtol=1e-5)
    X = task.view("codes")
    np.testing.assert_allclose(part.predict(X), once.predict(X), atol=1e-5, rtol=1e-5)


def test_categories_are_declared(make_task):
    # the sign alternates with the code: one categorical split does what many numeric ones would need
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 30, 600).astype(float)
    X = np.stack([codes, rng.normal(size=600)], axis=1)
    y = np.where(codes % 2, 1.0, -1.0)
    errors = []
    for categories in ([0], []):
        task = make_task(X, y, categories=categories)
        learner = BoostingLearner(PLAIN | {"leaves": 2}, task.problem)
        learner.train(task, 20 / 3000)
        errors.append(np.mean((learner.out_of_fold()[:, 0] - y) ** 2))
    assert errors[0] < 0.5 * errors[1]


def test_missing_numbers_are_kept(make_task):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = np.where(rng.random(300) < 0.5, 1.0, 0.0)
    X[y == 1, 0] = np.nan
    task = make_task(X, y.astype(np.int64))
    learner = BoostingLearner(PLAIN, task.problem)
    learner.train(task, 0.05)
    assert (learner.out_of_fold().argmax(axis=1) == y).all()


def test_a_short_clock_raises_the_learning_rate(make_task):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 40))
    y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [-1, -0.5, 0, 0.5, 1]).astype(np.int64)
    task = make_task(X, y)
    learner = BoostingLearner({"learning_rate": 0.05}, task.problem)
    learner.train(task, clock=Clock(1.0))
    assert 0.05 < learner.info["learning_rate"] <= 0.2
    assert min(learner.info["rounds"]) >= 1
    assert np.isfinite(learner.out_of_fold()).all()


def test_a_report_may_stop_it(tasks):
    task = tasks("regression")
    learner = BoostingLearner(PLAIN, task.problem)
    learner.train(task, report=lambda progress, _: progress < 10 / 3000)
    assert max(learner.info["rounds"]) <= 20
    assert np.isfinite(learner.out_of_fold()).all()


def test_a_damaged_state_is_a_model_error(tasks):
    task = tasks("binary")
    learner = BoostingLearner(PLAIN, task.problem)
    learner.train(task, 0.01)
    state = learner.state()
    state["folds"][0]["parts"] = [b"not a model"]
    with pytest.raises(ModelError, match="damaged"):
        BoostingLearner(PLAIN, task.problem).restore(state)


def test_the_file_names_its_learner():
    assert LEARNER is BoostingLearner
