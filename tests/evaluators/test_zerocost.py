"""The evaluator of untrained networks: what it scores, that it repeats, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from autonas.core.objective import Metric, get_metric
from autonas.core.trial import Proposal
from autonas.data.prepare import prepare
from autonas.errors import OptionError
from autonas.evaluators import list_evaluators, make_evaluator
from autonas.evaluators.zerocost import SCORES, ZeroCost
from autonas.search_space.load import load_space

METRIC = get_metric("log_loss", "classification", np.arange(10))


def image_task():
    X, y = load_digits(return_X_y=True)
    return prepare(X.reshape(-1, 8, 8)[:300], y[:300], kind="classification", cv=3)


def prepared(score, space, task, metric=METRIC, seed=0):
    evaluator = ZeroCost(metric, seed=seed, score=score)
    evaluator.prepare(space, task)
    return evaluator


def cells(space, n=3):
    return [Proposal(config) for config in space.sample(n, 1)]


@pytest.mark.parametrize("score", SCORES)
def test_a_score_repeats_and_is_the_losses_negative(score):
    space, task = load_space("nasbench201"), image_task()
    first, again = prepared(score, space, task), prepared(score, space, task)
    for proposal in cells(space):
        result = first.evaluate(proposal)
        assert result.status == "ok", result.error
        assert result.values == {"log_loss": -result.info[score]}
        assert again.evaluate(proposal).values == result.values


@pytest.mark.parametrize("score", ["synflow", "jacob_cov", "grad_norm"])
def test_another_seed_draws_other_weights(score):
    space, task = load_space("nasbench201"), image_task()
    (proposal,) = cells(space, 1)
    one, other = (prepared(score, space, task, seed=seed).evaluate(proposal).loss for seed in (0, 1))
    assert one != other


def test_counts_are_those_of_the_dry_run():
    space, task = load_space("nasbench201"), image_task()
    for proposal in cells(space):
        cost = space.dry_run(proposal.config, task.view("image").shape[1:], 10)
        assert prepared("params", space, task).evaluate(proposal).loss == -cost.parameters
        assert prepared("macs", space, task).evaluate(proposal).loss == -cost.macs


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_it_scores_networks_on_tables(score, kind):
    X, y = (load_breast_cancer if kind == "classification" else load_diabetes)(return_X_y=True)
    task, space = prepare(X, y, kind=kind, cv=3), load_space("tabular", kind)
    evaluator = prepared(score, space, task, Metric("loss", kind))
    assert evaluator.evaluate(Proposal(space.default("mlp"))).status == "ok"


def test_what_is_no_network_fails_with_a_reason():
    X, y = load_breast_cancer(return_X_y=True)
    task, space = prepare(X, y, kind="classification", cv=3), load_space("tabular")
    kind = next(k for k in space.families if k not in space.networks)
    for score in ("synflow", "params"):
        result = prepared(score, space, task).evaluate(Proposal(space.default(kind)))
        assert result.status == "failed"
        assert f"{kind!r} is no network" in result.error


def test_it_is_made_by_name():
    assert "zerocost" in dict(list_evaluators())
    assert make_evaluator("zerocost", METRIC, seed=3, device="cpu").score == "synflow"
    with pytest.raises(OptionError, match="Did you mean 'synflow'"):
        ZeroCost(METRIC, score="sinflow")
