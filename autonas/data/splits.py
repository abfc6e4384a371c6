"""Which rows train and which validate: the folds that every learner of a search shares.

Few rows are used many times (repeated k-fold), many rows once (the first folds of a k-fold, a hold-out), since
out-of-fold predictions feed the ensemble and the fold models are bagged.  Classes are spread evenly over the
folds; rows of one group stay together.  Time-ordered data needs a splitter of the person's own (``cv=``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from autonas.data.check import near
from autonas.data.task import Folds, Kind
from autonas.errors import DataError, OptionError

__all__ = ["make_folds"]

_REPEATED = 600  # up to here five shuffles of the folds are cheap, and they halve the noise of out-of-fold scores
_PARTIAL = 30_000  # above, three folds of five are fitted
_HOLDOUT = 200_000  # above, one hold-out
_HOLDOUT_ROWS = 50_000
_FOLD_ROWS = 20_000  # validate one of the partial folds at most


def make_folds(
    y: np.ndarray,
    kind: Kind,
    *,
    cv: Any = "auto",
    groups: Any = None,
    seed: int = 0,
    n_validation: int = 0,
) -> Folds:
    """Rows of every fit.

    Parameters
    ----------
    y : (rows,) array
        Class codes or targets, a validation set of the person's own at the end.
    kind : {"classification", "regression"}
    cv : "auto", "holdout", int, scikit-learn splitter, or iterable of (training rows, validation rows)
    groups : (rows,) array or None
        Rows of one group are never on both sides.
    seed : int
    n_validation : int
        Rows at the end that validate the one pair; 0 if there is no such set.

    Returns
    -------
    Folds
        Every training side contains every class of at least two rows, and also classes of a single row as long as
        there are others (they always train); with ``groups`` or a splitter that is not always possible.

    Raises
    ------
    DataError, OptionError
    """
    n = len(y)
    if n_validation:
        return Folds(((np.arange(n - n_validation), np.arange(n - n_validation, n)),), n)
    if n < 2:
        raise DataError(f"Found array with {n} sample(s) (n_samples={n}) while a minimum of 2 is required.")
    if groups is not None:
        groups = _check_groups(groups, n)
    cv = int(cv) if isinstance(cv, np.integer) else cv
    if not isinstance(cv, str | int) or isinstance(cv, bool):
        return _given(y, kind, cv, groups)
    k, repeats, fitted = _plan(y, kind, cv, groups)
    classes = y.astype(np.int64) if kind == "classification" else np.zeros(n, dtype=np.int64)
    pairs = []
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        fold = _spread(classes, k, rng) if groups is None else _spread_groups(classes, groups, k, rng)
        pairs += [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(fitted)]
    return Folds(tuple(pairs), n)


def _plan(y: np.ndarray, kind: Kind, cv: str | int, groups: np.ndarray | None) -> tuple[int, int, int]:
    """Number of folds, of repeats, and of folds that are fitted."""
    n = len(y)
    most = n if groups is None else int(groups.max()) + 1
    if not isinstance(cv, str):
        if not 2 <= cv <= most:
            what = "rows" if groups is None else "groups"
            raise OptionError(f"cv={cv} is not possible: it must be at least 2 and at most the {most} {what}.")
        return int(cv), 1, int(cv)
    if cv not in ("auto", "holdout"):
        raise OptionError(
            f"Unknown cv {cv!r}. {near(cv, ['auto', 'holdout'])} It may also be a number of folds, a scikit-learn "
            "splitter, or a list of (training rows, validation rows)."
        )
    if cv == "holdout" or n > _HOLDOUT:
        return min(most, max(5, -(-n // _HOLDOUT_ROWS))), 1, 1
    k = 8 if n < 1500 else 5
    if kind == "classification":
        # five folds also for rarer classes: k of two would cost every other class half its training rows
        k = min(k, max(5, _rarest(y)))
    k = min(max(k, -(-n // _FOLD_ROWS)) if n > _PARTIAL else k, most)
    return k, 5 if n <= _REPEATED and k < most else 1, 3 if n > _PARTIAL and k > 3 else k


def _rarest(y: np.ndarray) -> int:
    """Size of the smallest class of at least two rows (0 if there is none)."""
    sizes = np.bincount(y.astype(np.int64))
    return int(sizes[sizes > 1].min(initial=len(y))) if (sizes > 1).any() else 0


def _spread(classes: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Fold of every row: the shuffled rows of one class after another are dealt like cards.

    So fold sizes, and the sizes of each class in the folds, differ by at most one.  A row that is alone in its class
    always trains (fold -1), unless too few rows would be left to validate.
    """
    order = np.lexsort((rng.permutation(len(classes)), classes))
    alone = np.bincount(classes)[classes[order]] == 1
    if (~alone).sum() >= max(k, len(order) // 2):
        order = order[~alone]
    fold = np.full(len(classes), -1)
    fold[order] = rng.permutation(k)[np.arange(len(order)) % k]
    return fold


def _spread_groups(classes: np.ndarray, groups: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """Fold of every row: groups go, largest first, where their classes are rarest so far (greedy)."""
    n_groups, n_classes = int(groups.max()) + 1, int(classes.max()) + 1
    sizes = np.bincount(groups * n_classes + classes, minlength=n_groups * n_classes).reshape(n_groups, n_classes)
    share = sizes / np.maximum(sizes.sum(axis=0), 1)
    rows = sizes.sum(axis=1)
    order = np.lexsort((rng.permutation(n_groups), -rows))
    filled, fold = np.zeros((k, n_classes)), np.empty(n_groups, dtype=np.int64)
    load = np.zeros(k)
    for place, group in enumerate(order):
        # first one group for each fold, so that none stays empty; then the smallest growth of the sum of squares
        best = place if place < k else int(np.argmin(filled @ share[group] + load * rows[group] / len(groups) ** 2))
        fold[group] = best
        filled[best] += share[group]
        load[best] += rows[group]
    return fold[groups]


def _check_groups(groups: Any, n: int) -> np.ndarray:
    """Groups as codes 0, 1, ..."""
    import pandas as pd

    codes, names = pd.factorize(np.asarray(groups))
    if codes.shape != (n,):
        raise DataError(f"groups must have one value for each of the {n} rows, but its shape is {np.shape(groups)}.")
    if (codes < 0).any():
        raise DataError(f"groups has {int((codes < 0).sum())} missing values. Each row needs a group.")
    if len(names) < 2:
        raise DataError("groups needs at least 2 different groups: one must validate what the others trained.")
    return codes.astype(np.int64)


def _given(y: np.ndarray, kind: Kind, cv: Any, groups: np.ndarray | None) -> Folds:
    """Folds of a splitter or of an iterable of pairs, checked."""
    n = len(y)
    if hasattr(cv, "split"):
        cv = cv.split(np.zeros((n, 1)), y, groups)
    if not isinstance(cv, Iterable):
        raise OptionError(
            f"cv must be 'auto', 'holdout', a number of folds, a scikit-learn splitter or a list of pairs, not {cv!r}."
        )
    pairs = []
    for i, pair in enumerate(cv):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise OptionError(f"cv[{i}] must be a pair (training rows, validation rows), not {type(pair).__name__}.")
        train, valid = (_rows(side, n, f"cv[{i}][{s}]") for s, side in enumerate(pair))
        if np.intersect1d(train, valid).size:
            raise DataError(f"cv[{i}] has rows that both train and validate; the two sides must be disjoint.")
        if groups is not None and np.intersect1d(groups[train], groups[valid]).size:
            raise DataError(f"cv[{i}] has groups on both sides. Use a splitter that respects groups, or drop `groups`.")
        if kind == "classification" and len(np.unique(y[train])) < 2:
            raise DataError(f"cv[{i}] trains on one class only. Use a stratified splitter.")
        pairs.append((train, valid))
    if not pairs:
        raise DataError("cv has no pairs. Give at least one (training rows, validation rows).")
    return Folds(tuple(pairs), n)


def _rows(side: Any, n: int, name: str) -> np.ndarray:
    """Row numbers from row numbers or a mask."""
    rows = np.asarray(side)
    if rows.dtype == bool and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or not len(rows) or rows.dtype.kind not in "iu":
        raise DataError(f"{name} must be a non-empty list of row numbers or a mask of {n} rows.")
    if rows.min() < 0 or rows.max() >= n:
        raise DataError(f"{name} has row numbers outside 0..{n - 1}.")
    return rows.astype(np.int64)
