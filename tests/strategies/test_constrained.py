from functools import partial

import pytest
from ConfigSpace import ConfigurationSpace

from autonas.core.constraints import parse_objectives
from autonas.core.trial import Proposal, Result, Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies._constrained import Constrained
from autonas.strategies.auto import Auto
from autonas.strategies.random import Random
from autonas.testing.strategy_cases import CASES

SPACE = SearchSpace(ConfigurationSpace({"x": (0.0, 1.0), "y": (0.0, 1.0)}))
OBJECTIVES, LIMITS = parse_objectives(["loss", "size < 10"])


class Spy(Random):
    """Random search that shows the losses it was told, in order."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        Spy.told = []

    def tell(self, trial):
        super().tell(trial)
        Spy.told.append(trial.loss)


def told(results, sampler=Spy):
    """What the sampler has been told when it is asked for the next proposal."""
    strategy = Constrained(SPACE, OBJECTIVES, sampler=sampler, constraints=LIMITS)
    for i, result in enumerate(results):
        strategy.tell(Trial(i, Proposal({"x": i / 100, "y": 0.5}, origin="test"), result))
        strategy.ask()
    return Spy.told


def test_infeasible_is_worse_than_every_feasible_trial_and_worse_the_further_outside():
    losses = [3.0, 0.0, 5.0, 0.1, 4.0, 9.0]
    sizes = [5.0, 11.0, 9.0, 1e6, 10.0, 1.0]
    seen = told([Result({"loss": v, "size": s}) for v, s in zip(losses, sizes, strict=True)])
    assert [seen[i] for i in (0, 2, 5)] == [3.0, 5.0, 9.0]
    assert 9.0 < seen[4] < seen[1] < seen[3]
    assert seen[3] < 9 + 6 * 12, "in units of the spread, on a logarithmic scale"


def test_before_anything_is_feasible_the_violation_is_the_loss():
    seen = told([Result({"loss": -5.0, "size": 100.0}), Result({"loss": -1.0, "size": 20.0})])
    assert 0 < seen[1] < seen[0] < 3


def test_a_rejection_without_a_loss_is_a_penalty_and_a_failure_stays_one():
    seen = told(
        [Result({"loss": 1.0, "size": 1.0}), Result({"size": 20.0}, "failed", error="rejected"), Result.failure("no")]
    )
    assert seen[0] < seen[1] < 10
    assert seen[2] == float("inf")


def test_a_search_finds_its_way_to_what_is_feasible():
    """A four hundredth of the space is feasible, far from where the loss is low."""
    names, limits = parse_objectives(["loss", "distance < 0.1"])

    def distance(config):
        return 4 * max(abs(config["x"] - 0.9), abs(config["y"] - 0.9))

    strategy = Constrained(SPACE, names, sampler=Auto, constraints=limits)
    feasible = []
    for i in range(50):
        proposal = strategy.ask()
        values = {"loss": proposal.config["x"] + proposal.config["y"], "distance": distance(proposal.config)}
        feasible.append(values["distance"] < 0.1)
        strategy.tell(Trial(i, proposal, Result(values)))
    assert sum(feasible) >= 5, "random search would have 0.1"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("sampler", ["random", "hyperband"])
def test_conformance(sampler, case):
    make = partial(make_strategy, sampler)
    case(lambda space, seed=0: Constrained(space, OBJECTIVES, seed=seed, sampler=make, constraints=LIMITS))
