"""What the families that are written as graphs share: declaring hyperparameters, and building from options.

Such a family is a module with ``SETTINGS`` (what a space file may set, with defaults), ``space(settings)`` (the
hyperparameters that follow from them, in the dialect of space files), ``construct(graph, n_outputs)``, ``view`` and
``BATCHED``.  Nothing in it imports torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from autonas.architectures.graph import Graph
from autonas.errors import OptionError, unknown

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "PIXELS", "GraphFamily", "Section", "ShrunkFamily", "architectural", "build", "compile_graph", "graph_module",
    "image_view", "load_family", "map_view", "number", "series_view",
]  # fmt: skip

Section = dict[str, list[dict[str, Any]]]
"""``hyperparameters``, ``conditions`` and ``forbiddens`` as in a space file, names without the kind's prefix."""

ROLE = {"role": "architecture"}
PIXELS = "pixels"
"""Option of a network of any family that reads images shrunk to a shorter side of so many pixels."""


def architectural(name: str, values: Sequence[Any], default: Any = None) -> dict[str, Any]:
    """A categorical hyperparameter that decides about the architecture; a constant if it has one value."""
    if not values:
        raise OptionError(f"they leave {name!r} no value to choose from.")
    if len(values) == 1:
        return {"name": name, "type": "constant", "value": values[0], "meta": ROLE}
    first = values[0] if default is None else default
    return {"name": name, "type": "categorical", "choices": list(values), "default_value": first, "meta": ROLE}


def number(name: str, values: Sequence[Any], default: Any = None) -> dict[str, Any]:
    """As :func:`architectural`, for values with an order."""
    if len(values) < 2:
        return architectural(name, values)
    first = values[0] if default is None else default
    return {"name": name, "type": "ordinal", "sequence": list(values), "default_value": first, "meta": ROLE}


def image_view(options: Mapping[str, Any]) -> str:
    """Reads images."""
    return "image"


def map_view(options: Mapping[str, Any]) -> str:
    """Reads images, or with the setting ``view: series`` series, on which every operation has one dimension less."""
    view = str(options.get("view", "image"))
    if view not in ("image", "series"):
        raise unknown("view", view, ("image", "series"))
    return view


def series_view(options: Mapping[str, Any]) -> str:
    """Reads series."""
    return "series"


def compile_graph(
    family: ModuleType, options: Mapping[str, Any], shape: Sequence[int], n_outputs: int, relaxed: bool = False
) -> Graph:
    """The graph of a configuration, or relaxed that of the family.

    Parameters
    ----------
    family : module
    options : mapping
        Hyperparameters, and settings where they differ from the family's.
    shape : sequence of int
        Shape of one example.
    n_outputs : int

    Raises
    ------
    ArchitectureError
        If the configuration cannot be built for examples of this shape.
    """
    if not hasattr(family, "construct"):
        raise OptionError(f"The family {family.__name__.rpartition('.')[2]!r} is not made of a graph.")
    graph = Graph({**family.SETTINGS, **options}, tuple(int(size) for size in shape), relaxed)
    found: Graph = family.construct(graph, n_outputs)
    return found


def build(family: ModuleType, options: Mapping[str, Any], shape: Sequence[int], n_outputs: int) -> nn.Module:
    """The network of a configuration."""
    return compile_graph(family, options, shape, n_outputs).network()


class GraphFamily:
    """A family of graphs as the training sees it: ``BATCHED``, ``view`` and ``build``."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.BATCHED: bool = module.BATCHED
        self.view = module.view

    def build(self, options: Mapping[str, Any], shape: Sequence[int], n_outputs: int, n_numeric: int = 0) -> nn.Module:
        """A new network."""
        return build(self.module, options, shape, n_outputs)


class ShrunkFamily:
    """A family whose networks read images that are shrunk."""

    def __init__(self, family: Any, pixels: int) -> None:
        self.BATCHED: bool = family.BATCHED
        self.build = family.build
        self.module = getattr(family, "module", None)
        self._view, self._pixels = family.view, pixels

    def view(self, options: Mapping[str, Any]) -> str:
        """Name of the view that the network reads."""
        return f"{self._view(options)}@{self._pixels}"


@cache
def graph_module(name: str) -> ModuleType | None:
    """The module of a family that is made of graphs; None for another (which would import torch, and is not)."""
    spec = find_spec(f"autonas.architectures.{name}")
    if spec is None or spec.origin is None or "\ndef construct(" not in Path(spec.origin).read_text(encoding="utf-8"):
        return None
    return import_module(spec.name)


def load_family(name: str) -> Any:
    """A family by name, as the training needs it."""
    module = graph_module(name)
    return import_module(f"autonas.architectures.{name}") if module is None else GraphFamily(module)
