"""Tree cells: a layer replaced by a tree of branches, inside a designed skeleton (Cai et al 2018b).

A node either is one operation, or hands its input to branches, whole ("replicate") or channel by channel ("split"),
each of which applies an operation and then is a node itself, and merges their outputs by sum or concatenation.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Norm, Part, Pool
from autonas.architectures.operations import check_operations, classify, join

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "operations": [
        "identity", "conv_1x1", "group_conv_3x3", "sep_conv_3x3", "sep_conv_5x5", "max_pool_3x3", "avg_pool_3x3",
    ],
    "depth": 2,
    "skeleton": "plain",
    "channels": 16,
    "stages": 3,
    "repeats": 2,
    "groups": 4,
    "dropout": 0.0,
}  # fmt: skip
view = image_view
MERGES = {"leaf": 0, "add2": 2, "add3": 3, "concat2": 2}
"""What a node may be, and its number of branches; a concatenation splits its input, a sum replicates it."""


def space(settings: Mapping[str, Any]) -> Section:
    """``node<path>`` says what a node is, ``op<path>`` what the branch in front of it applies; a path is "_2_1"."""
    check_operations(settings["operations"])
    section: Section = {"hyperparameters": [], "conditions": []}
    _declare(settings, section, "", 0)
    return section


def _declare(settings: Mapping[str, Any], section: Section, path: str, depth: int) -> None:
    if depth == settings["depth"]:
        return
    merges = [name for name in MERGES if depth or name != "leaf"]  # the root branches, or it would be one operation
    section["hyperparameters"].append(architectural(f"node{path}", merges))
    for branch in (1, 2, 3):
        below = f"{path}_{branch}"
        start = len(section["hyperparameters"])
        usual = "group_conv_3x3" if "group_conv_3x3" in settings["operations"] else None
        section["hyperparameters"].append(architectural(f"op{below}", settings["operations"], usual))
        _declare(settings, section, below, depth + 1)
        enough = [name for name in merges if MERGES[name] >= branch]
        for h in section["hyperparameters"][start:]:
            if h["name"] in (f"op{below}", f"node{below}"):
                section["conditions"].append(
                    {"type": "IN", "child": h["name"], "parent": f"node{path}", "values": enough}
                )


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Stages of tree cells, in a chain or densely connected, with transitions that halve the resolution."""
    options, channels = graph.options, int(graph.options["channels"])
    x = graph.apply("stem", graph.input, [Conv(channels, 3), Norm()])
    for stage in range(1, int(options["stages"]) + 1):
        if stage > 1:
            channels *= 2
            x = graph.apply(f"transition_{stage}", x, [Activation(), Conv(channels, 1), Norm(), Pool("avg", 2, 2)])
        for repeat in range(1, int(options["repeats"]) + 1):
            with graph.scope(f"stage{stage}_cell{repeat}"):
                made = _node(graph, "", x, 0)
                if options["skeleton"] == "dense":
                    both = graph.concat("dense", [x, made])
                    made = graph.apply("compress", both, [Activation(), Conv(channels, 1), Norm()])
            x = made
    return classify(graph, graph.apply("final", x, [Activation()]), n_outputs, float(options["dropout"]))


def _node(graph: Graph, path: str, x: Value, depth: int) -> Value:
    """The tree below a node, with as many channels as come in."""
    if depth == int(graph.options["depth"]):
        return x
    merges = [name for name in MERGES if depth or name != "leaf"]
    cases = [((name,), partial(_branches, graph, path, x, depth, name)) for name in merges]
    made = graph.choose(f"node{path}", cases)
    assert made is not None
    return made


def _branches(graph: Graph, path: str, x: Value, depth: int, merge: str) -> Value:
    n = MERGES[merge]
    if n == 0:
        return x
    made = []
    for branch in range(1, n + 1):
        below, part = f"{path}_{branch}", x
        if merge == "concat2":
            half = x.channels // 2
            bounds = (0, half) if branch == 1 else (half, x.channels)
            part = graph.apply(f"split{below}", x, [Part(*bounds)])
        made.append(_branch(graph, below, part, depth, merge))
    if merge == "concat2":
        return graph.concat(f"concat{path}", made)
    total = graph.add(f"{merge}{path}", made)
    assert total is not None
    return total


def _branch(graph: Graph, path: str, x: Value, depth: int, merge: str) -> Value:
    def operation(name: str) -> Value:
        made = join(graph, f"{merge}{path}_{name}", x, name, x.channels, groups=int(graph.options["groups"]))
        assert made is not None
        return made

    cases = [((name,), partial(operation, name)) for name in graph.options["operations"]]
    made = graph.choose(f"op{path}", cases, f"{merge}{path}")
    assert made is not None
    with graph.scope(merge):
        return _node(graph, path, made, depth + 1)
