"""Extremely randomised trees (Geurts et al 2006): one forest per fold, grown tree by tree.

Tree ``t`` of fold ``f`` depends on (seed, f, t) alone, so that growth goes on exactly wherever it stopped.  With
repeated folds each forest has its share of the trees, since a row's out-of-fold prediction averages the repeats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from autonas.core.clock import Clock
from autonas.data.task import Task
from autonas.training.compact_trees import CompactTrees
from autonas.training.learner import Report, go_on
from autonas.training.matrix import MatrixLearner

__all__ = ["LEARNER", "TreesLearner"]

_SLICE = 5  # trees of one fold before it is the next one's turn
_VOTES = 2  # more trees than twice as many change little but the time
_COLUMNS = {"sqrt": "sqrt", "half": 0.5, "all": 1.0}


class TreesLearner(MatrixLearner):
    """Options: ``features``, ``trees``, ``columns`` (tried per split: sqrt, half, all), ``min_rows`` (of a leaf)."""

    fidelity: ClassVar[str] = "trees"
    _forests: list[CompactTrees]
    _voters: float  # trees that vote on a row's out-of-fold prediction
    _totals: list[np.ndarray]  # sums of the trees' predictions of each fold's validation rows

    def train(self, task: Task, until: float = 1.0, clock: Clock | None = None, report: Report = go_on) -> None:
        """Grow every fold to its share of ``until`` x ``trees``."""
        if self.progress >= until:
            return
        self._fit_scale(task)
        clock = clock or Clock()
        X = task.view(self.view)
        label = task.y if self.scale is None else self.scale.forward(task.y)
        if self.progress == 0:
            self._forests = [CompactTrees(X.shape[1], self.problem.n_outputs) for _ in task.folds.pairs]
            self._totals = [np.zeros((len(valid), self.problem.n_outputs)) for _, valid in task.folds.pairs]
        repeats = sum(len(valid) for _, valid in task.folds.pairs) / len(task.folds.covered)
        everything = math.ceil(int(self.options.get("trees", 150)) / max(1.0, repeats))
        wanted = max(1, round(until * everything))
        for stop in _stops(min(map(len, self._forests)), wanted):
            for fold in range(len(task.folds)):
                self._grow(X, label, task, fold, stop, clock)
            self._collect(task, repeats)
            loss = self._loss(self.out_of_fold(), task.y, task.weight)
            self.curve.append((stop / everything, loss))
            if not report(stop / everything, {"loss": loss}) or clock.over():
                break
        self.progress = until
        self.info["trees"] = [len(forest) for forest in self._forests]

    def _grow(self, X: np.ndarray, label: np.ndarray, task: Task, fold: int, stop: int, clock: Clock) -> None:
        """Up to ``stop`` trees for one fold; at least one, however short the time."""
        from sklearn.tree import ExtraTreeClassifier, ExtraTreeRegressor

        train, valid = task.folds.pairs[fold]
        forest, outputs = self._forests[fold], self.problem.n_outputs
        x, y = np.ascontiguousarray(X[train], dtype=np.float32), label[train]
        weight = None if task.weight is None else task.weight[train]
        complete = not np.isnan(x).any()
        make = ExtraTreeRegressor if self.scale is not None else ExtraTreeClassifier
        before = len(forest)
        while len(forest) < stop and not (len(forest) and clock.over()):
            seed = np.random.SeedSequence([self.seed, fold, len(forest)]).generate_state(1)[0]
            model = make(
                max_features=_COLUMNS[str(self.options.get("columns", "sqrt"))],
                min_samples_leaf=int(self.options.get("min_rows", 2)),
                random_state=int(seed),
            )
            # checking is for NaN, which most views do not have; it would cost more than a small tree
            model.fit(x, y, sample_weight=weight, check_input=not complete)
            values = model.tree_.value[:, 0, :]
            if self.scale is None and values.shape[1] < outputs:  # classes that this fold does not train on
                values = np.zeros((len(values), outputs))
                values[:, model.classes_.astype(np.int64)] = model.tree_.value[:, 0, :]
            forest.add(model.tree_, values)
        if len(forest) > before:
            self._totals[fold] += forest.total(X[valid], slice(before, None))

    def _collect(self, task: Task, repeats: float) -> None:
        """Out-of-fold scores of the trees so far."""
        self._voters = repeats * float(np.mean([len(forest) for forest in self._forests]))
        means = [total / len(forest) for total, forest in zip(self._totals, self._forests, strict=True)]
        if self.scale is not None:
            self._scores = task.folds.average([self.scale.inverse(mean) for mean in means])
            return
        self._scores = self._logits(task.folds.average(means))

    def _logits(self, shares: np.ndarray) -> np.ndarray:
        """Log shares of the votes, with one vote more that is spread over the classes: none is impossible."""
        smooth = (shares * self._voters + 1 / self.problem.n_outputs) / (self._voters + 1)
        return np.log(smooth).astype(np.float32)

    def predict(self, view: Any) -> np.ndarray:
        """(rows, n_outputs) float32 scores: the mean over some trees of every fold, twice those of a validation row."""
        each = math.ceil(_VOTES * self._voters / len(self._forests))
        means = [forest.total(view, slice(each)) / min(each, len(forest)) for forest in self._forests]
        if self.scale is not None:
            return np.mean([self.scale.inverse(mean) for mean in means], axis=0).astype(np.float32)
        return self._logits(np.mean(means, axis=0))

    def state(self) -> dict[str, Any]:
        """Everything needed to predict and to continue."""
        return {
            **super().state(),
            "voters": self._voters,
            "forests": [forest.state() for forest in self._forests],
            "totals": self._totals,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        super().restore(state)
        self._voters = float(state["voters"])
        self._forests = [CompactTrees.from_state(forest) for forest in state["forests"]]
        self._totals = [np.array(total) for total in state["totals"]]


def _stops(grown: int, wanted: int) -> Iterator[int]:
    """Numbers of trees after which to look up: one, then every five."""
    yield from (stop for stop in (1, *range(_SLICE, wanted, _SLICE), wanted) if grown < stop <= wanted)


LEARNER = TreesLearner
