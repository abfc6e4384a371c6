"""Sums by bits are those of LightGBM's own walk, for every kind of split, missing value and number of leaves."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonas.training.bit_trees import bit_trees


def _table(rows: int, seed: int, missing: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers, one with few values, and two columns of codes; y depends on all."""
    rng = np.random.default_rng(seed)
    X = np.column_stack(
        [rng.normal(size=rows), rng.integers(-2, 3, rows), rng.integers(0, 70, rows), rng.integers(0, 4, rows)]
    )
    y = X[:, 0] * X[:, 1] + np.sin(X[:, 2] * 9.0) + (X[:, 3] == 2) * 2
    X[rng.random(X.shape) < missing] = np.nan
    return X, y


def _train(X: np.ndarray, y: np.ndarray, rounds: int = 12, **options: object) -> lightgbm.Booster:
    parameters = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, "deterministic": True, **options}
    return lightgbm.train(parameters, lightgbm.Dataset(X, y, categorical_feature=[2, 3], params=parameters), rounds)


@settings(max_examples=12, deadline=None)
@given(
    leaves=st.sampled_from([2, 8, 16, 17, 40, 64]),
    seed=st.integers(0, 100),
    missing=st.sampled_from([0.0, 0.1, 0.5]),
    extra=st.booleans(),
)
def test_sums_are_those_of_a_walk(leaves: int, seed: int, missing: float, extra: bool) -> None:
    X, y = _table(400, seed, missing)
    models = [_train(X, y + k, num_leaves=leaves, extra_trees=extra, seed=seed + k) for k in range(2)]
    new, _ = _table(100, seed + 1, 0.2)  # with missing values where training had none
    new[:5, 2:] = [[-1, -3], [70, 99], [0.5, 3.5], [1e6, 4], [69, 0]]  # codes that are unknown or no codes
    new[5:8, 0] = [np.inf, -np.inf, 0]
    bits = bit_trees([[model.model_to_string()] for model in models], 1)
    assert bits is not None
    assert bits.totals(new) == pytest.approx(np.column_stack([m.predict(new) for m in models]), abs=1e-9)


def test_values_on_a_threshold_go_left() -> None:
    X, y = _table(400, 0, 0.0)
    model = _train(X, y, num_leaves=8)
    edges = np.unique(X[:, 1])
    new = np.zeros((len(edges), 4))
    new[:, 1] = edges + 0.5  # where LightGBM cuts between whole numbers
    bits = bit_trees([[model.model_to_string()]], 1)
    assert bits is not None
    assert bits.totals(new)[:, 0] == pytest.approx(model.predict(new), abs=1e-9)


def test_classes_and_parts_of_a_model_are_summed_apart() -> None:
    X, y = _table(300, 1)
    classes = np.digitize(y, [-1, 1])
    options = {"objective": "multiclass", "num_class": 3, "num_leaves": 6}
    first, second = (_train(X, np.roll(classes, k), **options) for k in range(2))
    bits = bit_trees([[first.model_to_string(), second.model_to_string()], [second.model_to_string()]], 3)
    assert bits is not None
    raw = [m.predict(X, raw_score=True) for m in (first, second)]
    assert bits.n_groups == 6
    assert bits.totals(X) == pytest.approx(np.hstack([raw[0] + raw[1], raw[1]]), abs=1e-9)


def test_a_tree_of_one_leaf_is_a_constant() -> None:
    constant = _train(np.zeros((50, 4)), np.arange(50.0), rounds=2).model_to_string()
    assert "num_leaves=1\n" in constant
    X, y = _table(200, 2)
    grown = _train(X, y, rounds=3, num_leaves=4)
    bits = bit_trees([[constant], [constant, grown.model_to_string()]], 1)
    assert bits is not None
    assert bits.totals(X) == pytest.approx(np.column_stack([np.full(200, 24.5), 24.5 + grown.predict(X)]), abs=1e-9)


def test_large_trees_and_wide_tables_are_left_to_the_walk() -> None:
    X, y = _table(3000, 4)
    assert bit_trees([[_train(X, y, num_leaves=100, rounds=2).model_to_string()]], 1) is None
    wide = np.random.default_rng(0).normal(size=(300, 150))
    model = lightgbm.train(
        {"verbosity": -1, "num_threads": 1, "feature_fraction": 0.05, "seed": 0},
        lightgbm.Dataset(wide, wide.sum(axis=1)),
        40,
    )
    assert len(np.unique(model.feature_importance().nonzero()[0])) > 100
    assert bit_trees([[model.model_to_string()]], 1) is None
