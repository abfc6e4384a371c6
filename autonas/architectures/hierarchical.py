"""Motifs of motifs: small graphs whose edges are the motifs of the level below (Liu et al 2018a).

Level 1 is primitive operations.  A motif of level l is a graph on a few ordered nodes whose edges carry motifs of level
l - 1, or "none" for no edge; node inputs are concatenated and projected (in the published network: concatenated, with
the projection in the next operation).  The only motif of the top level is the cell.  With two levels it is a flat cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Norm
from autonas.architectures.operations import check_operations, classify, join
from autonas.architectures.skeleton import stem
from autonas.errors import OptionError

__all__ = ["BATCHED", "SETTINGS", "construct", "edges", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "operations": ["conv_1x1", "depthwise_3x3", "sep_conv_3x3", "max_pool_3x3", "avg_pool_3x3", "identity"],
    "motifs": [6, 1],  # of the second and each later level; the last has one, the cell
    "nodes": [4, 5],  # of each motif of these levels
    "merge": "concat",
    "channels": 16,
    "largest": 0,  # see ``skeleton.STACK_SETTINGS``
    "stages": 3,
    "repeats": 1,
    "dropout": 0.0,
}
view = image_view


def edges(nodes: int) -> list[tuple[int, int]]:
    """All (from, to) of a graph on ordered nodes."""
    return [(i, j) for j in range(1, nodes) for i in range(j)]


def _choices(settings: Mapping[str, Any], level: int) -> list[str]:
    """What an edge of a motif of this level (2, 3, ...) may carry."""
    if level == 2:
        return ["none", *settings["operations"]]
    below = int(settings["motifs"][level - 3])
    return ["none", "identity", *(f"motif_{m}" for m in range(1, below + 1))]


def space(settings: Mapping[str, Any]) -> Section:
    """``level_<l>_motif_<m>_<i>_<j>``: what the edge from node i to node j of a motif carries."""
    check_operations(settings["operations"])
    if len(settings["motifs"]) != len(settings["nodes"]) or settings["motifs"][-1] != 1:
        raise OptionError(
            "`motifs` and `nodes` have one number for each level from the second on, and the last level has one motif; "
            f"given {settings['motifs']} and {settings['nodes']}"
        )
    found = []
    for level, (motifs, nodes) in enumerate(zip(settings["motifs"], settings["nodes"], strict=True), 2):
        choices = _choices(settings, level)
        for motif in range(1, motifs + 1):
            for i, j in edges(nodes):
                default = choices[-1] if j == i + 1 else "none"  # a chain
                found.append(architectural(f"level_{level}_motif_{motif}_{i}_{j}", choices, default))
    return {"hyperparameters": found}


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Stem, cells with a strided separable convolution after each stage but the last, classifier."""
    options, channels = graph.options, int(graph.options["channels"])
    x = graph.apply("relu", stem(graph, channels), [Activation()])
    top = len(options["motifs"]) + 1
    for stage in range(1, int(options["stages"]) + 1):
        if stage > 1:
            channels *= 2
            layers = [Conv(0, 3, 2, groups=0), Conv(channels, 1), Norm(), Activation()]
            x = graph.apply(f"reduce_{stage}", x, layers, "sep_conv_3x3")
        for repeat in range(1, int(options["repeats"]) + 1):
            with graph.scope(f"stage{stage}_cell{repeat}"):
                made = _motif(graph, "cell", x, top, 1)
            x = made if made is not None else x
    return classify(graph, x, n_outputs, float(options["dropout"]))


def _motif(graph: Graph, name: str, x: Value, level: int, motif: int) -> Value | None:
    """A motif applied to a value; None if no path leads from its first node to its last."""
    nodes = int(graph.options["nodes"][level - 2])
    values: list[Value | None] = [x]
    for j in range(1, nodes):
        reads = []
        for i in range(j):
            source = values[i]
            if source is not None:
                cases = [
                    ((choice,), partial(_edge, graph, f"{name}_{i}_{j}", source, level, choice))
                    for choice in _choices(graph.options, level)
                ]
                chosen = f"level_{level}_motif_{motif}_{i}_{j}"
                reads.append(graph.choose(chosen, cases, f"{name}_{i}_{j}"))
        values.append(_node(graph, f"{name}_{j}", [v for v in reads if v is not None], x.channels))
    return values[-1]


def _edge(graph: Graph, name: str, x: Value, level: int, choice: str) -> Value | None:
    if choice == "none":
        return None
    if choice.startswith("motif_"):
        return _motif(graph, f"{name}_{choice}", x, level - 1, int(choice.removeprefix("motif_")))
    return join(graph, f"{name}_{choice}", x, choice, x.channels, order="post")


def _node(graph: Graph, name: str, reads: list[Value], channels: int) -> Value | None:
    if not reads:
        return None
    if graph.options["merge"] == "add":
        return graph.add(f"{name}_add", reads)
    if len(reads) == 1 and not graph.relaxed:
        return reads[0]
    project = [Conv(channels, 1), Norm(), Activation()]
    return graph.apply(f"{name}_project", graph.concat(f"{name}_concat", reads), project)
