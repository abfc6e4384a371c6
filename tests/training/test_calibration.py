from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.special import softmax as reference_softmax

from autonas.training.calibration import (
    HIGHEST,
    LOWEST,
    fit_temperature,
    log_loss,
    log_mean_exp,
    log_softmax,
    softmax,
    weighted_mean,
)


def drawn(n: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels drawn from exactly their probabilities."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, classes))
    y = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    return logits, y


@pytest.mark.parametrize("scale", [0.1, 0.5, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_recovers_the_scale_that_the_labels_were_drawn_with(scale, classes):
    logits, y = drawn(20_000, classes)
    assert fit_temperature(logits * scale, y) == pytest.approx(scale, rel=0.05)


def test_equals_a_general_minimiser_when_rows_are_many():
    logits, y = drawn(5000, 3)
    found = minimize_scalar(lambda t: log_loss(logits * 4 / np.exp(t), y), bounds=(-3, 3), method="bounded")
    assert fit_temperature(logits * 4, y) == pytest.approx(np.exp(found.x), rel=0.01)


def test_weights_count_as_repetitions():
    logits, y = drawn(300, 3)
    weight = np.random.default_rng(1).integers(0, 4, 300)
    repeated = np.repeat(np.arange(300), weight)
    assert fit_temperature(logits, y, weight) == pytest.approx(fit_temperature(logits[repeated], y[repeated]), rel=1e-4)


def test_separable_rows_do_not_end_in_certainty():
    y = np.array([0, 1] * 10)
    logits = np.where(np.arange(2) == y[:, None], 1.0, -1.0)
    temperature = fit_temperature(logits, y)
    # the loss falls for ever as T falls, but 20 rows are no reason to believe in odds of a million to one
    assert 1e-6 < 1 - softmax(logits / temperature)[0].max() < 1 / 20


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(1, 6), st.sampled_from([1e-6, 1.0, 1e6]))
def test_few_rows_and_odd_scales_stay_in_bounds(seed, n, scale):
    rng = np.random.default_rng(seed)
    temperature = fit_temperature(scale * rng.normal(size=(n, 3)), rng.integers(0, 3, n))
    assert LOWEST <= temperature <= HIGHEST


def test_rows_without_predictions_do_not_count():
    logits, y = drawn(100, 3)
    gaps = np.vstack([logits, np.full((20, 3), np.nan)])
    both = np.concatenate([y, np.zeros(20, dtype=np.int64)])
    assert fit_temperature(gaps, both) == fit_temperature(logits, y)
    assert log_loss(gaps, both) == pytest.approx(log_loss(logits, y))
    assert fit_temperature(gaps[100:], both[100:]) == 1.0


def test_helpers_equal_scipy_even_where_exponentials_overflow():
    x = np.random.default_rng(0).normal(size=(7, 4)) * 500
    np.testing.assert_allclose(softmax(x), reference_softmax(x, axis=1), atol=1e-12)
    np.testing.assert_allclose(log_softmax(x), x - logsumexp(x, axis=1, keepdims=True))
    np.testing.assert_allclose(log_mean_exp(x, axis=0), logsumexp(x, axis=0) - np.log(7))


def test_a_mean_whose_weights_are_all_zero_is_the_plain_mean():
    assert weighted_mean(np.array([1.0, 3.0]), np.zeros(2)) == 2.0
    assert weighted_mean(np.array([1.0, 3.0]), np.array([3.0, 1.0])) == 1.5
