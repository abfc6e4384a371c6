"""Successive halving and Hyperband: published schedules, promotions, stragglers, restarts."""

import math
import time

import numpy as np
import pytest

from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError
from autonas.strategies import make_strategy
from autonas.strategies.halving import rungs
from autonas.strategies.random import Random
from autonas.testing.strategy_cases import conditional_space, run, smooth_loss

THIRD, NINTH = 1 / 3, 1 / 9


def make(name="halving", seed=0, **options):
    return make_strategy(name, conditional_space(), seed=seed, **options)


def tell(strategy, number, proposal, loss):
    result = Result({"loss": loss}) if math.isfinite(loss) else Result.failure("failed on purpose")
    trial = Trial(number, proposal, result)
    strategy.tell(trial)
    return trial


@pytest.mark.parametrize(("minimum", "count"), [(1, 1), (1 / 3, 2), (1 / 9, 3), (1 / 243, 6), (0.1, 3), (0.12, 2)])
def test_rungs_lose_none_to_rounding(minimum, count):
    fidelities = rungs(3, minimum)
    assert fidelities == pytest.approx([3.0**-s for s in range(count - 1, -1, -1)])
    assert fidelities[-1] == 1
    assert fidelities[0] >= minimum - 1e-12


@pytest.mark.parametrize(
    ("eta", "minimum", "sizes"),
    [
        # Li et al 2017, the ceiling taken inside
        (3, 1 / 27, [[27, 9, 3, 1], [12, 4, 1], [6, 2], [4]]),
        (3, 1 / 81, [[81, 27, 9, 3, 1], [34, 11, 3, 1], [15, 5, 1], [8, 2], [5]]),
        (3, 1 / 9, [[9, 3, 1], [5, 1], [3]]),
        (2, 1 / 4, [[4, 2, 1], [3, 1], [3]]),
    ],
)
def test_hyperband_schedule(eta, minimum, sizes):
    strategy = make("hyperband", eta=eta, min_fidelity=minimum)
    plans = [strategy.plan(number) for number in range(2 * len(sizes))]
    assert [plan.sizes for plan in plans] == [*sizes, *sizes]
    for plan in plans:
        assert plan.fidelities[-1] == 1
        cost = sum(math.prod(pair) for pair in zip(plan.sizes, plan.fidelities, strict=True))
        budget = len(sizes)  # full evaluations; the ceiling may add one configuration
        assert cost <= budget + len(plan.sizes) * plan.fidelities[0] + 1e-9


def test_halving_schedule():
    strategy = make(min_fidelity=1 / 27)
    assert strategy.plan(0).sizes == strategy.plan(5).sizes == [27, 9, 3, 1]


def test_order_of_a_bracket_and_its_promotions():
    trials = run(make(), 13)
    assert [t.proposal.fidelity for t in trials] == pytest.approx([NINTH] * 9 + [THIRD] * 3 + [1])
    first = trials[:9]
    best = sorted(first, key=lambda trial: trial.loss)[:3]
    assert [t.proposal.parent for t in trials[9:12]] == [t.id for t in best]
    assert trials[12].proposal.parent == min(trials[9:12], key=lambda trial: trial.loss).id
    for trial in trials[9:]:
        assert trial.proposal.inherit == "resume"
        assert trial.config == trials[trial.proposal.parent].config
    assert {t.proposal.origin for t in trials} == {"halving(random)"}


def test_the_best_survives_when_fidelity_does_not_matter():
    trials = run(make(min_fidelity=1 / 27), 40)
    best = min(trials[:27], key=lambda trial: trial.loss)
    assert trials[39].proposal.fidelity == 1
    assert trials[39].config == best.config


def test_hyperband_goes_through_its_brackets():
    trials = run(make("hyperband"), 22 + 9)
    starts = [t.proposal.fidelity for t in trials if t.proposal.parent is None]
    assert starts == pytest.approx([NINTH] * 9 + [THIRD] * 5 + [1] * 3 + [NINTH] * 9)
    fidelities = [t.proposal.fidelity for t in trials]
    assert fidelities[:13] == pytest.approx([NINTH] * 9 + [THIRD] * 3 + [1])
    assert fidelities[13:22] == pytest.approx([THIRD] * 5 + [1] + [1] * 3)


def test_a_straggler_does_not_stop_the_others():
    strategy = make()
    asked = [strategy.ask() for _ in range(9)]
    for number in range(1, 9):  # the first is late
        tell(strategy, number, asked[number], number)
    following = [strategy.ask() for _ in range(2)]
    assert [p.fidelity for p in following] == pytest.approx([NINTH] * 2)
    assert all(p.parent is None for p in following), "the next bracket has started"
    tell(strategy, 0, asked[0], 0.5)
    promoted = [strategy.ask() for _ in range(3)]
    assert [p.parent for p in promoted] == [0, 1, 2]
    assert [strategy.ask().parent] == [None], "the rung waits, the second bracket goes on"


def test_failures_are_never_promoted_and_leave_a_rung_short():
    strategy = make()
    asked = [strategy.ask() for _ in range(9)]
    for number, proposal in enumerate(asked):
        tell(strategy, number, proposal, float(number) if number in (4, 6) else math.inf)
    promoted = [strategy.ask(), strategy.ask()]
    assert [p.parent for p in promoted] == [4, 6]
    tell(strategy, 9, promoted[0], math.inf)
    tell(strategy, 10, promoted[1], 3.0)
    last = strategy.ask()
    assert (last.parent, last.fidelity) == (10, 1)


def test_ties_go_to_the_older_trial():
    strategy = make()
    asked = [strategy.ask() for _ in range(9)]
    for number in reversed(range(9)):
        tell(strategy, number, asked[number], 1.0)
    assert [strategy.ask().parent for _ in range(3)] == [0, 1, 2]


def test_keep_names_what_may_still_be_promoted():
    strategy = make()
    asked = [strategy.ask() for _ in range(9)]
    losses = [5, 3, 8, 1, 9, 2, 7, 6, 4]
    for number in range(5):
        tell(strategy, number, asked[number], losses[number])
    assert strategy.keep() == {0, 1, 3}, "three go on: the other two are already beaten"
    for number in range(5, 9):
        tell(strategy, number, asked[number], losses[number])
    assert strategy.keep() == {1, 3, 5}
    promotions = [strategy.ask() for _ in range(3)]
    assert strategy.keep() == {1, 3, 5}, "their promotions are still running"
    tell(strategy, 9, promotions[0], 1.0)
    assert strategy.keep() == {1, 5, 9}
    assert [p.parent for p in promotions] == [3, 5, 1]


def test_the_sampler_hears_every_trial_as_if_it_were_full():
    strategy = make("halving(smac)")
    trials = run(strategy, 13)
    elsewhere = Trial(99, Proposal(conditional_space().sample(1)[0], origin="portfolio"), Result({"loss": 0.25}))
    strategy.tell(elsewhere)
    losses = strategy.sampler._losses
    assert len(losses) == len({t.proposal.key for t in trials} | {elsewhere.proposal.key})
    for trial in trials:  # later trials of the same configuration have the last word
        last = [t for t in trials if t.proposal.key == trial.proposal.key][-1]
        assert losses[trial.proposal.key] == last.loss
    assert losses[elsewhere.proposal.key] == 0.25


@pytest.mark.parametrize("name", ["halving", "hyperband", "asha"])
def test_restart_with_pending_trials_goes_on(name):
    first = make(name)
    trials = run(first, 20, at_once=4)
    lost = [first.ask() for _ in range(4)]  # asked for, and then the process dies
    second = make(name)
    for trial in trials:
        second.tell(trial)
    after = run(second, 20, first_id=24, at_once=4)
    known = {(t.proposal.key, t.proposal.fidelity) for t in trials}
    assert known.isdisjoint((t.proposal.key, t.proposal.fidelity) for t in after)
    repeated = {(p.key, p.fidelity) for p in lost} & {(t.proposal.key, t.proposal.fidelity) for t in after}
    assert repeated, "what was lost is asked for again"
    by_id = {t.id: t for t in [*trials, *after]}
    assert all(by_id[t.proposal.parent].config == t.config for t in after if t.proposal.parent is not None)


def test_replay_in_the_middle_of_a_bracket():
    for n in range(1, 30):
        first, second = make("hyperband", seed=2), make("hyperband", seed=2)
        for trial in run(first, n, at_once=1 + n % 4):
            second.tell(trial)
        assert second.ask() == first.ask()


class Far(Random):
    """Draws at random; predicts that the loss at full fidelity is the opposite of what is seen."""

    uses_fidelity = True

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.told = []

    def tell(self, trial):
        super().tell(trial)
        self.told.append(trial)

    def predict(self, configs):
        return np.array([-smooth_loss(config) for config in configs])


def test_a_sampler_that_uses_fidelities_is_told_them():
    strategy = make("hyperband", sampler=Far)
    trials = run(strategy, 22)
    assert strategy.sampler.told == trials
    assert {t.proposal.fidelity for t in trials} == set(strategy.fidelities)


@pytest.mark.parametrize("name", ["halving", "hyperband", "asha"])
def test_the_most_promising_are_promoted(name):
    strategy = make(name, sampler=Far, promote="promising")
    trials = run(strategy, 40)
    for trial in trials:
        if (number := trial.proposal.parent) is not None:
            lower = [t for t in trials[: trial.id] if t.proposal.fidelity == trials[number].proposal.fidelity]
            already = {t.proposal.parent for t in trials[: trial.id]}
            waiting = [t for t in lower if t.id not in already]
            if name == "asha":
                assert trials[number].loss == max(t.loss for t in waiting)
    first = trials[:9]
    promoted = {t.proposal.parent for t in trials} & {t.id for t in first}
    if name != "asha":
        assert promoted == {t.id for t in sorted(first, key=lambda t: -t.loss)[:3]}


def test_the_most_promising_by_a_model():
    strategy = make("halving(smac)", promote="promising")
    trials = run(strategy, 26)
    assert len({t.proposal.parent for t in trials if t.proposal.fidelity == pytest.approx(THIRD)}) == 6
    again = make("halving(smac)", promote="promising")
    for trial in trials:
        again.tell(trial)
    assert again.keep() == strategy.keep()
    assert again.ask() == strategy.ask()


def test_a_genome_goes_along():
    class Genomes(Random):
        def ask(self):
            proposal = super().ask()
            return Proposal(proposal.config, origin="genomes", genome=f"[{len(self._known)}]")

    trials = run(make(sampler=Genomes), 13)
    assert all(t.proposal.genome for t in trials)
    assert trials[12].proposal.genome == trials[trials[12].proposal.parent].proposal.genome


def test_a_large_search_stays_quick():
    class Numbers(Random):
        """Costs nothing itself."""

        def ask(self):
            self._known.add(str(len(self._known)))
            return Proposal({"x": len(self._known)}, origin="numbers")

    for name in ("hyperband", "asha"):
        strategy = make(name, min_fidelity=1 / 27, sampler=Numbers)
        start = time.process_time()
        trials = run(strategy, 4000, lambda config: hash(config["x"]) % 1009, at_once=8)
        again = make(name, min_fidelity=1 / 27, sampler=Numbers)
        for trial in trials:
            again.tell(trial)
        assert again.keep() == strategy.keep()
        # half a second; laid out anew at every ask it would take minutes
        assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("halving", {"eta": 1}, "eta > 1 was required, given 1"),
        ("halving", {"min_fidelity": 0}, r"min_fidelity in \(0, 1\] was required, given 0"),
        ("hyperband(halving)", {}, "'halving' has brackets of its own"),
        ("halving", {"promote": "worst"}, 'promote "best" or "promising" was required, given \'worst\''),
        ("hyperband(tpe)", {"promote": "promising"}, "needs a sampler that predicts, which tpe does not"),
    ],
)
def test_impossible_options(name, options, message):
    with pytest.raises(OptionError, match=message):
        make(name, **options)
