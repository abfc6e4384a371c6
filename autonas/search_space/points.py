"""The points of a ConfigSpace as dicts of plain Python values: drawn, listed, completed, checked.

Active hyperparameters only, in a fixed order: equal configurations are equal as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.core.trial import Value, config_key
from autonas.errors import SpaceError
from autonas.search_space.strict import near
from autonas.search_space.values import active_only, all_values, inactive, legal, listed_values, plain

if TYPE_CHECKING:
    from ConfigSpace import Configuration, ConfigurationSpace

    from autonas.search_space.table import Table

__all__ = ["Points"]


class Points:
    """A conditional set of configurations.

    Parameters
    ----------
    configspace : ConfigurationSpace
    name : str
        For messages.

    Raises
    ------
    SpaceError
        For what ConfigSpace allows and a search cannot use.
    """

    def __init__(self, configspace: ConfigurationSpace, name: str) -> None:
        _check(configspace)
        self.configspace = configspace
        self.name = name

    @cached_property
    def table(self) -> Table:
        """Domains, conditions and forbidden clauses in plain Python, for moves and encodings."""
        from autonas.search_space.table import Table

        return Table(self)

    @property
    def finite(self) -> bool:
        """Whether every hyperparameter has finitely many values."""
        return math.isfinite(self.configspace.estimate_size())

    def sample(self, n: int, seed: int | Sequence[int] = 0) -> list[dict[str, Value]]:
        """``n`` configurations, drawn independently by the hyperparameters' distributions: uniformly by default.

        Parameters
        ----------
        n : int
        seed : int or sequence of int
            At least 0; equal seeds give equal configurations, whatever was drawn before.
        """
        from autonas.search_space.sampling import draw

        # a stream of its own: who asks may draw other things with the same seed
        return draw(self.table, n, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,))))

    def sample_configurations(self, n: int, seed: int | Sequence[int] = 0) -> list[Configuration]:
        """As :meth:`sample`, by ConfigSpace and in its own objects; numbers of the seed are below 2**32."""
        space = self.configspace
        before, space.random = space.random, np.random.RandomState(seed)
        try:
            drawn = space.sample_configuration(n) if n != 1 else [space.sample_configuration()]
        finally:
            space.random = before
        return self._active_only(drawn) if self._tangled else drawn

    def grid(self) -> Iterator[dict[str, Value]]:
        """Every configuration of a finite space, once, the first hyperparameters slowest.

        Raises
        ------
        SpaceError
            If the space is not finite.
        """
        if not self.finite:
            raise SpaceError(
                f"The space {self.name!r} has continuous hyperparameters, so nobody can list it: sample it."
            )
        order = list(self.configspace.items())

        def extend(values: dict[str, Any], depth: int) -> Iterator[dict[str, Value]]:
            if depth == len(order):
                config = active_only(values)
                if not self._forbidden(config):
                    yield config
                return
            name, hyperparameter = order[depth]
            for value in all_values(hyperparameter) if self._is_active(name, values) else (inactive(),):
                yield from extend({**values, name: value}, depth + 1)

        return extend({}, 0)

    def complete(self, partial: Mapping[str, Any]) -> dict[str, Value]:
        """The configuration with the stated values where they are active, and defaults elsewhere.

        Raises
        ------
        SpaceError
            For an unknown name, a value that is not allowed, or a result that is forbidden.
        """
        for name in partial:
            if name not in self.configspace:
                raise SpaceError(f"Unknown hyperparameter {name!r}. {near(name, list(self.configspace))}")
        values: dict[str, Any] = {}
        for name, hyperparameter in self.configspace.items():
            if not self._is_active(name, values):
                values[name] = inactive()
            elif name in partial:
                values[name] = legal(hyperparameter, partial[name])
            else:
                values[name] = plain(hyperparameter, hyperparameter.default_value)
        config = active_only(values)
        if clause := self._forbidden(config):
            raise SpaceError(f"The space {self.name!r} forbids {clause}. Given: {config}")
        return config

    def validate(self, config: Mapping[str, Any]) -> dict[str, Value]:
        """The configuration as plain values in the fixed order.

        Raises
        ------
        SpaceError
            If it is not exactly one point: unknown, missing or inactive names, values that are not allowed, or a
            forbidden combination.
        """
        complete = self.complete(config)
        for name in config:
            if name not in complete:
                raise SpaceError(f"The hyperparameter {name!r} is not active in this configuration: leave it out.")
        for name in complete:
            if name not in config:
                raise SpaceError(f"The hyperparameter {name!r} is missing. `complete` fills in defaults.")
        return complete

    def to_configuration(self, config: Mapping[str, Any]) -> Configuration:
        """The configuration as ConfigSpace's own object."""
        from ConfigSpace import Configuration

        return Configuration(self.configspace, values=self.validate(config))

    def from_configuration(self, configuration: Configuration) -> dict[str, Value]:
        """Inverse of :meth:`to_configuration`."""
        items = self.configspace.items()
        return {name: plain(hp, configuration[name]) for name, hp in items if name in configuration}

    def key(self, config: Mapping[str, Any]) -> str:
        """Canonical text: equal configurations have equal keys."""
        return config_key(self.validate(config))

    @cached_property
    def _tangled(self) -> bool:
        """Whether a hyperparameter has several parents, of which one has parents too."""
        space = self.configspace
        return any(space.parents_of[d.parent.name] for c in space.conditions for d in getattr(c, "dlcs", ()))

    def _active_only(self, drawn: list[Configuration]) -> list[Configuration]:
        """The draws of a tangled space, in which ConfigSpace may decide a condition before those of its parents."""
        from ConfigSpace import Configuration

        matrix = np.array([configuration.get_array() for configuration in drawn]).T
        for name, column in self.configspace.index_of.items():
            for condition in self.configspace.parent_conditions_of[name]:
                matrix[column, ~condition.satisfied_by_vector_array(matrix)] = np.nan
        return [Configuration(self.configspace, vector=vector) for vector in matrix.T]

    def _is_active(self, name: str, values: dict[str, Any]) -> bool:
        return all(c.satisfied_by_value(values) for c in self.configspace.parent_conditions_of[name])

    def _forbidden(self, config: Mapping[str, Any]) -> str:
        """The forbidden clause that excludes the configuration; empty if none does."""
        clauses = self.configspace.forbidden_clauses
        if not clauses:
            return ""
        vector = np.full(len(self.configspace), np.nan)
        for name, value in config.items():
            vector[self.configspace.index_of[name]] = self.configspace[name].to_vector(value)
        return next((str(clause) for clause in clauses if clause.is_forbidden_vector(vector)), "")


def _check(configspace: ConfigurationSpace) -> None:
    """Refuse what ConfigSpace allows and a search cannot use."""
    from ConfigSpace import NotEqualsCondition
    from ConfigSpace.forbidden import ForbiddenGreaterThanEqualsClause, ForbiddenLessThanEqualsClause

    for hyperparameter in configspace.values():
        for value in listed_values(hyperparameter) or ():
            if not isinstance(value, str | int | float):
                raise SpaceError(f"{hyperparameter.name!r} has the value {value!r}: use text, numbers or booleans.")
    for condition in configspace.conditions:
        for part in getattr(condition, "dlcs", (condition,)):
            if isinstance(part, NotEqualsCondition) and configspace.parents_of[part.parent.name]:
                raise SpaceError(
                    f"ConfigSpace takes {part} as true where {part.parent.name!r} is not active. Use an InCondition "
                    "with the other values."
                )
    flawed = (ForbiddenLessThanEqualsClause, ForbiddenGreaterThanEqualsClause)
    waiting = list(configspace.forbidden_clauses)
    while waiting:
        clause = waiting.pop()
        waiting += getattr(clause, "components", ())
        if isinstance(clause, flawed):
            sign = "Less" if isinstance(clause, flawed[0]) else "Greater"
            raise SpaceError(
                f"ConfigSpace does not sample {clause} as it says. Use a ForbiddenOrConjunction of a "
                f"Forbidden{sign}ThanClause and a ForbiddenEqualsClause."
            )
