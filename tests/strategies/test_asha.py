"""Asynchronous halving: who is promoted when, and that replay and restart change nothing."""

import math

import pytest

from autonas.core.trial import Result, Trial
from autonas.strategies import make_strategy
from autonas.testing.strategy_cases import conditional_space, finite_space, run

THIRD, NINTH = 1 / 3, 1 / 9


def make(name="asha", **options):
    return make_strategy(name, conditional_space(), **options)


def tell(strategy, number, proposal, loss):
    result = Result({"loss": loss}) if math.isfinite(loss) else Result.failure("failed on purpose")
    strategy.tell(Trial(number, proposal, result))


def test_promotions_come_as_soon_as_they_can():
    # Li et al 2018, section 3.2, with eta 3: three at the bottom allow one promotion, six allow two
    strategy = make()
    losses = {0: 5.0, 1: 3.0, 2: 4.0, 3: 3.0}
    fidelities, parents = [], []
    for number in range(8):
        proposal = strategy.ask()
        fidelities.append(proposal.fidelity)
        parents.append(proposal.parent)
        tell(strategy, number, proposal, losses.get(number, 9.0))
    assert fidelities == pytest.approx([NINTH, NINTH, NINTH, THIRD, NINTH, NINTH, NINTH, THIRD])
    assert parents == [None, None, None, 1, None, None, None, 2]


def test_the_highest_rung_comes_first():
    strategy = make(min_fidelity=1 / 9)
    trials = run(strategy, 200)
    for trial in trials:
        known = [t for t in trials if t.id < trial.id]
        expected = (NINTH, None)
        for fidelity, above in ((THIRD, 1.0), (NINTH, THIRD)):
            rung = [t for t in known if t.proposal.fidelity == fidelity]
            promoted = {t.proposal.parent for t in known if t.proposal.fidelity == above}
            best = sorted(rung, key=lambda t: (t.loss, t.id))[: len(rung) // 3]
            free = [t.id for t in best if t.id not in promoted]
            if free:
                expected = (above, free[0])
                break
        assert (trial.proposal.fidelity, trial.proposal.parent) == pytest.approx(expected)
    counts = [sum(t.proposal.fidelity == f for t in trials) for f in (NINTH, THIRD, 1.0)]
    assert counts[0] > 2 * counts[1] > 4 * counts[2] > 0


def test_nobody_waits_for_a_straggler():
    strategy = make()
    asked = [strategy.ask() for _ in range(20)]
    assert all(p.fidelity == pytest.approx(NINTH) for p in asked)
    for number in range(1, 7):
        tell(strategy, number, asked[number], number)
    promoted = [strategy.ask() for _ in range(3)]
    assert [p.parent for p in promoted] == [1, 2, None]


def test_failures_count_and_are_never_promoted():
    strategy = make()
    asked = [strategy.ask() for _ in range(6)]
    for number, proposal in enumerate(asked):
        tell(strategy, number, proposal, 1.0 if number == 4 else math.inf)
    assert [strategy.ask().parent for _ in range(2)] == [4, None]


def test_a_finite_space_ends_at_the_top():
    strategy = make_strategy("asha", finite_space())
    trials = run(strategy, 100, lambda config: float(config.get("units", 0)))
    assert [t.proposal.fidelity for t in trials].count(1.0) >= 1
    best = min(trials, key=lambda t: t.loss)
    assert any(t.proposal.fidelity == 1 and t.config == best.config for t in trials)


def test_keep_names_what_is_not_promoted_yet():
    strategy = make()
    trials = run(strategy, 30)
    promoted = {t.proposal.parent for t in trials} - {None}
    assert strategy.keep() == {t.id for t in trials if t.proposal.fidelity < 1} - promoted


def test_restart_in_the_middle():
    for n in range(1, 40, 3):
        first, second = make(seed=2), make(seed=2)
        for trial in run(first, n, at_once=1 + n % 4):
            second.tell(trial)
        assert [first.ask() for _ in range(4)] == [second.ask() for _ in range(4)]
