"""Bad input gives one clear error that contains scikit-learn's phrase."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.class_weight import compute_class_weight

from autonas.data import check
from autonas.errors import AutoNASError, DataError, OptionError


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros(3), "Expected 2D array, got 1D array.*Reshape your data"),
        (pd.Series([1, 2]), "to_frame"),
        (np.float64(3), "scalar"),
        (np.zeros((0, 3)), r"0 sample\(s\)"),
        (np.zeros((12, 0)), r"0 feature\(s\) \(shape=\(12, 0\)\) while a minimum of 1 is required\."),
        (np.zeros((2, 2)) + 1j, "Complex data not supported"),
        ([[1, 2], [3]], "same length"),
        (np.zeros((2, 2, 2)), "2 dimensions"),
        (pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"]), "'a' occurs more than once"),
        (pd.DataFrame(np.zeros((2, 2)), columns=[1, "1"]), "'1' occurs more than once"),
    ],
)
def test_tables_that_are_none(X, message):
    with pytest.raises(DataError, match=message):
        check.as_table(X)


def test_sparse_data_is_a_type_error_that_says_how_to_go_on():
    with pytest.raises(TypeError, match=r"Sparse data.*toarray") as caught:
        check.as_table(csr_array(np.eye(3)))
    assert isinstance(caught.value, AutoNASError)


def test_an_array_becomes_a_table_without_a_copy():
    X = np.arange(6.0).reshape(3, 2)
    X.flags.writeable = False
    assert np.shares_memory(check.as_table(X).to_numpy(), X)


@pytest.mark.parametrize("read", [check.as_labels, check.as_numbers])
@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed, but the target y is None"),
        ([1, 2], "inconsistent numbers of samples: X has 3 rows, y has 2"),
        (np.zeros((3, 2)), r"1d array, got an array of shape \(3, 2\).*MultiOutput"),
        ([1.0, np.nan, np.nan], r"NaN: 2 of 3 values \(first in row 1\)"),
        (np.array([1, None, 2], dtype=object), "NaN: 1 of 3"),
        ([1.0, np.inf, 0.0], "infinity: 1 of 3"),
        (np.array([1j, 0, 1]), "Complex data not supported"),
    ],
)
def test_targets_that_are_none(read, y, message):
    with pytest.raises(DataError, match=message):
        read(y, 3)


def test_a_column_vector_is_a_warning():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed when a 1d array was expected"):
        assert check.as_numbers([[1], [2]], 2).shape == (2,)


def test_a_continuous_target_is_no_label():
    with pytest.raises(DataError, match="Unknown label type: continuous"):
        check.as_labels([0.5, 1.0, 2.0], 3)


def test_a_quantity_in_whole_numbers_is_no_label_unless_it_is_given_as_text():
    prices = np.arange(300, 800)
    with pytest.raises(DataError, match=r"500 different numbers in 500 rows.*Use AutoNASRegressor"):
        check.encode(prices)
    assert len(check.encode(prices.astype(str))[1]) == 500
    assert len(check.encode(np.repeat(prices, 11))[1]) == 500
    assert len(check.encode(np.arange(100))[1]) == 100


def test_words_are_no_regression_target():
    with pytest.raises(DataError, match="Regression needs a numeric target"):
        check.as_numbers(["a", "b"], 2)
    assert check.as_numbers(["1", "2.5"], 2).tolist() == [1.0, 2.5]


@pytest.mark.parametrize(
    "labels",
    [["no", "yes", "no"], [False, True, False], [3, 7, 3], [0.0, 1.0, 0.0], pd.Categorical(["u", "v", "u"])],
)
def test_labels_of_any_type_are_coded_in_sorted_order(labels):
    codes, classes = check.encode(check.as_labels(labels, 3))
    assert codes.tolist() == [0, 1, 0]
    assert classes.tolist() == sorted(set(labels))


def test_impossible_labels():
    with pytest.raises(DataError, match="at least 2 classes"):
        check.encode(np.array(["a", "a"]))
    with pytest.raises(DataError, match="several types"):
        check.encode(np.array(["a", 1], dtype=object))
    with pytest.raises(DataError, match=r"y_val holds classes that y does not have: \['c'\]"):
        check.encode(np.array(["a", "c"]), np.array(["a", "b"]), "y_val")


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(4), r"sample_weight\.shape == \(4,\), expected \(3,\)!"),
        (np.ones((3, 2)), r"sample_weight\.shape"),
        ([1, -1, 1], "not negative"),
        ([1, np.nan, 1], "finite"),
        ([0, 0, 0], "non-zero"),
    ],
)
def test_impossible_weights(weight, message):
    with pytest.raises(DataError, match=message):
        check.as_weight(weight, 3)


def test_class_weights_are_those_of_scikit_learn():
    codes, classes = np.array([0, 0, 0, 1, 2, 2]), np.array(["a", "b", "c"])
    found = check.class_weights("balanced", codes, classes, np.ones(6))
    np.testing.assert_allclose(found, compute_class_weight("balanced", classes=np.arange(3), y=codes))
    assert check.class_weights({"b": 5}, codes, classes, np.ones(6)).tolist() == [1, 5, 1]
    with pytest.raises(OptionError, match=r"class 'bb'.*Did you mean 'b'"):
        check.class_weights({"bb": 5}, codes, classes, np.ones(6))
    with pytest.raises(OptionError, match="class_weight must be"):
        check.class_weights("even", codes, classes, np.ones(6))


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (["a", "b"], "classification"),
        ([True, False, True], "classification"),
        (pd.Categorical([1, 2, 3]), "classification"),
        ([1.0, 2.0, None, 1.0], "classification"),
        (list(range(5)) * 20, "classification"),
        (list(range(100)), "regression"),
        ([0.5 * i for i in range(5)] * 20, "regression"),
    ],
)
def test_the_kind_of_a_target(y, kind):
    assert check.infer_kind(y) == kind


def test_times_are_no_classes():
    with pytest.raises(DataError, match="holds times"):
        check.as_labels(np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]"), 2)
