"""Layers that read from and write to banks of memory (Brock et al 2017, "SMASH").

A stage has a few banks of channels.  Each operation reads a subset of them side by side, and adds its output to a
subset.  Chains, residual and dense networks are patterns of reading and writing.  Left out: the gates between
convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Layer, Norm, Pool
from autonas.architectures.operations import classify

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "banks": 4,
    "operations": 4,  # of a stage
    "stages": 3,
    "channels": 8,  # of a bank
    "kernels": [3, 5, 7],
    "dilations": [1, 2, 3],
    "groups": [1, 2, 4],
    "convolutions": [1, 2, 3],
    "bottleneck": 16,
    "dropout": 0.0,
}
view = image_view


def space(settings: Mapping[str, Any]) -> Section:
    """For operation o of stage s: ``read_<s>_<o>_<b>`` and ``write_<s>_<o>_<b>`` of each bank, and its convolutions.

    An operation that reads nothing, or writes to nothing, is not there.
    """
    found = []
    for stage in range(1, int(settings["stages"]) + 1):
        for o in range(1, int(settings["operations"]) + 1):
            name = f"{stage}_{o}"
            for bank in range(1, int(settings["banks"]) + 1):
                near = "yes" if bank == 1 else "no"
                found.append(architectural(f"read_{name}_{bank}", ["yes", "no"], near))
                found.append(architectural(f"write_{name}_{bank}", ["yes", "no"], near))
            sizes = ("kernel", "dilation", "group", "convolution")
            found += [number(f"{what}_{name}", settings[f"{what}s"]) for what in sizes]
    return {"hyperparameters": found}


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Every stage begins with the input in its first bank, and hands on all banks side by side."""
    channels = int(graph.options["channels"])
    x = graph.apply("stem", graph.input, [Conv(channels, 3), Norm()])
    for stage in range(1, int(graph.options["stages"]) + 1):
        if stage > 1:
            x = graph.apply(f"transition_{stage}", x, [Activation(), Conv(channels, 1), Norm(), Pool("avg", 2, 2)])
        with graph.scope(f"stage{stage}"):
            x = _stage(graph, x, stage, channels)
        channels *= 2
    return classify(graph, graph.apply("final", x, [Activation()]), n_outputs, float(graph.options["dropout"]))


def _stage(graph: Graph, x: Value, stage: int, channels: int) -> Value:
    numbers = range(1, int(graph.options["banks"]) + 1)
    banks: dict[int, Value | None] = {bank: x if bank == 1 else None for bank in numbers}
    for o in range(1, int(graph.options["operations"]) + 1):
        name = f"{stage}_{o}"
        reads = [_switch(graph, f"read_{name}_{bank}", value) for bank, value in banks.items()]
        read = [value for value in reads if value is not None]
        if not read:
            continue
        made = _operation(graph, f"op_{o}", graph.concat(f"op_{o}_read", read), name, channels)
        for bank in numbers:
            written = _switch(graph, f"write_{name}_{bank}", made)
            banks[bank] = graph.add(f"op_{o}_bank_{bank}", [banks[bank], written])
    full = [value for value in banks.values() if value is not None]
    return graph.concat("banks", full)


def _switch(graph: Graph, hyperparameter: str, value: Value | None) -> Value | None:
    if value is None:
        return None
    return graph.choose(hyperparameter, [(("yes",), lambda: value), (("no",), lambda: None)])


def _operation(graph: Graph, name: str, x: Value, which: str, out: int) -> Value:
    """A 1x1 convolution, whose weights a hypernetwork may make, then a few larger ones."""
    options, wide = graph.options, int(graph.options["bottleneck"])
    first = graph.apply(f"{name}_first", x, [Activation(), Conv(wide, 1), Norm()], "conv_1x1")

    def convs(kernel: int, dilation: int, groups: int, count: int) -> Value:
        layers: list[Layer] = []
        for _ in range(count):
            layers += [Activation(), Conv(wide, kernel, 1, dilation, groups), Norm()]
        layers += [Activation(), Conv(out, 1), Norm()]
        label = f"conv_{kernel}x{kernel}_d{dilation}_g{groups}_n{count}"
        return graph.apply(f"{name}_{label}", first, layers, label)

    def by_count(kernel: int, dilation: int, groups: int) -> Value | None:
        cases = [((n,), partial(convs, kernel, dilation, groups, n)) for n in options["convolutions"]]
        return graph.choose(f"convolution_{which}", cases, f"{name}_{kernel}_{dilation}_{groups}")

    def by_group(kernel: int, dilation: int) -> Value | None:
        cases = [((g,), partial(by_count, kernel, dilation, g)) for g in options["groups"]]
        return graph.choose(f"group_{which}", cases, f"{name}_{kernel}_{dilation}")

    def by_dilation(kernel: int) -> Value | None:
        cases = [((d,), partial(by_group, kernel, d)) for d in options["dilations"]]
        return graph.choose(f"dilation_{which}", cases, f"{name}_{kernel}")

    made = graph.choose(f"kernel_{which}", [((k,), partial(by_dilation, k)) for k in options["kernels"]], name)
    assert made is not None
    return made
