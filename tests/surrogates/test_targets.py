"""Transforms of losses: closed forms and invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from autonas.surrogates.targets import bent, knee, ranked, standardised

LOSSES = st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=30).map(np.array)


def test_ranked_are_normal_scores():
    losses = np.array([3.0, 1.0, 2.0, 2.0, 9.0])
    assert ranked(losses) == pytest.approx(norm.ppf((rankdata(losses) - 0.5) / 5))
    assert ranked(np.exp(losses)) == pytest.approx(ranked(losses))


def test_bent_is_linear_to_the_knee_and_logarithmic_beyond():
    losses = np.array([1.0, 2.0, 3.0, 5.0, 1 + 2 * np.e])
    assert bent(losses) == pytest.approx([0, 0.5, 1, 1 + np.log(2), 2])
    assert bent(losses, 5.0) == pytest.approx([0, 0.25, 0.5, 1, 1 + np.log(np.e / 2)])
    assert bent(100 + 7 * losses) == pytest.approx(bent(losses))


def test_bent_with_half_the_losses_at_the_best():
    assert bent(np.array([1.0, 1.0, 1.0, 2.0])) == pytest.approx([0, 0, 0, 1 + np.log(4)])
    assert bent(np.array([2.0, 2.0])) == pytest.approx([0, 0])


def test_standardised():
    values = standardised(np.array([1.0, 2.0, 6.0]))
    assert values.mean() == pytest.approx(0)
    assert values.std() == pytest.approx(1)
    assert standardised(np.array([4.0])) == pytest.approx([0])


def test_knee_is_the_median_of_the_worst_branch():
    losses = np.array([1.0, 2.0, 3.0, 10.0, 20.0, 99.0])
    branches = [losses < 5, (losses > 5) & (losses < 50), losses > 50]
    assert knee(losses, []) == 6.5
    assert knee(losses, branches) == 15.0  # one loss is no branch yet


@given(LOSSES)
def test_any_losses_give_finite_targets_in_the_same_order(losses):
    order = np.argsort(losses, kind="stable")
    for transform in (ranked, bent):
        values = standardised(transform(losses))
        assert np.isfinite(values).all()
        assert (np.diff(values[order]) >= 0).all()
