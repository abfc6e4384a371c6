"""Many configurations at once: one column for every hyperparameter, drawn and compared with numpy.

Uniform and independent, by the hyperparameters' own distributions, as ConfigSpace draws; whole rows that break a
forbidden clause are drawn anew, so that what is left keeps its distribution.  Few configurations are drawn faster one
by one, see ``Table.draw``.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from autonas.core.trial import Value
from autonas.search_space.table import Domain, Listed, Table

__all__ = ["Column", "draw"]

_FEW = 6  # configurations that are drawn one by one
_MOST = 4096  # rows of a batch
_LEAST_SHARE = 0.01  # of rows that are expected to break no clause


@dataclass
class Column:
    """The values of one hyperparameter in many configurations.

    Attributes
    ----------
    domain : Domain
    active : (rows,) array of bool
    drawn : (rows,) array
        Positions in the list of values, or numbers; without meaning where the hyperparameter is not active.
    """

    domain: Domain
    active: np.ndarray
    drawn: np.ndarray

    @cached_property
    def values(self) -> np.ndarray:
        """(rows,) what the positions stand for."""
        if not isinstance(self.domain, Listed):
            return self.drawn
        values = np.empty(len(self.domain.values), dtype=object)
        values[:] = self.domain.values
        return values[self.drawn]

    def among(self, wanted: Container[Any]) -> np.ndarray:
        """(rows,) whether the hyperparameter is active and has one of these values."""
        if isinstance(self.domain, Listed):
            fits = np.array([value in wanted for value in self.domain.values])
            found: np.ndarray = fits[self.drawn] & self.active
            return found
        found = self.active.copy()
        found[found] = [value in wanted for value in self.drawn[found].tolist()]
        return found

    def plain(self, rows: np.ndarray) -> list[Value]:
        """The values of some rows in plain Python."""
        if isinstance(self.domain, Listed):
            listed = self.domain.values
            return [listed[position] for position in self.drawn[rows].tolist()]
        found: list[Value] = self.drawn[rows].tolist()
        return found


def draw(table: Table, n: int, rng: np.random.Generator) -> list[dict[str, Value]]:
    """``n`` configurations, in the order of the table's hyperparameters."""
    if n <= _FEW:
        return [table.draw(rng) for _ in range(n)]
    found: list[dict[str, Value]] = []
    tried = 0
    while len(found) < n:
        share = max(len(found) / tried, _LEAST_SHARE) if tried else 1.0
        size = min(int((n - len(found)) / share) + 1, _MOST)
        found += _batch(table, size, rng)
        tried += size
    return found[:n]


def _batch(table: Table, size: int, rng: np.random.Generator) -> list[dict[str, Value]]:
    """Configurations out of ``size`` draws: those that break no clause."""
    columns: dict[str, Column] = {}
    for name, domain in table.domains.items():
        active = np.ones(size, dtype=bool)
        for rule in table.conditions[name]:
            active &= rule.holds_in(columns)
        columns[name] = Column(domain, active, domain.draw_column(rng, active))
    allowed = np.ones(size, dtype=bool)
    for clause in table.clauses:
        allowed &= ~clause.holds_in(columns)
    place = np.cumsum(allowed) - 1
    rows: list[dict[str, Value]] = [{} for _ in range(int(allowed.sum()))]
    for name, column in columns.items():
        kept = np.flatnonzero(column.active & allowed)
        for row, value in zip(place[kept].tolist(), column.plain(kept), strict=True):
            rows[row][name] = value
    return rows
