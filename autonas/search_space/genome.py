"""Genomes in a space: structure that grows without bound, beside the hyperparameters that stay a configuration.

Of a space whose family has genomes (see ``architectures/genomes``) the ConfigSpace is what else is searched, and a
capped projection: a proposal without a genome is a point of it.  In a proposal with one, hyperparameters of the
projection mean nothing and are at their defaults, so that equal proposals have equal keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.architectures.family import graph_module
from autonas.core.trial import Config, Value
from autonas.errors import SpaceError

if TYPE_CHECKING:
    from autonas.search_space.space import SearchSpace

__all__ = ["Edit", "Genomes", "free", "has_genomes", "sized", "with_defaults"]

Edit = tuple[Any, ...]
"""A structural move: its name, then plain values that say what changed."""


@cache
def _module(family: str) -> ModuleType | None:
    return graph_module(family)


def has_genomes(family: str) -> bool:
    """Whether the architectures of a family may be genomes."""
    return bool(family) and hasattr(_module(family), "mutate")


class Genomes:
    """The genomes of a family under the settings of a space.

    Parameters
    ----------
    family : str
    settings : mapping
        Where they differ from the family's.

    Raises
    ------
    SpaceError
        If the family has none.
    """

    def __init__(self, family: str, settings: Mapping[str, Any]) -> None:
        module = _module(family)
        if module is None or not hasattr(module, "mutate"):
            raise SpaceError(f"The family {family!r} has no genomes: its architectures are configurations.")
        self._family = module
        self.settings = {**module.SETTINGS, **settings}

    def initial(self, rng: np.random.Generator) -> str:
        """A small genome to start from."""
        found: str = self._family.initial(self.settings, rng)
        return found

    def mutate(self, genome: str, rng: np.random.Generator, temperature: float | None = None) -> tuple[str, Edit]:
        """A changed genome, and the edit.

        Parameters
        ----------
        temperature : float, optional
            In (0, 1]: how far from the aim the parent is, for families whose edits are the larger the farther.
        """
        settings = self.settings if temperature is None else {**self.settings, "temperature": temperature}
        found: tuple[str, Edit] = self._family.mutate(genome, settings, rng)
        return found

    def crossover(self, a: str, b: str, rng: np.random.Generator) -> str:
        """A child of two genomes, ``a`` being the better one; ``a`` itself where the family knows no crossover."""
        if not hasattr(self._family, "crossover"):
            return a
        found: str = self._family.crossover(a, b, self.settings, rng)
        return found

    def distances(self, genomes: Sequence[str]) -> np.ndarray | None:
        """(n, n) distances in the family's own units; None where it knows none."""
        if not hasattr(self._family, "distances"):
            return None
        found: np.ndarray = self._family.distances(genomes)
        return found

    def from_options(self, options: Mapping[str, Any]) -> str:
        """The genome of a bounded configuration, given its options."""
        found: str = self._family.from_options({**self.settings, **options})
        return found


def free(space: SearchSpace) -> list[str]:
    """Hyperparameters that a genome does not replace and that can change."""
    kept = [name for name, h in space.configspace.items() if not (h.meta or {}).get("genome")]
    return [name for name in kept if space.configspace[name].size != 1]


def with_defaults(space: SearchSpace, config: Config) -> dict[str, Value]:
    """The configuration with whatever a genome replaces at its default."""
    kept = {name: v for name, v in config.items() if not (space.configspace[name].meta or {}).get("genome")}
    return space.complete(kept)


def sized(space: SearchSpace, shape: Sequence[int], n_outputs: int) -> SearchSpace:
    """The space for examples of one shape, where genomes have a node for every number that comes in and goes out.

    Parameters
    ----------
    space : SearchSpace
    shape : sequence of int
        Of one example.
    n_outputs : int
        Classes, or 1.

    Returns
    -------
    SearchSpace
        The same one if its family asks for no sizes.
    """
    from copy import copy

    settings = {}
    for kind, family in space.families.items():
        asks = getattr(_module(family), "SETTINGS", {})
        sizes = {"inputs": int(np.prod(shape)), "outputs": n_outputs} if {"inputs", "outputs"} <= set(asks) else {}
        settings[kind] = {**space.settings.get(kind, {}), **sizes}
    if settings == space.settings:
        return space
    found = copy(space)
    found.settings = settings
    for cached in ("source", "hash"):
        found.__dict__.pop(cached, None)
    return found
