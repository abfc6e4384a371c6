"""A network as it was found, at another size: search small, train large (Zoph et al 2018; Liu et al 2018b)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autonas.architectures.family import graph_module
from autonas.errors import OptionError, unknown
from autonas.search_space.portfolio import PortfolioEntry
from autonas.search_space.space import MODEL, SearchSpace

__all__ = ["SIZES", "fixed_space", "sized"]

SIZES: dict[str, dict[str, str]] = {
    "cells": {
        "blockcode": "repeats", "cell": "cells", "denseblock": "repeats", "hierarchical": "repeats",
        "treecell": "repeats",
    },
    "width": {
        "blockcode": "channels", "cell": "channels", "dag": "channels", "denseblock": "growth", "fabric": "channels",
        "hierarchical": "channels", "memorybank": "channels", "routed": "channels", "treecell": "channels",
    },
}  # fmt: skip
"""What says the number of cells, and the width, by family; others have a ``width`` of that name, or none at all."""


def sized(family: str, options: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes by the names of the family, in the place of ``cells`` and ``width``.

    Parameters
    ----------
    family : str
    options : mapping
        Of the network: settings and hyperparameters.
    changes : mapping
        ``cells``: all cells of the network.

    Raises
    ------
    OptionError
        For a size that is no positive whole number, or cells that do not fill the stages equally.
    """
    found: dict[str, Any] = {}
    for name, value in changes.items():
        own = SIZES.get(name, {}).get(family, name)
        found[own] = value
        if name in SIZES and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise OptionError(f"{name} must be a positive whole number, not {value!r}.")
        if name == "cells" and own == "repeats":
            found[own], rest = divmod(value, int(options["stages"]))
            if rest:
                stages = options["stages"]
                raise OptionError(f"This network has {stages} stages of equally many cells: {value} cannot be shared.")
    if family == "cell" and "repeats" in found and "cells" not in found:
        found["cells"] = 0  # it would say how many there are, whatever a stage has
    return found


def fixed_space(
    family: str,
    options: Mapping[str, Any],
    modality: str,
    changes: Mapping[str, Any] | None = None,
    final: Mapping[str, Any] | None = None,
) -> SearchSpace:
    """A space of one configuration: a network as it was found, with some options changed.

    Parameters
    ----------
    changes : mapping, optional
        Options of the network; also ``cells`` and ``width``, whatever the family calls them.
    final : mapping, optional
        What is changed unless ``changes`` says otherwise.

    Raises
    ------
    OptionError
        For a change of an option that neither the family nor the network has.
    """
    from ConfigSpace import ConfigurationSpace, Constant

    module = graph_module(family)
    known = {**(module.SETTINGS if module is not None else {}), **options}
    changes = {**(final or {}), **sized(family, known, changes or {})}
    for name in changes:
        if name not in known:
            generic = [size for size, own in SIZES.items() if family in own]
            raise unknown(f"option of the family {family!r}", name, [*known, *generic])
    return SearchSpace(
        ConfigurationSpace(space=[Constant(MODEL, family)]),
        name=family,
        modality=modality,
        families={family: family},
        settings={family: {**options, **changes}},
        networks=(family,),
        portfolio=(PortfolioEntry({MODEL: family}, 1.0),),
    )
