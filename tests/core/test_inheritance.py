"""The shift of two samples against its definition and by simulation; the groups of a search."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from autonas.core.inheritance import inheritance, shift
from autonas.core.trial import Proposal, Result, Trial


def test_the_shift_is_the_median_of_all_differences():
    # Hollander & Wolfe 1999, example 4.1 (permeability of the amniochorion): estimate 0.305 of x over y
    x = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    y = [1.15, 0.88, 0.90, 0.74, 1.21]
    found = shift(x, y, 0.9)
    assert found.effect == pytest.approx(0.305)
    assert found.low < 0.305 < found.high
    assert shift(y, x, 0.9) == pytest.approx((-found.effect, -found.high, -found.low))


@pytest.mark.parametrize(("n", "m"), [(20, 5), (12, 12), (40, 10)])
def test_the_interval_covers_the_shift_of_heavy_tails(n, m):
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(500):
        _, low, high = shift(rng.standard_cauchy(n) - 0.5, rng.standard_cauchy(m), 0.9)
        covered += low <= -0.5 <= high
    assert 0.87 <= covered / 500 <= 0.96


def test_the_interval_is_that_of_the_rank_sum_test():
    """A shift is inside if the test does not tell the samples apart after it is taken away."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=15), rng.normal(size=12)
    _, low, high = shift(a, b, 0.9)
    for value, inside in ((low - 1e-9, False), (low + 1e-9, True), (high - 1e-9, True), (high + 1e-9, False)):
        p = mannwhitneyu(a - value, b, use_continuity=False, method="asymptotic").pvalue
        assert (p > 0.1) == inside


def test_few_numbers_say_nothing():
    assert shift([1.0], [2.0]) == (-1.0, -math.inf, math.inf)
    assert math.isnan(shift([], [1.0]).effect)


def _search(effect, n=60, fidelity=1.0, noise=0.05, seed=0):
    rng = np.random.default_rng(seed)
    trials = [Trial(0, Proposal({"x": 0}), Result({"loss": 1.0}))]
    for number in range(1, n):
        parent = trials[int(rng.integers(len(trials)))]
        how = "scratch" if rng.random() < 0.25 else "morph"
        loss = 0.98 * parent.loss + noise * rng.normal() + (effect if how == "morph" else 0.0)
        result = Result({"loss": loss}, info={"inherited": True} if how == "morph" else {})
        trials.append(Trial(number, Proposal({"x": number}, fidelity, parent.id, how), result))
    return trials


def test_a_bias_is_found_and_its_absence_too():
    found = inheritance(_search(-0.1))
    assert found.verdict == "flatters"
    assert found.low <= -0.1 <= found.high
    assert found.n_inherited + found.n_control == 59
    assert str(found).startswith("-0.")
    assert inheritance(_search(0.1)).verdict == "handicaps"
    none = [inheritance(_search(0.0, seed=seed)) for seed in range(40)]
    assert sum(found.verdict == "not known yet" for found in none) >= 33


def test_what_is_not_compared():
    assert inheritance([]) is None
    trials = _search(-0.1)
    assert inheritance(trials[:1]) is None
    found = inheritance(trials)
    stopped = Trial(
        100, Proposal({"x": 100}, 1.0, 0, "morph"), Result({"loss": 9.0}, "stopped", info={"inherited": True})
    )
    failed = Trial(101, Proposal({"x": 101}, 1.0, 0, "scratch"), Result.failure("no"))
    promoted = Trial(102, Proposal({"x": 102}, 1.0, 5, "resume"), Result({"loss": 0.0}))
    another_kind = Trial(103, Proposal({"x": 103}, 1.0, 0, "morph"), Result({"loss": 9.0}))  # took over nothing
    low = Trial(104, Proposal({"x": 104}, 0.3, 0, "scratch"), Result({"loss": 9.0}))
    assert inheritance([*trials, stopped, failed, promoted, another_kind, low]) == found
    alone = [t for t in trials if t.proposal.inherit != "scratch"]
    found = inheritance(alone)
    assert found.n_control == 0
    assert math.isnan(found.effect)
    assert found.verdict == "not known yet"
    assert "not known" in str(found)
