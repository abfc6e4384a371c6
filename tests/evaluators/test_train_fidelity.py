"""Each dimension of a plan alone: what it makes smaller, that it costs less, and who goes on from a checkpoint."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonas.core.fidelity import Setting, fidelity_plan
from autonas.core.objective import get_metric
from autonas.core.state import load_state
from autonas.core.trial import Proposal, Result
from autonas.data.prepare import prepare
from autonas.evaluators._reduced import fewer_rows, reduced_task, shrunk, slimmer
from autonas.evaluators.train import LEARNER_FILE, PREDICTIONS_FILE, Train
from autonas.search_space.load import load_space

CNN = {"model": "cnn", "cnn:width": 8, "cnn:stages": 1, "cnn:layers": 3, "epochs": 10, "batch_size": 32}


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    X = rng.normal(size=(120, 16, 16))
    for label in range(3):
        X[y == label, 4 * label : 4 * label + 4] += 1.0
    return prepare(X, y, kind="classification", cv=4)


@pytest.fixture(scope="module")
def space():
    return load_space("image", "classification")


class Lab:
    """Evaluates one configuration at several fidelities, every time in a folder of its own."""

    def __init__(self, space, task, plan, config, folder: Path) -> None:
        self.evaluator = Train(get_metric("log_loss", "classification"))
        self.space = space.with_fidelity(fidelity_plan(plan))
        self.evaluator.prepare(self.space, task)
        self.config, self.folder = self.space.complete(config), folder

    def __call__(self, name: str, z: float, parent: str | None = None) -> Result:
        (self.folder / name).mkdir()
        proposal = Proposal(self.config, z) if parent is None else Proposal(self.config, z, 0, "resume")
        found = self.evaluator.evaluate(proposal, parent and self.folder / parent, self.folder / name)
        assert found.status == "ok", found.error
        return found

    def saved(self, name: str) -> dict:
        return load_state(self.folder / name / LEARNER_FILE)

    def predictions(self, name: str) -> np.ndarray:
        return np.load(self.folder / name / PREDICTIONS_FILE)

    def same(self, one: str, other: str) -> bool:
        weights = [self.saved(name)["learner"]["final"]["weights"] for name in (one, other)]
        return all(np.array_equal(weights[0][k], weights[1][k]) for k in weights[0]) and np.array_equal(
            self.predictions(one), self.predictions(other)
        )


# --- rows, folds -----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 3), min_size=8, max_size=60), st.floats(0.01, 1), st.floats(0.01, 1), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_smaller_shares_are_nested_and_keep_the_classes(labels, one, other, seed):
    classes, rows = np.array(labels), np.arange(1, len(labels))
    low, high = (fewer_rows(rows, classes, share, seed) for share in sorted((one, other)))
    assert set(low) <= set(high) <= set(rows)
    for label in np.unique(classes[rows]):
        mine, share = (classes[rows] == label).sum(), max(one, other)
        assert share * mine - 1e-6 <= (classes[high] == label).sum() < share * mine + 1
    assert np.array_equal(fewer_rows(rows, classes, 1.0, seed), rows)


def test_validation_rows_stay(task):
    small = reduced_task(task, Setting(data=0.25), seed=0)
    for (train, valid), (few, same) in zip(task.folds.pairs, small.folds.pairs, strict=True):
        assert np.array_equal(valid, same)
        assert set(few) <= set(train)
        assert np.bincount(task.y[few]).tolist() == [8, 8, 8]
    assert reduced_task(task, Setting(epochs=0.1), seed=0) is task
    assert len(reduced_task(task, Setting(folds=0.5), seed=0).folds) == 2
    assert len(reduced_task(task, Setting(folds=0.01), seed=0).folds) == 1


def test_fewer_rows_are_a_random_part_in_regression():
    rng = np.random.default_rng(0)
    task = prepare(rng.normal(size=(40, 3)), rng.normal(size=40), kind="regression", cv=2)
    small = reduced_task(task, Setting(data=0.5), seed=1)
    assert [len(train) for train, _ in small.folds.pairs] == [10, 10]


# --- networks --------------------------------------------------------------------------------------------------------


def test_widths_and_depths_of_a_family():
    options = {
        "channels": 24,
        "repeats": 6,
        "filters_1": 64,
        "layers_2": 1,
        "units": [8, 16],
        "epochs": 40,
        "width": 37,
    }
    half = slimmer("cnn", options, Setting(width=0.5, depth=0.5))
    assert half == {**options, "channels": 12, "repeats": 3, "filters_1": 32, "width": 18}
    assert slimmer("cnn", {**options, "groups": 8}, Setting(width=0.5))["channels"] == 16  # which groups divide
    assert slimmer("cnn", options, Setting(epochs=0.5)) == options
    assert slimmer("cell", {}, Setting(width=0.5))["channels"] > 0  # what a file leaves to the family


def test_images_are_not_smaller_than_eight_pixels():
    assert [shrunk(28, share) for share in (1, 0.5, 0.1)] == [28, 14, 8]
    assert shrunk(6, 0.5) == 6


def test_shrinking_takes_means_over_boxes(task):
    whole, half = task.view("image"), task.view("image@8")
    assert half.shape == (120, 1, 8, 8)
    assert np.allclose(half, whole.reshape(120, 1, 8, 2, 8, 2).mean((3, 5)), atol=1e-5)
    third = task.view("image@12")
    assert np.allclose(third.mean((2, 3)), whole.mean((2, 3)), atol=1e-5)


def test_epochs_go_on_exactly(space, task, tmp_path):
    lab = Lab(space, task, {"epochs": [1 / 9, 1]}, {**CNN, "epochs": 18, "cnn:layers": 2}, tmp_path)
    lab("low", 1 / 9)
    lab("middle", 1 / 3, "low")
    steps = lab("high", 1.0, "middle").info["epochs"]
    alone = lab("alone", 1.0)
    assert steps == alone.info["epochs"] == 18
    assert lab.same("high", "alone")


@pytest.mark.parametrize("name", ["data", "resolution", "width", "depth", "folds"])
def test_what_changes_the_problem_trains_anew(name, space, task, tmp_path):
    lab = Lab(space, task, {name: [0.5, 1]}, CNN, tmp_path)
    low, high, alone = lab("low", 0.25), lab("high", 1.0, "low"), lab("alone", 1.0)
    assert lab.same("high", "alone")
    assert low.info["epochs"] == high.info["epochs"] == alone.info["epochs"]  # nothing was cut short
    state = lab.saved("low")
    if name == "data":
        assert state["shape"]["data"] == 0.5
    elif name == "resolution":
        assert state["learner"]["shape"] == [1, 8, 8]
    elif name == "folds":
        assert np.isnan(lab.predictions("low")).any(axis=1).sum() == 60
    else:
        assert low.info["parameters"] < high.info["parameters"]


def test_the_same_problem_goes_on_also_under_a_plan_that_restarts(space, task, tmp_path):
    lab = Lab(space, task, {"epochs": [0.1, 1], "resolution": [0.4, 1]}, CNN, tmp_path)
    lab("low", 0.04)
    lab("next", 0.05, "low")  # eight pixels both times
    assert lab.saved("low")["shape"] == lab.saved("next")["shape"]
    lab("alone", 0.05)
    assert lab.saved("next")["learner"]["info"]["epochs"] == lab.saved("alone")["learner"]["info"]["epochs"]
    assert lab.saved("next")["learner"]["training"]["trainers"][0]["step"] > 0


def test_seconds_end_a_training(space, task, tmp_path):
    lab = Lab(space, task, {"seconds": [0.5, 1.5]}, {**CNN, "epochs": 100}, tmp_path)
    low, high = lab("low", 1 / 3), lab("high", 1.0, "low")
    assert low.cost_seconds < 1.5
    assert high.info["progress"] == 1
    assert lab.saved("high")["seconds"] == pytest.approx(1.5, abs=0.6)


# --- other learners --------------------------------------------------------------------------------------------------


def test_trees_take_fewer_rows_and_folds_and_ignore_what_they_lack(space, task, tmp_path):
    config = {"model": "trees", "trees:trees": 50}
    for plan in ({"data": [0.2, 1]}, {"folds": [0.5, 1]}, {"width": [0.5, 1]}):
        (name,) = plan
        (tmp_path / name).mkdir()
        lab = Lab(space, task, plan, config, tmp_path / name)
        lab("low", 0.25)
        lab("high", 1.0, "low")
        lab("alone", 1.0)
        assert np.array_equal(lab.predictions("high"), lab.predictions("alone"))
        assert np.array_equal(lab.predictions("low"), lab.predictions("alone")) == (name == "width")


@pytest.mark.parametrize("kind", ["kernel", "linear"])
def test_closed_forms_fit_fewer_rows(kind, space, task, tmp_path):
    lab = Lab(space, task, {"data": [0.5, 1]}, {"model": kind}, tmp_path)
    low, high = lab("low", 0.5), lab("high", 1.0, "low")
    assert low.loss > high.loss
    assert np.isfinite(lab.predictions("low")).all()
