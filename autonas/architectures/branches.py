"""Modules of many small branches whose connections to the branches before are searched (Ahmed & Torresani 2017).

A module is that of ResNeXt (Xie et al 2017): every branch is a bottleneck, and the module adds their sum to its input.
Branch b of module m reads the output of module m - 1, and once more those of its branches that a mask selects (in the
published network the selected branches only; here a branch without a connection is not cut off).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autonas.architectures.family import Section, architectural, image_view
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Norm
from autonas.architectures.operations import classify

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {"branches": 4, "modules": 2, "stages": 3, "width": 4, "channels": 16, "dropout": 0.0}
view = image_view


def space(settings: Mapping[str, Any]) -> Section:
    """``read_<m>_<b>_<a>``: whether branch b of module m reads branch a of the one before."""
    modules, branches = int(settings["stages"]) * int(settings["modules"]), range(1, int(settings["branches"]) + 1)
    names = [f"read_{m}_{b}_{a}" for m in range(2, modules + 1) for b in branches for a in branches]
    return {"hyperparameters": [architectural(name, ["yes", "no"]) for name in names]}


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Stem, modules, classifier; every stage but the first halves the resolution and doubles the channels."""
    options, channels = graph.options, int(graph.options["channels"])
    x = graph.apply("stem", graph.input, [Conv(channels, 3), Norm(), Activation()], "conv_3x3")
    outputs: list[Value] = [x]
    number, width = 0, int(options["width"])
    for stage in range(1, int(options["stages"]) + 1):
        out = channels << stage - 1
        for first in [True] + [False] * (int(options["modules"]) - 1):
            number += 1
            stride = 2 if first and stage > 1 else 1
            # what a branch reads: a selection of the branches before, and the sum of the module before
            inputs = [_select(graph, number, b, x, outputs) for b in range(1, int(options["branches"]) + 1)]
            made = [
                _branch(graph, f"module_{number}_{b}", value, width << stage - 1, out, stride)
                for b, value in enumerate(inputs, 1)
            ]
            shortcut = x if x.channels == out else graph.apply(f"short_{number}", x, [Conv(out, 1, stride), Norm()])
            total = graph.add(f"module_{number}", [shortcut, *made])
            assert total is not None
            x = graph.apply(f"relu_{number}", total, [Activation()])
            outputs = made
    return classify(graph, x, n_outputs, float(options["dropout"]))


def _branch(graph: Graph, name: str, x: Value, width: int, out: int, stride: int) -> Value:
    layers = [Conv(width, 1), Norm(), Activation(), Conv(width, 3, stride), Norm(), Activation(), Conv(out, 1), Norm()]
    return graph.apply(name, x, layers, "bottleneck_3x3")


def _select(graph: Graph, module: int, branch: int, x: Value, outputs: list[Value]) -> Value:
    if module == 1:
        return x
    reads: list[Value | None] = [x]  # the module's input stays, so that a branch without a connection is no zero
    for a, output in enumerate(outputs, 1):
        reads.append(graph.optional(f"read_{module}_{branch}_{a}", output))
    total = graph.add(f"read_{module}_{branch}", reads)
    assert total is not None
    return total
