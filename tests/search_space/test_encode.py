"""Vectors: exact round trips, marks for what is not active, the nearest configuration of any vector."""

import math

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer, OrdinalHyperparameter
from hypothesis import given, settings
from hypothesis import strategies as st

from autonas.errors import OptionError
from autonas.search_space.encode import VectorEncoding
from autonas.search_space.space import SearchSpace
from autonas.testing.random_spaces import random_space
from autonas.testing.strategy_cases import conditional_space


@given(seed=st.integers(0, 10**6), one_hot=st.booleans(), inactive=st.sampled_from([math.nan, -1.0]))
@settings(max_examples=60, deadline=None)
def test_round_trip(seed, one_hot, inactive):
    space = random_space(seed)
    encoding = VectorEncoding(space, one_hot=one_hot, inactive=inactive)
    configs = space.sample(5, seed=seed)
    rows = encoding.encode(configs)
    assert rows.shape == (5, len(encoding.names)) == (5, len(encoding.n_values))
    assert [encoding.decode(row) for row in rows] == configs
    for row, config in zip(rows, configs, strict=True):
        marked = np.isnan(row) if math.isnan(inactive) else row == inactive
        assert {name for name, mark in zip(encoding.names, marked, strict=True) if mark}.isdisjoint(config)
        assert {name for name, mark in zip(encoding.names, marked, strict=True) if not mark} == set(config)


@given(seed=st.integers(0, 10**6), one_hot=st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_vector_means_a_configuration(seed, one_hot):
    space = random_space(seed, forbidden=False)
    encoding = VectorEncoding(space, one_hot=one_hot)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        row = rng.normal(0.5, 1.0, len(encoding.names))
        row[rng.random(len(row)) < 0.2] = math.nan
        config = encoding.decode(row)
        assert space.validate(config) == config


def test_the_numbers():
    space = SearchSpace(
        ConfigurationSpace(
            space=[
                Categorical("a", ["x", "y", "z"]),
                Float("b", (1e-4, 1.0), log=True),
                Integer("c", (1, 5)),
                OrdinalHyperparameter("d", [16, 32, 64]),
            ]
        )
    )
    config = {"a": "z", "b": 0.01, "c": 2, "d": 32}
    plain, one_hot = VectorEncoding(space), VectorEncoding(space, one_hot=True)
    np.testing.assert_allclose(plain.encode([config]), [[2, 0.5, 0.25, 0.5]])
    np.testing.assert_allclose(one_hot.encode([config]), [[0, 0, 1, 0.5, 0.25, 0.5]])
    assert plain.n_values.tolist() == [3, 0, 0, 0]
    assert one_hot.names == ("a", "a", "a", "b", "c", "d")
    assert plain.decode(np.array([1.4, -2.0, 0.4, 0.8])) == {"a": "y", "b": 1e-4, "c": 3, "d": 64}
    assert one_hot.decode(np.array([0.1, 0.7, 0.2, 2.0, 0.4, 0.2])) == {"a": "y", "b": 1.0, "c": 3, "d": 16}


def test_active_without_a_value_is_the_default():
    space = conditional_space()
    encoding = VectorEncoding(space)
    row = np.full(len(encoding.names), math.nan)
    row[encoding.names.index("model")] = 1
    assert encoding.decode(row) == space.complete({"model": "net"})


def test_a_vector_of_another_length():
    with pytest.raises(OptionError, match=r"shape \(8,\)\. Given: \(3,\)"):
        VectorEncoding(conditional_space()).decode(np.zeros(3))
