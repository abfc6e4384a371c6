"""How cells are stacked: the meta-architecture around a searched motif (survey, section 2).

Two published skeletons and what lies between them.  "residual" (Dong & Yang 2020): stages of cells, a residual block
halves the resolution between stages.  "two" (Zoph et al 2018; Liu et al 2018b): every cell reads the last two, and
cells of a second kind reduce.  "dense": a cell reads all earlier cells of its stage (Huang et al 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, FactorisedReduce, Layer, Norm, Pool
from autonas.architectures.operations import classify
from autonas.errors import unknown

__all__ = ["STACK_SETTINGS", "Cell", "preprocess", "stack", "stem"]

Cell = Callable[[Sequence[Value], int, bool], Value]
"""``cell(inputs, channels, reduces) -> value``: one cell, its nodes named inside the current scope."""


STACK_SETTINGS: dict[str, Any] = {
    "skeleton": "two",
    "channels": 16,
    "stem_factor": 3,
    "largest": 0,  # side of the map behind the stem at most, which halves it as often as that needs; 0: as it is
    "stages": 3,
    "repeats": 2,
    "cells": 0,
    "reductions": "even",
    "final_norm": False,
    "dropout": 0.0,
    "prune": True,  # leave out operations that nothing reads
}
"""The settings of a skeleton, which a family takes over into its own."""


def stem(graph: Graph, channels: int) -> Value:
    """The input's first features: one convolution with its norm, or several with stride, down to ``largest``."""
    largest, side, halvings = int(graph.options["largest"]), max(graph.input.spatial), 0
    while largest and -(-side // 2**halvings) > largest:
        halvings += 1
    layers: list[Layer] = []
    for _ in range(halvings - 1):
        layers += [Conv(channels, 3, 2), Norm(), Activation()]
    return graph.apply("stem", graph.input, [*layers, Conv(channels, 3, 2 if halvings else 1), Norm()])


def preprocess(graph: Graph, name: str, x: Value, out: int, like: Value) -> Value:
    """A value with ``out`` channels and the resolution of ``like``, which is the same or half."""
    affine = graph.options.get("affine", True)
    if x.spatial != like.spatial:
        return graph.apply(name, x, [Activation(), FactorisedReduce(out, affine)])
    return graph.apply(name, x, [Activation(), Conv(out, 1), Norm(affine)])


def _reductions(options: Mapping[str, Any]) -> tuple[int, list[int]]:
    """Number of cells, and which of them reduce.

    ``cells`` says how many there are in all; then the reductions stand at equal parts (at 1/3 and 2/3 for three stages)
    and count.  Otherwise a stage has ``repeats`` cells besides the reductions, which ``reductions`` puts "even" between
    them, or "early" or "late", as close to the input or to the output as possible.
    """
    stages, cells, how = int(options["stages"]), int(options["cells"]), options["reductions"]
    if cells:
        return cells, [cells * (k + 1) // stages for k in range(stages - 1)]
    repeats = int(options["repeats"])
    cells = stages * repeats + stages - 1
    places = {
        "even": [(k + 1) * repeats + k for k in range(stages - 1)],
        "early": [2 * k + 1 for k in range(stages - 1)],
        "late": [cells - 2 - 2 * k for k in range(stages - 1)],
    }
    if how not in places:
        raise unknown("place of reductions", how, places)
    return cells, places[str(how)]


def stack(graph: Graph, cell: Cell, n_outputs: int) -> Graph:
    """Stem, cells and classifier around what ``cell`` makes.

    Reads ``skeleton``, ``channels`` (of the first stage; every reduction doubles them), ``stem_factor``, ``largest``
    (see :func:`stem`), ``stages``, ``repeats`` (cells of a stage) or ``cells``, ``reductions``, ``final_norm`` and
    ``dropout``.
    """
    options = graph.options
    channels = int(options["channels"])
    x = stem(graph, channels * int(options["stem_factor"]))
    if options["skeleton"] == "residual":
        x = _residual(graph, cell, x, channels)
    elif options["skeleton"] in ("two", "dense"):
        x = _by_cells(graph, cell, x, channels, dense=options["skeleton"] == "dense")
    else:
        raise unknown("skeleton", options["skeleton"], ("residual", "two", "dense"))
    if options["final_norm"]:
        x = graph.apply("final", x, [Norm(), Activation()])
    return classify(graph, x, n_outputs, float(options["dropout"]), bool(options["prune"]))


def _residual(graph: Graph, cell: Cell, x: Value, channels: int) -> Value:
    for stage in range(int(graph.options["stages"])):
        if stage:
            channels *= 2
            with graph.scope(f"reduce{stage}"):
                branch = [Activation(), Conv(channels, 3, 2), Norm(), Activation(), Conv(channels, 3), Norm()]
                shortcut = [Pool("avg", 2, 2), Conv(channels, 1)]
                total = graph.add("add", [graph.apply("conv", x, branch), graph.apply("shortcut", x, shortcut)])
                assert total is not None
                x = total
        for number in range(int(graph.options["repeats"])):
            with graph.scope(f"stage{stage + 1}_cell{number + 1}"):
                x = cell([x], channels, False)
    return x


def _by_cells(graph: Graph, cell: Cell, x: Value, channels: int, dense: bool) -> Value:
    total, reducing = _reductions(graph.options)
    before = last = x
    stage = [x]
    for number in range(total):
        reduces = number in reducing
        channels *= 1 + reduces
        with graph.scope(f"cell{number + 1}"):
            if dense and len(stage) > 1:
                last = graph.concat("all", stage)
            first = preprocess(graph, "preprocess_0", before, channels, last)
            second = preprocess(graph, "preprocess_1", last, channels, last)
            inputs = [first, second][-int(graph.options.get("inputs", 2)) :]
            before, last = (stage[-1] if dense else last), cell(inputs, channels, reduces)
        stage = [last] if reduces else [*stage, last]
    return last
