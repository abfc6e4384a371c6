"""Configurations of a space as rows of numbers, thousands at a time.

A *code* is one row with a column for each hyperparameter: the position in the list of its values, or the place of a
number in [0, 1] (after the logarithm where the space says so), or -1 where it is inactive.  Conditions and forbidden
clauses are applied to whole matrices of them, which a model-based strategy needs: it looks at a thousand candidates
for each that it proposes.  Left out: priors of numbers (normal, beta), which count as uniform.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autonas.core.trial import Value
from autonas.search_space.space import SearchSpace
from autonas.search_space.values import listed_values, plain

__all__ = ["Codes", "Parameter", "row_keys"]

_LISTED = 32  # whole numbers of a range up to so long are listed


@dataclass(frozen=True)
class Parameter:
    """One column of the codes.

    Attributes
    ----------
    kind : {"choice", "order", "number"}
        Values without an order, with one, or too many to list.
    values : tuple
        The listed values; empty for a number.
    places : (n_values,) array
        Where the values of an order lie in [0, 1].
    shares : (n_values,) array
        Cumulative probability of the values.
    conditional : bool
        Whether it can be inactive.
    """

    name: str
    kind: str
    values: tuple[Value, ...]
    places: np.ndarray
    shares: np.ndarray
    conditional: bool


class Codes:
    """Between configurations and codes.

    Parameters
    ----------
    space : SearchSpace
    """

    def __init__(self, space: SearchSpace) -> None:
        configspace = space.configspace
        self.space = space
        self._hyperparameters: list[Any] = list(configspace.values())
        self.parameters = [
            _parameter(hp, bool(configspace.parent_conditions_of[hp.name])) for hp in self._hyperparameters
        ]
        self.column = {parameter.name: j for j, parameter in enumerate(self.parameters)}
        self._positions: list[dict[Any, int]] = [
            {_exact(value): i for i, value in enumerate(parameter.values)} for parameter in self.parameters
        ]
        self._conditions: list[tuple[int, Callable[[np.ndarray], np.ndarray]]] = [
            (j, self._all([self._condition(c) for c in configspace.parent_conditions_of[parameter.name]]))
            for j, parameter in enumerate(self.parameters)
            if parameter.conditional
        ]
        self.parents: dict[int, list[int]] = {
            j: sorted({self.column[parent.name] for parent in configspace.parents_of[parameter.name]})
            for j, parameter in enumerate(self.parameters)
            if parameter.conditional
        }
        self._clauses: list[Any] = list(configspace.forbidden_clauses)
        self.n_values = np.array([len(parameter.values) for parameter in self.parameters])
        self.is_parent = np.array([bool(configspace.children_of[parameter.name]) for parameter in self.parameters])
        self.whole = [
            j for j, hp in enumerate(self._hyperparameters) if not self.parameters[j].values and _is_whole(hp)
        ]

    def __len__(self) -> int:
        return len(self.parameters)

    # --- one configuration -------------------------------------------------------------------------------------------

    def encode(self, config: Mapping[str, Any]) -> np.ndarray:
        """The code of a configuration, (n_parameters,)."""
        row = np.full(len(self), -1.0)
        for name, value in config.items():
            j = self.column[name]
            positions = self._positions[j]
            row[j] = positions[_exact(value)] if positions else self._place(self._hyperparameters[j], value)
        return row

    def decode(self, row: np.ndarray) -> dict[str, Value]:
        """The configuration of a code."""
        config: dict[str, Value] = {}
        for j, parameter in enumerate(self.parameters):
            if row[j] >= 0:
                config[parameter.name] = parameter.values[int(row[j])] if parameter.values else self._value(j, row[j])
        return config

    def _value(self, j: int, place: float) -> Value:
        hp = self._hyperparameters[j]
        lower, upper = float(hp.lower), float(hp.upper)
        if hp.log:
            value = math.exp(math.log(lower) + place * (math.log(upper) - math.log(lower)))
        else:
            value = lower + place * (upper - lower)
        return plain(hp, round(value) if _is_whole(hp) else value)

    @staticmethod
    def _place(hp: Any, value: float) -> float:
        lower, upper, value = float(hp.lower), float(hp.upper), float(value)
        if hp.log:
            lower, upper, value = math.log(lower), math.log(upper), math.log(value)
        return min(max((value - lower) / (upper - lower), 0.0), 1.0)

    # --- many --------------------------------------------------------------------------------------------------------

    def from_unit(self, u: np.ndarray) -> np.ndarray:
        """Codes from independent uniform numbers, every hyperparameter active.

        Parameters
        ----------
        u : (n, n_parameters) array
            In [0, 1).
        """
        codes = np.empty(u.shape)
        for j in range(len(self)):
            codes[:, j] = self._from_unit(j, u[:, j])
        return codes

    def _from_unit(self, j: int, u: np.ndarray) -> np.ndarray:
        parameter = self.parameters[j]
        return np.searchsorted(parameter.shares, u, side="right") * 1.0 if parameter.values else self.snap(j, u)

    def snap(self, j: int, places: np.ndarray) -> np.ndarray:
        """Places of a number that are those of whole values, if the number is whole."""
        hp = self._hyperparameters[j]
        if not _is_whole(hp):
            return places
        lower, upper = float(hp.lower), float(hp.upper)
        if not hp.log:
            return np.round(places * (upper - lower)) / (upper - lower)
        ratio = math.log(upper / lower)
        return np.log(np.round(lower * np.exp(places * ratio)) / lower) / ratio

    def activate(self, codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Apply the conditions, in place: what becomes active is drawn, what does not is -1."""
        for j, condition in self._conditions:  # parents come before their children
            active, column = condition(codes), codes[:, j]
            column[~active] = -1.0
            fresh = active & (column < 0)
            n = int(np.count_nonzero(fresh))
            if n:
                column[fresh] = self._from_unit(j, rng.random(n))
        return codes

    def legal(self, codes: np.ndarray) -> np.ndarray:
        """Mask of the codes that no clause forbids."""
        allowed = np.ones(len(codes), dtype=bool)
        if self._clauses and len(codes):
            vectors = self._vectors(codes)
            for clause in self._clauses:
                allowed &= ~clause.is_forbidden_vector_array(vectors)
        return allowed

    def sample(self, n: int, rng: np.random.Generator, fixed: Mapping[int, float] | None = None) -> np.ndarray:
        """Up to ``n`` uniform legal codes; fewer only where nearly everything is forbidden.

        Parameters
        ----------
        fixed : mapping of int to float
            Codes of columns that are not drawn.
        """
        found = np.empty((0, len(self)))
        for _ in range(10):
            codes = self.from_unit(rng.random((n, len(self))))
            for j, code in (fixed or {}).items():
                codes[:, j] = code
            codes = self.activate(codes, rng)
            found = np.concatenate([found, codes[self.legal(codes)]])
            if len(found) >= n:
                break
        return found[:n]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _vectors(self, codes: np.ndarray) -> np.ndarray:
        """ConfigSpace's vectors, (n_parameters, n), NaN where inactive."""
        vectors = np.full(codes.T.shape, np.nan)
        for j, (parameter, hp) in enumerate(zip(self.parameters, self._hyperparameters, strict=True)):
            active = codes[:, j] >= 0
            if parameter.values:
                table = np.array([hp.to_vector(value) for value in parameter.values], dtype=float)
                vectors[j, active] = table[codes[active, j].astype(np.intp)]
            else:
                vectors[j, active] = [hp.to_vector(self._value(j, place)) for place in codes[active, j]]
        return vectors

    @staticmethod
    def _all(tests: Sequence[Callable[[np.ndarray], np.ndarray]]) -> Callable[[np.ndarray], np.ndarray]:
        if len(tests) == 1:
            return tests[0]
        return lambda codes: np.logical_and.reduce([test(codes) for test in tests])

    def _condition(self, condition: Any) -> Callable[[np.ndarray], np.ndarray]:
        """A condition as a function from codes to a mask."""
        from ConfigSpace.conditions import OrConjunction

        if hasattr(condition, "components"):
            tests = [self._condition(part) for part in condition.components]
            if isinstance(condition, OrConjunction):
                return lambda codes: np.logical_or.reduce([test(codes) for test in tests])
            return self._all(tests)
        name = condition.parent.name
        j = self.column[name]
        parameter = self.parameters[j]
        if parameter.values:
            table = np.array([False, *(bool(condition.satisfied_by_value({name: v})) for v in parameter.values)])
            return lambda codes: table[codes[:, j].astype(np.intp) + 1]
        return lambda codes: np.array(
            [place >= 0 and bool(condition.satisfied_by_value({name: self._value(j, place)})) for place in codes[:, j]]
        )


def row_keys(codes: np.ndarray) -> list[bytes]:
    """Each row as bytes, equal for equal rows."""
    codes = np.ascontiguousarray(codes)
    keys: list[bytes] = codes.view(f"V{codes.shape[1] * codes.itemsize}").ravel().tolist()
    return keys


def _exact(value: Any) -> tuple[bool, Any]:
    """Key of a value; in Python True equals 1, in a configuration it does not."""
    return isinstance(value, bool), value


def _is_whole(hyperparameter: Any) -> bool:
    return isinstance(hyperparameter.default_value, int | np.integer)


def _parameter(hyperparameter: Any, conditional: bool) -> Parameter:
    listed = listed_values(hyperparameter)
    if listed is not None:
        kind = "order" if hasattr(hyperparameter, "sequence") else "choice"
        places = np.linspace(0, 1, len(listed))
    elif _is_whole(hyperparameter) and hyperparameter.upper - hyperparameter.lower < _LISTED:
        listed = tuple(range(int(hyperparameter.lower), int(hyperparameter.upper) + 1))
        kind = "order"
        scale = np.log(listed) if hyperparameter.log else np.asarray(listed, dtype=float)
        places = (scale - scale[0]) / max(scale[-1] - scale[0], 1e-12)
    else:
        return Parameter(hyperparameter.name, "number", (), np.empty(0), np.empty(0), conditional)
    weights = getattr(hyperparameter, "probabilities", None)
    shares = np.cumsum(np.full(len(listed), 1 / len(listed)) if weights is None else np.asarray(weights, dtype=float))
    return Parameter(hyperparameter.name, kind, listed, places, shares[:-1], conditional)
