from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier

from autonas.core.clock import Clock
from autonas.training.learners.trees import LEARNER, TreesLearner


def trained(task, until=1.0, **options):
    learner = TreesLearner({"trees": 40, **options}, task.problem)
    learner.train(task, until)
    return learner


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_going_on_from_a_state_is_one_run(tasks, kind):
    task = tasks(kind)
    once, part = trained(task), trained(task, 1 / 3)
    assert part.info["trees"] == [13] * 4
    again = TreesLearner({"trees": 40}, task.problem)
    again.restore(part.state())
    again.train(task)
    # sums of floats in another grouping
    np.testing.assert_allclose(again.out_of_fold(), once.out_of_fold(), rtol=1e-5)
    np.testing.assert_allclose(again.predict(task.view("dense")), once.predict(task.view("dense")), rtol=1e-5)


def test_is_as_good_as_the_forest_of_scikit_learn(tasks):
    task = tasks("multiclass")
    x = task.view("dense")
    learner = trained(task, trees=100, min_rows=1)
    correct = []
    for train, valid in task.folds.pairs:
        forest = ExtraTreesClassifier(100, random_state=0).fit(x[train], task.y[train])
        correct.append(forest.predict(x[valid]) == task.y[valid])
    ours = (learner.out_of_fold().argmax(axis=1) == task.y).mean()
    assert ours == pytest.approx(np.concatenate(correct).mean(), abs=0.03)


def test_repeats_share_the_trees(tasks):
    assert trained(tasks("regression", "repeated")).info["trees"] == [20] * 8
    assert trained(tasks("regression", "partial")).info["trees"] == [40] * 3


def test_missing_numbers_are_kept(make_task):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = (rng.random(200) < 0.5).astype(np.int64)
    X[y == 1, 0] = np.nan
    task = make_task(X, y)
    learner = trained(task, features="codes", columns="all")
    assert (learner.out_of_fold().argmax(axis=1) == y).mean() > 0.99
    assert (learner.predict(task.view("codes")).argmax(axis=1) == y).mean() > 0.99


def test_the_clock_ends_all_folds_alike(make_task):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 40))
    task = make_task(X, X[:, 0] + X[:, 1] * X[:, 2])
    learner = TreesLearner({"trees": 400, "columns": "all"}, task.problem)
    task.view("dense")
    clock = Clock(0.6)
    learner.train(task, clock=clock)
    assert clock.elapsed() < 1.5
    assert max(learner.info["trees"]) - min(learner.info["trees"]) <= 5
    assert np.isfinite(learner.out_of_fold()).all()


def test_the_file_names_its_learner():
    assert LEARNER is TreesLearner
