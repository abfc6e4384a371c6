"""What cannot be trained costs nothing and says why."""

from __future__ import annotations

import numpy as np
import pytest

from autonas.core.objective import get_metric
from autonas.core.trial import Proposal
from autonas.data.prepare import prepare
from autonas.evaluators import train
from autonas.search_space.load import load_space


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    return prepare(rng.normal(size=(60, 8, 8)) + y[:, None, None], y, kind="classification", cv=2)


def _evaluate(space, config, task, tmp_path):
    evaluator = train.Train(get_metric("log_loss", "classification"))
    evaluator.prepare(space, task)
    return evaluator.evaluate(Proposal(config), None, tmp_path)


def test_an_impossible_network_fails_with_the_reason(task, tmp_path):
    space = load_space("metaqnn")
    config = space.complete(
        {"model": "chain", "chain:depth": 3, "chain:type_1": "pool", "chain:pool_1": "5/3", "chain:kernel_2": 5}
    )
    result = _evaluate(space, config, task, tmp_path)
    assert result.status == "failed"
    assert "layer 2: a kernel of 5 does not fit into a map of (2, 2)" in result.error
    assert not list(tmp_path.iterdir())


def test_a_network_that_does_not_fit_into_memory_is_refused(task, tmp_path, monkeypatch):
    monkeypatch.setattr(train, "SHARE", 1e-9)
    space = load_space("nasbench201")
    result = _evaluate(space, space.default(), task, tmp_path)
    assert result.status == "failed"
    assert "one step of training needs" in result.error


def test_what_a_network_costs_is_told(task, tmp_path):
    space = load_space("chain")
    config = space.complete({"epochs": 10})
    result = _evaluate(space, config, task, tmp_path)
    counted = space.dry_run(config, (1, 8, 8), 2)
    assert (result.info["parameters"], result.info["macs"]) == (counted.parameters, counted.macs)
