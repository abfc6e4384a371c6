"""Auto where it is known what configurations cost: cheap ones among equals, and the same as ever else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace, Float

from autonas.core.trial import Config, Proposal, Result, Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies.auto import Auto

Cost = Callable[[Config], float]


def space() -> SearchSpace:
    """The loss depends on x, the cost on y."""
    return SearchSpace(
        ConfigurationSpace(space=[Float("x", (0.0, 1.0)), Float("y", (0.0, 1.0))]), build=lambda *_: None
    )


def cost_of(config: Config) -> float:
    return 0.1 + float(config["y"])


def run(seed: int, cost: Cost | None, n: int = 25) -> list[Trial]:
    strategy, trials = Auto(space(), ("loss",), seed=seed, seconds=cost), []
    for number in range(n):
        proposal = strategy.ask()
        assert proposal is not None
        trial = Trial(number, proposal, Result({"loss": (float(proposal.config["x"]) - 0.3) ** 2}))
        strategy.tell(trial)
        trials.append(trial)
    return trials


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_of_equals_the_cheap_ones_are_tried(seed: int) -> None:
    plain, aware = run(seed, None), run(seed, cost_of)
    assert [t.config for t in plain[:6]] == [t.config for t in aware[:6]]  # the spread before any model
    assert np.mean([cost_of(t.config) for t in aware[6:]]) < 0.7 * np.mean([cost_of(t.config) for t in plain[6:]])
    assert min(t.loss for t in aware) < 1e-3


def test_a_cost_that_is_the_same_everywhere_harms_nothing() -> None:
    assert min(t.loss for t in run(0, lambda config: 1.0)) < 1e-3


def test_what_is_known_decides_what_is_asked() -> None:
    trials = run(0, cost_of, 12)
    again = Auto(space(), ("loss",), seed=0, seconds=cost_of)
    for trial in trials:
        again.tell(trial)
    other = Auto(space(), ("loss",), seed=0, seconds=cost_of)
    for trial in trials:
        other.tell(trial)
    first, second = again.ask(), other.ask()
    assert isinstance(first, Proposal)
    assert first == second
