"""Convolutional fabrics: a trellis of layers and scales in which every path is a network (Saxena & Verbeek 2016).

Node (l, s) holds the map of layer l at 1/2^s of the resolution and reads the three neighbouring scales of layer l - 1
through 3x3 convolutions, strided on the way down and with upsampling on the way up.  "path": a scale for each layer is
chosen.  "whole": the fabric itself, as published, without any choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

from autonas.architectures.family import Section, image_view, number
from autonas.architectures.graph import Case, Graph, Value
from autonas.architectures.layers import Activation, Conv, Layer, Norm, Upsample
from autonas.architectures.operations import classify
from autonas.errors import ArchitectureError, unknown

__all__ = ["BATCHED", "SETTINGS", "construct", "n_paths", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {"layers": 6, "scales": 3, "channels": 16, "use": "path", "dropout": 0.0}
view = image_view


def n_paths(layers: int, scales: int) -> int:
    """Number of ways through a fabric, from the finest scale of the first layer to the coarsest of the last."""
    ways = [1, *[0] * (scales - 1)]
    for _ in range(layers - 1):
        ways = [sum(ways[max(0, s - 1) : s + 2]) for s in range(scales)]
    return ways[-1]


def space(settings: Mapping[str, Any]) -> Section:
    """``step_<l>``: down one scale (1), on (0) or up one (-1) between layers l and l + 1; the ends are fixed.

    Steps that would leave the fabric stay inside it.
    """
    if settings["use"] not in ("path", "whole"):
        raise unknown("use of a fabric", settings["use"], ("path", "whole"))
    if settings["scales"] > settings["layers"]:
        raise ArchitectureError(f"{settings['layers']} layers cannot reach scale {settings['scales']}")
    steps = range(1, int(settings["layers"])) if settings["use"] == "path" else ()
    return {"hyperparameters": [number(f"step_{layer}", [-1, 0, 1], 1) for layer in steps]}


def _move(scale: int, step: int, layer: int, graph: Graph) -> int:
    """The scale after a step, clipped to the fabric and to what can still reach the coarsest scale."""
    layers, scales = int(graph.options["layers"]), int(graph.options["scales"])
    return max(min(scale + step, scales - 1), scales - 1 - (layers - 1 - layer), 0)


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The path, or the whole fabric; the classifier reads the coarsest scale of the last layer."""
    channels, scales = int(graph.options["channels"]), int(graph.options["scales"])
    sizes = [graph.shape[1:]]
    for _ in range(scales - 1):
        sizes.append(tuple(-(-size // 2) for size in sizes[-1]))
    if min(sizes[-2] if scales > 1 else sizes[-1]) < 2:
        raise ArchitectureError(f"{scales} scales require a larger map than {graph.shape[1:]}")
    stem = graph.apply("node_1_0", graph.input, [Conv(channels, 3), Norm(), Activation()], "conv_3x3")
    x = _whole(graph, stem, sizes, channels) if graph.options["use"] == "whole" else _path(graph, stem, sizes, channels)
    return classify(graph, x, n_outputs, float(graph.options["dropout"]))


def _conv(x: Value, size: tuple[int, ...], channels: int) -> list[Layer]:
    if x.spatial == size:
        return [Conv(channels, 3)]
    if x.spatial > size:
        return [Conv(channels, 3, 2)]
    return [Upsample(size), Conv(channels, 3)]


def _path(graph: Graph, x: Value, sizes: list[tuple[int, ...]], channels: int) -> Value:
    """Relaxed, a node is the sum of the edges into it, each weighted by the chance that the path takes it."""
    states: dict[int, Value] = {0: x}
    for layer in range(1, int(graph.options["layers"])):
        arriving: dict[int, list[Value | None]] = {}
        for scale, state in states.items():
            ends = {step: _move(scale, step, layer, graph) for step in (-1, 0, 1)}
            for end in sorted(set(ends.values())):
                steps = [step for step, reached in ends.items() if reached == end]
                others = [step for step in ends if step not in steps]
                edge = partial(_edge, graph, layer, scale, end, state, sizes[end], channels)
                cases: list[Case] = [(steps, edge)]
                if others:
                    cases.append((others, lambda: None))
                arriving.setdefault(end, []).append(graph.choose(f"step_{layer}", cases, f"edge_{layer}_{scale}_{end}"))
        summed = {end: graph.add(f"sum_{layer + 1}_{end}", values) for end, values in arriving.items()}
        states = {end: value for end, value in summed.items() if value is not None}
    return states[len(sizes) - 1]


def _edge(graph: Graph, layer: int, scale: int, end: int, x: Value, size: tuple[int, ...], channels: int) -> Value:
    layers = [*_conv(x, size, channels), Norm(), Activation()]
    return graph.apply(f"edge_{layer}_{scale}_{end}", x, layers, "conv_3x3")


def _whole(graph: Graph, x: Value, sizes: list[tuple[int, ...]], channels: int) -> Value:
    scales = range(len(sizes))
    states = {0: x}
    for finer, coarser in pairwise(scales):  # the first layer passes the input down the scales
        layers = [*_conv(states[finer], sizes[coarser], channels), Norm(), Activation()]
        states[coarser] = graph.apply(f"node_1_{coarser}", states[finer], layers, "conv_3x3")
    for layer in range(2, int(graph.options["layers"]) + 1):
        following = {}
        for s in scales:
            reads = [
                graph.apply(f"edge_{layer}_{r}_{s}", states[r], _conv(states[r], sizes[s], channels), "conv_3x3")
                for r in scales
                if abs(r - s) <= 1
            ]
            total = graph.add(f"sum_{layer}_{s}", reads)
            assert total is not None
            following[s] = graph.apply(f"node_{layer}_{s}", total, [Norm(), Activation()])
        states = following
    return states[len(sizes) - 1]
