"""Proposals, results and trials survive the journal's JSON."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autonas.core.trial import Proposal, Result, Trial, config_key

values = st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.floats(allow_nan=False))
configs = st.dictionaries(st.text(max_size=5), values, max_size=5)


@given(configs, st.randoms())
def test_the_key_does_not_depend_on_the_order(config, random):
    items = list(config.items())
    random.shuffle(items)
    assert config_key(dict(items)) == config_key(config)


def test_the_key_tells_types_and_values_apart():
    keys = {config_key({"a": value}) for value in (1, 2, 1.5, "1", True)}
    assert len(keys) == 5


@given(
    configs, st.floats(0, 1, exclude_min=True), st.none() | st.integers(0), st.sampled_from([None, "copy", "resume"])
)
def test_a_proposal_round_trips(config, fidelity, parent, inherit):
    proposal = Proposal(config, fidelity, parent, inherit, "random")
    assert Proposal.from_json(proposal.to_json()) == proposal


@given(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), max_size=3), st.floats(0, 1e6))
def test_a_result_round_trips(losses, seconds):
    result = Result(losses, "stopped", seconds, ((0.5, 1.25), (1.0, 0.75)), "", {"epochs": 3, "why": ["clock"]})
    assert Result.from_json(result.to_json()) == result


def test_the_first_objective_is_the_loss():
    result = Result({"log_loss": 0.3, "seconds": 2.0})
    trial = Trial(0, Proposal({"x": 1}), result)
    assert (result.loss, trial.loss, trial.ok, trial.config) == (0.3, 0.3, True, {"x": 1})


@pytest.mark.parametrize("result", [Result.failure("out of memory", 1.5), Result({"l": 0.1}, "failed"), Result()])
def test_a_failure_has_an_infinite_loss(result):
    trial = Trial(0, Proposal({}), result)
    assert trial.loss == math.inf
    assert not trial.ok


def test_a_nan_loss_is_not_ok():
    assert not Trial(0, Proposal({}), Result({"l": math.nan})).ok


def test_records_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Proposal({}).fidelity = 0.5
