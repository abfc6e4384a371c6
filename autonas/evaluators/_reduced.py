"""A task and a network made smaller, as the fidelity plan says: fewer rows, folds, pixels, filters or cells.

Validation rows stay what they are, so that losses at different shares of the data compare.  The rows of a smaller share
are among those of a larger one, class by class (Klein et al 2017 draw them at random).  Images shrink by means over
boxes, the better one of the methods of Chrabaszcz et al 2017.

Of a large task, a learner sees as many rows as it has the time and the memory for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from autonas.architectures.family import graph_module
from autonas.core.fidelity import Setting
from autonas.data.task import Folds, Task
from autonas.training.learner import Learner

__all__ = ["SMALLEST_SIDE", "affordable", "fewer_rows", "reduced_task", "shrunk", "slimmer"]

SMALLEST_SIDE = 8  # pixels
_LARGE = 50_000  # rows; of fewer, every learner sees all
_LEAST_ROWS = 20_000  # that a fold trains on, however short the time
_MOST_CELLS = 5e7  # of the training rows of a fold in the learner's view: 200 MB
_CELLS_PER_SECOND = {"rounds": 1e6, "epochs": 8e6}  # by what a learner counts: hundreds of rounds, some epochs
_OTHER_CELLS_PER_SECOND = 2e6
_NUMBERED = r"(_\d+)*"  # hyperparameters of one layer
_WIDTHS = re.compile(rf"(channels|width|filters|units|growth){_NUMBERED}")
_DEPTHS = re.compile(rf"(cells|repeats|layers|n_layers|depth|blocks){_NUMBERED}")


def reduced_task(task: Task, setting: Setting, seed: int) -> Task:
    """The task with fewer folds and fewer training rows in each; the task itself where nothing is less."""
    if setting.folds == 1 and setting.data == 1:
        return task
    folds = task.folds
    pairs = folds.pairs[: max(1, round(setting.folds * len(folds) + 1e-9))]
    if setting.data < 1:
        classes = task.y if task.problem.kind == "classification" else np.zeros(task.n_rows, dtype=np.int64)
        pairs = tuple((fewer_rows(train, classes, setting.data, seed), valid) for train, valid in pairs)
    return replace(task, folds=Folds(pairs, folds.n_rows))


def affordable(task: Task, learner: Learner, seconds: float | None, seed: int) -> tuple[Task, np.ndarray, float]:
    """The part of a large task that a learner has the time and the memory for.

    Parameters
    ----------
    task : Task
    learner : Learner
    seconds : float or None
        That it may train; None: as long as it takes.
    seed : int

    Returns
    -------
    task : Task
        Of the rows that are used; the task itself if it is not large, or a task of texts.
    rows : int array
        Their numbers in the task that was given.
    share : float
        Of the training rows, 1 or 1/2, 1/4, ...; the rows of a smaller share are among those of a larger one.
    """
    everything = np.arange(task.n_rows)
    if task.n_rows <= _LARGE or getattr(task.preprocessor, "has_text", False):
        return task, everything, 1.0
    rate = _CELLS_PER_SECOND.get(learner.fidelity, _OTHER_CELLS_PER_SECOND)
    cells = _MOST_CELLS if seconds is None else min(_MOST_CELLS, rate * seconds)
    most = max(_LEAST_ROWS, cells / math.prod(task.shape(learner.view)))
    share = 1.0
    while share * max(len(train) for train, _ in task.folds.pairs) > most:
        share /= 2
    part = reduced_task(task, Setting(data=share), seed)
    if len(np.unique(np.concatenate([side for pair in part.folds.pairs for side in pair]))) > 0.75 * task.n_rows:
        return part, everything, share
    return (*part.narrowed(), share)


def fewer_rows(rows: np.ndarray, classes: np.ndarray, share: float, seed: int) -> np.ndarray:
    """A share of each class's rows, at least one of each.

    Parameters
    ----------
    rows : int array
    classes : (n_rows,) int array
        Of all rows of the task.
    share : float
        In (0, 1].
    seed : int
        All rows have one order: those of a smaller share are among those of a larger one, in every fold.

    Returns
    -------
    int array, in the order of ``rows``.
    """
    rank = np.random.default_rng([seed, 0xDA7A]).permutation(len(classes))[rows]
    kept = np.zeros(len(rows), dtype=bool)
    for label in np.unique(classes[rows]):
        mine = np.flatnonzero(classes[rows] == label)
        count = int(np.ceil(share * len(mine) - 1e-9))
        kept[mine[np.argsort(rank[mine])[:count]]] = True
    return rows[kept]


def slimmer(family: str, options: Mapping[str, Any], setting: Setting) -> dict[str, Any]:
    """Options of a network with fewer filters in every layer and fewer cells or layers, as far as the family has them.

    Widths and depths are what its settings and hyperparameters call ``channels``, ``width``, ``filters``, ``units``,
    ``growth``; and ``cells``, ``repeats``, ``layers``, ``n_layers``, ``depth``, ``blocks``.
    """
    if setting.width == 1 and setting.depth == 1:
        return dict(options)
    module = graph_module(family)
    every = {**(module.SETTINGS if module is not None else {}), **options}
    groups = int(np.max(every.get("groups", 1)))  # of grouped convolutions, which must divide their channels
    changed = dict(options)
    for name, value in every.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            continue
        if _WIDTHS.fullmatch(name):
            changed[name] = _narrower(value, setting.width, math.gcd(value, groups))
        elif _DEPTHS.fullmatch(name):
            changed[name] = max(1, round(setting.depth * value))
    return changed


def _narrower(width: int, share: float, unit: int) -> int:
    """A share of a width, in multiples of ``unit``."""
    return max(unit, unit * round(share * width / unit))


def shrunk(side: int, share: float) -> int:
    """Pixels of the shorter side of images at a share; images that are small already stay as they are."""
    return min(side, max(SMALLEST_SIDE, round(share * side)))
