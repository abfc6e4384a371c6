import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autonas.core.pareto import crowding, front_bounds, fronts, hypervolume, non_dominated, scalarise
from autonas.errors import OptionError

SMALL = st.integers(1, 3).flatmap(
    lambda m: st.integers(0, 12).flatmap(
        lambda n: arrays(np.float64, (n, m), elements=st.integers(0, 4).map(float))  # with ties
    )
)


def dominates(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


@settings(deadline=None)
@given(SMALL)
def test_the_front_is_what_nothing_dominates(values):
    expected = [not any(dominates(other, value) for other in values) for value in values]
    assert non_dominated(values).tolist() == expected


@settings(deadline=None)
@given(SMALL)
def test_a_front_is_dominated_by_the_one_before_and_not_by_itself(values):
    ranks = fronts(values)
    for value, rank in zip(values, ranks, strict=True):
        over = {int(r) for other, r in zip(values, ranks, strict=True) if dominates(other, value)}
        assert over == set() if rank == 0 else max(over) == rank - 1


@settings(deadline=None)
@given(SMALL)
def test_hypervolume_counts_the_unit_cells_of_whole_numbers(values):
    reference = np.full(values.shape[1], 5.0)
    cells = itertools.product(range(5), repeat=values.shape[1])
    expected = sum(any((value <= cell).all() for value in values) for cell in map(np.array, cells))
    assert hypervolume(values, reference) == expected


def test_hypervolume_of_known_shapes():
    assert hypervolume(np.array([[0.0, 0.0]]), np.array([2.0, 3.0])) == 6.0
    assert hypervolume(np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([3.0, 3.0])) == 3.0
    assert hypervolume(np.array([[3.0, 0.0], [0.0, 3.0]]), np.array([3.0, 3.0])) == 0.0
    assert hypervolume(np.empty((0, 2)), np.ones(2)) == 0.0
    # the line f1 + f2 = 1 leaves a triangle of 1/2 below it
    x = np.linspace(0, 1, 2001)
    assert hypervolume(np.column_stack([x, 1 - x]), np.ones(2)) == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(OptionError, match="reference"):
        hypervolume(np.ones((1, 2)), np.ones(3))


def test_hypervolume_of_three_and_four_objectives_by_monte_carlo():
    rng = np.random.default_rng(0)
    for m in (3, 4):
        values, sample = rng.random((12, m)), rng.random((40_000, m))
        share = (values[:, None] <= sample[None]).all(2).any(0).mean()
        assert hypervolume(values, np.ones(m)) == pytest.approx(share, abs=0.01)


def test_crowding_of_a_line():
    values = np.array([[0.0, 4.0], [1.0, 3.0], [3.0, 1.0], [4.0, 0.0]])
    assert crowding(values).tolist() == [np.inf, 1.5, 1.5, np.inf]
    assert crowding(np.zeros((0, 2))).tolist() == []
    assert np.isinf(crowding(np.ones((2, 2)))).all()


def test_scalarised_optima_are_the_whole_front_also_where_it_is_concave():
    t = np.linspace(0, np.pi / 2, 21)
    front = np.column_stack([1 - np.cos(t) * 0.9, 1 - np.sin(t) * 0.9]) * [1.0, 1000.0]  # bulges towards the origin
    concave = np.column_stack([np.sin(t), np.cos(t)])
    for values in (front, concave):
        assert non_dominated(values).all()
        behind = values + np.ptp(values, axis=0) / 10
        everything = np.concatenate([values, behind])
        found = {int(scalarise(everything, np.array([w, 1 - w])).argmin()) for w in np.linspace(0.005, 0.995, 400)}
        assert found <= set(range(21))
        assert len(found) >= 15


def test_scalarise_by_hand():
    values = np.array([[0.0, 10.0], [1.0, 0.0], [2.0, 20.0]])
    # the front is the first two: units 1 and 10
    assert scalarise(values, np.array([0.25, 0.75])).tolist() == pytest.approx(
        [0.75 + 0.05 * 0.75, 0.25 + 0.05 * 0.25, 1.5 + 0.05 * 2.0]
    )
    low, high = front_bounds(np.array([[1.0, 2.0], [3.0, 2.0], [3.0, 5.0]]))  # a front of one point
    assert (low.tolist(), high.tolist()) == ([1.0, 2.0], [3.0, 5.0])
    low, high = front_bounds(np.ones((3, 2)))
    assert (high > low).all()


def test_nan_is_refused():
    with pytest.raises(OptionError, match="NaN"):
        non_dominated(np.array([[np.nan, 1.0]]))
