from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier
from sklearn.tree import DecisionTreeRegressor

from autonas.errors import ModelError
from autonas.training.compact_trees import CompactTrees


def rows(n: int = 400, gaps: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 5)).astype(np.float32)
    y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [-1, 0, 1])
    if gaps:
        X[rng.random(X.shape) < 0.2] = np.nan
    return X, y


def compact(forest, outputs: int) -> CompactTrees:
    trees = CompactTrees(5, outputs)
    for tree in forest.estimators_:
        trees.add(tree.tree_, tree.tree_.value[:, 0, :])
    return trees


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("kind", [ExtraTreesClassifier, RandomForestClassifier, ExtraTreesRegressor])
def test_round_trip_predicts_as_scikit_learn(kind, gaps):
    X, y = rows(gaps=gaps)
    forest = kind(10, random_state=0).fit(X[:300], y[:300])
    trees = CompactTrees.from_state(compact(forest, 4 if "Classifier" in kind.__name__ else 1).state())
    expected = forest.predict_proba(X) if "Classifier" in kind.__name__ else forest.predict(X)[:, None]
    np.testing.assert_allclose(trees.total(X) / 10, expected, atol=1e-6)
    np.testing.assert_allclose(trees.total(X, slice(0, 4)) + trees.total(X, slice(4, None)), trees.total(X))


def test_thresholds_in_single_precision_send_every_row_the_same_way():
    # neighbours in single precision: a threshold between them, rounded up, would join them
    X = np.float32(1) + np.arange(64, dtype=np.float32)[:, None] * np.finfo(np.float32).eps
    X = np.repeat(X, 5, axis=1)
    y = np.arange(64.0)
    tree = DecisionTreeRegressor().fit(X, y)
    trees = CompactTrees(5, 1)
    trees.add(tree.tree_, tree.tree_.value[:, 0, :])
    np.testing.assert_allclose(trees.total(X)[:, 0], tree.predict(X), atol=1e-5)


def test_a_tree_of_one_leaf():
    X, _ = rows(20)
    forest = ExtraTreesRegressor(3).fit(X, np.full(20, 2.5))
    trees = CompactTrees.from_state(compact(forest, 1).state())
    np.testing.assert_allclose(trees.total(X), 7.5)


def test_takes_a_fraction_of_the_memory():
    X, y = rows(2000)
    forest = ExtraTreesClassifier(5, random_state=0).fit(X, y)
    kept = sum(array.nbytes for array in compact(forest, 4).state().values() if isinstance(array, np.ndarray))
    original = sum(t.tree_.__getstate__()["nodes"].nbytes + t.tree_.value.nbytes for t in forest.estimators_)
    assert kept < original / 5


def test_trees_that_grew_best_first_are_refused():
    X, y = rows()
    tree = DecisionTreeRegressor(max_leaf_nodes=20).fit(X, y)
    with pytest.raises(ModelError, match="depth first"):
        CompactTrees(5, 1).add(tree.tree_, tree.tree_.value[:, 0, :])


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_a_damaged_state_is_refused_or_harmless(data):
    X, y = rows(60)
    state = compact(ExtraTreesClassifier(3, random_state=0).fit(X, y), 4).state()
    name = data.draw(st.sampled_from(["right", "feature", "threshold", "missing_left", "sizes", "values", "columns"]))
    if name == "columns":
        state["columns"] = data.draw(st.integers(0, 4))
    else:
        array = state[name].copy()
        if data.draw(st.booleans()):
            array = array[: data.draw(st.integers(0, len(array)))]
        else:
            place = data.draw(st.integers(0, len(array) - 1))
            array[place] = data.draw(st.integers(-5, 200)) if array.dtype != bool else ~array[place]
        state[name] = array
    try:
        trees = CompactTrees.from_state(state)
    except ModelError:
        return
    # what is accepted can be followed by any row without leaving the trees
    if trees.columns == 5:
        assert trees.total(X).shape == (60, 4)
