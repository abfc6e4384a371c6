"""Blocks written as a list of codes (Zhong et al 2018, "BlockQNN").

Position i has a type, for some types a kernel, and one or two earlier positions that it reads; 0 is the block's input.
What nothing reads is concatenated.  The block is repeated in every stage, with a pool between stages.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Norm, Pool
from autonas.architectures.operations import classify, join

__all__ = ["BATCHED", "RELAXES", "SETTINGS", "construct", "space", "view"]

BATCHED = False
RELAXES = False  # a concatenation has as many channels as what it reads
SETTINGS: dict[str, Any] = {
    "max_length": 8,
    "conv_kernels": [1, 3, 5],
    "pool_kernels": [1, 3],
    "channels": 16,
    "stages": 3,
    "repeats": 1,
    "dropout": 0.0,
}
view = image_view
TYPES = ("conv", "max_pool", "avg_pool", "identity", "add", "concat")
TWO = ("add", "concat")


def space(settings: Mapping[str, Any]) -> Section:
    """``length``; of each position ``type_<i>``, ``(conv|pool)_kernel_<i>``, ``first_<i>`` and ``second_<i>``."""
    most = int(settings["max_length"])
    section: Section = {"hyperparameters": [number("length", list(range(1, most + 1)), min(3, most))], "conditions": []}
    for i in range(1, most + 1):
        earlier = list(range(i))
        active: dict[str, list[str]] = {
            f"type_{i}": [],
            f"first_{i}": [],
            f"conv_kernel_{i}": ["conv"],
            f"pool_kernel_{i}": ["max_pool", "avg_pool"],
            f"second_{i}": list(TWO),
        }
        section["hyperparameters"] += [
            architectural(f"type_{i}", TYPES),
            architectural(f"first_{i}", earlier, i - 1),
            number(f"conv_kernel_{i}", settings["conv_kernels"], settings["conv_kernels"][-1]),
            number(f"pool_kernel_{i}", settings["pool_kernels"], settings["pool_kernels"][-1]),
            architectural(f"second_{i}", earlier, i - 1),
        ]
        for name, types in active.items():
            clauses: list[dict[str, Any]] = []
            if i > 1:
                clauses.append({"type": "GT", "child": name, "parent": "length", "value": i - 1})
            if types:
                clauses.append({"type": "IN", "child": name, "parent": f"type_{i}", "values": types})
            if clauses:
                both = {"type": "AND", "conditions": clauses}
                section["conditions"].append(clauses[0] if len(clauses) == 1 else both)
    return section


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Stages of blocks, and the classifier."""
    options, channels = graph.options, int(graph.options["channels"])
    x = graph.apply("stem", graph.input, [Conv(channels, 3), Norm()])
    for stage in range(1, int(options["stages"]) + 1):
        if stage > 1:
            channels *= 2
            x = graph.apply(f"pool_{stage}", x, [Pool("max", 2, 2)], "max_pool_2x2")
        for repeat in range(1, int(options["repeats"]) + 1):
            with graph.scope(f"stage{stage}_block{repeat}"):
                x = _block(graph, x, channels)
    return classify(graph, graph.apply("final", x, [Norm(), Activation()]), n_outputs, float(options["dropout"]))


def _block(graph: Graph, x: Value, channels: int) -> Value:
    options = graph.options
    entry = join(graph, "entry", x, "conv_1x1", channels)
    assert entry is not None
    values, read = [entry], set()
    for i in range(1, int(options["length"]) + 1):
        kind = str(options[f"type_{i}"])
        sources = [int(options[f"first_{i}"]), *([int(options[f"second_{i}"])] if kind in TWO else [])]
        read.update(sources)
        values.append(_position(graph, i, kind, [values[s] for s in sources], channels))
    loose = [value for i, value in enumerate(values) if i not in read]
    return graph.concat("output", loose)


def _position(graph: Graph, i: int, kind: str, values: list[Value], channels: int) -> Value:
    name = f"{i}_{kind}"
    if kind == "concat":
        return graph.concat(name, values)
    project = partial(join, graph, operation_name="conv_1x1", out=channels)
    if kind == "add":
        # sums take what has the width of the block
        terms = [v if v.channels == channels else project(f"{name}_fit_{k}", v) for k, v in enumerate(values)]
        total = graph.add(name, terms)
        assert total is not None
        return total
    (x,) = values
    if kind == "identity":
        return x
    if kind == "conv":
        kernel = int(graph.options[f"conv_kernel_{i}"])
        made = join(graph, name, x, f"conv_{kernel}x{kernel}", channels)
    else:
        kernel = int(graph.options[f"pool_kernel_{i}"])
        made = join(graph, name, x, f"{kind}_{kernel}x{kernel}", x.channels)
    assert made is not None
    return made
