"""Networks that inherited approximately come closer to their parents, in a counted and bounded time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autonas.architectures import mlp
from autonas.core.clock import Clock
from autonas.data.prepare import prepare
from autonas.data.task import Folds
from autonas.search_space.load import load_space
from autonas.training.distil import SHARE, distil
from autonas.training.loop import Data, Trainer, combine, private_randomness
from autonas.training.stack import Stack


@pytest.fixture(autouse=True)
def seed():
    with private_randomness("cpu"):
        torch.manual_seed(0)
        yield


def build(width, outputs):
    return lambda: mlp.build({"width": width, "dropout": 0.1, "normalisation": "layer"}, (5,), outputs)


def trainer(classification, seed=0):
    X = torch.randn(90, 5, generator=torch.Generator().manual_seed(1))
    y = torch.arange(90) % 3 if classification else X[:, 0].clone()
    parts = np.array_split(np.arange(90), 3)
    pairs = tuple((np.concatenate([p for j, p in enumerate(parts) if j != i]), parts[i]) for i in range(3))
    options = {"batch_size": 20, "epochs": 100}
    return Trainer(
        build(16, 3 if classification else 1), Data(X, y, None, Folds(pairs, 90)), [0, 1, 2], options, seed, "cpu"
    )


def gap(student, teacher):
    """Mean squared distance of (log) outputs."""
    x = student.data.X.expand(3, 90, 5)
    kind = student.data.classification
    with torch.no_grad():
        return float((combine(student.stack(x), kind) - combine(teacher(x), kind)).square().mean())


@pytest.mark.parametrize("classification", [True, False])
def test_outputs_come_closer_to_the_teachers(classification):
    teacher = Stack(build(32, 3 if classification else 1), [5, 6, 7])
    student = trainer(classification)
    before, kept = gap(student, teacher), {k: v.clone() for k, v in teacher.weights.items()}
    assert distil(student, teacher, Clock(), share=0.3) == 90
    assert gap(student, teacher) < 0.1 * before
    assert all(torch.equal(kept[name], tensor) for name, tensor in teacher.weights.items())
    assert (student.step, student.lead, student.by_steps) == (0, 0.3, 0.3)
    assert all(parameter.grad is None for parameter in student.stack.parameters.values())
    assert not student.optimizer.state


def test_it_repeats_and_depends_on_the_seed():
    def weights(seed):
        student = trainer(True, seed)
        first = student.stack.copy()
        distil(student, Stack(build(32, 3), [5, 6, 7]), Clock(), share=0.05)
        return {name: tensor - first[name] for name, tensor in student.stack.copy().items()}

    one, same, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_a_clock_ends_it():
    student = trainer(True)
    assert distil(student, Stack(build(32, 3), [5, 6, 7]), Clock(0.0)) == 0
    assert student.lead == SHARE


# --- in a learner -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def family():
    """A trained chain, and what makes shrunk children of it."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    X = rng.normal(size=(120, 8, 8))
    for label in range(3):
        X[y == label, 2 * label : 2 * label + 2] += 1.0
    task = prepare(X, y, kind="classification", cv=2)
    space = load_space("chain", "classification")
    large = {f"stages:layers_{s}": 1 for s in (1, 2, 3)} | {f"stages:kernel_{s}_1": 3 for s in (1, 2, 3)}
    large |= {f"stages:width_{s}_1": 16 for s in (1, 2, 3)} | {"epochs": 20, "batch_size": 32}
    large = space.complete(large)
    parent = space.build(large, task.problem, seed=0)
    parent.train(task)

    def child(edit, how="morph", seed=1):
        learner = space.build(space.complete({**large, **edit}), task.problem, seed=seed)
        if how is not None:
            learner.inherit(parent.state(), space.options(large), how)
        return learner

    return task, parent, child


SHRUNK = {"stages:width_2_1": 8, "stages:width_1_1": 8}


def test_a_shrunk_child_learns_from_its_parent_first(family):
    task, _, child = family
    shrunk, wider, copied = child(SHRUNK), child({"stages:width_2_1": 24}), child(SHRUNK, "copy")
    for learner in (shrunk, wider, copied):
        learner.train(task, 0.15)
    assert (shrunk.info["exact"], wider.info["exact"], copied.info["exact"]) == (False, True, False)
    assert shrunk.info["distilled"] == SHARE * 20
    assert "distilled" not in wider.info
    assert "distilled" not in copied.info
    # counted as training: 2 of the 3 epochs are left for labels
    assert (shrunk.info["epochs"], wider.info["epochs"]) == (2.0, 3.0)


def test_a_distilled_child_goes_on_exactly_and_repeats(family):
    task, _, child = family
    whole, parts, again = child(SHRUNK), child(SHRUNK), child(SHRUNK)
    whole.train(task)
    for until in (0.2, 1.0):
        parts.train(task, until)
        state = parts.state()
        parts = child(SHRUNK, None)
        parts.restore(state)
    again.train(task)
    assert np.array_equal(whole.out_of_fold(), parts.out_of_fold())
    assert np.array_equal(whole.out_of_fold(), again.out_of_fold())


def test_a_fold_that_the_parent_did_not_train_starts_from_scratch(family):
    task, parent, child = family
    half = parent.state()
    half["final"] = {**half["final"], "weights": {k: v[:1] for k, v in half["final"]["weights"].items()}}
    wider, alone = child({"stages:width_2_1": 24}), child({"stages:width_2_1": 24}, None)
    wider.inherit(half, parent.options, "morph")
    for learner in (wider, alone):
        learner.train(task, 0.15)
    seen = task.folds.pairs[1][1]  # rows that the second fold validates and the first has trained on
    assert np.array_equal(wider.out_of_fold()[seen], alone.out_of_fold()[seen])
    rest = task.folds.pairs[0][1]
    assert not np.array_equal(wider.out_of_fold()[rest], alone.out_of_fold()[rest])
    assert wider.info["exact"] is False


def test_from_images_of_another_size_what_fits_is_copied(family):
    task, parent, child = family
    state = {**parent.state(), "shape": [1, 16, 16]}
    learner = child({})
    learner.inherit(state, parent.options, "morph")
    learner.train(task, 0.15)
    assert learner.info["inherited"]
    assert "distilled" not in learner.info
