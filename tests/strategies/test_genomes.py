"""Evolution and hill climbing in open spaces: they grow genomes, and a replay goes on as the search would have."""

import functools
import json

import numpy as np
import pytest

from autonas.core.trial import Result, Trial
from autonas.search_space.genome import with_defaults
from autonas.search_space.load import load_space
from autonas.strategies._genomes import Point, cross, mutated
from autonas.strategies.evolution import Evolution
from autonas.strategies.hillclimb import HillClimb

SHAPES = {"nash": (1, 16, 16), "largescale": (1, 16, 16), "neat": (4,), "hyperneat": (1, 8, 8)}
STRATEGIES = {
    "aging": lambda space: Evolution(space, population=6, sample_size=3),
    "neat": lambda space: Evolution(space, population=6, sample_size=2, crossover=0.75, species=3.0),
    "hillclimb": lambda space: HillClimb(space, children=3),
}


@functools.cache
def _space(name):
    return load_space(name)


def _loss(space, proposal):
    """More parameters are better, up to a number."""
    count = space.dry_run(proposal.config, SHAPES[space.name], 3, genome=proposal.genome).parameters
    return 1 + abs(np.log(count + 1) - np.log(20_000))


def _run(strategy, n, loss=_loss):
    trials = []
    for number in range(n):
        proposal = strategy.ask()
        trials.append(Trial(number, proposal, Result({"loss": loss(strategy.space, proposal)})))
        strategy.tell(trials[-1])
    return trials


@pytest.mark.parametrize("make", STRATEGIES.values(), ids=STRATEGIES)
@pytest.mark.parametrize("name", SHAPES)
def test_proposals_are_new_genomes_and_a_replay_goes_on(name, make):
    space = _space(name)
    trials = _run(make(space), 25)
    assert len({trial.proposal.key for trial in trials}) == 25
    for trial in trials:
        assert space.validate(trial.config) == trial.config == with_defaults(space, trial.config)
        assert trial.proposal.genome is not None
    again = make(space)
    for trial in trials[:15]:
        again.tell(trial)
    assert again.ask().key == trials[15].proposal.key


def test_networks_grow_where_that_is_better():
    space = _space("nash")
    trials = _run(HillClimb(space, children=4, mutations=2), 40)
    assert trials[0].proposal.genome == space.initial(np.random.default_rng(0))
    assert min(trial.loss for trial in trials) < 1.5 < trials[0].loss - 1
    # so it does from a linear model
    trials = _run(Evolution(_space("largescale"), population=8, sample_size=2, survivors="loser"), 120)
    assert min(trial.loss for trial in trials) < trials[0].loss - 3


def test_most_edits_are_structural():
    space = _space("nash")
    rng = np.random.default_rng(0)
    point = Point(space.default(), space.initial(rng))
    children = [mutated(space, point, rng) for _ in range(300)]
    structural = np.mean([child.genome != point.genome for child in children])
    assert structural == pytest.approx(0.9, abs=0.05)
    assert all((child.genome != point.genome) != (child.config != point.config) for child in children)
    # where nothing else is searched, all of them
    neat = _space("neat")
    point = Point(neat.default(), neat.initial(rng))
    assert all(mutated(neat, point, rng).genome != point.genome for _ in range(50))


def test_a_bounded_configuration_goes_on_as_its_genome():
    space = _space("nash")
    rng = np.random.default_rng(0)
    a, b = space.sample(2, seed=3)
    child = mutated(space, Point(a), rng)
    assert child.config == with_defaults(space, child.config)
    before = json.loads(space.genomes.from_options(space.options(a)))
    assert abs(len(json.loads(child.genome)) - len(before)) <= 2
    assert cross(space, Point(a), Point(b), rng).genome == json.dumps(before, separators=(",", ":"))


def test_a_parent_near_the_aim_is_changed_less():
    space = _space("gnarl")
    strategy = Evolution(space, population=1, sample_size=1, survivors="worst")
    (first,) = _run(strategy, 1, lambda space, proposal: 2.0)
    member = strategy.members[0]
    assert strategy._temperature(member) == 1.0
    _run(strategy, 1, lambda space, proposal: 0.5)
    assert strategy._temperature(strategy.members[0]) == 0.25
    assert first.proposal.genome == member.genome


def test_sizes_that_need_no_training_see_the_genome():
    space = _space("lemonade")

    def cheap(config, genome):
        return (space.dry_run(config, (1, 16, 16), 3, genome=genome).parameters,)

    strategy = Evolution(
        space, ("error", "parameters"), population=4, parents="pareto", survivors="nondominated", cheap=cheap
    )
    for number in range(20):
        proposal = strategy.ask()
        (size,) = cheap(proposal.config, proposal.genome)
        values = {"error": 1 / np.log(size + 2), "parameters": float(size)}
        strategy.tell(Trial(number, proposal, Result(values)))
    sizes = [member.values[1] for member in strategy.members]
    assert len(set(sizes)) > 4
