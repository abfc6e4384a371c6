"""Parents for any sampler, the control group, and what a search and a replay see of them."""

from __future__ import annotations

import numpy as np
import pytest

from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError
from autonas.run._compose import composed, taken
from autonas.search_space.load import load_space
from autonas.strategies import make_strategy
from autonas.strategies.evolution import Evolution
from autonas.strategies.inherit import Inherit
from autonas.testing.strategy_cases import CASES, conditional_space, smooth_loss

CHILDREN = ("copy", "morph", "scratch")
SAMPLERS = ("random", "evolution", "tpe", "hyperband(random)", "asha(random)", "hillclimb")


def make(sampler="random", seed=0, space=None, **options):
    return Inherit(space or conditional_space(), seed=seed, sampler=sampler, **options)


def run(strategy, n, loss=smooth_loss, first=0, checkpoint="somewhere"):
    trials = []
    for number in range(first, first + n):
        proposal = strategy.ask()
        trials.append(Trial(number, proposal, Result({"loss": loss(proposal.config)}), checkpoint))
        strategy.tell(trials[-1])
    return trials


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("name", ["inherit(tpe)", "inherit(hyperband)", "inherit(parego(random))"])
def test_conformance(name, case):
    case(lambda space, seed=0: make_strategy(name, space, seed=seed))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_child_has_a_parent_whose_weights_are_kept(sampler):
    strategy, known, children = make(sampler, parents=3), {}, 0
    for number in range(60):
        kept = strategy.keep()
        assert kept <= known.keys()
        proposal = strategy.ask()
        if proposal.inherit in CHILDREN:
            children += 1
            assert proposal.parent in kept
            assert known[proposal.parent].proposal.key != proposal.key
        trial = Trial(number, proposal, Result({"loss": smooth_loss(proposal.config)}), "somewhere")
        known[number] = trial
        strategy.tell(trial)
    assert children > 20
    promotions = [t for t in known.values() if t.proposal.inherit == "resume"]
    assert bool(promotions) == (sampler in ("hyperband(random)", "asha(random)"))
    for trial in promotions:
        assert known[trial.proposal.parent].proposal.key == trial.proposal.key


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_sampler_proposes_what_it_would_alone(sampler):
    wrapped, alone = run(make(sampler), 40), run(make_strategy(sampler, conditional_space()), 40)
    assert [(t.proposal.key, t.proposal.fidelity) for t in wrapped] == [
        (t.proposal.key, t.proposal.fidelity) for t in alone
    ]
    assert [t.proposal.origin for t in wrapped] == [t.proposal.origin for t in alone]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_replay_goes_on_alike_though_weights_were_deleted(sampler):
    first, second = make(sampler, parents=4), make(sampler, parents=4)
    trials = run(first, 30)
    for trial in trials:  # as a search that is resumed tells them
        here = trial.checkpoint if trial.id in first.keep() else None
        second.tell(Trial(trial.id, trial.proposal, trial.result, here))
    assert second.keep() == first.keep()
    assert [t.proposal for t in run(first, 10, first=30)] == [t.proposal for t in run(second, 10, first=30)]


@pytest.mark.parametrize(("control", "low", "high"), [(0.0, 0, 0), (0.2, 0.13, 0.27), (1.0, 1, 1)])
def test_the_share_of_the_control_group(control, low, high):
    trials = run(make(control=control), 250)
    groups = [t.proposal.inherit for t in trials if t.proposal.inherit]
    assert len(groups) >= 240
    assert low <= np.mean([group == "scratch" for group in groups]) <= high


def test_lots_do_not_depend_on_the_order_of_the_asks():
    strategy = make()
    run(strategy, 3)
    pending = [strategy.ask() for _ in range(10)]
    for number, proposal in enumerate(reversed(pending)):
        strategy.tell(Trial(10 + number, proposal, Result({"loss": 1.0}), "somewhere"))
    again = {t.proposal.key: t.proposal.inherit for t in run(make(), 13)}
    assert {p.key: p.inherit == "scratch" for p in pending} == {p.key: again[p.key] == "scratch" for p in pending}


def test_the_nearest_architecture_is_the_parent_and_of_equal_ones_the_best():
    space = load_space("chain", "classification")
    small = space.complete({"stages:layers_1": 1, "stages:layers_2": 1, "stages:layers_3": 1})
    wider = space.complete({**small, "stages:width_1_1": 64, "stages:width_2_1": 64})
    child = space.complete({**small, "stages:width_2_1": 64, "stages:width_1_1": 48, "epochs": 17})
    slow = space.complete({**wider, "epochs": 90})

    class Fixed(Evolution):
        def ask(self):
            return Proposal(child, origin="fixed")

    strategy = make(Fixed, space=space, control=0.0)
    assert strategy.ask().parent is None, "nobody is trained yet"
    for number, (config, loss) in enumerate([(small, 0.1), (wider, 0.3), (slow, 0.2)]):
        strategy.tell(Trial(number, Proposal(config), Result({"loss": loss}), "somewhere"))
    assert (strategy.ask().parent, strategy.ask().inherit) == (2, "morph")
    strategy.tell(Trial(3, Proposal(child), Result.failure("no")))
    strategy.tell(Trial(4, Proposal(child, 0.5), Result({"loss": 0.0})))  # an estimate, which leaves no weights
    assert strategy.ask().parent == 2


def test_only_networks_of_the_same_kind_inherit():
    space = load_space("tabular", "classification")
    trials = run(make(space=space, control=0.0), 60, loss=lambda config: float(len(config)))
    for trial in trials:
        kind = space.kind_of(trial.config)
        if trial.proposal.parent is not None:
            assert kind in space.networks
            assert space.kind_of(trials[trial.proposal.parent].config) == kind
            assert trial.proposal.inherit == ("morph" if space.has_graph(trial.config) else "copy")
    assert {space.kind_of(t.config) for t in trials if t.proposal.parent is not None} == space.networks


def test_evolution_names_its_own_parents_also_of_genomes():
    space = load_space("lemonade", "classification")
    strategy = make("evolution", space=space, control=0.0)
    rng = np.random.default_rng(0)
    trials = run(strategy, 40, loss=lambda config: rng.random())
    children = [t for t in trials if t.proposal.inherit]
    assert len(children) == 20, "after a random population, whose genomes have no distances"
    members = [t.proposal.parent for t in children]
    assert all(t.proposal.inherit == "morph" and t.proposal.genome for t in children)
    assert len(set(members)) > 3


def test_inheritance_stays_outside_of_what_a_search_adds():
    space, losses = conditional_space(), ("loss", "cost")
    assert taken("inherit(hyperband)", space, min_fidelity=0.3, how="copy", eta=2) == {
        "min_fidelity": 0.3,
        "how": "copy",
        "eta": 2,
    }
    made = composed("inherit(hyperband)", {"min_fidelity": 0.3, "how": "copy"}, space, ("loss",), (), (), 0.5)
    strategy = made(space, ("loss",), seed=3)
    assert (type(strategy), strategy.how, strategy.seed) == (Inherit, "copy", 3)
    assert strategy.sampler.fidelities == pytest.approx([1 / 3, 1])
    several = composed("inherit(hillclimb)", {"children": 4}, space, losses, (), (), 0.5)(space, losses, seed=0)
    assert type(several) is Inherit
    assert type(several.sampler).__name__ == "Parego"
    trials = []
    for number in range(30):
        proposal = several.ask()
        values = {"loss": smooth_loss(proposal.config), "cost": float(len(proposal.config))}
        trials.append(Trial(number, proposal, Result(values), "somewhere"))
        several.tell(trials[-1])
    assert sum(t.proposal.parent is not None for t in trials) > 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"how": "resume"}, "inheritance 'resume'"),
        ({"control": 1.5}, r"control in \[0, 1\] was required, given 1.5"),
        ({"parents": 0}, "parents must be at least 1"),
    ],
)
def test_mistakes(options, message):
    with pytest.raises(OptionError, match=message):
        make(**options)


def test_brackets_are_wrapped_and_do_not_wrap():
    with pytest.raises(OptionError, match=r"inherit\(hyperband\)"):
        make_strategy("hyperband(inherit(random))", conditional_space())
