"""The values of one hyperparameter, from ConfigSpace's and numpy's types to plain Python and JSON.

ConfigSpace hands out ``numpy.str_`` and ``numpy.int64`` and takes True for 1; here is the one boundary that does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from autonas.core.trial import Value
from autonas.errors import SpaceError

__all__ = ["active_only", "all_values", "inactive", "legal", "listed_values", "plain"]


def inactive() -> Any:
    """ConfigSpace's mark of an inactive hyperparameter, which its conditions understand."""
    from ConfigSpace.types import NotSet

    return NotSet


def active_only(values: Mapping[str, Any]) -> dict[str, Value]:
    """The configuration, without the hyperparameters that are marked inactive."""
    mark = inactive()
    return {name: value for name, value in values.items() if value is not mark}


def listed_values(hyperparameter: Any) -> tuple[Value, ...] | None:
    """The values of a categorical, an ordinal or a constant; None for numbers in a range."""
    for attribute in ("choices", "sequence"):
        if hasattr(hyperparameter, attribute):
            return tuple(v.item() if isinstance(v, np.generic) else v for v in getattr(hyperparameter, attribute))
    return (hyperparameter.value,) if hasattr(hyperparameter, "value") else None


def _is_whole(hyperparameter: Any) -> bool:
    return isinstance(hyperparameter.default_value, int | np.integer)


def all_values(hyperparameter: Any) -> Iterable[Value]:
    """All values of a hyperparameter that has finitely many."""
    listed = listed_values(hyperparameter)
    return listed if listed is not None else range(int(hyperparameter.lower), int(hyperparameter.upper) + 1)


def plain(hyperparameter: Any, value: Any) -> Value:
    """A legal value as a plain Python value.

    Floats keep ten significant digits, and 13 decimals as in ConfigSpace: what comes back from ConfigSpace's unit
    interval then equals what went in.
    """
    listed = listed_values(hyperparameter)
    if listed is not None:
        return listed[listed.index(value)]
    if _is_whole(hyperparameter):
        return int(value)
    return min(max(float(f"{round(float(value), 13):.10g}"), float(hyperparameter.lower)), float(hyperparameter.upper))


def legal(hyperparameter: Any, value: Any) -> Value:
    """The plain form of a stated value."""
    value = value.item() if isinstance(value, np.generic) else value
    listed = listed_values(hyperparameter)
    if listed is not None:
        # in Python a boolean equals a number, in JSON it does not
        if any(known == value and isinstance(known, bool) == isinstance(value, bool) for known in listed):
            return plain(hyperparameter, value)
        required = f"one of {', '.join(map(repr, listed))}"
    else:
        if isinstance(value, int | float) and not isinstance(value, bool) and hyperparameter.legal_value(value):
            return plain(hyperparameter, value)
        kind = "a whole number" if _is_whole(hyperparameter) else "a number"
        required = f"{kind} in [{hyperparameter.lower}, {hyperparameter.upper}]"
    raise SpaceError(f"The hyperparameter {hyperparameter.name!r} cannot be {value!r}. Required: {required}.")
