"""Where the minimum may be: closed forms of two variables, and what an observation is worth."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from autonas.surrogates.entropy import chances, entropy, expected_improvement, information_gain


def test_expected_improvement_is_the_integral():
    for mean, deviation, best in [(0.0, 1.0, 0.0), (1.0, 0.5, 0.2), (-2.0, 0.3, 0.0)]:
        expected, _ = quad(lambda y, m=mean, s=deviation, b=best: (b - y) * norm.pdf(y, m, s), mean - 9, best)
        found = expected_improvement(np.array([mean]), np.array([deviation]), best)[0]
        assert found == pytest.approx(expected, abs=1e-8)


def test_entropy():
    assert entropy(np.full(8, 1 / 8)) == pytest.approx(math.log(8))
    assert entropy(np.array([[1.0, 0, 0], [0.5, 0.5, 0]])) == pytest.approx([0, math.log(2)])


def test_chances_of_two():
    mean, covariance = np.array([0.0, 0.4]), np.array([[1.0, 0.3], [0.3, 0.5]])
    deviation = math.sqrt(1 + 0.5 - 2 * 0.3)
    expected = norm.cdf(0.4 / deviation)
    found = chances(mean, covariance, np.random.default_rng(0), 20_000)
    assert found == pytest.approx([expected, 1 - expected], abs=0.01)


def test_information_of_observations():
    """Of nothing there is none; the more precise, the more; who cannot be the minimum is not worth a look."""
    mean, covariance = np.array([0.0, 0.0, 5.0]), np.diag([1.0, 1.0, 1.0])
    seen = np.array([[0.0, 0, 0], [0.5, 0, 0], [0.99, 0, 0], [0, 0, 0.99]])
    gains = information_gain(mean, covariance, seen, np.random.default_rng(0))
    assert gains[0] == 0
    assert gains[1] < gains[2]
    assert gains[3] == pytest.approx(0, abs=0.02)
    # once one of the two is known to be f, the other is below it with the chance Phi(f)
    expected = math.log(2) - quad(lambda f: norm.pdf(f) * norm_entropy(norm.cdf(f)), -8, 8)[0]
    assert gains[2] == pytest.approx(expected, abs=0.08)


def norm_entropy(p):
    return -sum(q * math.log(q) for q in (p, 1 - p) if q > 0)


def test_many_observations_are_valued_alike():
    rng = np.random.default_rng(3)
    root = rng.standard_normal((10, 10))
    covariance = root @ root.T / 10
    effects = 0.5 * covariance / np.sqrt(np.diag(covariance))[:, None]
    some = information_gain(np.zeros(10), covariance, effects, np.random.default_rng(0))
    many = information_gain(np.zeros(10), covariance, np.tile(effects, (20, 1)), np.random.default_rng(0))
    assert many == pytest.approx(np.tile(some, 20), abs=1e-12)


def test_no_observations():
    assert len(information_gain(np.zeros(2), np.eye(2), np.empty((0, 2)), np.random.default_rng(0))) == 0
