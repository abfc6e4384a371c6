"""Small tasks made by hand: data of scikit-learn under the simplest preprocessing, and folds by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autonas.data.task import Folds, Preprocessor, Problem, Task


class Standardised(Preprocessor):
    """``dense``: standardised columns; ``codes``: the columns as they are."""

    views = ("dense", "codes")

    def __init__(self, X: np.ndarray, categorical_columns: list[int]) -> None:
        self.mean, self.std = np.nanmean(X, axis=0), np.nanstd(X, axis=0) + 1e-9
        self.categorical_columns = categorical_columns

    @property
    def n_features(self) -> int:
        return len(self.mean)

    @property
    def summary(self) -> str:
        return f"{self.n_features} columns"

    def check(self, X: Any) -> Any:
        return X

    def view(self, name: str, X: Any) -> Any:
        if name == "codes":
            return X.astype(np.float32)
        return X if hasattr(X, "tocsr") else ((X - self.mean) / self.std).astype(np.float32)

    def state(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Preprocessor:
        raise NotImplementedError


def fold_pairs(name: str, n: int, seed: int = 0) -> Folds:
    """Folds by name: kfold, repeated, partial, holdout (rows of validation sets unsorted)."""
    if name == "holdout":
        order = np.random.default_rng(seed).permutation(n)
        return Folds(((order[n // 4 :], order[: n // 4]),), n)
    k, repeats, fitted = {"kfold": (4, 1, 4), "repeated": (4, 2, 4), "partial": (5, 1, 3)}[name]
    pairs = []
    for repeat in range(repeats):
        order = np.random.default_rng([seed, repeat]).permutation(n)
        pairs += [(order[np.arange(n) % k != f], order[np.arange(n) % k == f]) for f in range(fitted)]
    return Folds(tuple(pairs), n)


@pytest.fixture
def make_task():
    def make(X: Any, y: np.ndarray, folds: str | Folds = "kfold", weight: Any = None, categories: Any = ()) -> Task:
        classes = y.dtype.kind == "i"
        problem = Problem("classification", int(y.max()) + 1) if classes else Problem("regression", 1)
        preprocessor = Standardised(X if isinstance(X, np.ndarray) else np.zeros((2, 1)), list(categories))
        if isinstance(folds, str):
            folds = fold_pairs(folds, len(y))
        return Task(problem, X, y, folds, preprocessor, weight)

    return make


@pytest.fixture
def tasks(make_task):
    """``tasks(kind, folds)``: 240 rows of two classes, four classes or numbers."""
    from sklearn import datasets

    loaders = {
        "binary": datasets.load_breast_cancer,
        "multiclass": datasets.load_digits,
        "regression": datasets.load_diabetes,
    }

    def make(kind: str, folds: str | Folds = "kfold", weight: Any = None) -> Task:
        X, y = loaders[kind](return_X_y=True)
        if kind == "multiclass":
            X, y = X[y < 4], y[y < 4]
        X, y = X[:240], y[:240]
        return make_task(X, y.astype(np.float64 if kind == "regression" else np.int64), folds, weight)

    return make
