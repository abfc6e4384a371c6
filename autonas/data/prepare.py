"""From X and y as a person has them to a task that learners read; all bad input ends here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from autonas.data import check
from autonas.data.arrays import ImagePreprocessor, SeriesPreprocessor
from autonas.data.modality import infer_layout
from autonas.data.splits import make_folds
from autonas.data.tabular import TabularPreprocessor
from autonas.data.task import Kind, Preprocessor, Problem, Task
from autonas.data.tokens import TextPreprocessor
from autonas.errors import DataError, OptionError

__all__ = ["prepare", "data_hash", "restore_preprocessor"]

_PREPROCESSORS: dict[str, Any] = {
    "tabular": TabularPreprocessor,
    "image": ImagePreprocessor,
    "series": SeriesPreprocessor,
    "text": TextPreprocessor,
}


def prepare(
    X: Any,
    y: Any,
    *,
    kind: Kind,
    modality: str = "auto",
    cv: Any = "auto",
    groups: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    X_val: Any = None,
    y_val: Any = None,
    seed: int = 0,
) -> Task:
    """Check the data, fit the preprocessor and draw the folds.

    Parameters
    ----------
    X : DataFrame, array or list of str
        (rows, columns), images, series or texts; see ``autonas.data.modality``.
    y : (rows,) array
        Labels of any type, or numbers.
    kind : {"classification", "regression"}
    modality : {"auto", "tabular", "image", "series", "text"}
    cv, groups, seed
        See :func:`autonas.data.splits.make_folds`.
    sample_weight : (rows,) array or None
        Zero is allowed: the row counts for nothing.
    class_weight : None, "balanced" or dict of label to float
        Multiplies the weights of rows by their class.
    X_val, y_val : as X and y, or None
        Validation set of the person's own; it replaces the folds.

    Returns
    -------
    Task

    Raises
    ------
    DataError, OptionError
        Before anything is fitted.
    """
    if (X_val is None) != (y_val is None):
        raise DataError("X_val and y_val belong together: give both or neither.")
    if X_val is not None and (groups is not None or not (isinstance(cv, str) and cv == "auto")):
        raise OptionError("X_val replaces the folds, so cv and groups have no meaning with it. Drop one of the two.")
    given, read = X, _reader(X, modality)
    X = read(X)
    n = len(X)
    target, classes = _target(y, n, kind)
    weight = _weights(sample_weight, class_weight, target, classes)
    if X_val is not None:
        X_val = read(X_val)
        extra = _validation_target(y_val, len(X_val), classes)
        weight = _extend(weight, class_weight, extra, classes)
        target = np.concatenate([target, extra])
    folds = make_folds(target, kind, cv=cv, groups=groups, seed=seed, n_validation=len(target) - n)
    layout = infer_layout(X, modality)
    preprocessor: Preprocessor
    if layout.modality == "tabular":
        preprocessor, data = TabularPreprocessor.fit_check(X, seed)
    elif layout.modality == "text":
        preprocessor, data = TextPreprocessor.fit_check(given, seed)  # which may name its column
    else:
        preprocessor, data = _PREPROCESSORS[layout.modality].fit_check(X, layout, seed)
    if X_val is not None:
        data = _append(data, preprocessor.check(X_val))
    n_outputs = 1 if classes is None else len(classes)
    problem = Problem(kind, n_outputs, layout.modality)
    together = None if groups is None else np.asarray(groups)
    return Task(problem, data, target, folds, preprocessor, weight, classes, together)


def _reader(X: Any, modality: str) -> Callable[[Any], Any]:
    """What reads X, and a validation set like it."""
    if modality == "text" or (modality == "auto" and check.is_text(X)):
        return check.as_texts
    return check.as_table if hasattr(X, "columns") and modality in ("auto", "tabular") else check.as_array


def restore_preprocessor(problem: Problem, state: dict[str, Any]) -> Preprocessor:
    """The preprocessor of a saved model."""
    return _PREPROCESSORS[problem.modality].from_state(state)


def _target(y: Any, n: int, kind: Kind) -> tuple[np.ndarray, np.ndarray | None]:
    least = f"Found array with {n} sample(s) (n_samples={n}) while a minimum of 2 is required: collect more rows."
    if kind == "regression":
        numbers = check.as_numbers(y, n)
        if n < 2:
            raise DataError(least)
        return numbers, None
    labels = check.as_labels(y, n)
    if n < 2:
        raise DataError(least)
    return check.encode(labels)


def _validation_target(y_val: Any, n: int, classes: np.ndarray | None) -> np.ndarray:
    if classes is None:
        return check.as_numbers(y_val, n, "y_val")
    return check.encode(check.as_labels(y_val, n, "y_val"), classes, "y_val")[0]


def _weights(
    sample_weight: Any, class_weight: Any, target: np.ndarray, classes: np.ndarray | None
) -> np.ndarray | None:
    """Sample weights x class weights, mean 1; None if all rows count alike."""
    if class_weight is not None and classes is None:
        raise OptionError("class_weight has a meaning for classification only. Use sample_weight for regression.")
    if sample_weight is None and class_weight is None:
        return None
    weight = np.ones(len(target)) if sample_weight is None else check.as_weight(sample_weight, len(target))
    if class_weight is not None and classes is not None:
        weight = weight * check.class_weights(class_weight, target, classes, weight)[target]
    if classes is not None and len(np.unique(target[weight > 0])) < 2:
        raise DataError(
            "Only rows of one class have a weight above zero; at least 2 classes are needed. "
            "Check sample_weight and class_weight."
        )
    return weight / weight.mean()


def _extend(
    weight: np.ndarray | None, class_weight: Any, extra: np.ndarray, classes: np.ndarray | None
) -> np.ndarray | None:
    """Weights of all rows, where rows of the validation set count alike, or by their class."""
    if weight is None:
        return None
    ones = np.ones(len(extra))
    if class_weight is not None and classes is not None:
        ones = check.class_weights(class_weight, extra, classes, ones)[extra]
    return np.concatenate([weight, ones / ones.mean()])


def _append(first: Any, second: Any) -> Any:
    if isinstance(first, np.ndarray):
        return np.concatenate([first, second])
    import pandas as pd

    return pd.concat([first, second], ignore_index=True)


def data_hash(task: Task) -> str:
    """SHA-256 over X, y, weights and folds of a task: equal data gives equal hashes in every process."""
    digest = hashlib.sha256(repr((task.problem, task.n_rows)).encode())
    columns = [task.X] if isinstance(task.X, np.ndarray) else [task.X[c].to_numpy() for c in task.X.columns]
    arrays = [*columns, task.y, *(side for pair in task.folds.pairs for side in pair)]
    if task.weight is not None:
        arrays.append(task.weight)
    if task.classes is not None:
        arrays.append(task.classes.astype(str).astype(object))
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        text = array.dtype == object
        content: Any = "\0".join(array.tolist()).encode(errors="surrogatepass") if text else np.ascontiguousarray(array)
        digest.update(content)
    return digest.hexdigest()
