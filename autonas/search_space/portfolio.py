"""First proposals of a space: strong configurations, and the data that they are meant for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autonas.core.trial import Config, Value

__all__ = ["PortfolioEntry"]


@dataclass(frozen=True)
class PortfolioEntry:
    """A strong configuration that runs before the strategy speaks.

    Parameters
    ----------
    config : mapping
        Complete and valid.
    share : float
        Part of the time limit that it may use, in (0, 1].
    when : mapping
        For which data it is meant: ``min_rows``, ``max_rows``, ``min_columns``, ``max_columns`` (inclusive),
        ``kind``, ``text``, ``categories``.  Empty: for all.
    """

    config: Config
    share: float
    when: Mapping[str, Value] = field(default_factory=dict)

    def holds(self, facts: Mapping[str, Any]) -> bool:
        """Whether the entry is meant for data with these facts; a fact that is not given holds for nothing."""
        for key, wanted in self.when.items():
            bound, _, name = key.rpartition("_")
            given = facts.get(name)
            if given is None:
                return False
            if bound == "min":
                fits = given >= wanted
            elif bound == "max":
                fits = given <= wanted
            else:
                fits = given == wanted
            if not fits:
                return False
        return True
