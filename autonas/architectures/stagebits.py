"""Stages of nodes whose connections are single bits (Xie & Yuille 2017, "Genetic CNN").

A node sums what it reads and applies one convolution.  A node that only gives reads the stage's input, one that only
takes adds to the stage's output, and one that does neither is not there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autonas.architectures.family import Section, architectural, image_view
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Norm, Pool
from autonas.architectures.operations import classify

__all__ = ["BATCHED", "RELAXES", "SETTINGS", "bits", "construct", "space", "view"]

BATCHED = False
RELAXES = False  # a bit also decides what else its two nodes read and feed
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

    edges = [(i, j) for i, j in bits(nodes) if graph.options[f"stage_{stage}_{i}_{j}"] == "yes"]
    first = conv("input", x)
    values: dict[int, Value] = {}
    for node in sorted({node for edge in edges for node in edge}):
        reads = [values[i] for i, j in edges if j == node] or [first]
        total = graph.add(f"stage_{stage}_node_{node}_add", reads)
        assert total is not None
        values[node] = conv(f"node_{node}", total)
    ends = [value for node, value in values.items() if not any(i == node for i, _ in edges)] or [first]
    total = graph.add(f"stage_{stage}_output_add", ends)
    assert total is not None
    return conv("output", total)
