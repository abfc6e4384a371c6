"""The estimators with several objectives and with limits: what is delivered, what can be chosen, what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

from autonas import AutoNASClassifier, load
from autonas.core.goals import get_goals
from autonas.core.pareto import non_dominated
from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import AutoNASError, JournalError, OptionError
from autonas.fitting import _within_limits

LIMIT = 40_000


def classifier(**options: Any) -> AutoNASClassifier:
    """Quick, silent and seeded."""
    usual = {"space": "chain", "strategy": "random", "n_trials": 3, "cv": 2, "random_state": 0, "verbose": 0}
    return AutoNASClassifier(**{**usual, **options})


@pytest.fixture(scope="module")
def data() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(n_class=2, return_X_y=True)
    return X[:60].reshape(60, 8, 8), y[:60]


@pytest.fixture(scope="module")
def several(data: tuple[np.ndarray, np.ndarray]) -> AutoNASClassifier:
    return classifier(n_trials=4, objectives=["accuracy", "n_params", "log_loss"]).fit(*data)


@pytest.fixture(scope="module")
def limited(data: tuple[np.ndarray, np.ndarray]) -> AutoNASClassifier:
    return classifier(n_trials=4, objectives=["log_loss", f"n_params < {LIMIT}"]).fit(*data)


def parameters(model: AutoNASClassifier) -> int:
    """Counted in torch, over everything that predicts."""
    restored = [member.restored(model.model_.problem) for member in model.model_.members]
    return sum(p.numel() for learner in restored for network in learner.networks() for p in network.parameters())


def outcomes(model: AutoNASClassifier) -> list[tuple[Any, ...]]:
    return [(t.id, t.proposal, dict(t.result.values), t.result.status, t.result.error) for t in model.trials_]


# --- limits ----------------------------------------------------------------------------------------------------------


def test_what_is_delivered_keeps_to_the_limit(limited: AutoNASClassifier) -> None:
    top = limited.leaderboard_.iloc[0]
    assert parameters(limited) == top["n_params"] < LIMIT
    assert not limited.model_.ensemble.layers
    trained = [t for t in limited.trials_ if t.ok]
    assert all(t.result.values["n_params"] < LIMIT for t in trained)


def test_what_the_dry_run_rejects_is_neither_trained_nor_counted(limited: AutoNASClassifier) -> None:
    rejected = [t for t in limited.trials_ if t.result.info.get("rejected")]
    assert len(limited.trials_) - len(rejected) == 4
    assert rejected
    assert all("required n_params <" in t.result.error and t.result.values["n_params"] >= LIMIT for t in rejected)
    assert not any(t.result.curve for t in rejected)


def test_members_are_taken_best_first_while_their_sum_keeps_to_the_limit() -> None:
    goals = get_goals(["log_loss", "n_params < 10"], None, "classification")
    sizes = [6.0, 5.0, 2.0, 2.0, 1.0]
    trials = [
        Trial(i, Proposal({"x": i}), Result({"log_loss": 0.1 * i, "n_params": size})) for i, size in enumerate(sizes)
    ]
    assert [t.id for t in _within_limits(trials, goals)] == [0, 2, 4]  # 6 + 2 + 1; 6 + 5 and 6 + 2 + 2 are too many


def test_a_limit_that_nothing_keeps_says_so(data: tuple[np.ndarray, np.ndarray], monkeypatch: Any) -> None:
    monkeypatch.setattr("autonas.run.search.PATIENCE", 5)
    with pytest.raises(AutoNASError, match=r"n_params is \d+, required n_params < 10;.*more reasons"):
        classifier(objectives=["log_loss", "n_params < 10"]).fit(*data)


def test_a_limit_of_what_training_shows(data: tuple[np.ndarray, np.ndarray]) -> None:
    model = classifier(objectives=["log_loss", "latency < 60"], space="image", n_trials=2).fit(*data)
    assert 0 < model.leaderboard_.iloc[0]["latency"] < 60


# --- several objectives ----------------------------------------------------------------------------------------------


def test_the_front_is_not_dominated_and_the_first_objective_orders_it(several: AutoNASClassifier) -> None:
    front = several.pareto_front_
    values = np.column_stack([-front["accuracy"], front["n_params"], front["log_loss"]])
    assert non_dominated(values).all()
    assert front["accuracy"].is_monotonic_decreasing
    every = np.array([list(t.result.values.values()) for t in several.trials_ if t.ok])
    assert len(front) == non_dominated(every).sum()
    assert dict(several.best_config_) == front["config"].iloc[0]
    assert several.best_score_ == front["accuracy"].iloc[0]


def test_every_model_of_the_front_can_be_had(
    several: AutoNASClassifier, data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    for row in several.pareto_front_.itertuples():
        chosen = several.select(row.trial)
        assert parameters(chosen) == row.n_params
        assert (chosen.best_config_, chosen.best_score_) == (row.config, row.accuracy)
        assert chosen.predict(data[0]).shape == data[1].shape
    chosen.save(tmp_path)
    again = load(tmp_path)
    np.testing.assert_array_equal(again.predict_proba(data[0]), chosen.predict_proba(data[0]))
    assert again.objectives == ["accuracy", "n_params", "log_loss"]
    assert again.pareto_front_.equals(several.pareto_front_)
    with pytest.raises(OptionError, match="select before saving"):
        again.select(row.trial)
    with pytest.raises(OptionError, match=r"given 99. There are: \d"):
        several.select(99)


def test_a_cost_that_comes_first_decides(data: tuple[np.ndarray, np.ndarray]) -> None:
    model = classifier(objectives=["n_params", "log_loss"]).fit(*data)
    sizes = [t.result.values["n_params"] for t in model.trials_]
    assert parameters(model) == model.pareto_front_["n_params"].iloc[0] == min(sizes)
    assert model.leaderboard_.columns[2] == "log_loss"


@pytest.mark.parametrize("strategy", ["evolution", "hyperband(random)", "auto", "tpe"])
def test_strategies_with_several_objectives_and_a_limit(strategy: str, data: tuple[np.ndarray, np.ndarray]) -> None:
    model = classifier(strategy=strategy, objectives=["log_loss", "macs", "n_params < 1e5"]).fit(*data)
    assert sum(not t.result.info.get("rejected") for t in model.trials_) == 3
    assert parameters(model) < 1e5


# --- the rest of the estimator ---------------------------------------------------------------------------------------


def test_a_clone_and_a_pickle(several: AutoNASClassifier, data: tuple[np.ndarray, np.ndarray]) -> None:
    assert clone(several).get_params() == several.get_params()
    copy = pickle.loads(pickle.dumps(several))
    last = several.pareto_front_["trial"].iloc[-1]
    np.testing.assert_array_equal(copy.select(last).predict(data[0]), several.select(last).predict(data[0]))


def test_the_same_seed_repeats_exactly_and_a_folder_goes_on(
    limited: AutoNASClassifier, data: tuple[np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    options = {"objectives": limited.objectives, "workdir": tmp_path}
    first = classifier(n_trials=2, **options).fit(*data)
    more = classifier(n_trials=4, **options).fit(*data)
    assert outcomes(more)[: len(first.trials_)] == outcomes(first)
    assert outcomes(more) == outcomes(limited)
    np.testing.assert_array_equal(more.predict_proba(data[0]), limited.predict_proba(data[0]))
    with pytest.raises(JournalError, match="objectives was"):
        classifier(objectives=["log_loss"], workdir=tmp_path).fit(*data)


@pytest.mark.slow
def test_two_jobs(data: tuple[np.ndarray, np.ndarray]) -> None:
    model = classifier(objectives=["log_loss", "latency", f"n_params < {LIMIT}"], n_jobs=2).fit(*data)
    assert sum(t.ok for t in model.trials_) == 3
    assert parameters(model) < LIMIT


def test_a_network_trained_larger_is_free_of_the_limits(
    limited: AutoNASClassifier, data: tuple[np.ndarray, np.ndarray]
) -> None:
    larger = limited.augment(*data, epochs=2)
    assert (larger.objectives, larger.metric) == (None, "log_loss")


def test_what_is_refused_before_the_search(data: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(OptionError, match="first metric among the objectives is 'log_loss'"):
        classifier(objectives=["log_loss", "n_params"], metric="accuracy").fit(*data)
    with pytest.raises(OptionError, match=r"n_params is known of networks only.*Choose a space of networks"):
        classifier(objectives="n_params < 1e6", space="tabular").fit(data[0].reshape(60, 64), data[1])
    with pytest.raises(OptionError, match=r"There is none|were here was required"):
        classifier(n_trials=1).fit(*data).select(0)
