"""Kendall's tau against scipy and closed forms, its interval by simulation, and the audit of a search's rungs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from autonas.core.audit import audit, lowest_trusted, rank_correlation, summary
from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=5, max_size=30))
def test_tau_is_scipys_with_ties(pairs):
    x, y = zip(*pairs, strict=True)
    found = rank_correlation(pairs)
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert found == (0, -1, 1)
    else:
        assert found.tau == pytest.approx(kendalltau(x, y).statistic)
    assert -1 <= found.low <= found.tau <= found.high <= 1


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("n", [10, 40])
def test_the_interval_covers_the_tau_of_a_normal_distribution(rho, n):
    true = 2 / math.pi * math.asin(rho)
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        x = rng.normal(size=n)
        y = rho * x + math.sqrt(1 - rho**2) * rng.normal(size=n)
        _, low, high = rank_correlation(zip(x, np.exp(y), strict=True), 0.9)
        covered += low <= true <= high
    assert 0.86 <= covered / 400 <= 0.96


@pytest.mark.parametrize("theta", [1.0, 4.0])
def test_the_interval_covers_the_tau_of_claytons_copula(theta):
    true, n = theta / (theta + 2), 30
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        u, w = rng.random((2, n))
        v = (1 + u**-theta * (w ** (-theta / (1 + theta)) - 1)) ** (-1 / theta)
        _, low, high = rank_correlation(zip(u, v, strict=True), 0.9)
        covered += low <= true <= high
    assert covered / 400 >= 0.8


def test_perfect_order_of_a_few_is_not_certain():
    few, many = (rank_correlation([(i, i) for i in range(n)]) for n in (5, 60))
    assert few.tau == many.tau == many.high == 1
    assert few.low < 0.6
    assert 0.9 < many.low < 1
    reverse = rank_correlation([(i, -i) for i in range(60)])
    assert reverse.tau == reverse.low == -1
    assert reverse.high == pytest.approx(-many.low)


def test_a_few_pairs_say_nothing():
    assert rank_correlation([(0, 0), (1, 1), (2, 2), (3, 3)]) == (0, -1, 1)


def test_numbers_must_be_finite():
    with pytest.raises(OptionError, match="failed trials"):
        rank_correlation([(0, math.inf)] * 6)


def trial(number, name, fidelity, loss, status="ok"):
    values = {"loss": loss} if status != "failed" else {}
    return Trial(number, Proposal({"name": name}, fidelity), Result(values, status=status))


def search(flip):
    """27 configurations at 1/9, the best 9 of them at 1/3 and 3 at 1; low ranks are reversed if ``flip``."""
    trials = []
    for fidelity, n in ((1 / 9, 27), (1 / 3, 9), (1.0, 3)):
        for i in range(n):
            trials.append(trial(len(trials), i, fidelity, -i if flip and fidelity < 0.2 else i))
    return trials


def test_the_audit_sees_rungs_that_agree():
    found = audit(search(flip=False))
    assert [(r.full, r.fidelity, r.n) for r in found] == [(1, 1 / 3, 3), (1, 1 / 9, 3), (1 / 3, 1 / 9, 9)]
    assert (found[2].tau, found[2].verdict) == (1, "trusted")
    assert found[0].verdict == "not known yet"  # three configurations


def test_the_audit_sees_ranks_that_break():
    (between,) = [r for r in audit(search(flip=True)) if r.n == 9]
    assert (between.tau, between.verdict) == (-1, "misleading")


def test_only_what_reached_its_fidelity_counts():
    trials = [t for i in range(6) for t in (trial(2 * i, i, 0.5, i), trial(2 * i + 1, i, 1.0, i))]
    trials += [
        trial(20, 7, 0.5, 9),
        trial(21, 7, 1.0, 0, "stopped"),
        trial(22, 8, 0.5, 9),
        trial(23, 8, 1.0, 0, "failed"),
    ]
    trials += [trial(24, 5, 1.0, 50)]  # evaluated again
    (found,) = audit(trials)
    assert (found.n, found.tau) == (6, 1)


def test_the_summary_speaks_of_the_highest_fidelity():
    text = summary(audit(search(flip=False)))
    assert text.count("ranks as 1:") == 2
    assert "ranks as 0.33" not in text
    assert summary([]) == ""


def pairs_of(low, high, agree, start=0, n=20):
    """``n`` configurations at two fidelities, ranked alike or the other way round."""
    order = [(low, lambda i: i if agree else -i), (high, lambda i: i)]
    return [trial(start + 2 * i + k, (start, i), z, loss(i)) for i in range(n) for k, (z, loss) in enumerate(order)]


def test_fidelities_are_raised_above_a_rung_that_misleads():
    assert lowest_trusted(audit([])) == 0
    assert lowest_trusted(audit(search(flip=False))) == 0
    assert lowest_trusted(audit(search(flip=True))) == pytest.approx(1 / 3)
    assert lowest_trusted(audit(pairs_of(1 / 3, 1.0, agree=False))) == 1
    # a low rung that predicts a middle one which predicts nothing is of no use either
    assert lowest_trusted(audit(pairs_of(1 / 9, 1 / 3, agree=True) + pairs_of(1 / 3, 1.0, agree=False, start=99))) == 1
    # what the next rung bears out is used, whatever a rung far above it says
    chain = pairs_of(1 / 9, 1 / 3, agree=True) + pairs_of(1 / 9, 1.0, agree=False, start=99)
    assert lowest_trusted(audit(chain)) == 0


@given(st.integers(0, 99))
def test_the_best_of_a_useful_rung_are_not_called_misleading(seed):
    """Tau 0.6 among all (a correlation of 0.81), of which only the best third are seen again."""
    rng = np.random.default_rng(seed)
    low = np.sort(rng.normal(size=90))[:30]
    high = 0.81 * low + math.sqrt(1 - 0.81**2) * rng.normal(size=30)
    trials = [
        trial(2 * i + k, i, z, v)
        for i, pair in enumerate(zip(low, high, strict=True))
        for k, (z, v) in enumerate(zip((1 / 3, 1.0), pair, strict=True))
    ]
    assert audit(trials)[0].verdict != "misleading"
