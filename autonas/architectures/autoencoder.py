"""Symmetric convolutional autoencoders, of which only the encoder is encoded (Suganuma et al 2018).

Layer i of the encoder has a width, a kernel, may halve the resolution, and may hand its output to the mirrored layer
of the decoder, which adds it.  "reconstruct": the output has the shape of the input.  "classify": the classifier reads
the code and the decoder is left out, so that encoders can be searched on labelled data.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Deconv, Norm, Upsample
from autonas.architectures.operations import classify
from autonas.errors import unknown

__all__ = ["BATCHED", "RELAXES", "SETTINGS", "construct", "space", "view"]

BATCHED = False
RELAXES = False  # widths and strides of the encoder are those of the decoder
SETTINGS: dict[str, Any] = {
    "max_layers": 6,
    "filters": [16, 32, 64],
    "kernels": [1, 3, 5],
    "head": "classify",
    "dropout": 0.0,
}
view = image_view


def space(settings: Mapping[str, Any]) -> Section:
    """``layers``; of each ``filters_<i>``, ``kernel_<i>``, ``stride_<i>`` and ``skip_<i>``."""
    if settings["head"] not in ("classify", "reconstruct"):
        raise unknown("head", settings["head"], ("classify", "reconstruct"))
    most = int(settings["max_layers"])
    section: Section = {"hyperparameters": [number("layers", list(range(1, most + 1)), min(3, most))], "conditions": []}
    for i in range(1, most + 1):
        mine = [
            number(f"filters_{i}", settings["filters"]),
            number(f"kernel_{i}", settings["kernels"], settings["kernels"][-1]),
            architectural(f"stride_{i}", [1, 2]),
            architectural(f"skip_{i}", ["no", "yes"]),
        ]
        section["hyperparameters"] += mine
        if i > 1:
            exists = {"type": "GT", "parent": "layers", "value": i - 1}
            section["conditions"] += [{**exists, "child": h["name"]} for h in mine]
    return section


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The encoder, then the classifier, or the decoder in the reverse order of its layers."""
    options = graph.options
    x, inputs, codes = graph.input, [], []
    for i in range(1, int(options["layers"]) + 1):
        inputs.append(x)
        conv = Conv(int(options[f"filters_{i}"]), int(options[f"kernel_{i}"]), int(options[f"stride_{i}"]))
        x = graph.apply(f"encode_{i}", x, [conv, Norm(), Activation()], f"conv_{conv.kernel}_{conv.stride}")
        codes.append(x)
    if options["head"] == "classify":
        return classify(graph, x, n_outputs, float(options["dropout"]))
    for i in range(int(options["layers"]), 0, -1):
        if options[f"skip_{i}"] == "yes" and i < int(options["layers"]):
            total = graph.add(f"skip_{i}", [x, codes[i - 1]])
            assert total is not None
            x = total
        x = _decode(graph, i, x, inputs[i - 1])
    return graph.finish(graph.apply("output", x, [Conv(graph.shape[0], 3, bias=True)], "output"))


def _decode(graph: Graph, i: int, x: Value, like: Value) -> Value:
    """The mirror of layer i: the channels that it has read (or its own, in front of the image), and that resolution."""
    options = graph.options
    out = like.channels if i > 1 else int(options["filters_1"])
    deconv = Deconv(out, int(options[f"kernel_{i}"]), int(options[f"stride_{i}"]))
    make = partial(graph.apply, f"decode_{i}", x)
    if deconv.account(x.shape).shape[1:] == like.spatial:
        return make([deconv, Norm(), Activation()], f"deconv_{deconv.kernel}_{deconv.stride}")
    return make([Upsample(like.spatial), Conv(out, deconv.kernel), Norm(), Activation()], f"deconv_{deconv.kernel}")
