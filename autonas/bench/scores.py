"""How good a search is so far: normalised regret for one objective, mean gap to the true front for several.

Both score what the search would answer, not what it happened to see: the configuration (or the front) that looked
best to it, by its true values.  With noise the score may therefore rise.  The gap is the modified inverted
generational distance (IGD+, Ishibuchi et al 2015) in units of the front's range, since the hypervolume hardly tells
searches apart on such tables.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np

from autonas.bench.functions import Function
from autonas.core.pareto import non_dominated
from autonas.core.trial import Config
from autonas.errors import OptionError
from autonas.evaluators.benchmarks import Table

__all__ = ["Gap", "Regret", "Score", "make_score", "mean_gap", "true_front"]


class Score(Protocol):
    """Told of every evaluation, answers with the score after it; 0 is perfect."""

    def update(self, config: Config, fidelity: float, seen: Any) -> float: ...


def make_score(benchmark: Table | Function, objectives: Sequence[str]) -> Score:
    """The score that fits the number of objectives.

    Raises
    ------
    OptionError
        For several objectives of a function, which has one.
    """
    if len(objectives) == 1:
        return Regret(benchmark)
    if not isinstance(benchmark, Table):
        raise OptionError(f"{benchmark.name} has one objective, not {', '.join(objectives)}. Several need a table.")
    return Gap(benchmark, objectives)


class Regret:
    """Normalised regret of the configuration with the lowest loss seen at the highest fidelity so far."""

    def __init__(self, benchmark: Table | Function) -> None:
        self.benchmark = benchmark
        self.best = (0.0, math.inf)
        self.score = math.nan

    def update(self, config: Config, fidelity: float, seen: float) -> float:
        if (-fidelity, seen) < self.best:
            self.best = (-fidelity, seen)
            self.score = self.benchmark.normalised_regret(config)
        return self.score


class Gap:
    """Mean distance from the true front to what the front that was found dominates.

    Parameters
    ----------
    table : Table
    objectives : sequence of str
        All are minimised.
    """

    def __init__(self, table: Table, objectives: Sequence[str]) -> None:
        self.table, self.objectives = table, tuple(objectives)
        self.true = table.true_values(objectives)
        self.front = true_front(table, self.objectives)
        self.scale = np.ptp(self.front, axis=0)
        self.scale[self.scale == 0] = 1.0
        self.seen = np.empty((0, len(objectives)))
        self.rows = np.empty(0, dtype=np.int64)

    def update(self, config: Config, fidelity: float, seen: Mapping[str, float]) -> float:
        point = np.array([seen[name] for name in self.objectives])
        if not ((self.seen <= point).all(axis=1)).any():
            stay = ~(self.seen >= point).all(axis=1)
            self.seen = np.vstack([self.seen[stay], point])
            self.rows = np.append(self.rows[stay], self.table.row(config))
        return mean_gap(self.front, self.true[self.rows], self.scale)


@cache
def true_front(table: Table, objectives: tuple[str, ...]) -> np.ndarray:
    """(n, objectives) array: the true values that no other configuration dominates, each once, sorted."""
    values = np.unique(table.true_values(objectives), axis=0)
    return values[non_dominated(values)]


def mean_gap(front: np.ndarray, found: np.ndarray, scale: np.ndarray) -> float:
    """IGD+ of (k, m) found points against the (n, m) front, each objective divided by its scale."""
    short = np.maximum(found[None] - front[:, None], 0.0) / scale
    return float(np.sqrt((short**2).sum(axis=2)).min(axis=1).mean())
