"""A space as a table: domains, conditions and forbidden clauses in plain Python, made once for many fast moves.

ConfigSpace's own objects convert every value to a vector and back, which costs milliseconds a configuration; here a
rule is a set of values of one hyperparameter, or a few of them joined by and/or.  Everything pickles, and says the
same as :meth:`Points.validate`, which stays the judge.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from autonas.core.trial import Value
from autonas.search_space.values import listed_values, plain

if TYPE_CHECKING:
    from autonas.search_space.points import Points
    from autonas.search_space.sampling import Column

__all__ = ["Domain", "Listed", "Number", "Rule", "Table"]

WIDTH = 0.2  # standard deviation of a step of a number, in units of its range: SMAC's
TRIES = 20  # random completions before an edit counts as impossible


# --- values ----------------------------------------------------------------------------------------------------------


class Domain(Protocol):
    """The values of one hyperparameter."""

    @property
    def size(self) -> float:
        """How many values there are."""

    def draw(self, rng: np.random.Generator) -> Value:
        """A value, by the hyperparameter's own distribution."""

    def draw_column(self, rng: np.random.Generator, active: np.ndarray) -> np.ndarray:
        """(rows,) as :meth:`draw` where a row is active: positions in a list, or numbers (see ``sampling``)."""

    def others(self, value: Value, rng: np.random.Generator, n: int) -> Iterator[Value]:
        """Different values other than this one, in random order: all of a list, at most ``n`` of a range."""

    def to_unit(self, value: Value) -> float:
        """Position in [0, 1]: after the logarithm where it is log-scaled; of a list, the index over the last one."""

    def from_unit(self, position: float) -> Value:
        """The value at, or nearest to, a position."""


@dataclass(frozen=True)
class Listed:
    """Categorical, ordinal, boolean or constant."""

    values: tuple[Value, ...]
    ordered: bool
    weights: tuple[float, ...] | None = None

    @property
    def size(self) -> float:
        return len(self.values)

    def draw(self, rng: np.random.Generator) -> Value:
        if self.weights is None:
            return self.values[int(rng.random() * len(self.values))]
        return self.values[int(rng.choice(len(self.values), p=self.weights))]

    def draw_column(self, rng: np.random.Generator, active: np.ndarray) -> np.ndarray:
        if self.weights is None:
            return (rng.random(len(active)) * len(self.values)).astype(np.intp)
        return rng.choice(len(self.values), len(active), p=self.weights)

    def others(self, value: Value, rng: np.random.Generator, n: int) -> Iterator[Value]:
        here, size = self.values.index(value), len(self.values)
        if size == 2:
            yield self.values[1 - here]
        elif size > 2:
            yield from (self.values[i] for i in rng.permutation(size) if i != here)

    def to_unit(self, value: Value) -> float:
        return self.values.index(value) / max(1, len(self.values) - 1)

    def from_unit(self, position: float) -> Value:
        return self.values[round(min(max(position, 0.0), 1.0) * (len(self.values) - 1))]


@dataclass(frozen=True)
class Number:
    """Whole or real numbers in a range, on a linear or a logarithmic scale.

    ``quantiles`` are those of the distribution over positions, None where that is uniform.
    """

    lower: float
    upper: float
    log: bool
    whole: bool
    quantiles: np.ndarray | None = field(default=None, compare=False)

    @property
    def size(self) -> float:
        return self.upper - self.lower + 1 if self.whole else math.inf

    def draw(self, rng: np.random.Generator) -> Value:
        if self.quantiles is not None:
            place = rng.random() * (len(self.quantiles) - 1)
            below = int(place)
            low, high = self.quantiles[below : below + 2]
            return self.from_unit(float(low + (place - below) * (high - low)))
        if not self.whole:
            return self.from_unit(rng.random())
        if not self.log:
            return int(rng.integers(int(self.lower), int(self.upper) + 1))
        low, high = math.log(self.lower), math.log(self.upper + 1)  # as ConfigSpace: n has the cell from n to n + 1
        return self._legal(math.floor(math.exp(low + rng.random() * (high - low))))

    def draw_column(self, rng: np.random.Generator, active: np.ndarray) -> np.ndarray:
        column = np.zeros(len(active), dtype=np.int64 if self.whole else np.float64)
        n = int(active.sum())
        if self.whole and not self.log and self.quantiles is None:
            column[active] = rng.integers(int(self.lower), int(self.upper) + 1, n)
        elif self.whole and self.quantiles is None:
            low, high = math.log(self.lower), math.log(self.upper + 1)
            column[active] = np.clip(np.floor(np.exp(rng.uniform(low, high, n))), self.lower, self.upper)
        else:
            places = rng.random(n)
            if self.quantiles is not None:
                places = np.interp(places, np.linspace(0, 1, len(self.quantiles)), self.quantiles)
            column[active] = [self.from_unit(place) for place in places.tolist()]
        return column

    def others(self, value: Value, rng: np.random.Generator, n: int) -> Iterator[Value]:
        if self.size - 1 <= n:
            lower, here = int(self.lower), int(value)
            yield from (lower + int(i) for i in rng.permutation(int(self.size)) if lower + i != here)
            return
        position, seen = self.to_unit(value), {value}
        for _ in range(50 * n):
            moved = position + WIDTH * rng.standard_normal()
            if 0 <= moved <= 1 and (other := self.from_unit(moved)) not in seen:
                seen.add(other)
                yield other
                if len(seen) > n:
                    return

    def to_unit(self, value: Value) -> float:
        number = float(value)
        if self.log:
            return (math.log(number) - math.log(self.lower)) / (math.log(self.upper) - math.log(self.lower))
        return (number - self.lower) / (self.upper - self.lower)

    def from_unit(self, position: float) -> Value:
        position = min(max(position, 0.0), 1.0)
        if self.log:
            low, high = math.log(self.lower), math.log(self.upper)
            return self._legal(math.exp(low + position * (high - low)))
        return self._legal(self.lower + position * (self.upper - self.lower))

    def _legal(self, number: float) -> Value:
        if self.whole:
            return int(min(max(round(number), self.lower), self.upper))
        return min(max(float(f"{round(number, 13):.10g}"), self.lower), self.upper)  # as in ``values.plain``


def _domain(hyperparameter: Any) -> Listed | Number:
    listed = listed_values(hyperparameter)
    if listed is not None:
        weighted = getattr(hyperparameter, "weights", None) is not None
        weights = tuple(map(float, hyperparameter.probabilities)) if weighted else None
        return Listed(listed, ordered=hasattr(hyperparameter, "sequence"), weights=weights)
    whole = isinstance(hyperparameter.default_value, int | np.integer)
    quantiles = None
    if not type(hyperparameter).__name__.startswith("Uniform"):  # normal or beta: an empirical distribution will do
        drawn = np.sort(hyperparameter.sample_vector(1000, seed=np.random.RandomState(0)))
        quantiles = np.concatenate([[0.0], drawn, [1.0]])
    bounds = (float(hyperparameter.lower), float(hyperparameter.upper))
    return Number(*bounds, log=bool(hyperparameter.log), whole=whole, quantiles=quantiles)


# --- rules -----------------------------------------------------------------------------------------------------------


class Rule(Protocol):
    """A condition or a forbidden clause; one that names an inactive hyperparameter does not hold."""

    @property
    def names(self) -> tuple[str, ...]:
        """The hyperparameters that it reads."""

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether it is true of a configuration."""

    def holds_in(self, columns: Mapping[str, Column]) -> np.ndarray:
        """As :meth:`holds`, (rows,) for many configurations."""


@dataclass(frozen=True)
class _Compare:
    """The numbers x with ``relation(x, bound)``."""

    relation: Callable[[Any, Any], bool]
    bound: float

    def __contains__(self, value: object) -> bool:
        return self.relation(value, self.bound)


@dataclass(frozen=True)
class _Among:
    name: str
    values: Container

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name,)

    def holds(self, values: Mapping[str, Value]) -> bool:
        return self.name in values and values[self.name] in self.values

    def holds_in(self, columns: Mapping[str, Column]) -> np.ndarray:
        return columns[self.name].among(self.values)


@dataclass(frozen=True)
class _Related:
    left: str
    right: str
    relation: Callable[[Any, Any], bool]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.left, self.right)

    def holds(self, values: Mapping[str, Value]) -> bool:
        there = self.left in values and self.right in values
        return there and self.relation(values[self.left], values[self.right])

    def holds_in(self, columns: Mapping[str, Column]) -> np.ndarray:
        left, right = columns[self.left], columns[self.right]
        there = left.active & right.active
        there[there] = self.relation(left.values[there], right.values[there])
        return there


@dataclass(frozen=True)
class _Joined:
    parts: tuple[Rule, ...]
    every: bool

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for part in self.parts for name in part.names))

    def holds(self, values: Mapping[str, Value]) -> bool:
        if self.every:
            return all(part.holds(values) for part in self.parts)
        return any(part.holds(values) for part in self.parts)

    def holds_in(self, columns: Mapping[str, Column]) -> np.ndarray:
        join = np.logical_and if self.every else np.logical_or
        found: np.ndarray = join.reduce([part.holds_in(columns) for part in self.parts])
        return found


_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "NotEquals": operator.ne,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


def _rule(thing: Any) -> Rule:
    """The rule of any condition or forbidden clause of ConfigSpace."""
    kind = type(thing).__name__.removeprefix("Forbidden")
    if kind in ("AndConjunction", "OrConjunction"):
        return _Joined(tuple(map(_rule, thing.components)), every=kind == "AndConjunction")
    if kind.endswith("Relation"):
        return _Related(thing.left.name, thing.right.name, _RELATIONS[kind.removesuffix("Relation")])
    condition = kind.endswith("Condition")
    hyperparameter = thing.parent if condition else thing.hyperparameter
    name, listed = hyperparameter.name, listed_values(hyperparameter)
    if listed is not None:
        true_of = thing.satisfied_by_value if condition else thing.is_forbidden_value
        return _Among(name, frozenset(value for value in listed if true_of({name: value})))
    kind = kind.removesuffix("Condition").removesuffix("Clause")
    if kind == "In":
        return _Among(name, frozenset(thing.values))
    return _Among(name, _Compare(_RELATIONS[kind], thing.value))


# --- the table -------------------------------------------------------------------------------------------------------


class Table:
    """What moves, encodings and policies need to know of a space.

    Attributes
    ----------
    domains : dict of str to Domain
        In the order of the ConfigSpace: parents before children.
    conditions : dict of str to tuple of Rule
        All must hold for the hyperparameter to be active.
    dependents : dict of str to tuple of str
        The hyperparameters whose activity may change with this one, children and theirs, in order.
    clauses : tuple of Rule
        What is forbidden.
    defaults : dict of str to value
    """

    def __init__(self, space: Points) -> None:
        configspace = space.configspace
        self.domains: dict[str, Listed | Number] = {name: _domain(hp) for name, hp in configspace.items()}
        self.conditions: dict[str, tuple[Rule, ...]] = {
            name: tuple(_rule(condition) for condition in configspace.parent_conditions_of[name])
            for name in self.domains
        }
        self.defaults: dict[str, Value] = {name: plain(hp, hp.default_value) for name, hp in configspace.items()}
        self.clauses: tuple[Rule, ...] = tuple(_rule(clause) for clause in configspace.forbidden_clauses)
        self.dependents = {name: self._dependents(name) for name in self.domains}
        self._clauses_of = {
            name: tuple(clause for clause in self.clauses if name in clause.names) for name in self.domains
        }

    def _dependents(self, name: str) -> tuple[str, ...]:
        found = {name}
        for child, rules in self.conditions.items():
            if any(parent in found for rule in rules for parent in rule.names):
                found.add(child)
        return tuple(other for other in self.domains if other in found and other != name)

    def is_active(self, name: str, values: Mapping[str, Value]) -> bool:
        """Whether a hyperparameter is active, given the values of all before it."""
        return all(rule.holds(values) for rule in self.conditions[name])

    def draw(self, rng: np.random.Generator) -> dict[str, Value]:
        """A configuration by the hyperparameters' own distributions; what is forbidden is drawn anew."""
        while True:
            values: dict[str, Value] = {}
            for name, domain in self.domains.items():
                if self.is_active(name, values):
                    values[name] = domain.draw(rng)
            if self.violated(values) is None:
                return values

    def violated(self, values: Mapping[str, Value]) -> Rule | None:
        """The first forbidden clause that holds, or None."""
        return next((clause for clause in self.clauses if clause.holds(values)), None)

    def replace(
        self, config: Mapping[str, Value], name: str, value: Value, rng: np.random.Generator
    ) -> tuple[dict[str, Value], list[str]]:
        """The configuration with another value of an active hyperparameter, forbidden or not.

        Returns
        -------
        config : dict
            Children that became inactive are dropped; those that became active are drawn.
        drawn : list of str
            The latter.
        """
        values = dict(config)
        values[name] = value
        drawn: list[str] = []
        for child in self.dependents[name]:
            if not self.is_active(child, values):
                values.pop(child, None)
            elif child not in values:
                values[child] = self.domains[child].draw(rng)
                drawn.append(child)
        if drawn:
            values = {key: values[key] for key in self.domains if key in values}
        return values, drawn

    def edit(
        self, config: Mapping[str, Value], name: str, value: Value, rng: np.random.Generator
    ) -> dict[str, Value] | None:
        """As :meth:`replace`, drawing anew until nothing is forbidden; None if that cannot be had."""
        for _ in range(TRIES):
            values, drawn = self.replace(config, name, value, rng)
            # no clause becomes true because a hyperparameter became inactive
            if not any(clause.holds(values) for changed in (name, *drawn) for clause in self._clauses_of[changed]):
                return values
            if not drawn:
                break
        return None
