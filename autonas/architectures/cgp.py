"""Cartesian genetic programming: a grid of nodes that read from the columns before (Suganuma et al 2017).

Every node has a type and two connections; a node on no path to the output is not built, so that many genotypes mean
one network.  Sums pad the smaller number of channels with zeros, and maps of different size are pooled to the smaller.

In the supernet every node has the shape that it has in the one configuration that is given: its type keeps the types,
and its connections keep the nodes, that do not change a shape.  Nodes on no path to the output take part, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Layer, Norm, PadChannels, Pool
from autonas.architectures.operations import classify
from autonas.errors import ArchitectureError, unknown

__all__ = ["BATCHED", "SETTINGS", "construct", "functions", "readable", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "rows": 5,
    "columns": 30,
    "levels_back": 10,
    "block": "conv",
    "filters": [32, 64, 128],
    "kernels": [3, 5],
    "dropout": 0.0,
}
view = image_view


def functions(settings: Mapping[str, Any]) -> list[str]:
    """The types that a node may have."""
    if settings["block"] not in ("conv", "res"):
        raise unknown("block", settings["block"], ("conv", "res"))
    blocks = [f"{settings['block']}_{f}_{k}" for f in settings["filters"] for k in settings["kernels"]]
    return [*blocks, "max_pool", "avg_pool", "sum", "concat"]


def readable(column: int, rows: int, levels_back: int) -> list[int]:
    """Numbers of the nodes that a node of a column may read; 0 is the input, 1 the first node of the first column."""
    first = max(1, column - levels_back)
    nodes = [c * rows + r - rows + 1 for c in range(first, column) for r in range(rows)]
    return [0, *nodes] if column <= levels_back else nodes


def space(settings: Mapping[str, Any]) -> Section:
    """``type_<n>``, ``first_<n>`` and ``second_<n>`` of each node, and ``output``."""
    rows, columns, back = (int(settings[key]) for key in ("rows", "columns", "levels_back"))
    kinds = functions(settings)
    found = []
    for column in range(1, columns + 1):
        sources = readable(column, rows, back)
        for n in range((column - 1) * rows + 1, column * rows + 1):
            found.append(architectural(f"type_{n}", kinds))
            found += [architectural(f"{which}_{n}", sources, sources[-1]) for which in ("first", "second")]
    return {"hyperparameters": [*found, architectural("output", readable(columns + 1, rows, back))]}


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The nodes on which the output depends, and the classifier."""
    options = graph.options
    rows, columns, back = (int(options[key]) for key in ("rows", "columns", "levels_back"))
    needed: set[int] = set()
    waiting = [int(options["output"])]
    while waiting:
        node = waiting.pop()
        if node and node not in needed:
            needed.add(node)
            waiting += [int(options[f"{w}_{node}"]) for w in _connections(str(options[f"type_{node}"]))]
    values = {0: graph.input}

    def read(hyperparameter: str, column: int) -> Value:
        if options[hyperparameter] not in values:
            raise ArchitectureError(f"{hyperparameter}: node {options[hyperparameter]} is impossible")
        sources = [n for n in readable(column, rows, back) if n in values]
        return graph.select(hyperparameter, [((n,), partial(_it, values[n])) for n in sources], alike=True)

    for node in range(1, rows * columns + 1) if graph.relaxed else sorted(needed):
        try:
            values[node] = _node(graph, node, partial(read, column=(node - 1) // rows + 1))
        except ArchitectureError:
            if node in needed:
                raise
    return classify(graph, read("output", columns + 1), n_outputs, float(options["dropout"]))


def _it(value: Value) -> Value:
    return value


def _connections(kind: str) -> tuple[str, ...]:
    return ("first", "second") if kind in ("sum", "concat") else ("first",)


def _node(graph: Graph, node: int, read: Callable[[str], Value]) -> Value:
    read = cache(read)  # types that read the same share the choice of it

    def make(kind: str) -> Value:
        values = [read(f"{which}_{node}") for which in _connections(kind)]
        with graph.case(kind):
            return _typed(graph, f"node_{node}", kind, values)

    return graph.select(
        f"type_{node}", [((kind,), partial(make, kind)) for kind in functions(graph.options)], alike=True
    )


def _typed(graph: Graph, name: str, kind: str, values: list[Value]) -> Value:
    if len(values) == 2:
        return _merge(graph, name, kind, values)
    (x,) = values
    if kind.endswith("pool"):
        if min(x.spatial) < 2:
            raise ArchitectureError(f"{name}: a pool requires a map of at least 2, given {x.spatial}")
        return graph.apply(name, x, [Pool(kind[:3], 2, 2)], kind)
    match = re.fullmatch(r"(conv|res)_(\d+)_(\d+)", kind)
    assert match is not None
    width, kernel = int(match[2]), int(match[3])
    if match[1] == "conv":
        return graph.apply(name, x, [Conv(width, kernel), Norm(), Activation()], kind)
    branch: list[Layer] = [Conv(width, kernel), Norm(), Activation(), Conv(width, kernel), Norm()]
    made = _merge(graph, f"{name}_sum", "sum", [graph.apply(name, x, branch, kind), x])
    return graph.apply(f"{name}_relu", made, [Activation()])


def _merge(graph: Graph, name: str, kind: str, values: list[Value]) -> Value:
    smallest = tuple(min(sizes) for sizes in zip(*(v.spatial for v in values), strict=True))
    most = max(v.channels for v in values)
    fitted = []
    for side, value in enumerate(values, 1):
        layers: list[Layer] = []
        shape = value.shape
        while shape[1:] != smallest:  # every pool of the grid halves, rounding up
            layers.append(Pool("max", 2, 2))
            shape = layers[-1].account(shape).shape
        if kind == "sum" and value.channels < most:
            layers.append(PadChannels(most))
        fitted.append(graph.apply(f"{name}_fit_{side}", value, layers) if layers else value)
    if kind == "concat":
        return graph.concat(name, fitted, "concat")
    total = graph.add(name, fitted, "sum")
    assert total is not None
    return total
