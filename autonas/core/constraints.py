"""Objectives with limits: ``["log_loss", "n_params < 1e6"]`` minimises the first and bounds the second.

A limit that is exceeded makes a result infeasible: never the best, however low its loss.  How far it is exceeded is
measured on a smooth, unbounded scale, so that a search finds its way back (static penalties over the worst feasible
value: Deb 2000).  Left out: equality constraints, and limits on the losses' noise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from autonas.errors import OptionError

__all__ = ["Constraint", "parse_objectives", "split_objectives", "violation"]

Relation = Literal["<", "<=", ">", ">="]

_COMPARISON = re.compile(r"\s*([A-Za-z_][\w:.-]*)\s*(<=|>=|<|>)\s*([^\s<>=]+)\s*")
_NAME = re.compile(r"\s*([A-Za-z_][\w:.-]*)\s*")


@dataclass(frozen=True)
class Constraint:
    """A limit on a named value.

    Parameters
    ----------
    name : str
        Of the value, as the evaluation returns it.
    relation : {"<", "<=", ">", ">="}
    bound : float
        Finite.
    """

    name: str
    relation: Relation
    bound: float

    def __str__(self) -> str:
        return f"{self.name} {self.relation} {self.bound:g}"

    def holds(self, value: float) -> bool:
        """Whether a value is inside; NaN never is."""
        match self.relation:
            case "<":
                return value < self.bound
            case "<=":
                return value <= self.bound
            case ">":
                return value > self.bound
            case ">=":
                return value >= self.bound

    def violation(self, value: float) -> float:
        """How far outside a value is: 0 inside, then ``log(1 + excess)`` plus a smallest positive step.

        The excess is in units of the bound's magnitude, or absolute if the bound is 0.  Infinite for NaN.
        """
        if self.holds(value):
            return 0.0
        if math.isnan(value):
            return math.inf
        return max(math.log1p(abs(value - self.bound) / (abs(self.bound) or 1.0)), 1e-9)


def parse_objectives(objectives: str | Sequence[str]) -> tuple[tuple[str, ...], tuple[Constraint, ...]]:
    """As :func:`split_objectives`, with at least one name to minimise."""
    names, limits = split_objectives(objectives)
    if not names:
        raise OptionError(f"At least one objective to minimise was required, a name alone. Given: {objectives!r}.")
    return names, limits


def split_objectives(objectives: str | Sequence[str]) -> tuple[tuple[str, ...], tuple[Constraint, ...]]:
    """Names to minimise, and limits.

    Parameters
    ----------
    objectives : str or sequence of str
        A name is an objective; a name with a comparison (``<``, ``<=``, ``>``, ``>=``) and a number is a limit on
        the value of that name.  A name may be both, in two entries.

    Raises
    ------
    OptionError
        If an entry is neither, or a name comes twice.
    """
    if not isinstance(objectives, str | Sequence):
        raise OptionError(f"Objectives are a list of texts such as 'loss' or 'n_params < 1e6'. Given: {objectives!r}.")
    entries = [objectives] if isinstance(objectives, str) else list(objectives)
    names: list[str] = []
    limits: list[Constraint] = []
    for entry in entries:
        if not isinstance(entry, str):
            raise OptionError(f"An objective is a text such as 'loss' or 'n_params < 1e6'. Given: {entry!r}.")
        if match := _NAME.fullmatch(entry):
            names.append(match[1])
        elif (match := _COMPARISON.fullmatch(entry)) and _is_finite(match[3]):
            relation: Relation = match[2]  # type: ignore[assignment]  # the expression allows no other
            limits.append(Constraint(match[1], relation, float(match[3])))
        else:
            raise OptionError(
                f"An objective is a name ('loss') or a limit on one ('n_params < 1e6', with <, <=, > or >= and a "
                f"number). Given: {entry!r}."
            )
    if len(set(names)) < len(names):
        raise OptionError(f"Every objective comes once. Given: {entries!r}.")
    return tuple(names), tuple(limits)


def violation(constraints: Sequence[Constraint], values: Mapping[str, float]) -> float:
    """Sum of the violations; a value that is missing counts as inside."""
    return sum(c.violation(values[c.name]) for c in constraints if c.name in values)


def _is_finite(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
