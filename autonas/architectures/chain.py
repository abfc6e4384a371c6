"""Chains of layers: each reads the one before (survey, section 2, "chain-structured neural networks").

The number of layers is a choice, and so are the kind of each layer and what belongs to its kind (Baker et al 2017a;
Wistuba 2017; Negrinho & Gordon 2017).

In the supernet ``type_<i>`` is fixed, as a pool changes the resolution, and ``pool_<i>`` keeps the pools that lead to
the same one; a layer of no type is a convolution.  All else is relaxed, as far as it fits into the maps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.graph import Graph, Value, widest
from autonas.architectures.layers import Activation, Conv, Dense, Drop, Flatten, GlobalPool, Norm, Pool
from autonas.errors import ArchitectureError, OptionError

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
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
    """The chain, fully connected layers if the map is small enough, and the classifier.

    Depths at which the chain has one shape share their head: those from the first convolution or a pool up to the next
    pool.
    """
    x, runs, convolutions = graph.input, list[dict[int, Value]](), 0
    most = int(graph.options["max_depth" if graph.relaxed else "depth"])
    for i in range(1, most + 1):
        pool = graph.options.get(f"type_{i}", "conv") == "pool"
        try:
            x = _pool_layer(graph, i, x) if pool else _conv_layer(graph, i, x)
        except ArchitectureError:
            if i <= int(graph.options["depth"]):
                raise
            break  # deeper chains are impossible
        convolutions += not pool
        if pool or convolutions == 1:
            runs.append({})
        runs[-1][i] = x
    graph.kept["depth"] = tuple(depth for run in runs for depth in run)
    cases = [(tuple(run), partial(_ended, graph, run, n_outputs)) for run in runs]
    return graph.finish(graph.select("depth", cases))


def _pool_layer(graph: Graph, i: int, x: Value) -> Value:
    def pool(text: str) -> Value:
        size, stride = _pool(text)
        with graph.case(text.replace("/", "_")):
            return graph.apply(f"pool_{i}", x, [Pool("max", size, stride, valid=True)], f"max_pool_{size}")

    return graph.select(f"pool_{i}", [((p,), partial(pool, p)) for p in graph.options["pools"]], alike=True)


def _conv_layer(graph: Graph, i: int, x: Value) -> Value:
    options = graph.options
    width = graph.width(f"filters_{i}", options["filters"])

    def conv(kernel: int) -> Value:
        if kernel > min(x.spatial):
            raise ArchitectureError(f"layer {i}: a kernel of {kernel} does not fit into a map of {x.spatial}")
        norm = [Norm()] if options["norm"] else []
        layers = [Conv(widest(width), kernel, bias=not norm), *norm, Activation(str(options["activation"]))]
        with graph.case(kernel):
            return graph.apply(f"conv_{i}", x, layers, f"conv_{kernel}x{kernel}", width)

    return graph.select(f"kernel_{i}", [((k,), partial(conv, k)) for k in options["kernels"]], alike=True)


def _ended(graph: Graph, run: Mapping[int, Value], n_outputs: int) -> Value:
    """The logits of chains that end in one of these layers."""
    first, last = min(run), max(run)
    depths = range(1, int(graph.options["max_depth"]) + 1)
    # chains that end before count for the first layer, those that end behind for the last: the weights have the sum 1
    cases = [([d for d in depths if min(max(d, first), last) == i], partial(_it, x)) for i, x in run.items()]
    x = graph.select("depth", cases, f"end_{first}")
    with graph.case(first):
        return _head(graph, x, n_outputs)


def _head(graph: Graph, x: Value, n_outputs: int) -> Value:
    most, options = int(graph.options["max_dense"]), graph.options
    drop = [Drop(float(options["dropout"]))] if options["dropout"] else []

    def classifier(vector: Value, layers: int) -> Value:
        with graph.case(layers):
            return graph.apply("classifier", vector, [Dense(n_outputs)], "output")

    def dense(vector: Value, i: int) -> Value:
        """Fully connected layers from the i-th on."""
        width = graph.width(f"units_{i}", sorted(options["units"]))
        layers = [Dense(widest(width)), Activation(str(options["activation"])), *drop]
        made = graph.apply(f"dense_{i}", vector, layers, "dense", width)
        cases = [(range(i + 1), partial(classifier, made, i)), (range(i + 1, most + 1), partial(dense, made, i + 1))]
        return graph.select("dense", cases, f"dense_{i}")

    def flat() -> Value | None:
        if max(x.spatial) > LARGE_MAP:
            if graph.relaxed:
                return None
            raise ArchitectureError(f"fully connected layers require a map of at most {LARGE_MAP}, given {x.spatial}")
        return dense(graph.apply("vector", x, [Flatten()]), 1)

    def mean() -> Value:
        with graph.case("mean"):
            vector = graph.apply("vector", x, [GlobalPool()])
        return classifier(vector, 0)

    return graph.select("dense", [((0,), mean), (range(1, most + 1), flat)]) if most else mean()


def _it(value: Value) -> Value:
    return value
