"""Speciation: distances by hand, founders by age, shared fitness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonas.strategies._species import distances, divide, species_chances
from autonas.testing.random_spaces import random_space
from autonas.testing.strategy_cases import conditional_space, finite_space


def test_distance_by_hand():
    configs = [
        {"model": "a"},
        {"model": "b", "units": 1, "bias": "with"},
        {"model": "b", "units": 2, "bias": "without"},
    ]
    gaps = distances(finite_space(), configs)
    assert gaps[0, 1] == pytest.approx(1.0)  # another model, and two hyperparameters that only one has
    assert gaps[1, 2] == pytest.approx((0 + 0.5 + 1) / 3)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_a_distance_is_zero_to_itself_symmetric_and_at_most_one(seed):
    space = random_space(seed)
    gaps = distances(space, space.sample(6, seed=seed))
    np.testing.assert_allclose(gaps, gaps.T)
    assert np.all(np.diag(gaps) == 0)
    assert np.all((gaps >= 0) & (gaps <= 1))


def test_the_oldest_founds_the_species():
    place = np.array([0.0, 0.1, 1.0, 0.25, 0.9, 0.2])
    species = divide(np.abs(place[:, None] - place[None]), 0.2)
    assert species.tolist() == [0, 0, 1, 2, 1, 0]


def test_offspring_in_proportion_to_the_mean_fitness():
    losses = np.array([[0.0], [0.0], [1.0], [1.0], [2.0]])
    chances = species_chances(losses, np.array([0, 0, 1, 1, 2]))
    # fitness 2, 2, 1, 1, 0 of 6, and a small share for the last
    np.testing.assert_allclose(chances, np.array([2, 1, 0]) / 3, atol=0.02)
    assert chances[2] > 0
    even = species_chances(np.ones((4, 1)), np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(even, [0.5, 0.5])  # a crowd has no advantage


def test_numbers_count_by_their_range():
    space = conditional_space()
    base = space.complete({"model": "linear", "strength": 1e-2})
    far = {**base, "strength": 1e-4}
    gaps = distances(space, [base, far])
    assert gaps[0, 1] == pytest.approx(0.5 / len(base))
