"""What is known of a stack of networks before it is made: its work, and how many folds a clock affords."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autonas.architectures import mlp, tabm
from autonas.core.clock import Clock
from autonas.data.prepare import prepare
from autonas.data.task import Problem, Task
from autonas.training.loop import Data, Trainer
from autonas.training.network import NetworkLearner
from autonas.training.pace import Pace
from autonas.training.probe import affordable_folds, multiply_accumulates

HEAVY = 1e9  # multiply-accumulates of a batch


class Scripted(Clock):
    """A clock that passes while networks look at rows, and else stands still."""

    now = 0.0

    def elapsed(self) -> float:
        return self.now


class Watched(Trainer):
    """Takes ``seconds`` for a look, and no steps."""

    seconds = 0.016
    clock: Scripted

    def look(self, rows: int) -> None:
        self.clock.now += self.seconds

    def take_step(self, progress: float = 0.0) -> None:
        raise AssertionError("a step was taken")


@pytest.fixture(scope="module")
def task() -> Task:
    """100 rows, 5 folds of them in 4 repeats."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 3)), rng.integers(2, size=100)
    rows = np.arange(100)
    pairs = [(rows[rows % 5 != k], rows[rows % 5 == k]) for _ in range(4) for k in range(5)]
    return prepare(X, y, kind="classification", cv=pairs)


def afforded(task: Task, seconds: float, epochs: int = 100) -> int:
    """The folds of a network whose steps of 20 rows take 0.06 s and whose looks at a fold's 20 rows take 0.02 s."""
    clock = Scripted(seconds)

    def alone() -> Trainer:
        X = torch.from_numpy(task.view("plain").astype(np.float32))
        data = Data(X, torch.from_numpy(task.y.astype(np.int64)), None, task.folds)
        options = {"width": 4, "depth": 1, "batch_size": 20, "epochs": epochs}
        trainer = Watched(lambda: mlp.build(options, X.shape[1:], 2), data, [0], options, 0, "cpu")
        trainer.clock = clock
        return trainer

    return affordable_folds(HEAVY, alone, task.folds, len(task.folds), Pace(clock, 0.0, 1.0))


@pytest.mark.parametrize(("width", "depth"), [(32, 1), (100, 3)])
def test_work_of_a_perceptron(width: int, depth: int) -> None:
    options = {"width": width, "depth": depth, "embedding": "none"}
    X = torch.zeros(1000, 7)
    expected = 7 * width + (depth - 1) * width**2 + 3 * width
    assert multiply_accumulates(lambda: mlp.build(options, (7,), 3), X) == expected


def test_members_that_share_weights_work_each(task: Task) -> None:
    X = torch.zeros(1, 3)
    options = {"width": 64, "depth": 2, "embedding": "none"}
    shared = sum(p.numel() for p in tabm.build(options, (3,), 2).parameters())
    assert multiply_accumulates(lambda: tabm.build(options, (3,), 2), X) > 5 * shared


def test_small_stacks_are_not_even_looked_at(task: Task) -> None:
    def alone() -> Trainer:
        raise AssertionError("a network was made")

    assert affordable_folds(1e6, alone, task.folds, 20, Pace(Scripted(0.01), 0.0, 1.0)) == 20


def test_as_many_folds_as_have_time_for_some_steps(task: Task) -> None:
    assert afforded(task, 1000.0) == 20
    # 50 steps of a fold and its validation take 3.02 s, 5 steps 0.32 s; two looks have taken 0.032 s
    assert afforded(task, 0.032 + 3.03 * 12) == 12
    # rather fewer steps than no prediction of some rows, which the first five folds all validate
    assert afforded(task, 0.032 + 3.03 * 2) == 5
    assert afforded(task, 0.032 + 0.33 * 3) == 3
    # a schedule that is shorter needs less
    assert afforded(task, 0.032 + 0.26 * 12, epochs=1) == 12


def test_what_cannot_be_of_use_is_refused_without_a_step(task: Task) -> None:
    with pytest.raises(TimeoutError, match=r"5 steps of 2 folds takes at least 0\.6 s"):
        afforded(task, 0.5)


def test_a_heavy_perceptron_gives_up_at_once() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 10)), rng.integers(2, size=200)
    task = prepare(X, y, kind="classification")
    assert len(task.folds) == 40
    options = {"width": 2048, "depth": 3, "batch_size": 128, "epochs": 40}
    learner = NetworkLearner(mlp, options, Problem("classification", 2))
    with pytest.raises(TimeoutError, match="give more time or a smaller network"):
        learner.train(task, 1.0, Clock(0.05))


def test_a_stack_fits_into_memory(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    assert afforded(task, 1000.0) == 20
    one = 24 * sum(p.numel() for p in mlp.build({"width": 4, "depth": 1, "batch_size": 20}, (3,), 2).parameters())
    for affordable, expected in ((7, 7), (1, 2)):
        monkeypatch.setattr("autonas.training.probe._MOST_BYTES", affordable * one)
        assert afforded(task, 1000.0) == expected
