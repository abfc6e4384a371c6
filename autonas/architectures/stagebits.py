"""Stages of nodes whose connections are single bits (Xie & Yuille 2017, "Genetic CNN").

A node sums what it reads and applies one convolution.  A node that only gives reads the stage's input, one that only
takes adds to the stage's output, and one that does neither is not there.

The supernet relaxes all bits: what depends on several bits has the product of their weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Norm, Pool
from autonas.architectures.operations import classify

__all__ = ["BATCHED", "SETTINGS", "bits", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {"nodes": [3, 4, 5], "widths": [16, 32, 64], "kernel": 5, "dropout": 0.0}
view = image_view


def bits(nodes: int) -> list[tuple[int, int]]:
    """(from, to) of every bit of a stage, in the order of the published code: by the node that reads."""
    return [(i, j) for j in range(2, nodes + 1) for i in range(1, j)]


def space(settings: Mapping[str, Any]) -> Section:
    """``stage_<s>_<i>_<j>``: whether node ``j`` of the stage reads node ``i``."""
    names = [f"stage_{s}_{i}_{j}" for s, n in enumerate(settings["nodes"], 1) for i, j in bits(n)]
    return {"hyperparameters": [architectural(name, ["no", "yes"], "yes") for name in names]}


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The stages, each followed by a pool, and the classifier."""
    x = graph.input
    for stage, (nodes, width) in enumerate(zip(graph.options["nodes"], graph.options["widths"], strict=True), 1):
        x = _stage(graph, x, stage, int(nodes), int(width))
        x = graph.apply(f"pool_{stage}", x, [Pool("max", 2, 2)], "max_pool_2x2")
    return classify(graph, x, n_outputs, float(graph.options["dropout"]))


def _stage(graph: Graph, x: Value, stage: int, nodes: int, width: int) -> Value:
    def conv(name: str, value: Value) -> Value:
        kernel = int(graph.options["kernel"])
        layers = [Conv(width, kernel), Norm(), Activation()]
        return graph.apply(f"stage_{stage}_{name}", value, layers, f"conv_{kernel}x{kernel}")

    bit = f"stage_{stage}_{{}}_{{}}".format
    first = conv("input", x)
    values: dict[int, Value] = {}
    ends: list[Value | None] = []
    for node in range(1, nodes + 1):
        before = {f"node_{node}_from_{i}": bit(i, node) for i in range(1, node)}
        after = {f"node_{node}_to_{j}": bit(node, j) for j in range(node + 1, nodes + 1)}
        reads = [graph.optional(bit(i, node), value) for i, value in values.items()]
        total = graph.add(f"stage_{stage}_node_{node}_add", [*reads, _unless(graph, stage, before, first)])
        assert total is not None
        values[node] = conv(f"node_{node}", total)
        # a node that nobody reads is an end if it reads somebody
        ends.append(_unless(graph, stage, after, _if_any(graph, stage, before, values[node])))
    alone = {f"alone_{i}_{j}": bit(i, j) for i, j in bits(nodes)}
    total = graph.add(f"stage_{stage}_output_add", [*ends, _unless(graph, stage, alone, first)])
    assert total is not None
    return conv("output", total)


def _unless(graph: Graph, stage: int, which: Mapping[str, str], value: Value | None) -> Value | None:
    """The value if none of the bits is set; bits by the name of the place where they count."""
    for name, bit in which.items():
        if value is not None:
            value = graph.choose(
                bit, [(("no",), partial(_it, value)), (("yes",), lambda: None)], f"stage_{stage}_{name}"
            )
    return value


def _if_any(graph: Graph, stage: int, which: Mapping[str, str], value: Value) -> Value | None:
    """The value if one of the bits is set."""
    found: Value | None = None
    for name, bit in which.items():
        cases = [(("yes",), partial(_it, value)), (("no",), partial(_it, found))]
        found = graph.choose(bit, cases, f"stage_{stage}_{name}_any")
    return found


def _it(value: Value | None) -> Value | None:
    return value
