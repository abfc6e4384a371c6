"""The values of one hyperparameter as a short list of actions, for strategies that decide by choosing from a list.

Categories, ordinals and small whole numbers keep their values; what is continuous or large becomes at most 16 bins of
equal width, after a logarithm where the hyperparameter has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from autonas.core.trial import Value
from autonas.errors import SpaceError
from autonas.search_space.values import all_values, listed_values, plain

__all__ = ["BINS", "WHOLE", "Axis"]

BINS = 16
WHOLE = 64
"""An integer that conditions or clauses speak of keeps all its values up to this many."""


@dataclass(frozen=True)
class Axis:
    """The actions of one hyperparameter.

    Parameters
    ----------
    hyperparameter : Hyperparameter
    values : tuple
        What each action stands for.
    edges : (n_actions + 1,) array or None
        Bounds of the bins in ConfigSpace's unit interval; None where an action is exactly one value.
    """

    hyperparameter: Any
    values: tuple[Value, ...]
    edges: np.ndarray | None = None

    @classmethod
    def of(cls, hyperparameter: Any, exact: bool) -> Axis:
        """At most 16 bins of equal width, after a logarithm where the hyperparameter has one."""
        listed = listed_values(hyperparameter)
        if listed is not None:
            return cls(hyperparameter, listed)
        whole = isinstance(hyperparameter.default_value, int | np.integer)
        if whole and hyperparameter.upper - hyperparameter.lower < (WHOLE if exact else BINS):
            return cls(hyperparameter, tuple(all_values(hyperparameter)))
        middles = (np.arange(BINS) + 0.5) / BINS
        values = tuple(dict.fromkeys(plain(hyperparameter, value) for value in hyperparameter.to_value(middles)))
        if not whole:
            return cls(hyperparameter, values, np.linspace(0, 1, BINS + 1))
        places = np.array([float(hyperparameter.to_vector(value)) for value in values])
        return cls(hyperparameter, values, np.concatenate([[0.0], (places[1:] + places[:-1]) / 2, [1.0]]))

    @property
    def name(self) -> str:
        """Name of the hyperparameter."""
        return str(self.hyperparameter.name)

    @property
    def default(self) -> Value:
        """Default value of the hyperparameter."""
        return plain(self.hyperparameter, self.hyperparameter.default_value)

    @cached_property
    def ordered(self) -> bool:
        """Whether neighbouring actions are neighbouring values."""
        return not hasattr(self.hyperparameter, "choices")

    @cached_property
    def _index(self) -> dict[tuple[bool, Value], int]:
        return {(isinstance(value, bool), value): action for action, value in enumerate(self.values)}

    def action(self, value: Value) -> int:
        """The action that stands for a value, or whose bin holds it."""
        if (known := self._index.get((isinstance(value, bool), value))) is not None:
            return known
        if self.edges is None:
            raise SpaceError(f"The hyperparameter {self.name!r} cannot be {value!r}. Required: one of {self.values}.")
        return int(np.searchsorted(self.edges[1:-1], float(self.hyperparameter.to_vector(value)), side="right"))

    def draw(self, action: int, rng: np.random.Generator) -> Value:
        """A value of the action's bin."""
        if self.edges is None:
            return self.values[action]
        place = rng.uniform(self.edges[action], self.edges[action + 1])
        value = plain(self.hyperparameter, self.hyperparameter.to_value(float(place)))
        return value if self.action(value) == action else self.values[action]  # a whole number may round out of it
