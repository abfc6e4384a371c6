"""Freeze-thaw: runs go on where they were paused, and training goes where it tells something."""

import math

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace, Float

from autonas import Optimizer
from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies.freezethaw import FreezeThaw
from autonas.testing.strategy_cases import conditional_space


@pytest.fixture
def line():
    return SearchSpace(ConfigurationSpace(space=[Float("x", (0, 1))]))


def curve(x, z):
    """Runs end at a parabola with the minimum 0.1 at 0.3."""
    return 0.1 + 2 * (x - 0.3) ** 2 + math.exp(-6 * z)


def search(strategy, n, first=0, with_curves=False):
    trials = []
    for number in range(first, first + n):
        proposal = strategy.ask()
        x, z = proposal.config["x"], proposal.fidelity
        points = tuple((i / 27, curve(x, i / 27)) for i in range(1, round(27 * z) + 1)) if with_curves else ()
        trials.append(Trial(number, proposal, Result({"loss": curve(x, z)}, curve=points)))
        strategy.tell(trials[-1])
    return trials


def test_steps_are_resumed_one_after_the_other(line):
    trials = search(FreezeThaw(line, seed=0, min_fidelity=1 / 10), 60)
    runs = {}
    for trial in trials:
        before = runs.get(trial.proposal.key)
        if before is None:
            assert trial.proposal.fidelity == pytest.approx(0.1)
            assert trial.proposal.parent is None
        else:
            assert trial.proposal.fidelity == pytest.approx(before.proposal.fidelity + 0.1)
            assert (trial.proposal.parent, trial.proposal.inherit) == (before.id, "resume")
        runs[trial.proposal.key] = trial
    assert max(trial.proposal.fidelity for trial in trials) == 1


@pytest.mark.parametrize("seed", range(3))
def test_training_goes_to_the_best(line, seed):
    """For five full trainings: the run that should end lowest is near the minimum, and most were paused early."""
    strategy = FreezeThaw(line, seed=seed)
    trials = search(strategy, 5 * 27)
    best = strategy.incumbent()
    assert best.fidelity == 1
    assert abs(best.config["x"] - 0.3) < 0.05
    assert strategy.recommend(trials)[0].fidelity == 1, "and one is complete"
    reached = {}
    for trial in trials:
        reached[trial.proposal.key] = trial.proposal.fidelity
    assert np.median(list(reached.values())) < 0.5
    assert len(reached) >= 8


def test_paused_runs_are_kept(line):
    strategy = FreezeThaw(line, seed=0, min_fidelity=1 / 4)
    trials = search(strategy, 30)
    latest = {trial.proposal.key: trial for trial in trials}
    assert strategy.keep() == {trial.id for trial in latest.values() if trial.proposal.fidelity < 1}


def test_failed_runs_are_not_continued(line):
    strategy = FreezeThaw(line, seed=0)
    dead = set()
    for number in range(40):
        proposal = strategy.ask()
        assert proposal.key not in dead
        if number % 4 == 3:
            dead.add(proposal.key)
            strategy.tell(Trial(number, proposal, Result.failure("failed on purpose")))
        else:
            loss = curve(proposal.config["x"], proposal.fidelity)
            strategy.tell(Trial(number, proposal, Result({"loss": loss})))
    assert strategy.keep().isdisjoint(dead)


def test_curves_are_used_where_there_are_any(line):
    """What a result says of earlier steps counts as if each had been told."""
    told, whole = FreezeThaw(line, seed=0), FreezeThaw(line, seed=0)
    for number, x in enumerate((0.2, 0.7)):
        for i in range(1, 10):
            result = Result({"loss": curve(x, i / 27)})
            told.tell(Trial(10 * number + i, Proposal({"x": x}, i / 27, origin="freezethaw"), result))
        points = tuple((i / 27, curve(x, i / 27)) for i in range(1, 10))
        result = Result({"loss": curve(x, 9 / 27)}, curve=points)
        whole.tell(Trial(number, Proposal({"x": x}, 9 / 27, origin="freezethaw"), result))
    one, two = told._curves(told._told), whole._curves(whole._told)
    assert one.keys() == two.keys()
    for key in one:
        assert one[key].times == two[key].times == tuple(range(1, 10))
        assert one[key].values == pytest.approx(two[key].values)


def test_long_curves_are_thinned(line):
    strategy = FreezeThaw(line, seed=0, min_fidelity=1 / 100)
    points = tuple((i / 100, curve(0.5, i / 100)) for i in range(1, 101))
    strategy.tell(Trial(0, Proposal({"x": 0.5}), Result({"loss": curve(0.5, 1)}, curve=points)))
    (seen,) = strategy._curves(strategy._told).values()
    assert len(seen.times) == 20
    assert seen.times[0], seen.times[-1] == (1, 100)


def test_it_takes_the_fidelities_of_the_optimizer():
    optimizer = Optimizer(conditional_space(), "freezethaw", seed=0, min_fidelity=1 / 8)
    assert optimizer.ask().fidelity == 1 / 8


def test_no_incumbent_without_trials(line):
    assert FreezeThaw(line).incumbent() is None


def test_options_are_checked():
    with pytest.raises(OptionError, match="min_fidelity"):
        make_strategy("freezethaw", conditional_space(), min_fidelity=0)
