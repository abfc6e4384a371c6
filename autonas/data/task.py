"""The prepared data of one search: target, folds, and the views of X that learners read.

Every learner sees the same folds, so that out-of-fold predictions of all of them can be combined
by a second layer.  Views (scaled numbers, codes for trees, images, ...) are made once, on first use.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

__all__ = ["Kind", "Modality", "Problem", "Folds", "Preprocessor", "Task"]

Kind = Literal["classification", "regression"]
Modality = Literal["tabular", "image", "series", "text"]


@dataclass(frozen=True)
class Problem:
    """What a model must know of the task to be built, trained and loaded again.

    ``n_outputs`` is the number of classes, or 1 in regression.  ``modality`` names the data.
    """

    kind: Kind
    n_outputs: int
    modality: Modality = "tabular"


@dataclass(frozen=True)
class Folds:
    """Row numbers of every fit: ``pairs[i] = (training rows, validation rows)``.

    Rows may be validated by several pairs (repeats; their predictions are averaged) or by none
    (partial k-fold on large data).  ``complementary``: every pair trains on all rows that it does
    not validate, which is what closed-form leave-fold-out needs.
    """

    pairs: tuple[tuple[np.ndarray, np.ndarray], ...]
    n_rows: int

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def covered(self) -> np.ndarray:
        """Sorted row numbers that at least one pair validates."""
        seen = np.zeros(self.n_rows, dtype=bool)
        for _, valid in self.pairs:
            seen[valid] = True
        return np.flatnonzero(seen)

    @property
    def complementary(self) -> bool:
        """Whether every pair splits all rows in two, and there is more than one pair."""
        return len(self.pairs) > 1 and all(len(t) + len(v) == self.n_rows for t, v in self.pairs)

    def average(self, parts: list[np.ndarray]) -> np.ndarray:
        """Validation predictions of all pairs, averaged by row.

        Parameters
        ----------
        parts : list of (len(valid rows), outputs) arrays, one per pair

        Returns
        -------
        (n_rows, outputs) float32 array, NaN in rows that no pair validates.
        """
        total = np.zeros((self.n_rows, parts[0].shape[1]), dtype=np.float64)
        count = np.zeros((self.n_rows, 1))
        for (_, valid), part in zip(self.pairs, parts, strict=True):
            total[valid] += part
            count[valid] += 1
        with np.errstate(invalid="ignore"):
            return (total / np.where(count == 0, np.nan, count)).astype(np.float32)


class Preprocessor(ABC):
    """Fitted once on all training rows, without the target; turns X into named views.

    Attributes
    ----------
    views : tuple of str
        Names that :meth:`view` accepts.
    """

    views: tuple[str, ...] = ()

    @property
    @abstractmethod
    def n_features(self) -> int:
        """Columns of the table (1 for texts), or the length of the first axis of one image or series, as given."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """One sentence on how the data was read."""

    @abstractmethod
    def check(self, X: Any) -> Any:
        """New data in the form that was fitted; a DataError names what is missing or wrong."""

    @abstractmethod
    def view(self, name: str, X: Any) -> Any:
        """The named view of checked data: (rows, ...) float32 array, or a CSR matrix."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Plain state (see ``autonas.core.state``)."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict[str, Any]) -> Preprocessor:
        """Inverse of :meth:`state`."""


@dataclass
class Task:
    """Data ready for evaluators.

    Attributes
    ----------
    problem : Problem
    X : DataFrame or array
        Checked input, all rows (a validation set of the person's own is appended).
    y : (n_rows,) array
        int64 class codes, or float64 targets.
    weight : (n_rows,) float64 array or None
        Sample weights including class weights, mean 1.
    folds : Folds
    preprocessor : Preprocessor
    classes : (n_outputs,) array or None
        Original labels, sorted; None in regression.
    groups : (n_rows,) array or None
        Rows of one group belong together.
    """

    problem: Problem
    X: Any
    y: np.ndarray
    folds: Folds
    preprocessor: Preprocessor
    weight: np.ndarray | None = None
    classes: np.ndarray | None = None
    groups: np.ndarray | None = None
    _views: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def n_features(self) -> int:
        """Columns of a table (1 for texts), or the length of the first axis of one image or series."""
        return self.preprocessor.n_features

    def view(self, name: str) -> Any:
        """The named view of all rows, made once."""
        if name not in self._views:
            self._views[name] = self.preprocessor.view(name, self.X)
        return self._views[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of one row in a view, which need not be made for it."""
        view = self._views.get(name)
        return tuple((self.preprocessor.view(name, self.X[:1]) if view is None else view).shape[1:])

    def narrowed(self) -> tuple[Task, np.ndarray]:
        """The task of the rows alone that some pair of folds uses, and their sorted numbers."""
        used = np.zeros(self.n_rows, dtype=bool)
        for pair in self.folds.pairs:
            for side in pair:
                used[side] = True
        rows = np.flatnonzero(used)
        place = np.cumsum(used) - 1
        X = self.X.iloc[rows].reset_index(drop=True) if hasattr(self.X, "iloc") else self.X[rows]
        pairs = tuple((place[train], place[valid]) for train, valid in self.folds.pairs)
        weight = None if self.weight is None else self.weight[rows]
        groups = None if self.groups is None else self.groups[rows]
        folds = Folds(pairs, len(rows))
        return replace(self, X=X, y=self.y[rows], folds=folds, weight=weight, groups=groups, _views={}), rows

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_views": {}}
