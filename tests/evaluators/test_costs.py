"""Costs are those of the dry run and of the trained models; what exceeds a limit is not trained."""

from __future__ import annotations

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from autonas.core.goals import get_goals
from autonas.core.trial import Proposal
from autonas.data.prepare import prepare
from autonas.errors import OptionError
from autonas.evaluators import make_evaluator
from autonas.evaluators.costs import Costed, check_costs
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace


@pytest.fixture(scope="module")
def task():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    return prepare(rng.normal(size=(60, 8, 8)) + y[:, None, None], y, kind="classification", cv=2)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    return prepare(rng.normal(size=(60, 3)) + y[:, None], y, kind="classification", cv=2)


def evaluator(objectives, space, task):
    goals = get_goals(objectives, None, "classification", task.classes)
    made = Costed(make_evaluator("train", goals.metric, seed=0, device="cpu"), goals)
    made.prepare(space, task)
    return made


def trained_parameters(space, proposal, task, workdir):
    """Counted in torch, from the file that the trial left."""
    from autonas.core.state import load_state

    saved = load_state(workdir / "learner.safetensors")
    learner = space.build(proposal.config, task.problem)
    learner.restore(saved["learner"])
    return sum(p.numel() for network in learner.networks() for p in network.parameters())


def test_parameters_are_those_of_the_networks_of_all_folds(task, tmp_path):
    space = load_space("chain")
    proposal = Proposal(space.complete({"epochs": 10}))
    asked = ["log_loss", "n_params", "macs", "memory", "latency", "batch_latency", "disk_bytes", "train_seconds"]
    result = evaluator([*asked, "accuracy"], space, task).evaluate(proposal, None, tmp_path)
    values, run = result.values, space.dry_run(proposal.config, (1, 8, 8), 2)
    assert list(values) == [*asked, "accuracy"]
    assert values["n_params"] == trained_parameters(space, proposal, task, tmp_path) == 2 * run.parameters
    assert values["macs"] == 2 * run.macs
    assert values["memory"] == run.training_bytes(proposal.config["batch_size"])
    assert 0 < values["latency"] < values["train_seconds"] <= result.cost_seconds
    assert values["disk_bytes"] > 4 * values["n_params"]
    predictions = np.load(tmp_path / "predictions.npy")
    assert values["accuracy"] == pytest.approx(1 - np.mean(predictions.argmax(1) == task.y))


def test_what_exceeds_a_limit_of_the_dry_run_is_not_trained(task, tmp_path):
    space = load_space("chain")
    result = evaluator(["n_params < 100"], space, task).evaluate(Proposal(space.default()), None, tmp_path)
    assert result.status == "failed"
    assert result.info == {"rejected": True}
    assert "required n_params < 100" in result.error
    assert result.values["n_params"] > 100
    assert not list(tmp_path.iterdir())


def test_what_exceeds_a_limit_after_training_keeps_its_values(table, tmp_path):
    space = load_space("tabular")
    found = evaluator(["disk_bytes < 10"], space, table)
    result = found.evaluate(Proposal(space.default("linear")), None, tmp_path)
    assert result.status == "failed"
    assert "required disk_bytes < 10" in result.error
    assert set(result.values) == {"log_loss", "disk_bytes"}
    assert "rejected" not in result.info


@pytest.mark.parametrize("kind", ["linear", "trees", "kernel"])
def test_every_learner_has_a_latency(kind, table, tmp_path):
    space = load_space("tabular")
    result = evaluator(["latency"], space, table).evaluate(Proposal(space.default(kind)), None, tmp_path)
    assert result.status == "ok", result.error
    assert 0 < result.values["latency"] < 1


def test_a_promotion_adds_to_the_training_before_it(task, tmp_path):
    space = load_space("chain")
    config = space.complete({"epochs": 10})
    found = evaluator(["train_seconds"], space, task)
    low, high = tmp_path / "low", tmp_path / "high"
    for folder in (low, high):
        folder.mkdir()
    before = found.evaluate(Proposal(config, fidelity=0.5), None, low)
    after = found.evaluate(Proposal(config, parent=0, inherit="resume"), low, high)
    assert after.values["train_seconds"] == pytest.approx(before.values["train_seconds"] + after.cost_seconds, abs=0.05)


def test_costs_that_some_kinds_do_not_have_are_refused():
    goals = get_goals(["log_loss", "n_params < 1e6"], None, "classification")
    with pytest.raises(OptionError, match=r"n_params is known of networks only.*'tabular' has boosting.*latency"):
        check_costs(goals, load_space("tabular"))
    with pytest.raises(OptionError, match="learners of your own"):
        check_costs(goals, SearchSpace(ConfigurationSpace({"x": (0.0, 1.0)})))
    check_costs(goals, load_space("chain"))
    check_costs(get_goals("latency", None, "classification"), load_space("tabular"))
