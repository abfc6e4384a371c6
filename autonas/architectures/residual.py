"""Residual networks: stages of blocks that add to their input what a few branches make of it.

He et al 2016 (one branch; "basic" or "bottleneck"; shortcuts without parameters or with a projection), its
multi-branch descendants (Gastaldi 2017; Ahmed & Torresani 2017), and the space of Zela et al 2018.  With ``shake`` two
branches are mixed at random instead of added (Shake-Shake); another number of branches is added all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, map_view, number
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Layer, Norm, PadChannels, Subsample
from autonas.architectures.merges import ShakeShake
from autonas.architectures.operations import classify
from autonas.errors import unknown

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "stages": 3,
    "blocks": [1, 2, 3, 4, 5],  # of a stage
    "kinds": ["basic"],
    "shortcuts": ["projection"],
    "branches": [1],
    "kernels": [3],
    "widths": [16],  # of the first stage
    "widen": 2,  # from stage to stage
    "view": "image",  # or "series"
    "shake": "no",
    "dropout": 0.0,
}
KINDS, SHORTCUTS = ("basic", "bottleneck"), ("projection", "padding")
view = map_view


def space(settings: Mapping[str, Any]) -> Section:
    """``width``; of each stage ``blocks_<s>``, ``branches_<s>``, ``kernel_<s>``; ``block`` and ``shortcut``."""
    for key, known in (("kinds", KINDS), ("shortcuts", SHORTCUTS)):
        for given in settings[key]:
            if given not in known:
                raise unknown(key.removesuffix("s"), given, known)
    if settings["shake"] not in ("no", "yes"):
        raise unknown("shake", settings["shake"], ("no", "yes"))
    found = [number("width", settings["widths"]), architectural("block", settings["kinds"])]
    found.append(architectural("shortcut", settings["shortcuts"]))
    for stage in range(1, int(settings["stages"]) + 1):
        found.append(number(f"blocks_{stage}", settings["blocks"]))
        found.append(number(f"branches_{stage}", settings["branches"]))
        found.append(number(f"kernel_{stage}", settings["kernels"]))
    return {"hyperparameters": found}


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Stem, stages, and the classifier."""
    width = graph.width("width")  # fixed: the widths of the later stages follow from it
    x = graph.apply("stem", graph.input, [Conv(width, 3), Norm(), Activation()], "conv_3x3")
    for stage in range(1, int(graph.options["stages"]) + 1):
        x = _blocks(graph, x, stage, 1, width)
        width *= int(graph.options["widen"])
    return classify(graph, x, n_outputs, float(graph.options["dropout"]))


def _blocks(graph: Graph, x: Value, stage: int, i: int, width: int) -> Value:
    """Block ``i`` of a stage and those after it, as many as there are."""
    counts = sorted(graph.options["blocks"])
    made = _block(graph, x, f"stage_{stage}_block_{i}", stage, width, 2 if stage > 1 and i == 1 else 1)
    if i == counts[-1]:
        return made
    stop, further = [n for n in counts if n <= i], [n for n in counts if n > i]

    def go_on() -> Value:
        return _blocks(graph, made, stage, i + 1, width)

    if not stop:
        return go_on()
    found = graph.choose(f"blocks_{stage}", [(stop, lambda: made), (further, go_on)], f"stage_{stage}_after_{i}")
    assert found is not None
    return found


def _block(graph: Graph, x: Value, name: str, stage: int, width: int, stride: int) -> Value:
    kind = str(graph.options["block"])  # never relaxed: a bottleneck has more channels
    out = width * 4 if kind == "bottleneck" else width
    paths = [_shortcut(graph, x, name, out, stride), *_branches(graph, x, name, stage, kind, width, stride)]
    total = graph.add(f"{name}_add", paths)
    assert total is not None
    return graph.apply(f"{name}_relu", total, [Activation()])


def _branches(graph: Graph, x: Value, name: str, stage: int, kind: str, width: int, stride: int) -> list[Value | None]:
    """As many branches as the stage has; branch ``b`` is there if the number is at least ``b``."""
    counts, kernels = sorted(graph.options["branches"]), graph.options["kernels"]

    def branch(b: int) -> Value | None:
        sizes = [((k,), partial(convs, b, k)) for k in kernels]
        return graph.choose(f"kernel_{stage}", sizes, f"{name}_branch_{b}")

    def convs(b: int, kernel: int) -> Value:
        layers: list[Layer]
        if kind == "bottleneck":
            layers = [Conv(width, 1), Norm(), Activation(), Conv(width, kernel, stride), Norm(), Activation()]
            layers += [Conv(4 * width, 1), Norm()]
        else:
            layers = [Conv(width, kernel, stride), Norm(), Activation(), Conv(width, kernel), Norm()]
        return graph.apply(f"{name}_branch_{b}_{kernel}", x, layers, f"{kind}_{kernel}x{kernel}")

    if graph.options["shake"] == "yes":
        made = [branch(b) for b in range(1, counts[-1] + 1)]  # those that are too many are pruned
        merges = [((n,), partial(_merged, graph, name, made[:n])) for n in counts]
        return [graph.choose(f"branches_{stage}", merges, f"{name}_branches")]
    found: list[Value | None] = []
    cases: list[tuple[list[int], Callable[[], Value | None]]]
    for b in range(1, counts[-1] + 1):
        fewer, enough = [n for n in counts if n < b], [n for n in counts if n >= b]
        if not fewer:
            found.append(branch(b))
        else:
            cases = [(fewer, lambda: None), (enough, partial(branch, b))]
            found.append(graph.choose(f"branches_{stage}", cases, f"{name}_exists_{b}"))
    return found


def _merged(graph: Graph, name: str, branches: Sequence[Value | None]) -> Value | None:
    if len(branches) == 2:
        return graph.apply(f"{name}_shake", [b for b in branches if b is not None], [ShakeShake()], "shake")
    return graph.add(f"{name}_branches_{len(branches)}", branches)


def _shortcut(graph: Graph, x: Value, name: str, out: int, stride: int) -> Value | None:
    if stride == 1 and x.channels == out:
        return x
    ways: dict[str, list[Layer]] = {
        "projection": [Conv(out, 1, stride), Norm()],
        "padding": [Subsample(stride), PadChannels(out)],
    }
    cases = [
        ((way,), partial(graph.apply, f"{name}_shortcut_{way}", x, ways[way])) for way in graph.options["shortcuts"]
    ]
    return graph.choose("shortcut", cases, f"{name}_shortcut")
