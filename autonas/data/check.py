"""What X, y and the weights must be, and one clear error where they are not.

Messages name what was required, what was given and what to do; where scikit-learn has a standing
phrase for a mistake, the message contains it, so that code written for scikit-learn understands.
Missing values in X are data, not a mistake; infinities are a mistake (found where columns are read).
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.data.task import Kind
from autonas.errors import DataError, OptionError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "SparseDataError",
    "near",
    "as_array",
    "as_table",
    "as_texts",
    "as_labels",
    "as_numbers",
    "as_weight",
    "class_weights",
    "encode",
    "infer_kind",
    "is_text",
]

MOST_NUMBERS = 100  # different whole numbers that are taken for classes, however few the rows are


class SparseDataError(DataError, TypeError):
    """X is a sparse matrix, which no learner here reads."""


def near(name: object, names: Iterable[object]) -> str:
    """Sentence with the names that resemble ``name``, or the first of them all; "" if there are none."""
    known = [str(other) for other in names]
    found = difflib.get_close_matches(str(name), known, n=3, cutoff=0.5)
    if found:
        return f"Did you mean {' or '.join(map(repr, found))}?"
    shown = ", ".join(map(repr, known[:10])) + (", ..." if len(known) > 10 else "")
    return f"There are: {shown}." if known else ""


def as_array(X: Any) -> np.ndarray:
    """X as a numpy array of any number of dimensions above one, with at least one row and column.

    Raises
    ------
    DataError
        Sparse, ragged, complex, empty, scalar or one-dimensional X.
    """
    if hasattr(X, "toarray") and hasattr(X, "nnz"):
        raise SparseDataError(
            "Sparse data was passed for X, but dense data is required. Use X.toarray() if it fits in memory, "
            "or reduce the columns first (for example with sklearn.decomposition.TruncatedSVD)."
        )
    try:
        array = np.asarray(X)
    except ValueError as error:
        raise DataError(f"X cannot be read as an array: {error}. All rows must have the same length.") from error
    if array.dtype.kind == "c":
        raise DataError("Complex data not supported: pass real and imaginary parts as separate columns.")
    if array.ndim < 2:
        shape = "scalar array" if array.ndim == 0 else "1D array"
        raise DataError(
            f"Expected 2D array, got {shape} instead (shape {array.shape}). Reshape your data: X.reshape(-1, 1) "
            "(X.to_frame() for a Series) if it is a single column, X.reshape(1, -1) if it is a single row."
        )
    _check_size(array.shape)
    return array


def _check_size(shape: Sequence[int]) -> None:
    if shape[0] == 0:
        raise DataError(f"Found array with 0 sample(s) (shape={tuple(shape)}) while a minimum of 1 is required.")
    if 0 in shape[1:]:
        raise DataError(f"Found array with 0 feature(s) (shape={tuple(shape)}) while a minimum of 1 is required.")


def as_table(X: Any) -> pd.DataFrame:
    """X as a DataFrame, without a copy where none is needed.

    Raises
    ------
    DataError
        As :func:`as_array`; more than two dimensions; two columns of one name.
    """
    import pandas as pd

    if isinstance(X, pd.DataFrame):
        _check_size(X.shape)
        labels = X.columns.map(str)  # 1 and "1" would be one column in a saved model
        if not labels.is_unique:
            twice = labels[labels.duplicated()][0]
            raise DataError(f"Column names must be unique, but {twice!r} occurs more than once. Rename the columns.")
        return X
    array = as_array(X)
    if array.ndim > 2:
        raise DataError(
            f"A table has 2 dimensions (rows, columns), but X has shape {array.shape}. "
            "Pass X.reshape(len(X), -1), or choose modality='image' or 'series'."
        )
    return pd.DataFrame(array, copy=False)


def is_text(X: Any) -> bool:
    """Whether X has one dimension (list, array, Series) and holds strings; a table is never text by itself."""
    if not isinstance(X, list | tuple) and (getattr(X, "ndim", 0) != 1 or X.dtype.kind not in "OUT"):
        return False
    return any(isinstance(value, str) for value in X)


def as_texts(X: Any, column: str | None = None) -> np.ndarray:
    """X as a new (rows,) array of strings; a missing text is "".

    Parameters
    ----------
    X : list, 1-d array, Series, or table of one column
    column : str or None
        The column to take if X is a table of several.

    Raises
    ------
    DataError
        One string alone, several columns of which none is named ``column``, no rows, or something that is no string.
    """
    import pandas as pd

    if isinstance(X, str):
        raise DataError("X is a single string, but a list of texts is required. Pass [X] for one text.")
    if hasattr(X, "columns") and X.shape[1] != 1:
        if column not in X.columns:
            wanted = "one column" if column is None else f"one column, or one that is named {column!r}"
            raise DataError(
                f"Text data is {wanted}, but X has {X.shape[1]} columns ({', '.join(map(str, X.columns[:10]))}). "
                "Pass the one with the texts (X['name']), or let modality='tabular' read them all."
            )
        X = X[column]
    values = np.asarray(X, dtype=object)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"Text data is a list or a 1-d array of strings, but X has shape {values.shape}. Reshape X.")
    _check_size(values.shape)
    missing = np.asarray(pd.isna(values))
    for row, value in enumerate(values):
        if not isinstance(value, str) and not missing[row]:
            raise DataError(
                f"Text data is a list of strings, but row {row} holds {value!r:.60} ({type(value).__name__}). "
                "Make them strings, for example with [str(x) for x in X]."
            )
    return np.array(["" if gone else str(value) for value, gone in zip(values, missing, strict=True)], dtype=object)


def _column(y: Any, n_rows: int, name: str = "y") -> np.ndarray:
    """One value for each row, as a 1-d array."""
    if y is None:
        raise DataError(
            f"AutoNAS requires y to be passed, but the target {name} is None. Pass one value for each row of X."
        )
    target = np.asarray(y)
    if target.dtype.kind == "c":
        raise DataError("Complex data not supported: the target must be real numbers or labels.")
    if target.ndim == 2 and target.shape[1] == 1:
        from sklearn.exceptions import DataConversionWarning

        warnings.warn(
            f"A column-vector {name} was passed when a 1d array was expected. "
            f"Please change the shape of {name} to (n_samples, ), for example using ravel().",
            DataConversionWarning,
            stacklevel=3,
        )
        target = target[:, 0]
    if target.ndim != 1:
        raise DataError(
            f"{name} should be a 1d array, got an array of shape {target.shape} instead. For several targets fit "
            "one model per column, or wrap the estimator in sklearn.multioutput.MultiOutputClassifier or "
            "MultiOutputRegressor."
        )
    if len(target) != n_rows:
        raise DataError(
            f"Found input variables with inconsistent numbers of samples: X has {n_rows} rows, {name} has "
            f"{len(target)} values. Each row needs exactly one."
        )
    return target


def _check_missing(bad: np.ndarray, name: str, what: str) -> None:
    rows = np.flatnonzero(bad)
    if len(rows):
        raise DataError(
            f"Input {name} contains {what}: {len(rows)} of {len(bad)} values (first in row {rows[0]}). "
            "Every row needs a known target: remove those rows from X and y."
        )


def as_numbers(y: Any, n_rows: int, name: str = "y") -> np.ndarray:
    """A regression target as (n_rows,) float64.

    Raises
    ------
    DataError
        Not numbers, missing (counted), infinite, of another length, or several columns.
    """
    import pandas as pd

    target = _column(y, n_rows, name)
    if target.dtype.kind not in "fiub":
        _check_missing(np.asarray(pd.isna(target)), name, "NaN")
    try:
        numbers = target.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"Regression needs a numeric target, but {name} holds values that are not numbers ({error}). "
            "Convert them, or use AutoNASClassifier."
        ) from error
    _check_missing(np.isnan(numbers), name, "NaN")
    _check_missing(np.isinf(numbers), name, "infinity")
    return numbers


def as_labels(y: Any, n_rows: int, name: str = "y") -> np.ndarray:
    """A classification target as an (n_rows,) array of labels (strings, booleans, integers, integral floats).

    Raises
    ------
    DataError
        Continuous numbers, missing (counted), infinite, of another length, or several columns.
    """
    import pandas as pd

    labels = _column(y, n_rows, name)
    _check_missing(np.asarray(pd.isna(labels)), name, "NaN")
    if labels.dtype.kind in "mM":
        raise DataError(f"Classes must be text, booleans or whole numbers, but {name} holds times. Use y.astype(str).")
    if labels.dtype.kind == "f":
        _check_missing(np.isinf(labels), name, "infinity")
        if (labels != np.floor(labels)).any():
            raise DataError(
                f"Unknown label type: continuous. Classification needs classes, but {name} holds numbers with "
                f"fractions (such as {labels[labels != np.floor(labels)][0]}). Use AutoNASRegressor, or bin the target."
            )
    return labels


def encode(labels: np.ndarray, classes: np.ndarray | None = None, name: str = "y") -> tuple[np.ndarray, np.ndarray]:
    """Class codes and the sorted classes.

    Parameters
    ----------
    labels : (rows,) array
    classes : (n_classes,) array or None
        Sorted classes that are known already; None takes those of ``labels``.

    Raises
    ------
    DataError
        One class only; hundreds of numbers that hardly repeat; labels that cannot be sorted; labels beyond the known
        classes.
    """
    try:
        found, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise DataError(
            f"Unknown label type: the labels in {name} are of several types ({error}). Use one type, "
            f"for example {name}.astype(str)."
        ) from error
    if classes is None:
        if len(found) < 2:
            raise DataError(
                f"Classification needs at least 2 classes, but all {len(labels)} values in {name} are of one class "
                f"({found[0]!r}). Check that {name} is the right column."
            )
        if len(found) > max(MOST_NUMBERS, len(labels) / 10) and found.dtype.kind in "iuf":
            raise DataError(
                f"{name} holds {len(found)} different numbers in {len(labels)} rows, more than one in ten, which reads "
                f"as a quantity. Use AutoNASRegressor; if they are classes all the same, give text: {name}.astype(str)."
            )
        return codes.astype(np.int64).ravel(), found
    place = {label: i for i, label in enumerate(classes.tolist())}
    new = [label for label in found.tolist() if label not in place]
    if new:
        raise DataError(f"{name} holds classes that y does not have: {new[:5]}. Known classes: {list(place)[:20]}.")
    return np.asarray([place[label] for label in found.tolist()], dtype=np.int64)[codes.ravel()], classes


def as_weight(weight: Any, n_rows: int) -> np.ndarray:
    """Sample weights as (n_rows,) float64, finite, not negative, not all zero.

    Raises
    ------
    DataError
    """
    array = np.asarray(weight, dtype=np.float64)
    if array.ndim == 0:
        array = np.full(n_rows, float(array))
    if array.shape != (n_rows,):
        raise DataError(
            f"sample_weight.shape == {array.shape}, expected {(n_rows,)}! Each row needs exactly one weight."
        )
    if not np.isfinite(array).all() or (array < 0).any():
        raise DataError(
            "Sample weights must be finite and not negative, but some are not. "
            "Replace missing or negative values in `sample_weight`, or remove those rows."
        )
    if not array.any():
        raise DataError("Sample weights must contain at least one non-zero number, but all of them are zero.")
    return array


def class_weights(class_weight: Any, codes: np.ndarray, classes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Factor of each class.

    Parameters
    ----------
    class_weight : "balanced" or dict of label to float
        "balanced" gives every class the same total weight; a class that the dict does not name has factor 1.

    Returns
    -------
    (n_classes,) float64 array
    """
    if isinstance(class_weight, str) and class_weight == "balanced":
        total = np.bincount(codes, weights=weight, minlength=len(classes))
        return weight.sum() / (len(classes) * np.where(total > 0, total, np.inf))
    if not isinstance(class_weight, dict):
        raise OptionError(f"class_weight must be None, 'balanced' or a dict of labels, not {class_weight!r}.")
    place = {label: i for i, label in enumerate(classes.tolist())}
    factors = np.ones(len(classes))
    for label, factor in class_weight.items():
        if label not in place:
            raise OptionError(f"class_weight names the class {label!r}, which y does not have. {near(label, place)}")
        if not (np.isfinite(factor) and factor >= 0):
            raise OptionError(f"class_weight[{label!r}] must be a number of at least 0, not {factor!r}.")
        factors[place[label]] = factor
    return factors


def infer_kind(y: Any) -> Kind:
    """Whether a target column reads as classes or as numbers.

    Strings, booleans and categories are classes, and so are integers with few distinct values (at most 20, and
    at most a tenth of the rows) and any numbers with two values; other numbers are a regression target.
    """
    import pandas as pd

    target = pd.Series(y).dropna()
    numeric = pd.api.types.is_numeric_dtype(target) and not pd.api.types.is_bool_dtype(target)
    if not numeric:
        return "classification"
    distinct = target.nunique()
    if distinct <= 2:
        return "classification"
    few = distinct <= min(20, len(target) // 10)
    return "classification" if few and pd.api.types.is_integer_dtype(target) else "regression"
