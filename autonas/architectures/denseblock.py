"""Densely connected cells of mobile operations (Dong et al 2018, "DPP-Net").

A cell is a sequence of layers, each with its own normalisation and kind of convolution, that reads the concatenation of
all earlier layers of its stage (Huang et al 2017) and adds ``growth`` channels.  Cells of a stage are equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Layer, Norm, Pool
from autonas.architectures.operations import classify
from autonas.errors import unknown

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "max_layers": 4,  # of a cell
    "norms": ["pre", "post"],
    "convs": ["conv_1x1", "conv_3x3", "group_conv_1x1", "group_conv_3x3", "depthwise_3x3"],
    "bottleneck": False,  # a 1x1 convolution to 4 x growth channels in front of every layer (DenseNet-BC)
    "growth": 8,
    "compression": 1.0,
    "stem": 0,  # channels; 0: twice the growth
    "stages": 3,
    "repeats": 2,
    "groups": 4,
    "dropout": 0.0,
}
view = image_view
KINDS = ("conv_1x1", "conv_3x3", "group_conv_1x1", "group_conv_3x3", "depthwise_3x3")


def space(settings: Mapping[str, Any]) -> Section:
    """``layers`` of a cell; ``norm_<i>`` and ``conv_<i>`` of each."""
    for name in settings["convs"]:
        if name not in KINDS:
            raise unknown("convolution", name, KINDS)
    for name in settings["norms"]:
        if name not in ("pre", "post"):
            raise unknown("place of the normalisation", name, ("pre", "post"))
    most = int(settings["max_layers"])
    section: Section = {"hyperparameters": [number("layers", list(range(1, most + 1)))], "conditions": []}
    for i in range(1, most + 1):
        names = [architectural(f"norm_{i}", settings["norms"]), architectural(f"conv_{i}", settings["convs"])]
        section["hyperparameters"] += names
        if i > 1:
            exists = {"type": "GT", "parent": "layers", "value": i - 1}
            section["conditions"] += [{**exists, "child": h["name"]} for h in names]
    return section


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Stages of dense cells; in between, a 1x1 convolution that compresses and a pool."""
    options, growth = graph.options, int(graph.options["growth"])
    x = graph.apply("stem", graph.input, [Conv(int(options["stem"]) or 2 * growth, 3)])
    # the number of layers is never relaxed: it is a number of channels of everything that follows
    layers = int(options["layers"])
    for stage in range(1, int(options["stages"]) + 1):
        if stage > 1:
            out = int(x.channels * float(options["compression"]))
            x = graph.apply(f"transition_{stage}", x, [Norm(), Activation(), Conv(out, 1), Pool("avg", 2, 2)])
        for cell in range(1, int(options["repeats"]) + 1):
            for i in range(1, layers + 1):
                with graph.scope(f"stage{stage}_cell{cell}_layer{i}"):
                    x = graph.concat("concat", [x, _layer(graph, i, x, growth)])
    return classify(graph, graph.apply("final", x, [Norm(), Activation()]), n_outputs, float(options["dropout"]))


def _layer(graph: Graph, i: int, x: Value, growth: int) -> Value:
    def made(norm: str, conv: str) -> Value:
        return graph.apply(f"{norm}_{conv}", x, _layers(graph.options, norm, conv, growth), conv)

    def with_norm(norm: str) -> Value | None:
        cases = [((conv,), partial(made, norm, conv)) for conv in graph.options["convs"]]
        return graph.choose(f"conv_{i}", cases, norm)

    found = graph.choose(f"norm_{i}", [((norm,), partial(with_norm, norm)) for norm in graph.options["norms"]])
    assert found is not None
    return found


def _layers(options: Mapping[str, Any], norm: str, conv: str, growth: int) -> list[Layer]:
    kernel = int(conv[-1])
    groups = int(options["groups"]) if conv.startswith("group") else 1
    wide = 4 * growth if options["bottleneck"] or groups > 1 else 0  # groups have to divide the channels
    first = [[Conv(wide, 1)]] if wide else []
    if conv.startswith("depthwise"):
        units = [*first, [Conv(0, kernel, groups=0), Conv(growth, 1)]]
    else:
        units = [*first, [Conv(growth, kernel, groups=groups)]]
    if norm == "pre":
        return [layer for unit in units for layer in (Norm(), Activation(), *unit)]
    return [layer for unit in units for layer in (*unit, Norm(), Activation())]
