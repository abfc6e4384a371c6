from __future__ import annotations

import math

import numpy as np
import pytest

from autonas.bench.functions import get_function
from autonas.bench.scores import Gap, Regret, make_score, mean_gap, true_front
from autonas.errors import OptionError
from autonas.evaluators.benchmarks import read_table


@pytest.mark.parametrize(
    ("table", "objective", "points"),
    [
        ("nb201-cifar10", "n_params", 13),
        ("nb201-cifar10", "latency", 25),
        ("nb201-cifar100", "n_params", 15),
        ("nb201-cifar100", "latency", 28),
        ("nb201-imagenet", "n_params", 13),
        ("nb201-imagenet", "latency", 22),
    ],
)
def test_true_fronts_have_as_many_points_as_the_tables_say(table, objective, points):
    assert len(true_front(read_table(table), ("loss", objective))) == points


def test_the_front_of_errors_and_sizes_is_the_known_one():
    error, size = true_front(read_table("nb201-cifar10"), ("loss", "n_params")).T
    known = [8.39, 8.48, 8.49, 8.58, 8.66, 8.89, 9.17, 9.28, 10.60, 11.35, 11.77, 12.73, 15.34]
    assert 100 * error == pytest.approx(known, abs=6e-3)
    assert size[[0, -1]].tolist() == [1_073_466, 73_306]


def test_the_gap_is_the_mean_shortfall_in_units_of_the_front():
    front = np.array([[0.0, 1.0], [1.0, 0.0]])
    one = np.ones(2)
    assert mean_gap(front, front, one) == 0
    assert mean_gap(front, np.array([[-1.0, -1.0]]), one) == 0  # better than the front is not short of it
    assert mean_gap(front, np.array([[0.0, 1.0]]), one) == pytest.approx(0.5)
    assert mean_gap(front, np.array([[1.0, 1.0]]), one) == pytest.approx(1)
    assert mean_gap(front, np.array([[3.0, 1.0], [1.0, 3.0]]), np.array([2.0, 4.0])) == pytest.approx(
        (min(3 / 2, math.hypot(1 / 2, 2 / 4)) + min(3 / 4, math.hypot(2 / 2, 1 / 4))) / 2
    )


def test_a_search_of_the_whole_front_has_no_gap():
    table = read_table("nb201-cifar10")
    gap = Gap(table, ("loss", "latency"))
    scores = []
    for values in gap.front[::-1]:
        row = int(np.flatnonzero((gap.true == values).all(axis=1))[0])
        scores.append(gap.update(table.config(row), 1.0, dict(zip(gap.objectives, values, strict=True))))
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] == 0


def test_regret_follows_what_looked_best_at_the_highest_fidelity():
    function = get_function("hartmann3-good")
    good, bad = {"x0": 0.11, "x1": 0.55, "x2": 0.85}, {"x0": 0.9, "x1": 0.9, "x2": 0.1}
    score = Regret(function)
    assert score.update(good, 0.1, 3.0) == function.normalised_regret(good)
    assert score.update(bad, 0.1, 2.0) == function.normalised_regret(bad)
    assert score.update(good, 0.1, 2.5) == function.normalised_regret(bad)
    assert score.update(good, 1.0, 9.0) == function.normalised_regret(good)
    assert score.update(bad, 0.1, -9.0) == function.normalised_regret(good)
    assert score.update(bad, 1.0, math.nan) == function.normalised_regret(good)


def test_functions_have_one_objective():
    assert isinstance(make_score(get_function("branin"), ["loss"]), Regret)
    with pytest.raises(OptionError, match="one objective"):
        make_score(get_function("branin"), ["loss", "latency"])
