"""How many configurations a conditional space has, without listing them.

The count is a sum over all values of a product of factors: one says for a hyperparameter how many values it has where
its condition holds (and one, "not active", elsewhere), one for a forbidden clause is 0 where it holds.  Hyperparameters
are summed out one by one, children before their parents.  A continuous one counts as one value, its default.
"""

from __future__ import annotations

import math
import operator
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from autonas.search_space.spec import Spec, mentioned

__all__ = ["log10_size"]

_MOST_CELLS = 2_000_000
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": operator.eq,
    "LT": operator.lt,
    "LE": operator.le,
    "GT": operator.gt,
    "GE": operator.ge,
}


def log10_size(
    hyperparameters: Mapping[str, Spec], conditions: Mapping[str, Spec], forbiddens: Sequence[Spec]
) -> float:
    """Decimal logarithm of the number of configurations.

    Parameters
    ----------
    hyperparameters : mapping of str to dict
        In the dialect of space files, with full names.
    conditions : mapping of str to dict
        By their child.
    forbiddens : sequence of dict

    Returns
    -------
    float
        NaN if so many hyperparameters hang together that counting would take too long.
    """
    leaves: dict[str, list[Spec]] = defaultdict(list)
    for leaf in _leaves([*conditions.values(), *forbiddens]):
        for name in _read(leaf):
            leaves[name].append(leaf)
    variables = {name: _Variable.of(spec, leaves[name]) for name, spec in hyperparameters.items()}
    factors = [_activity(variables, name, conditions.get(name)) for name in variables]
    factors += [_allowed(variables, clause) for clause in forbiddens]
    total = 0.0
    for name in reversed(_parents_first(hyperparameters, conditions)):
        reading = [factor for factor in factors if name in factor.names]
        factors = [factor for factor in factors if name not in factor.names]
        names = tuple(dict.fromkeys(other for factor in reading for other in factor.names))
        if math.prod(len(variables[other].sizes) for other in names) > _MOST_CELLS:
            return math.nan
        table = math.prod((factor.over(names) for factor in reading), start=np.ones(()))
        summed = table.sum(names.index(name))
        most = float(summed.max())
        if most == 0:
            return -math.inf
        total += math.log10(most)  # so that nothing overflows
        factors.append(_Factor(tuple(other for other in names if other != name), summed / most))
    return total + sum(math.log10(float(factor.table)) for factor in factors)


def _parents_first(hyperparameters: Mapping[str, Spec], conditions: Mapping[str, Spec]) -> list[str]:
    waiting = {name: set(mentioned(conditions.get(name, {}))) - {name} for name in hyperparameters}
    order: list[str] = []
    while ready := [name for name, parents in waiting.items() if parents.isdisjoint(waiting)]:
        order += ready
        for name in ready:
            del waiting[name]
    return order


@dataclass(frozen=True)
class _Variable:
    """Values of a hyperparameter that no condition tells apart are one, as often as there are such values.

    The last of ``values`` is None, "not active", and stands for nothing: its size is 0.
    """

    values: tuple[Any, ...]
    sizes: tuple[int, ...]
    order: tuple[Any, ...] | None  # of an ordinal

    @classmethod
    def of(cls, spec: Spec, leaves: Sequence[Spec]) -> _Variable:
        order = tuple(spec["sequence"]) if spec["type"] == "ordinal" else None
        if spec["type"] == "uniform_float":
            values: Sequence[Any] = [spec.get("default_value", spec["lower"])]
        elif spec["type"] == "uniform_int":
            if not leaves:
                return cls((spec["lower"], None), (spec["upper"] - spec["lower"] + 1, 0), order)
            values = range(spec["lower"], spec["upper"] + 1)
        else:
            values = spec.get("choices") or order or [spec["value"]]
        alike = Counter[tuple[Any, ...]]()
        first: dict[tuple[Any, ...], Any] = {}
        for value in values:
            key = tuple(value if "left" in leaf else _true(leaf, value, order) for leaf in leaves)
            alike[key] += 1
            first.setdefault(key, value)
        return cls((*first.values(), None), (*(alike[key] for key in first), 0), order)


@dataclass(frozen=True)
class _Factor:
    """A function of a few variables as a table, one axis each."""

    names: tuple[str, ...]
    table: np.ndarray

    def over(self, names: tuple[str, ...]) -> np.ndarray:
        """The table with the axes of more variables."""
        places = [names.index(name) for name in self.names]
        turned = self.table.transpose(np.argsort(places))
        return turned.reshape([turned.shape[sorted(places).index(i)] if i in places else 1 for i in range(len(names))])


def _activity(variables: Mapping[str, _Variable], name: str, condition: Spec | None) -> _Factor:
    parents = tuple(n for n in dict.fromkeys(mentioned(condition or {})) if n != name)
    own = variables[name].sizes
    inactive = [0] * (len(own) - 1) + [1]
    rows = [
        own if condition is None or _holds(condition, dict(zip(parents, values, strict=True)), variables) else inactive
        for values in product(*(variables[parent].values for parent in parents))
    ]
    shape = (*(len(variables[parent].sizes) for parent in parents), len(own))
    return _Factor((*parents, name), np.array(rows, dtype=float).reshape(shape))


def _allowed(variables: Mapping[str, _Variable], clause: Spec) -> _Factor:
    names = tuple(dict.fromkeys(mentioned(clause)))
    shape = tuple(len(variables[name].sizes) for name in names)
    rows = [
        not _holds(clause, dict(zip(names, values, strict=True)), variables)
        for values in product(*(variables[name].values for name in names))
    ]
    return _Factor(names, np.array(rows, dtype=float).reshape(shape))


def _leaves(specs: Sequence[Spec]) -> Iterator[Spec]:
    """Conditions and clauses without and, or."""
    for spec in specs:
        parts = spec.get("conditions") or spec.get("clauses")
        yield from _leaves(parts) if parts else (spec,)


def _read(leaf: Spec) -> list[str]:
    return [leaf[key] for key in ("parent", "name", "left", "right") if key in leaf]


def _true(leaf: Spec, value: Any, order: tuple[Any, ...] | None) -> bool:
    """Whether a value fulfils a condition or a clause on one hyperparameter."""
    if leaf["type"] == "IN":
        return value in leaf["values"]
    compare = _COMPARE["EQ" if leaf["type"] == "EQUALS" else leaf["type"].removeprefix("CLAUSE_")]
    if order is not None:
        return compare(order.index(value), order.index(leaf["value"]))
    return compare(value, leaf["value"])


def _holds(spec: Spec, values: Mapping[str, Any], variables: Mapping[str, _Variable]) -> bool:
    """Whether a condition or a clause holds; what is not active (None) fulfils nothing."""
    parts = spec.get("conditions") or spec.get("clauses")
    if parts:
        return (all if spec["type"] == "AND" else any)(_holds(part, values, variables) for part in parts)
    given = [values[name] for name in _read(spec)]
    if None in given:
        return False
    if "left" in spec:
        return _COMPARE[spec["type"].removeprefix("RELATION_")](*given)
    return _true(spec, given[0], variables[_read(spec)[0]].order)
