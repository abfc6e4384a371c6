"""A proposal with a genome is trained as what the genome says, or only scored where the genome holds the weights."""

from __future__ import annotations

import numpy as np
import pytest

from autonas.core.objective import get_metric
from autonas.core.state import load_state
from autonas.core.trial import Proposal
from autonas.data.prepare import prepare
from autonas.evaluators.train import LEARNER_FILE, Train
from autonas.search_space.load import load_space


def _evaluated(space, config, genome, task, folder):
    evaluator = Train(get_metric("log_loss", "classification"))
    evaluator.prepare(space, task)
    return evaluator.evaluate(Proposal(config, genome=genome), None, folder)


def _data():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    return rng.normal(size=(60, 8, 8)) + y[:, None, None], y


def test_a_grown_network_is_trained(tmp_path):
    X, y = _data()
    space, rng = load_space("nash", "classification"), np.random.default_rng(0)
    genome = space.initial(rng)
    for _ in range(3):
        genome, _ = space.mutate_genome(genome, rng)
    config = space.complete({"epochs": 10})
    result = _evaluated(space, config, genome, prepare(X, y, kind="classification", cv=2), tmp_path)
    assert result.status == "ok", result.error
    assert result.info["parameters"] == space.dry_run(config, (1, 8, 8), 2, genome=genome).parameters
    assert result.loss < 0.69


@pytest.mark.parametrize("name", ["neat", "hyperneat"])
def test_evolved_weights_are_scored_as_they_are(name, tmp_path):
    X, y = _data()
    X = X.mean(2) if name == "neat" else X
    space = load_space(name)
    genome = space.initial(np.random.default_rng(0))
    config = space.default()
    result = _evaluated(space, config, genome, prepare(X, y, kind="classification", cv=2), tmp_path)
    assert result.status == "ok", result.error
    saved = load_state(tmp_path / LEARNER_FILE)
    task = prepare(X, y, kind="classification", cv=2)
    again = space.build(config, task.problem, genome=genome)
    again.restore(saved["learner"])
    np.testing.assert_array_equal(again.predict(task.view(again.view)), again.out_of_fold())
