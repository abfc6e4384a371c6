"""A space as it grows from a file: plain data with full names, conditions by their child, ready for ConfigSpace."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from autonas.search_space.size import log10_size
from autonas.search_space.spec import Spec, mentioned

__all__ = ["Draft"]


@dataclass
class Draft:
    """A space as it grows: everything with full names, conditions by their child."""

    hyperparameters: dict[str, Spec] = field(default_factory=dict)
    conditions: dict[str, Spec] = field(default_factory=dict)
    forbiddens: list[Spec] = field(default_factory=list)
    families: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    final: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: list[str] = field(default_factory=list)
    only: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, names: Collection[str]) -> set[str]:
        """Remove hyperparameters and whatever depends on them; returns all names that are gone."""
        gone = set(names)
        while more := {child for child, c in self.conditions.items() if not gone.isdisjoint(mentioned(c))} - gone:
            gone |= more
        self.hyperparameters = {name: spec for name, spec in self.hyperparameters.items() if name not in gone}
        self.conditions = {child: spec for child, spec in self.conditions.items() if child not in gone}
        self.forbiddens = [clause for clause in self.forbiddens if gone.isdisjoint(mentioned(clause))]
        return gone

    @property
    def log10_size(self) -> float:
        """Decimal logarithm of the number of configurations."""
        return log10_size(self.hyperparameters, self.conditions, self.forbiddens)
