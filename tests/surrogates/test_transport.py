"""Many transport problems at once: against a linear program, an assignment, and closed forms."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, linprog

from autonas.surrogates.transport import transport

inf = np.inf


def by_linear_program(costs, left, right):
    rows, columns = costs.shape
    sums = np.zeros((rows + columns, rows * columns))
    for i in range(rows):
        for j in range(columns):
            sums[i, i * columns + j] = sums[rows + j, i * columns + j] = 1
    allowed = np.isfinite(costs).ravel()
    bounds = [(0, None if ok else 0) for ok in allowed]
    saved = np.where(allowed, costs.ravel() - 2, 0)
    found = linprog(saved, A_ub=sums, b_ub=np.concatenate([left, right]), bounds=bounds)
    return found.fun + left.sum() + right.sum()


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (3, 3), (5, 7), (9, 6)])
def test_it_is_the_linear_program(shape):
    rng = np.random.default_rng(sum(shape))
    costs = 3 * rng.random((12, *shape))
    costs[rng.random(costs.shape) < 0.2] = inf
    # whole masses with ties and zeros: degenerate, where a simplex method may run in circles
    left, right = (rng.integers(0, 4, (12, size)).astype(float) for size in shape)
    expected = [by_linear_program(*problem) for problem in zip(costs, left, right, strict=True)]
    assert transport(costs, left, right) == pytest.approx(expected, abs=1e-8)


def test_equal_masses_are_an_assignment():
    rng = np.random.default_rng(0)
    costs = rng.random((5, 16, 16))
    expected = [cost[linear_sum_assignment(cost)].sum() for cost in costs]
    assert transport(costs, np.ones((5, 16)), np.ones((5, 16))) == pytest.approx(expected, abs=1e-8)


def test_what_is_dearer_than_leaving_stays():
    left, right = np.array([[3.0]]), np.array([[2.0]])
    for cost, expected in [(0.0, 1.0), (0.5, 2.0), (1.9, 4.8), (2.1, 5.0), (inf, 5.0)]:
        assert transport(np.array([[[cost]]]), left, right)[0] == pytest.approx(expected)


def test_nothing_on_one_side():
    assert transport(np.empty((2, 0, 3)), np.empty((2, 0)), np.ones((2, 3))) == pytest.approx([3, 3])
    assert transport(np.zeros((1, 2, 2)), np.zeros((1, 2)), np.ones((1, 2))) == pytest.approx([2])
    assert len(transport(np.empty((0, 2, 2)), np.empty((0, 2)), np.empty((0, 2)))) == 0


def test_the_answer_depends_on_the_problem_alone():
    rng = np.random.default_rng(1)
    costs, left, right = 2 * rng.random((50, 4, 5)), rng.random((50, 4)), rng.random((50, 5))
    together = transport(costs, left, right)
    alone = [transport(costs[[i]], left[[i]], right[[i]])[0] for i in range(50)]
    assert together.tolist() == alone
