"""Blocks written as a list of codes (Zhong et al 2018, "BlockQNN").

Position i has a type, for some types a kernel, and one or two earlier positions that it reads; 0 is the block's input.
What nothing reads is concatenated.  The block is repeated in every stage, with a pool between stages.

A concatenation has as many channels as what it reads, so in the supernet every position has the width that it has in
the one configuration that is given: its type keeps the types, and what it reads keeps the positions, that do not
change a width.  Length and kernels are relaxed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.graph import Case, Graph, Value
from autonas.architectures.layers import Activation, Conv, Norm, Part, Pool
from autonas.architectures.operations import classify, join

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
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
    x, loose = graph.apply("stem", graph.input, [Conv(channels, 3), Norm()]), dict[int, Value]()
    for stage in range(1, int(options["stages"]) + 1):
        if stage > 1:
            channels *= 2
            x = graph.apply(f"pool_{stage}", x, [Pool("max", 2, 2)], "max_pool_2x2")
        for repeat in range(1, int(options["repeats"]) + 1):
            with graph.scope(f"stage{stage}_block{repeat}"):
                loose = _block(graph, x, channels)
                x = graph.concat("output", list(loose.values()))
    x = graph.apply("final", x, [Norm(), Activation()])
    if graph.relaxed:  # the norm makes something of the zeros of a position that is not put out
        parts, start = [], 0
        for i, value in loose.items():
            part = graph.apply(f"final_{i}", x, [Part(start, start + value.channels)])
            parts.append(_loose(graph, i, part))
            start += value.channels
        x = graph.concat("final_loose", [part for part in parts if part is not None])
    return classify(graph, x, n_outputs, float(options["dropout"]))


def _block(graph: Graph, x: Value, channels: int) -> dict[int, Value]:
    """The values that the block puts out, by position."""
    entry = join(graph, "entry", x, "conv_1x1", channels)
    assert entry is not None
    values = {0: entry}

    def read(hyperparameter: str) -> Value:
        return graph.select(hyperparameter, [((i,), partial(_it, value)) for i, value in values.items()], alike=True)

    for i in range(1, int(graph.options["max_length" if graph.relaxed else "length"]) + 1):
        make = partial(_position, graph, i, read=cache(read), channels=channels)  # types share what they read
        values[i] = graph.select(f"type_{i}", [((kind,), partial(make, kind)) for kind in TYPES], alike=True)
    loose = {i: _loose(graph, i, value) for i, value in values.items()}
    return {i: value for i, value in loose.items() if value is not None}


def _loose(graph: Graph, i: int, value: Value) -> Value | None:
    """The value of position i, if the block is as long and nothing reads it."""
    most, found = int(graph.options["max_length"]), value
    with graph.scope("loose"):
        for j in range(i + 1, most + 1):
            cases: list[Case] = [(range(1, j), partial(_it, found))]
            cases.append((range(j, most + 1), partial(_unless_read, graph, i, j, found)))
            left = graph.choose("length", cases, f"{i}_by_{j}")
            if left is None:
                return None
            found = left
        cases = [(range(1, i), lambda: None), (range(max(i, 1), most + 1), partial(_it, found))]
        return graph.choose("length", cases, f"{i}")


def _unless_read(graph: Graph, i: int, j: int, value: Value) -> Value | None:
    """The value of position i, if position j does not read it."""

    def unless(which: str, otherwise: Callable[[], Value | None]) -> Value | None:
        others = [k for k in range(j) if k != i]
        cases: list[Case] = [((i,), lambda: None), (others, otherwise)]
        return graph.choose(f"{which}_{j}", cases, f"{i}_by_{which}_{j}")

    one = [kind for kind in TYPES if kind not in TWO]
    by_type: list[Case] = [(one, partial(_it, value)), (TWO, lambda: unless("second", partial(_it, value)))]
    return unless("first", lambda: graph.choose(f"type_{j}", by_type, f"{i}_by_type_{j}"))


def _position(graph: Graph, i: int, kind: str, read: Callable[[str], Value], channels: int) -> Value:
    name = f"{i}_{kind}"
    x = read(f"first_{i}")
    if kind in TWO:
        return _two(graph, name, kind, [x, read(f"second_{i}")], channels)
    if kind == "identity":
        return x
    kernels, out = ("conv_kernel", channels) if kind == "conv" else ("pool_kernel", x.channels)

    def make(kernel: int) -> Value | None:
        with graph.case(kernel):
            return join(graph, name, x, f"{kind}_{kernel}x{kernel}", out)

    return graph.select(f"{kernels}_{i}", [((k,), partial(make, k)) for k in graph.options[f"{kernels}s"]], name)


def _two(graph: Graph, name: str, kind: str, values: list[Value], channels: int) -> Value:
    if kind == "concat":
        return graph.concat(name, values)
    project = partial(join, graph, operation_name="conv_1x1", out=channels)
    # sums take what has the width of the block
    terms = [v if v.channels == channels else project(f"{name}_fit_{k}", v) for k, v in enumerate(values)]
    total = graph.add(name, terms)
    assert total is not None
    return total


def _it(value: Value) -> Value:
    return value
