"""FABOLAS: what it learns from small shares of the data, and what it pays for them."""

import pytest
from ConfigSpace import ConfigurationSpace, Float

from autonas import Optimizer
from autonas.core.trial import Result, Trial
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies.fabolas import Fabolas, levels
from autonas.testing.strategy_cases import conditional_space, smooth_loss


@pytest.fixture
def line():
    return SearchSpace(ConfigurationSpace(space=[Float("x", (0, 1))]))


def parabola(x, s):
    return (x - 0.3) ** 2 + 0.5 * (1 - s) ** 2


def step(strategy, number, loss, seconds=0.0):
    proposal = strategy.ask()
    result = Result({"loss": loss(proposal)}, cost_seconds=seconds * proposal.fidelity)
    strategy.tell(Trial(number, proposal, result))
    return proposal


def on_line(proposal):
    return parabola(proposal.config["x"], proposal.fidelity)


@pytest.mark.parametrize(
    ("lowest", "expected"),
    [(1, [1]), (1 / 2, [1 / 2, 1]), (1 / 4, [1 / 4, 1 / 2, 1]), (1 / 27, [1 / 27, 2 / 27, 4 / 27, 8 / 27, 16 / 27, 1])],
)
def test_levels(lowest, expected):
    assert levels(lowest) == pytest.approx(expected)
    assert levels(lowest)[-1] == 1


@pytest.mark.parametrize("seed", range(4))
def test_the_best_is_found_from_small_shares(line, seed):
    """The minimum at full fidelity, within 0.05, for less than four full evaluations: twenty trials, the design too."""
    strategy = Fabolas(line, seed=seed)
    proposals = [step(strategy, number, on_line, seconds=60) for number in range(20)]
    assert abs(strategy.incumbent().config["x"] - 0.3) < 0.05
    assert strategy.incumbent().fidelity == 1
    assert sum(proposal.fidelity for proposal in proposals) < 4
    assert sum(proposal.fidelity < 1 / 6 for proposal in proposals) >= 15


def test_design(line):
    """Every configuration of the design is seen at all small shares, from scratch."""
    strategy = Fabolas(line, seed=0, initial=3)
    proposals = [step(strategy, number, on_line) for number in range(9)]
    assert [p.fidelity for p in proposals] == pytest.approx([1 / 27, 2 / 27, 4 / 27] * 3)
    assert len({p.key for p in proposals}) == 3
    assert all(p.parent is None and p.inherit is None for p in proposals)


def test_the_incumbent_is_evaluated_in_full_when_that_is_due(line):
    strategy = Fabolas(line, seed=1)
    spent, full, complete, due = 0.0, 0, set(), 0
    for number in range(40):
        incumbent = strategy.incumbent()
        proposal = step(strategy, number, on_line)
        if number >= 12 and spent >= full + 1 - 1e-9 and incumbent.key not in complete:
            assert (proposal.key, proposal.fidelity) == (incumbent.key, 1)
            due += 1
        if proposal.fidelity == 1:
            full += 1
            complete.add(proposal.key)
        else:
            spent += proposal.fidelity
    assert due >= 1


def test_dear_configurations_are_looked_at_with_small_shares(line):
    """Twice the same losses; where x > 0.5 costs a hundred times as much, less is spent on it."""

    def spent(seconds):
        strategy = Fabolas(line, seed=0, cost="seconds")
        total = 0.0
        for number in range(30):
            proposal = strategy.ask()
            dear = proposal.config["x"] > 0.5
            cost = seconds(dear) * proposal.fidelity
            loss = (proposal.config["x"] - 0.5) ** 2 + (1 - proposal.fidelity) ** 2
            strategy.tell(Trial(number, proposal, Result({"loss": loss}, cost_seconds=cost)))
            total += proposal.fidelity * dear * (number >= 12)  # after the design
        return total

    assert spent(lambda dear: 100.0 if dear else 1.0) < spent(lambda dear: 1.0)


def test_costs_may_be_fidelities(line):
    """Then seconds, which differ from run to run, change nothing."""
    proposals = []
    for seconds in (1.0, 1000.0):
        strategy = Fabolas(line, seed=0, cost="fidelity")
        proposals.append([step(strategy, number, on_line, seconds * (1 + number % 7)) for number in range(25)])
    assert proposals[0] == proposals[1]


def test_it_takes_the_fidelities_of_the_optimizer():
    optimizer = Optimizer(conditional_space(), "fabolas", seed=0, min_fidelity=1 / 8)
    trial = optimizer.ask()
    assert trial.fidelity == 1 / 8
    optimizer.tell(trial, smooth_loss(trial.config))


def test_options_are_checked():
    for options in ({"min_fidelity": 0}, {"min_fidelity": 1.5}, {"cost": "money"}):
        with pytest.raises(OptionError, match=next(iter(options))):
            make_strategy("fabolas", conditional_space(), **options)


def test_no_incumbent_without_trials(line):
    assert Fabolas(line).incumbent() is None
