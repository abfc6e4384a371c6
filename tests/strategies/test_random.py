"""Random search: uniform, without repetition, to the end of a finite space."""

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

from autonas.core.trial import Proposal, Result, Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.testing.strategy_cases import conditional_space, run


def test_no_repetition_and_every_configuration_once():
    space = SearchSpace(ConfigurationSpace({"a": (1, 20), "b": (1, 10)}))
    trials = run(make_strategy("random", space, seed=1), 500, lambda config: 0.0)
    assert len(trials) == 200
    assert len({t.proposal.key for t in trials}) == 200


def test_the_first_draws_are_uniform():
    space = SearchSpace(ConfigurationSpace(space=[Integer("a", (0, 3)), Float("x", (0.0, 1.0))]))
    trials = run(make_strategy("random", space, seed=2), 400, lambda config: 0.0)
    counts = np.bincount([t.config["a"] for t in trials], minlength=4)
    assert ((counts - 100) ** 2 / 100).sum() < 16.3  # chi-squared, 3 degrees of freedom, p = 0.001


def test_a_rare_configuration_is_found_in_the_end():
    weights = [1 - 3e-6, 1e-6, 1e-6, 1e-6]
    space = SearchSpace(ConfigurationSpace(space=[Categorical("a", ["w", "x", "y", "z"], weights=weights)]))
    trials = run(make_strategy("random", space), 10, lambda config: 0.0)
    assert {t.config["a"] for t in trials} == {"w", "x", "y", "z"}


def test_trials_of_others_are_not_repeated():
    space = SearchSpace(ConfigurationSpace({"a": (1, 3)}))
    strategy = make_strategy("random", space)
    strategy.tell(Trial(0, Proposal({"a": 2}, origin="portfolio"), Result({"loss": 1.0})))
    assert {strategy.ask().config["a"] for _ in range(2)} == {1, 3}
    assert strategy.ask() is None


@pytest.mark.parametrize("seed", [0, 2**31, 2**32 - 1])
def test_any_seed(seed):
    assert make_strategy("random", conditional_space(), seed=seed).ask() is not None
