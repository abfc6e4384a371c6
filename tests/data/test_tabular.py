"""Views of tables: what they hold, that nothing is missing, and that a saved preprocessor gives the same numbers."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer

from autonas.core.state import load_state, save_state
from autonas.data.tabular import TabularPreprocessor
from autonas.errors import DataError


def dense_array(view):
    return view.toarray() if hasattr(view, "toarray") else view


@pytest.fixture(scope="module")
def mixed() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 150
    words = ["good", "bad", "very", "nice", "film", "plot"]
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "gaps": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(size=n)),
            "flag": rng.random(n) < 0.5,
            "day": pd.date_range("2020-01-01", periods=n, freq="31h"),
            "colour": rng.choice(["red", "green", "blue"], n),
            "two": rng.choice(["x", "y"], n),
            "rare": [f"level {i}" for i in rng.geometric(0.02, n)],
            "ticket": [f"T{'0' * (i % 4)}{i}" for i in range(n)],
            "review": [" ".join(rng.choice(words, 8)) for _ in range(n)],
            "constant": 1,
            "empty": np.nan,
            "half": [1.0, np.nan] * (n // 2),
        }
    )
    frame.loc[::9, "colour"] = None
    return frame


@pytest.fixture(scope="module")
def fitted(mixed):
    return TabularPreprocessor.fit_check(mixed)


def test_kinds_and_flags(fitted):
    pre, _ = fitted
    assert pre.kinds == {
        "number": "numeric",
        "gaps": "numeric",
        "flag": "boolean",
        "day": "date",
        "colour": "category",
        "two": "category",
        "rare": "category",
        "ticket": "identifier",
        "review": "text",
        "constant": "constant",
        "empty": "empty",
        "half": "numeric",
    }
    assert pre.has_text
    assert pre.has_categories
    assert "12 columns" in pre.summary
    assert len(pre.categorical_columns) == 3


@pytest.mark.parametrize("name", TabularPreprocessor.views)
def test_views_are_float32_and_only_raw_numbers_may_be_missing(fitted, name):
    pre, table = fitted
    view = dense_array(pre.view(name, table))
    assert view.dtype == np.float32
    assert len(view) == len(table)
    assert name in {"codes", "onehot"} or np.isfinite(view).all()


def test_codes_keep_numbers_and_gaps(fitted, mixed):
    pre, table = fitted
    codes = pre.view("codes", table)
    np.testing.assert_allclose(codes[:, 0], mixed["number"], rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(codes[:, 1]), mixed["gaps"].isna())
    colour = codes[:, pre.categorical_columns[0]]
    np.testing.assert_array_equal(np.isnan(colour), mixed["colour"].isna())
    order = mixed["colour"].value_counts().index.tolist()
    assert all(order[int(c)] == name for c, name in zip(colour, mixed["colour"], strict=True) if not np.isnan(c))


def test_the_dense_view_starts_with_the_numbers(fitted, mixed):
    pre, table = fitted
    dense = pre.view("dense", table)
    x = mixed["number"].to_numpy()
    low, median, high = np.percentile(x, [25, 50, 75])
    z = (x - median) / ((high - low) / 1.349)
    np.testing.assert_allclose(dense[:, 0], z / np.sqrt(1 + z**2 / 9), atol=1e-5)
    assert (dense[mixed["gaps"].isna(), 1] == 0).all()
    indicator = dense[:, pre.n_numeric : pre.n_numeric + 2]  # "gaps" and "half"
    np.testing.assert_array_equal(indicator, mixed[["gaps", "half"]].isna())


def test_one_hot_rows_sum_to_one_and_two_levels_are_one_column():
    frame = pd.DataFrame({"c": ["a", "a", "b", "c", None], "two": ["x", "x", "y", "x", "y"]})
    pre, table = TabularPreprocessor.fit_check(frame)
    dense = pre.view("dense", table)
    np.testing.assert_array_equal(dense[:, :4], np.eye(4)[[0, 0, 1, 2, 3]])
    np.testing.assert_array_equal(dense[:, 4], [1, 1, -1, 1, -1])
    new = pre.view("dense", pre.check(pd.DataFrame({"c": ["new"], "two": ["new"]})))
    np.testing.assert_array_equal(new, [[0, 0, 0, 1, 0]])


def test_ple_and_words_extend_dense(fitted):
    pre, table = fitted
    dense, ple = pre.view("dense", table), pre.view("ple", table)
    np.testing.assert_array_equal(ple[:, : dense.shape[1]], dense)
    assert np.abs(ple[:, dense.shape[1] :]).max() <= 1
    words = dense_array(pre.view("words", table))
    others = dense.shape[1] - len(pre.text_mean)
    np.testing.assert_array_equal(words[:, -others:], dense[:, :others])


def test_a_saved_preprocessor_gives_the_same_numbers(fitted, mixed, tmp_path):
    pre, table = fitted
    save_state(tmp_path / "state", pre.state())
    for again in (
        TabularPreprocessor.from_state(load_state(tmp_path / "state")),
        pickle.loads(pickle.dumps(pre)),
    ):
        assert again.kinds == pre.kinds
        assert again.summary == pre.summary
        new = again.check(mixed)
        for name in pre.views:
            np.testing.assert_array_equal(
                dense_array(again.view(name, new)), dense_array(pre.view(name, table)), err_msg=name
            )


def test_single_rows_and_other_dtypes_give_the_same_numbers(fitted, mixed):
    pre, table = fitted
    rows = pre.check(mixed.iloc[5:8].astype(object))
    for name in pre.views:
        expected = dense_array(pre.view(name, table))[5:8]
        np.testing.assert_allclose(dense_array(pre.view(name, rows)), expected, atol=1e-6, err_msg=name)


def test_columns_in_another_order_and_further_columns(fitted, mixed):
    pre, table = fitted
    shuffled = mixed[mixed.columns[::-1]].assign(further=1)
    pd.testing.assert_frame_equal(pre.check(shuffled), table)


def test_new_data_without_anything_known(fitted, mixed):
    pre, _ = fitted
    empty = pre.check(pd.DataFrame(None, index=range(3), columns=mixed.columns, dtype=object))
    assert np.isfinite(pre.view("ple", empty)).all()
    unseen = pre.check(mixed.head(3).assign(colour="violet", two="z", rare="never", review="nothing of it"))
    assert np.isfinite(pre.view("dense", unseen)).all()


def test_columns_that_new_data_lacks_are_named(fitted, mixed):
    pre, _ = fitted
    with pytest.raises(DataError, match=r"lacks the column 'colour'.*Did you mean 'color'"):
        pre.check(mixed.rename(columns={"colour": "color"}))
    pre.check(mixed.drop(columns=["constant", "empty"]))  # never used


def test_arrays_are_matched_by_position():
    X = np.random.default_rng(0).normal(size=(20, 3))
    pre, table = TabularPreprocessor.fit_check(X)
    np.testing.assert_array_equal(pre.check(pd.DataFrame(X, columns=list("abc"))), table)
    np.testing.assert_array_equal(pre.check(X.tolist()), table)
    with pytest.raises(DataError, match="X has 1 features, but TabularPreprocessor is expecting 3 features as input"):
        pre.check(X[:, :1])
    with pytest.raises(DataError, match="Reshape your data"):
        pre.check(X[0])


def test_strings_in_an_array_are_read_by_column():
    X = np.array([["1", "a"], ["2", "b"], ["3", "a"]])
    assert list(TabularPreprocessor.fit(X).kinds.values()) == ["numeric", "category"]


def test_nothing_but_constants_is_one_column_of_zeros():
    pre, table = TabularPreprocessor.fit_check(pd.DataFrame({"a": [1, 1], "b": ["x", "x"], "c": [None, None]}))
    for name in pre.views:
        np.testing.assert_array_equal(dense_array(pre.view(name, table)), np.zeros((2, 1)))
    assert TabularPreprocessor.from_state(pre.state()).view("dense", table).shape == (2, 1)


def test_real_numbers_keep_their_order():
    X = load_breast_cancer().data
    pre, table = TabularPreprocessor.fit_check(X)
    assert pre.n_numeric == 30
    assert pre.view("ple", table).shape == (569, 30 + 30 * (320 // 30))
    dense = pre.view("dense", table)
    assert dense.shape == (569, 30)
    for j in range(30):
        assert (np.diff(dense[np.argsort(X[:, j]), j]) >= 0).all()


CELLS = st.one_of(
    st.none(), st.integers(-5, 5), st.floats(-1e6, 1e6), st.booleans(), st.text(st.characters(), max_size=8)
)


@settings(deadline=None, max_examples=60)
@given(st.lists(CELLS, min_size=2, max_size=12), st.lists(CELLS, min_size=1, max_size=5))
@pytest.mark.filterwarnings("ignore:Column")
def test_whatever_the_cells_views_are_finite(cells, new):
    frame = pd.DataFrame({"x": pd.Series(cells, dtype=object)})
    pre, table = TabularPreprocessor.fit_check(frame)
    for data in (table, pre.check(pd.DataFrame({"x": pd.Series(new, dtype=object)}))):
        assert np.isfinite(pre.view("ple", data)).all()
        assert dense_array(pre.view("words", data)).shape[0] == len(data)
