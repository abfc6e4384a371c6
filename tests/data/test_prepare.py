"""From a person's data to a task."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from autonas.core.state import load_state, save_state
from autonas.data.prepare import data_hash, prepare, restore_preprocessor
from autonas.data.task import Problem
from autonas.errors import DataError, OptionError


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=60), "b": rng.choice(["u", "v", "w"], 60)})
    return X, np.array(["yes", "no", "no"] * 20)


def test_a_table_of_classes():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    task = prepare(X, np.where(y, "benign", "malignant"), kind="classification")
    assert task.problem == Problem("classification", 2, "tabular")
    assert task.classes is not None
    assert (task.classes[task.y] == np.where(y, "benign", "malignant")).all()
    assert (task.n_rows, task.weight, len(task.folds)) == (569, None, 40)
    assert task.view("dense") is task.view("dense")


def test_a_table_of_numbers():
    X, y = load_diabetes(return_X_y=True)
    task = prepare(X, y, kind="regression")
    assert task.problem == Problem("regression", 1)
    np.testing.assert_array_equal(task.y, y)
    assert task.classes is None


def test_images(tmp_path):
    digits = load_digits()
    task = prepare(digits.images, digits.target, kind="classification")
    assert task.problem == Problem("classification", 10, "image")
    assert task.view("image").shape == (1797, 1, 8, 8)
    save_state(tmp_path / "p", task.preprocessor.state())
    again = restore_preprocessor(task.problem, load_state(tmp_path / "p"))
    np.testing.assert_array_equal(again.check(digits.images), task.X)


def test_weights_have_mean_one(table):
    X, y = table
    weight = np.arange(60.0)
    task = prepare(X, y, kind="classification", sample_weight=weight)
    assert task.weight is not None
    np.testing.assert_allclose(task.weight, weight / weight.mean())
    assert weight[1] == 1  # not overwritten


def test_class_weights_balance(table):
    X, y = table
    task = prepare(X, y, kind="classification", class_weight="balanced")
    assert task.weight is not None
    total = np.bincount(task.y, weights=task.weight)
    np.testing.assert_allclose(total, 30)
    named = prepare(X, y, kind="classification", class_weight={"yes": 2.0, "no": 1.0})
    assert named.weight is not None
    np.testing.assert_allclose(named.weight, task.weight)


def test_a_validation_set_is_appended(table):
    X, y = table
    task = prepare(
        X[:40], y[:40], kind="classification", X_val=X[40:][["b", "a"]], y_val=y[40:], class_weight="balanced"
    )
    assert task.n_rows == len(task.X) == 60
    assert [len(side) for side in task.folds.pairs[0]] == [40, 20]
    assert task.weight is not None
    assert task.weight.shape == (60,)
    np.testing.assert_array_equal(task.view("codes")[:, 0], X["a"].astype(np.float32))
    alone = prepare(X[:40], y[:40], kind="classification")
    np.testing.assert_array_equal(task.view("dense")[:40], alone.view("dense"))  # fitted without it


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"y": ["a"] * 60}, DataError, "at least 2 classes"),
        ({"y": np.r_[[np.nan] * 2, np.ones(58)]}, DataError, "NaN: 2 of 60"),
        ({"X": np.zeros((60, 0))}, DataError, r"0 feature\(s\)"),
        ({"y": ["a", "b"]}, DataError, "inconsistent numbers of samples"),
        ({"X_val": np.zeros((2, 2))}, DataError, "belong together"),
        ({"X_val": np.zeros((2, 2)), "y_val": ["yes", "maybe"]}, DataError, "does not have: \\['maybe'\\]"),
        ({"X_val": np.zeros((2, 2)), "y_val": ["yes", "no"], "cv": 3}, OptionError, "replaces the folds"),
        ({"sample_weight": np.r_[np.ones(1), np.zeros(59)]}, DataError, "one class have a weight"),
        ({"kind": "regression", "y": np.ones(60), "class_weight": "balanced"}, OptionError, "classification only"),
        ({"modality": "images"}, OptionError, "Unknown modality"),
    ],
)
def test_bad_input_is_one_error(table, changes, error, message):
    X, y = table
    with pytest.raises(error, match=message):
        prepare(**{"X": X, "y": y, "kind": "classification", **changes})


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_one_row_is_too_few(kind):
    with pytest.raises(DataError, match="1 sample"):
        prepare(np.zeros((1, 3)), [1], kind=kind)


def test_the_hash_follows_the_content(table):
    X, y = table
    base = data_hash(prepare(X, y, kind="classification"))
    assert base == data_hash(prepare(X.copy(), y.tolist(), kind="classification"))
    changed = X.copy()
    changed.loc[7, "b"] = "u" if X.loc[7, "b"] != "u" else "v"
    others = [
        prepare(changed, y, kind="classification"),
        prepare(X, y[::-1], kind="classification"),
        prepare(X, y, kind="classification", cv=3),
        prepare(X, y, kind="classification", sample_weight=np.arange(60)),
        prepare(X, np.char.upper(y), kind="classification"),
    ]
    hashes = [data_hash(task) for task in others]
    assert len({base, *hashes}) == 6


def test_nothing_heavy_is_imported_before_it_is_used():
    code = (
        "import sys, autonas.data.prepare, autonas.data.read;"
        "print([m for m in ('pandas', 'sklearn', 'scipy', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
