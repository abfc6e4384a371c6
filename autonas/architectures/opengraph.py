"""Networks of convolutions that grow without bound (Elsken et al 2017, 2018; Real et al 2017).

The architecture is a genome (see ``graphgenes``), changed by the moves that the settings name (``graphmoves``).  Its
capped projection are chains in stages with skips inside a stage.  Left out of Real et al 2017: the moves "identity" and
"reset weights", which are about training, and identity connections.

A genome has no choices; the supernet is that of the projection.  It relaxes kernels, blocks and which values are added;
widths, too, if no values are concatenated in the one configuration that is given.  Otherwise widths are fixed, and
blocks and skips keep what does not change a width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.genomes import projection
from autonas.architectures.graph import Case, Graph, Value, widest
from autonas.architectures.graphgenes import Gene, Genes, parse, serialise
from autonas.architectures.graphmoves import mutate
from autonas.architectures.layers import Activation, Conv, Layer, Norm, PadChannels, Part, Pool, Upsample
from autonas.architectures.merges import Add
from autonas.architectures.operations import classify

__all__ = ["BATCHED", "SETTINGS", "construct", "from_options", "initial", "mutate", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "stages": 3,  # of the start and the projection, with a pool between them
    "start_blocks": 1,  # convolutions of each stage in the start; 0 and one stage: a linear model
    "channels": 8,  # of the start
    "kernels": [1, 3, 5],  # of new convolutions
    "strides": [1],
    "merges": ["add", "concat"],
    "moves": ["insert_conv", "widen", "enlarge_kernel", "add_skip", "add_branch"],
    "max_width": 512,
    "max_kernel": 7,
    "max_stride": 4,
    "max_blocks": 4,  # of a stage of the projection, as the widths
    "widths": [8, 16, 32, 64],
    "activation": "relu",
    "dropout": 0.0,
}
view = image_view


def space(settings: Mapping[str, Any]) -> Section:
    """The projection: ``blocks_<s>``; ``width_<s>_<i>``, ``kernel_<s>_<i>`` and ``skip_<s>_<j>_<i>`` of each block."""
    section: Section = {"hyperparameters": [], "conditions": []}
    most = int(settings["max_blocks"])
    for stage in range(1, int(settings["stages"]) + 1):
        blocks = f"blocks_{stage}"
        section["hyperparameters"].append(number(blocks, list(range(1, most + 1))))
        for i in range(1, most + 1):
            mine = [number(f"width_{stage}_{i}", settings["widths"])]
            mine.append(number(f"kernel_{stage}_{i}", settings["kernels"], 3 if 3 in settings["kernels"] else None))
            mine += [architectural(f"skip_{stage}_{j}_{i}", ["none", *settings["merges"]]) for j in range(1, i)]
            section["hyperparameters"] += mine
            if i > 1:
                exists = {"type": "GT", "parent": blocks, "value": i - 1}
                section["conditions"] += [{**exists, "child": h["name"]} for h in mine]
    return projection(section)


def initial(settings: Mapping[str, Any], rng: np.random.Generator) -> str:
    """The start: all convolutions 3x3 and of one width."""
    blocks = [(int(settings["channels"]), 3)] * int(settings["start_blocks"])
    return serialise(_stages([blocks] * int(settings["stages"]), {})[0])[0]


def from_options(options: Mapping[str, Any]) -> str:
    """The genome of a bounded configuration; values of different widths are added as far as both have channels."""
    return serialise(_projected(options)[0])[0]


def _projected(options: Mapping[str, Any]) -> tuple[Genes, dict[int, str]]:
    """The graph of a bounded configuration, and the places of its nodes in the supernet."""
    stages, skips = [], {}
    for stage in range(1, int(options["stages"]) + 1):
        blocks = range(1, int(options[f"blocks_{stage}"]) + 1)
        stages.append([(int(options[f"width_{stage}_{i}"]), int(options[f"kernel_{stage}_{i}"])) for i in blocks])
        for j, i in combinations(blocks, 2):
            skips[stage, j, i] = str(options[f"skip_{stage}_{j}_{i}"])
    return _stages(stages, skips)


def _stages(
    stages: list[list[tuple[int, int]]], skips: Mapping[tuple[int, int, int], str]
) -> tuple[Genes, dict[int, str]]:
    genes, places = Genes(), dict[int, str]()
    for stage, blocks in enumerate(stages, 1):
        if stage > 1:
            genes.output = genes.add(Gene("pool", (genes.output,)))
            places[genes.output] = f"pool_{stage}"
        made: list[tuple[int, int]] = []
        for i, (width, kernel) in enumerate(blocks, 1):
            x, channels = genes.add(Gene("conv", (genes.output,), width, kernel)), width
            places[x] = f"conv_{stage}_{i}_{kernel}"
            for j, (other, more) in enumerate(made, 1):
                op = skips.get((stage, j, i), "none")
                if op != "none":
                    place = f"skip_{stage}_{j}_{i}_{op}"
                    op = "add_resized" if op == "add" and channels != more else op
                    x = genes.add(Gene(op, (x, other)))
                    places[x] = place
                    channels += more if op == "concat" else 0
            genes.output = x
            made.append((x, channels))
    return genes, places


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The nodes of the genome in turn, and the classifier on the last."""
    dropout = float(graph.options["dropout"])
    if graph.relaxed:
        return classify(graph, _relaxed(graph), n_outputs, dropout)
    genome, places = graph.options.get("genome"), dict[int, str]()
    if genome is None:
        projected, known = _projected(graph.options)
        genome, origin = serialise(projected)
        places = {node: known[old] for node, old in enumerate(origin, 1)}
    genes = parse(genome)
    values = {0: graph.input}
    for node, gene in genes.nodes.items():
        values[node] = _value(graph, f"node_{node}", gene, [values[i] for i in gene.inputs])
        if node in places:
            made = values[node].node
            graph.nodes[made] = replace(graph.nodes[made], place=places[node])
    return classify(graph, values[genes.output], n_outputs, dropout)


def _relaxed(graph: Graph) -> Value:
    """The projection with all its choices."""
    options, most = graph.options, int(graph.options["max_blocks"])
    x = graph.input
    for stage in range(1, int(options["stages"]) + 1):
        if stage > 1:
            x = graph.apply(f"pool_{stage}", x, [Pool("max", 2, 2)])
        made: list[Value] = []
        for i in range(1, most + 1):
            x = _relaxed_block(graph, f"{stage}_{{}}{i}".format, x, made)
            made.append(x)
        x = graph.select(f"blocks_{stage}", [((i,), partial(_it, v)) for i, v in enumerate(made, 1)], alike=True)
    return x


def _relaxed_block(graph: Graph, place: Callable[[str], str], x: Value, made: list[Value]) -> Value:
    options, which = graph.options, place("")
    widths = list(options["widths"])
    # channels side by side are not those of a narrower network at the same places
    concatenates = any(name.startswith("skip_") and value == "concat" for name, value in options.items())
    name = f"width_{which}"
    width = int(options.get(name, widths[0])) if concatenates else graph.width(name, widths)

    def conv(kernel: int) -> Value:
        layers = [Conv(widest(width), kernel), Norm(), Activation(str(options["activation"]))]
        return graph.apply(f"conv_{which}_{kernel}", x, layers, "", width)

    def merge(op: str, before: Value, other: Value, name: str) -> Value:
        if op == "concat":
            return graph.concat(f"{name}_{op}", [other, before])
        terms = [before, _resized(graph, f"{name}_{op}_resized", other, before)]
        return graph.apply(f"{name}_{op}", terms, [Add()], "", width)

    value = graph.select(f"kernel_{which}", [((k,), partial(conv, k)) for k in options["kernels"]])
    for j, other in enumerate(made, 1):
        skip = f"skip_{place(f'{j}_')}"
        cases: list[Case] = [((op,), partial(merge, op, value, other, skip)) for op in options["merges"]]
        value = graph.select(skip, [(("none",), partial(_it, value)), *cases], alike=True)
    return value


def _it(value: Value) -> Value:
    return value


def _value(graph: Graph, name: str, gene: Gene, inputs: list[Value]) -> Value:
    activation, size = Activation(str(graph.options["activation"])), f"{gene.kernel}x{gene.kernel}"
    if gene.op == "conv":
        conv: list[Layer] = [Conv(gene.width, gene.kernel, gene.stride), Norm(), activation]
        return graph.apply(name, inputs[0], conv, f"conv_{size}")
    if gene.op == "sep_conv":
        depthwise = Conv(0, gene.kernel, gene.stride, groups=0)
        return graph.apply(name, inputs[0], [depthwise, Conv(gene.width, 1), Norm(), activation], f"sep_conv_{size}")
    if gene.op == "pool":
        return graph.apply(name, inputs[0], [Pool("max", 2, 2)], "max_pool_2x2")
    if gene.op == "concat":
        return graph.concat(name, inputs)
    terms = [_resized(graph, f"{name}_{k}", value, inputs[0]) for k, value in enumerate(inputs)]
    total = graph.add(name, terms)
    assert total is not None
    return total


def _resized(graph: Graph, name: str, value: Value, like: Value) -> Value:
    """The value in another shape: nearest pixels, and as many channels with zeros or without the last."""
    layers: list[Layer] = [] if value.spatial == like.spatial else [Upsample(like.spatial)]
    if value.channels > like.channels:
        layers.append(Part(0, like.channels))
    elif value.channels < like.channels:
        layers.append(PadChannels(like.channels))
    return graph.apply(name, value, layers, "resize") if layers else value
