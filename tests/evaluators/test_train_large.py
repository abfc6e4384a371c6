"""Large tasks: a learner sees as many rows as it has time for, and all are scored on the same rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autonas.core.fidelity import Setting
from autonas.core.objective import get_metric
from autonas.core.state import load_state
from autonas.core.trial import Proposal
from autonas.data.prepare import prepare
from autonas.data.task import Task
from autonas.evaluators._reduced import affordable, reduced_task
from autonas.evaluators.train import LEARNER_FILE, PREDICTIONS_FILE, Train
from autonas.search_space.learners import make_learner
from autonas.search_space.load import load_space
from autonas.training.learner import Learner

ROWS = 60_000


@pytest.fixture(scope="module")
def task() -> Task:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(ROWS, 3)), columns=list("abc"))
    X["d"] = rng.choice(["x", "y", "z"], ROWS)
    return prepare(X, X["a"] + (X["d"] == "y") + 0.1 * rng.normal(size=ROWS), kind="regression")


def _learner(task: Task, family: str = "linear", **options: str) -> Learner:
    return make_learner(family, options, task.problem)


def test_few_rows_are_all_seen(task: Task) -> None:
    small = prepare(np.random.default_rng(0).normal(size=(100, 2)), np.arange(100.0), kind="regression")
    part, numbers, share = affordable(small, _learner(small), 1e-3, 0)
    assert part is small
    assert share == 1
    assert len(numbers) == 100
    part, _, share = affordable(task, _learner(task), None, 0)
    assert share == 1
    assert len(part.folds.pairs[0][0]) == len(task.folds.pairs[0][0])


def test_rows_follow_the_time_and_are_nested(task: Task) -> None:
    seen = []
    for seconds in (0.01, 0.1, 1.0):
        part, numbers, share = affordable(task, _learner(task, features="ple"), seconds, 0)
        np.testing.assert_array_equal(part.y, task.y[numbers])
        pd.testing.assert_series_equal(part.X[0], task.X[0].iloc[numbers].reset_index(drop=True))
        np.testing.assert_allclose(part.view("dense"), task.preprocessor.view("dense", task.X.iloc[numbers]))
        for (train, valid), (whole, same) in zip(part.folds.pairs, task.folds.pairs, strict=True):
            np.testing.assert_array_equal(numbers[valid], same)  # all are scored on the same rows
            assert set(numbers[train]) <= set(whole)
            assert len(train) == np.ceil(share * len(whole))
        seen.append(set(numbers[part.folds.pairs[0][0]]))
    assert len(seen[0]) < 20_000 <= len(seen[2])
    shares = [affordable(task, _learner(task, family), 0.15, 0)[2] for family in ("boosting", "linear", "mlp")]
    assert shares == [0.5, 1.0, 1.0]
    assert seen[0] <= seen[1] <= seen[2]


def test_a_view_of_the_whole_is_not_made(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    view = type(task.preprocessor).view
    monkeypatch.setattr(
        type(task.preprocessor), "view", lambda self, name, X: made.append(len(X)) or view(self, name, X)
    )
    few = reduced_task(task, Setting(data=0.01), 0)
    part, numbers, share = affordable(few, _learner(few, "boosting"), None, 0)
    part.view("codes")
    assert share == 1  # of the few
    assert made == [1, len(numbers)]
    assert len(numbers) < 0.75 * ROWS


def test_predictions_stand_where_their_rows_are(task: Task, tmp_path: Path) -> None:
    evaluator = Train(get_metric("rmse", "regression"))
    space = load_space("tabular", "regression")
    evaluator.prepare(space, task)
    config = next(c for c, _ in space.portfolio({"rows": ROWS, "columns": 4, "kind": "regression", "text": False}))
    assert config["model"] == "linear"
    result = evaluator.evaluate(Proposal(config), None, tmp_path, seconds=0.02)
    assert result.status == "ok"
    assert result.info["rows"] < 0.75 * ROWS
    predictions = np.load(tmp_path / PREDICTIONS_FILE)
    assert predictions.shape == (ROWS, 1)
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(predictions[:, 0])), task.folds.covered)
    covered = task.folds.covered
    assert np.sqrt(np.mean((predictions[covered, 0] - task.y[covered]) ** 2)) < 0.2
    assert load_state(tmp_path / LEARNER_FILE)["shape"]["data"] < 1
