"""What every learner that is not a network keeps to: complete predictions, clocks, states, weights, determinism."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from autonas.core.clock import Clock
from autonas.core.state import load_state, save_state
from autonas.data.task import Folds
from autonas.training.calibration import fit_temperature, log_loss
from autonas.training.learners.boosting import BoostingLearner
from autonas.training.learners.kernel import KernelLearner
from autonas.training.learners.linear import LinearLearner
from autonas.training.learners.trees import TreesLearner

LEARNERS = {
    "linear": (LinearLearner, {"strength": 1.0}),
    "kernel": (KernelLearner, {"kernel": "laplace", "width": 0.7}),
    "kernel-learned": (KernelLearner, {"kernel": "rbf", "width": 0.7, "scales": "learned"}),
    "boosting": (BoostingLearner, {"leaves": 4, "min_rows": 5, "learning_rate": 0.2}),
    "trees": (TreesLearner, {"trees": 20, "min_rows": 2}),
}
KINDS = ["binary", "multiclass", "regression"]


@pytest.fixture(params=LEARNERS.values(), ids=LEARNERS.keys())
def make(request):
    kind, options = request.param
    return lambda task, seed=0: kind(options, task.problem, seed)


def loss_over_constant(learner, task):
    """Out-of-fold loss as a share of that of the best constant."""
    rows = task.folds.covered
    scores, y = learner.out_of_fold()[rows], task.y[rows]
    if task.problem.kind == "regression":
        return np.mean((scores[:, 0] - y) ** 2) / y.var()
    share = np.bincount(y) / len(y)
    temperature = fit_temperature(scores, y)
    return log_loss(scores / temperature, y) / -(share * np.log(share)).sum()


@pytest.mark.parametrize("folds", ["kfold", "repeated", "partial", "holdout"])
@pytest.mark.parametrize("kind", KINDS)
def test_out_of_fold_predictions_are_complete_and_good(make, tasks, kind, folds):
    task = tasks(kind, folds)
    learner = make(task)
    assert learner.progress == 0
    learner.train(task)
    scores = learner.out_of_fold()
    assert scores.shape == (240, task.problem.n_outputs)
    assert scores.dtype.kind == "f"
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(scores).all(axis=1)), task.folds.covered)
    assert loss_over_constant(learner, task) < {"binary": 0.4, "multiclass": 0.5, "regression": 0.75}[kind]
    assert learner.progress == 1
    assert len(learner.curve) >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_state_predicts_the_same_without_the_task(make, tasks, kind, tmp_path):
    task = tasks(kind)
    learner = make(task)
    learner.train(task)
    view = task.view(learner.view)
    save_state(tmp_path / "state", learner.state())
    again = make(task)
    again.restore(load_state(tmp_path / "state"))
    scores = again.predict(view[:50])
    assert scores.shape == (50, task.problem.n_outputs)
    np.testing.assert_array_equal(scores, learner.predict(view[:50]))
    np.testing.assert_array_equal(again.out_of_fold(), learner.out_of_fold())
    assert (again.progress, again.curve, again.info) == (learner.progress, learner.curve, learner.info)
    # rows by themselves as in a crowd
    np.testing.assert_allclose(again.predict(view[3:4]), scores[3:4], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", sorted(LEARNERS.keys() - {"boosting"}))  # which stops by its validation rows
@pytest.mark.parametrize("kind", KINDS)
def test_predictions_do_not_use_the_targets_of_left_out_rows(tasks, kind, name):
    learners = []
    for shift in (0, 1):
        task = tasks(kind, "holdout")
        _, valid = task.folds.pairs[0]
        task.y[valid] = (task.y[valid] + shift) % task.problem.n_outputs if kind != "regression" else 100 + 50 * shift
        learner = LEARNERS[name][0](LEARNERS[name][1], task.problem)
        learner.train(task)
        learners.append(learner)
    a, b = (learner.out_of_fold()[valid] for learner in learners)
    if learners[0].info.get("penalty") != learners[1].info.get("penalty"):
        return  # it is chosen by the validation loss, from five
    # in classification up to the sharpness of the logits, which is fitted to them as well
    a, b = (scores / np.abs(scores).max() if kind != "regression" else scores for scores in (a, b))
    np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5)


def test_equal_seeds_repeat_exactly(make, tasks):
    task = tasks("multiclass")
    scores = []
    for _ in range(2):
        learner = make(task, seed=3)
        learner.train(task)
        scores.append(learner.out_of_fold())
    np.testing.assert_array_equal(scores[0], scores[1])


def test_nothing_reads_a_clock_without_a_limit(make, tasks, monkeypatch):
    task = tasks("binary")

    def refuse():
        raise AssertionError("read the time")

    for name in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, name, refuse)
    make(task).train(task)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_a_short_clock_still_gives_complete_predictions(make, make_task, kind, seconds):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 30))
    signal = X[:, 0] + X[:, 1] * X[:, 2]
    y = (
        signal
        if kind == "regression"
        else np.digitize(signal, [0] if kind == "binary" else [-1, 0, 1]).astype(np.int64)
    )
    task = make_task(X, y)
    learner = make(task)
    task.view(learner.view)
    begun = time.monotonic()
    learner.train(task, clock=Clock(seconds))
    assert time.monotonic() - begun < seconds + 1.5  # one core that is shared with others may be slow
    assert np.isfinite(learner.out_of_fold()).all()
    assert learner.progress == 1
    assert learner.curve


def test_a_class_without_training_rows_is_unlikely_not_impossible(make, make_task):
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 40)
    X = rng.normal(size=(120, 3)) + 2 * np.eye(3)[y]
    rows = np.arange(120)
    # the second pair never sees class 2
    pairs = ((rows[rows % 2 == 0], rows[rows % 2 == 1]), (rows[:80], rows[80:]))
    task = make_task(X, y, Folds(pairs, 120))
    learner = make(task)
    learner.train(task)
    scores = learner.out_of_fold()[80:]
    assert np.isfinite(scores).all()
    assert np.isfinite(learner.predict(task.view(learner.view))).all()


def test_weights_move_the_model(make, tasks):
    plain = tasks("regression", "holdout")
    weight = np.where(plain.y > np.median(plain.y), 1.9, 0.1)
    heavy = tasks("regression", "holdout", weight)
    means = []
    for task in (plain, heavy):
        learner = make(task)
        learner.train(task)
        means.append(learner.predict(task.view(learner.view)).mean())
    assert means[1] > means[0] + 0.1 * plain.y.std()


def test_reports_losses_as_training_goes_on(make, tasks):
    task, seen = tasks("binary"), []

    def report(progress, values):
        seen.append((progress, values["loss"]))
        return True

    make(task).train(task, report=report)
    progress, losses = zip(*seen, strict=True)
    assert list(progress) == sorted(progress)
    assert progress[0] > 0
    assert progress[-1] <= 1
    assert np.isfinite(losses).all()


def test_torch_is_not_needed():
    modules = ", ".join(f"autonas.training.learners.{name}" for name in ("linear", "kernel", "boosting", "trees"))
    heavy = "{'torch', 'sklearn', 'scipy', 'lightgbm', 'pandas'}"
    code = f"import sys, {modules}; sys.exit(str({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    subprocess.run([sys.executable, "-c", code], check=True)
