"""Chains whose pools are fixed: stages of convolutions, each with its own number, widths and kernels.

The reachable set of Cai et al 2018a (Net2Wider and Net2Deeper actions from a small start) and, with additive skips,
the capped projection of Elsken et al 2017; with one layer for each stage and continuous sizes, Shin et al 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, image_view, number
from autonas.architectures.graph import Graph, Value, Width
from autonas.architectures.layers import Activation, Conv, Norm, Pool
from autonas.architectures.operations import classify

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "stages": 3,
    "max_layers": 4,  # of a stage
    "kernels": [3, 5],
    "widths": [8, 16, 32, 64],
    "same_width": False,  # all layers of a stage have the width of its first
    "pool": "max",
    "activation": "relu",
    "dropout": 0.0,
}
view = image_view


def space(settings: Mapping[str, Any]) -> Section:
    """``layers_<s>`` of each stage; for each layer ``width_<s>_<i>`` and ``kernel_<s>_<i>``."""
    section: Section = {"hyperparameters": [], "conditions": []}
    for stage in range(1, int(settings["stages"]) + 1):
        section["hyperparameters"].append(number(f"layers_{stage}", list(range(1, settings["max_layers"] + 1))))
        for i in range(1, settings["max_layers"] + 1):
            names = [number(f"kernel_{stage}_{i}", settings["kernels"])]
            if i == 1 or not settings["same_width"]:
                names.append(number(f"width_{stage}_{i}", settings["widths"]))
            section["hyperparameters"] += names
            if i > 1:
                section["conditions"] += [
                    {"type": "GT", "child": h["name"], "parent": f"layers_{stage}", "value": i - 1} for h in names
                ]
    return section


def _width(graph: Graph, stage: int, i: int) -> Any:
    i = 1 if graph.options["same_width"] else i
    return graph.width(f"width_{stage}_{i}", graph.options["widths"])


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The stages with a pool in front of all but the first, and the classifier."""
    options = graph.options
    x = graph.input
    for stage in range(1, int(options["stages"]) + 1):
        if stage > 1:
            x = graph.apply(f"pool_{stage}", x, [Pool(str(options["pool"]), 2, 2)], f"{options['pool']}_pool_2x2")
        x = _layers(graph, x, stage, 1)
    return classify(graph, x, n_outputs, float(options["dropout"]))


def _layers(graph: Graph, x: Value, stage: int, i: int) -> Value:
    """Layers ``i`` and later of a stage: another depth is another number of channels, so all that follows is a case."""
    kernels, most = graph.options["kernels"], int(graph.options["max_layers"])
    width = _width(graph, stage, i)
    out = width.most if isinstance(width, Width) else width

    def conv(kernel: int) -> Value:
        layers = [Conv(out, kernel), Norm(), Activation(str(graph.options["activation"]))]
        return graph.apply(f"conv_{stage}_{i}_{kernel}", x, layers, f"conv_{kernel}x{kernel}", width)

    made = graph.choose(f"kernel_{stage}_{i}", [((k,), partial(conv, k)) for k in kernels])
    assert made is not None
    if i == most:
        return made
    stop, go_on = tuple(range(1, i + 1)), tuple(range(i + 1, most + 1))
    cases = [(stop, lambda: made), (go_on, lambda: _layers(graph, made, stage, i + 1))]
    found = graph.choose(f"layers_{stage}", cases, f"layers_{stage}_{i}")
    assert found is not None
    return found
