"""Selection rules against closed forms."""

import numpy as np
import pytest

from autonas.strategies._selection import SURVIVORS, inverse_density, pick, positions, roulette, surviving


def _column(*losses):
    return np.array(losses, dtype=float)[:, None]


@pytest.mark.parametrize(("n", "s"), [(10, 1), (10, 2), (20, 5), (8, 8)])
def test_tournament_frequencies_follow_the_closed_form(n, s):
    rng = np.random.default_rng(0)
    losses = _column(*rng.permutation(n))
    draws = 20_000
    counts = np.bincount([pick("tournament", losses, s, rng) for _ in range(draws)], minlength=n)
    i = 1 + losses[:, 0]  # the i-th best wins with ((n - i + 1)^s - (n - i)^s) / n^s  (Goldberg & Deb 1991)
    p = ((n - i + 1) ** s - (n - i) ** s) / float(n) ** s
    error = np.sqrt(p * (1 - p) / draws)
    assert np.all(np.abs(counts / draws - p) <= 4 * error + 1e-12)


def test_ties_of_a_tournament_are_broken_at_random():
    rng = np.random.default_rng(0)
    counts = np.bincount([pick("tournament", _column(1, 1, 1, 1, 5), 3, rng) for _ in range(4000)], minlength=5)
    assert np.all(np.abs(counts[:4] - 998) < 100)  # 4000 * (1 - 1/125) / 4
    assert 10 < counts[4] < 60


def test_roulette_subtracts_the_worst():
    np.testing.assert_allclose(roulette(_column(1, 2, 4)), [3 / 5, 2 / 5, 0])
    np.testing.assert_allclose(roulette(_column(7, 7, 7)), [1 / 3, 1 / 3, 1 / 3])
    assert roulette(_column(-1e308, 1e308, 0)).sum() == pytest.approx(1)


def test_places_of_one_and_of_several_objectives():
    assert positions(_column(3, 1, 2)).tolist() == [2, 0, 1]
    assert positions(_column(1, 1)).tolist() == [1, 0]  # the newer of equals
    # a front of three whose middle is crowded less than nothing else, and one point behind
    values = np.array([[0.0, 4.0], [5.0, 5.0], [4.0, 0.0], [1.0, 3.0], [1.5, 2.5]])
    places = positions(values)
    assert places[1] == 4  # dominated
    assert set(places[[0, 2]]) == {0, 1}  # the ends
    assert places[4] == 2  # lonelier than the other inner one: neighbours at 1 and 4 against 0 and 1.5
    assert places[3] == 3


def test_a_rare_region_is_picked_more_often_than_its_share():
    sizes = np.concatenate([np.full(19, 1e5), [1e6]])[:, None]
    chances = inverse_density(sizes)
    assert chances.sum() == pytest.approx(1)
    assert chances[-1] >= 5 / 20
    np.testing.assert_allclose(inverse_density(np.full((4, 2), 3.0)), 0.25)
    errors = np.linspace(1, 0, 20)
    values = np.column_stack([errors, sizes[:, 0]])
    values[-1, 0] = -1.0
    rng = np.random.default_rng(0)
    # of the front, only one of the 19 equal sizes is not dominated
    assert {pick("pareto", values, 1, rng) for _ in range(50)} == {18, 19}


def test_density_of_other_points_does_not_vanish_far_away():
    chances = inverse_density(np.array([[0.0], [50.0]]), np.array([[-1.0], [0.0], [1.0]]))
    np.testing.assert_allclose(chances, [0, 1], atol=1e-12)


def test_inverse_density_agrees_with_scipy():
    scipy_stats = pytest.importorskip("scipy.stats")
    points = np.random.default_rng(0).normal(size=(30, 1))
    expected = 1 / scipy_stats.gaussian_kde(points.T, lambda kde: kde.scotts_factor() * np.sqrt(29 / 30))(points.T)
    np.testing.assert_allclose(inverse_density(points), expected / expected.sum(), rtol=1e-6)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("oldest", [2, 3, 4]),
        ("worst", [1, 3, 4]),
        ("none", [0, 1, 2, 3, 4]),
        ("nondominated", [1, 3]),
        ("generational", [0, 1, 2, 3, 4]),
    ],
)
def test_survivors(rule, expected):
    losses = _column(9, 1, 8, 1, 5)
    assert surviving(rule, losses, 1, 3, np.random.default_rng(0)).tolist() == expected


def test_a_generation_replaces_its_parents():
    assert surviving("generational", _column(0, 0, 5, 6), 2, 2, np.random.default_rng(0)).tolist() == [2, 3]


def test_of_a_random_pair_the_worse_leaves():
    rng = np.random.default_rng(0)
    losses = _column(1, 2, 3, 4)
    gone = [({0, 1, 2, 3} - set(surviving("loser", losses, 1, 3, rng).tolist())).pop() for _ in range(3000)]
    # of six pairs the worst loses three, the next two, the next one
    np.testing.assert_allclose(np.bincount(gone, minlength=4) / 3000, [0, 1 / 6, 2 / 6, 3 / 6], atol=0.04)


@pytest.mark.parametrize("rule", SURVIVORS)
def test_survivors_keep_their_order(rule):
    values = np.random.default_rng(1).normal(size=(12, 2))
    rows = surviving(rule, values, 2, 6, np.random.default_rng(0))
    assert np.all(np.diff(rows) > 0)
