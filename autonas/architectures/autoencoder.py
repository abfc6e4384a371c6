"""Symmetric convolutional autoencoders, of which only the encoder is encoded (Suganuma et al 2018).

Layer i of the encoder has a width, a kernel, may halve the resolution, and may hand its output to the mirrored layer
of the decoder, which adds it.  "reconstruct": the output has the shape of the input.  "classify": the classifier reads
the code and the decoder is left out, so that encoders can be searched on labelled data.

In the supernet ``stride_<i>`` is fixed (1, if the layer has none); all else is relaxed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.graph import Graph, Value, widest
from autonas.architectures.layers import Activation, Conv, Deconv, Dense, Drop, GlobalPool, Norm, Upsample
from autonas.errors import unknown

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
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
    most = int(options["max_layers" if graph.relaxed else "layers"])
    x, inputs, codes = graph.input, [], []
    for i in range(1, most + 1):
        inputs.append(x)
        x = _encode(graph, i, x)
        codes.append(x)
    if options["head"] == "classify":
        cases = [((i,), partial(_classifier, graph, i, code, n_outputs)) for i, code in enumerate(codes, 1)]
        return graph.finish(graph.select("layers", cases))
    for i in range(most, 0, -1):
        if i < most:
            total = graph.add(f"skip_{i}", [x, graph.optional(f"skip_{i}", codes[i - 1])])
            assert total is not None
            ends, goes_on = range(1, i + 1), range(i + 1, int(options["max_layers"]) + 1)
            code = partial(_it, codes[i - 1])
            x = graph.select("layers", [(ends, code), (goes_on, partial(_it, total))], f"layers_{i}")
        x = _decode(graph, i, x, inputs[i - 1])
    return graph.finish(graph.apply("output", x, [Conv(graph.shape[0], 3, bias=True)], "output"))


def _classifier(graph: Graph, i: int, code: Value, n_outputs: int) -> Value:
    drop = [Drop(float(graph.options["dropout"]))] if graph.options["dropout"] else []
    with graph.case(i):  # of its own, since codes of different depth may differ in resolution
        return graph.apply("classifier", code, [GlobalPool(), *drop, Dense(n_outputs)], "output")


def _stride(graph: Graph, i: int) -> int:
    return int(graph.options.get(f"stride_{i}", 1))


def _encode(graph: Graph, i: int, x: Value) -> Value:
    width = graph.width(f"filters_{i}", graph.options["filters"])

    def conv(kernel: int) -> Value:
        layers = [Conv(widest(width), kernel, _stride(graph, i)), Norm(), Activation()]
        with graph.case(kernel):
            return graph.apply(f"encode_{i}", x, layers, f"conv_{kernel}_{_stride(graph, i)}", width)

    return graph.select(f"kernel_{i}", [((k,), partial(conv, k)) for k in graph.options["kernels"]], f"encode_{i}")


def _decode(graph: Graph, i: int, x: Value, like: Value) -> Value:
    """The mirror of layer i: the channels that it has read (or its own, in front of the image), and that resolution."""
    width = graph.width(f"filters_{max(i - 1, 1)}", graph.options["filters"])

    def deconv(kernel: int) -> Value:
        layer = Deconv(widest(width), kernel, _stride(graph, i))
        with graph.case(kernel):
            make = partial(graph.apply, f"decode_{i}", x, width=width)
            if layer.account(x.shape).shape[1:] == like.spatial:
                return make([layer, Norm(), Activation()], f"deconv_{kernel}_{layer.stride}")
            conv = Conv(widest(width), kernel)
            return make([Upsample(like.spatial), conv, Norm(), Activation()], f"deconv_{kernel}")

    return graph.select(f"kernel_{i}", [((k,), partial(deconv, k)) for k in graph.options["kernels"]], f"decode_{i}")


def _it(value: Value) -> Value:
    return value
