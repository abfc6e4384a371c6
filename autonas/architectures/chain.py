"""Chains of layers: each reads the one before (survey, section 2, "chain-structured neural networks").

The number of layers is a choice, and so are the kind of each layer and what belongs to its kind (Baker et al 2017a;
Wistuba 2017; Negrinho & Gordon 2017).  A pool changes the resolution, so these chains have no supernet; ``stages.py``
has chains with fixed pools, which do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Dense, Drop, Flatten, GlobalPool, Norm, Pool
from autonas.errors import ArchitectureError, OptionError

__all__ = ["BATCHED", "RELAXES", "SETTINGS", "construct", "space", "view"]

BATCHED = False
RELAXES = False  # whether a layer is a pool decides about the resolution of all that follow
SETTINGS: dict[str, Any] = {
    "max_depth": 12,
    "kernels": [1, 3, 5],
    "filters": [64, 128, 256, 512],
    "pools": ["5/3", "3/2", "2/2"],  # size and stride
    "max_dense": 2,
    "units": [512, 256, 128],
    "norm": False,
    "activation": "relu",
    "dropout": 0.0,
}
view = image_view
LARGE_MAP = 8  # fully connected layers follow smaller maps only


def space(settings: Mapping[str, Any]) -> Section:
    """``depth``; of each layer ``type_<i>`` and then ``kernel_<i>``, ``filters_<i>`` or ``pool_<i>``; ``dense``, units.

    Forbidden: a pool after a pool, and a fully connected layer that is wider than the one before.
    """
    depths = list(range(1, settings["max_depth"] + 1))
    kinds = ["conv", "pool"] if settings["pools"] else ["conv"]
    for pool in settings["pools"]:
        _pool(pool)
    section: Section = {"hyperparameters": [number("depth", depths, 4)], "conditions": [], "forbiddens": []}
    hyperparameters, conditions, forbiddens = section.values()
    for i in depths:
        parts = {
            f"type_{i}": architectural(f"type_{i}", kinds),
            f"kernel_{i}": number(f"kernel_{i}", settings["kernels"]),
            f"filters_{i}": number(f"filters_{i}", settings["filters"]),
        }
        if settings["pools"]:
            parts[f"pool_{i}"] = architectural(f"pool_{i}", settings["pools"], settings["pools"][-1])
        hyperparameters += parts.values()
        exists = {"type": "GT", "parent": "depth", "value": i - 1}
        for name in parts:
            clauses = [{**exists, "child": name}] if i > 1 else []
            if not name.startswith("type"):
                kind = "pool" if name.startswith("pool") else "conv"
                clauses.append({"type": "EQ", "child": name, "parent": f"type_{i}", "value": kind})
            if clauses:
                conditions.append(clauses[0] if len(clauses) == 1 else {"type": "AND", "conditions": clauses})
        if i > 1 and settings["pools"]:
            pools = [{"type": "EQUALS", "name": f"type_{k}", "value": "pool"} for k in (i - 1, i)]
            forbiddens.append({"type": "AND", "clauses": pools})
    _dense(settings, hyperparameters, conditions, forbiddens)
    return section


def _dense(settings: Mapping[str, Any], hyperparameters: list, conditions: list, forbiddens: list) -> None:
    most, units = int(settings["max_dense"]), sorted(settings["units"])
    if not most:
        return
    hyperparameters.append(number("dense", list(range(most + 1))))
    for i in range(1, most + 1):
        hyperparameters.append(number(f"units_{i}", units))
        conditions.append({"type": "GT", "child": f"units_{i}", "parent": "dense", "value": i - 1})
        if i > 1:
            for k, wide in enumerate(units[1:], 1):
                narrower = {"type": "IN", "name": f"units_{i - 1}", "values": units[:k]}
                wider = {"type": "EQUALS", "name": f"units_{i}", "value": wide}
                forbiddens.append({"type": "AND", "clauses": [wider, narrower]})


def _pool(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", str(text))
    if match is None:
        raise OptionError(f'a pool is its size and its stride, like "3/2"; given {text!r}')
    return int(match[1]), int(match[2])


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The chain, fully connected layers if the map is small enough, and the classifier."""
    options = graph.options
    x = graph.input
    for i in range(1, int(options["depth"]) + 1):
        if options[f"type_{i}"] == "pool":
            size, stride = _pool(options[f"pool_{i}"])
            x = graph.apply(f"pool_{i}", x, [Pool("max", size, stride, valid=True)], f"max_pool_{size}")
            continue
        kernel = int(options[f"kernel_{i}"])
        if kernel > min(x.spatial):
            raise ArchitectureError(f"layer {i}: a kernel of {kernel} does not fit into a map of {x.spatial}")
        norm = [Norm()] if options["norm"] else []
        conv = Conv(int(options[f"filters_{i}"]), kernel, bias=not norm)
        layers = [conv, *norm, Activation(str(options["activation"]))]
        x = graph.apply(f"conv_{i}", x, layers, f"conv_{kernel}x{kernel}")
    return _head(graph, x, n_outputs)


def _head(graph: Graph, x: Value, n_outputs: int) -> Graph:
    options = graph.options
    drop = [Drop(float(options["dropout"]))] if options["dropout"] else []
    dense = int(options.get("dense", 0))
    if dense and max(x.spatial) > LARGE_MAP:
        raise ArchitectureError(f"fully connected layers require a map of at most {LARGE_MAP}, given {x.spatial}")
    x = graph.apply("vector", x, [Flatten() if dense else GlobalPool()])
    for i in range(1, dense + 1):
        units = int(options[f"units_{i}"])
        x = graph.apply(f"dense_{i}", x, [Dense(units), Activation(str(options["activation"])), *drop], "dense")
    return graph.finish(graph.apply("classifier", x, [Dense(n_outputs)], "output"))
