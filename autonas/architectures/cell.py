"""Cells: a small graph is searched and stacked (Zoph et al 2018; survey, section 2, "cell-based search spaces").

Two wirings say what a cell may be.  "pairs": every block reads two earlier values, applies an operation to each and
combines them (NASNet, AmoebaNet, PNAS, ENAS micro; with ``distinct`` inputs DARTS).  "edges": every node reads all
earlier ones through an operation, which may be "none" (NAS-Bench-201, the relaxed view of DARTS).  How cells are
stacked stands in ``skeleton.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any

from autonas.architectures.family import Section, architectural, map_view
from autonas.architectures.family import number as amount
from autonas.architectures.graph import Graph, Value
from autonas.architectures.merges import Unread
from autonas.architectures.operations import check_operations, join
from autonas.architectures.skeleton import STACK_SETTINGS, stack
from autonas.errors import OptionError, unknown

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "wiring": "pairs",
    "operations": ["sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "max_pool_3x3", "avg_pool_3x3", "identity"],
    "nodes": 4,
    "min_nodes": 0,  # 0: as many as `nodes`; less than that: the number of blocks is searched, too
    "inputs": 2,
    "reduction_cell": True,
    "distinct": False,
    "combine": ["add"],
    "output": "all",
    "carry": False,  # a normal cell also puts out what it reads from two cells back
    "pool_norm": False,
    "view": "image",  # or "series"
    **STACK_SETTINGS,
}
view = map_view

Readers = dict[int, list[tuple[str, tuple[Any, ...]]]]
"""By state: the pointers that may read it, with those of their values that do."""


def _cells(settings: Mapping[str, Any]) -> list[str]:
    return ["normal", "reduction"] if settings["reduction_cell"] else ["normal"]


def _prefix(settings: Mapping[str, Any], cell: str) -> str:
    return f"{cell}_" if settings["reduction_cell"] else ""


def space(settings: Mapping[str, Any]) -> Section:
    """Hyperparameters of the cells.

    "edges": ``[cell_]edge_<from>_<to>``.  "pairs": ``[cell_]block_<b>_<input_1|input_2|inputs|op_1|op_2|combine>``;
    values 0 and 1 are the outputs of the last two cells, 2, 3, ... the blocks.
    """
    operations = list(settings["operations"])
    check_operations(operations)
    usual = next((o for o in operations if "conv_3x3" in o), operations[0])
    if settings["wiring"] not in ("pairs", "edges"):
        raise unknown("wiring", settings["wiring"], ("pairs", "edges"))
    if settings["distinct"] and settings["inputs"] + 1 < 2:
        raise OptionError("distinct inputs require at least two cell inputs")
    found: Section = {"hyperparameters": [], "conditions": []}
    least = int(settings["min_nodes"]) or int(settings["nodes"])
    if least < settings["nodes"]:
        found["hyperparameters"].append(amount("blocks", list(range(least, settings["nodes"] + 1))))
    for cell in _cells(settings):
        prefix = _prefix(settings, cell)
        for number in range(settings["nodes"]):
            known = list(range(settings["inputs"] + number))
            if settings["wiring"] == "edges":
                names = {f"{prefix}edge_{i}_{len(known)}": operations for i in known}
            else:
                block = f"{prefix}block_{number + 1}_"
                if settings["distinct"]:
                    names = {f"{block}inputs": [f"{i}-{j}" for i, j in combinations(known, 2)]}
                else:
                    names = {f"{block}input_1": known, f"{block}input_2": known}
                names |= {f"{block}op_1": operations, f"{block}op_2": operations}
                if len(settings["combine"]) > 1:
                    names[f"{block}combine"] = list(settings["combine"])
            found["hyperparameters"] += [
                architectural(name, values, usual if values is operations else None) for name, values in names.items()
            ]
            if number >= least:
                exists = {"type": "GT", "parent": "blocks", "value": number}
                found["conditions"] += [{**exists, "child": name} for name in names]
    return found


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The stack of cells, and the classifier."""

    def cell(inputs: Sequence[Value], channels: int, reduces: bool) -> Value:
        kind = "reduction" if reduces else "normal"
        make = _edges if graph.options["wiring"] == "edges" else _pairs
        return make(graph, _prefix(graph.options, kind), list(inputs), channels, reduces)

    return stack(graph, cell, n_outputs)


def _n_nodes(graph: Graph) -> int:
    """Never relaxed: it decides how many values a cell puts out."""
    return int(graph.options.get("blocks", graph.options["nodes"]))


def _operation(graph: Graph, name: str, x: Value, chosen: str, out: int, stride: int) -> Value | None:
    """The chosen operation on one value; of a relaxed graph all of them."""
    normed = graph.options["pool_norm"]

    def case(operation_name: str) -> Value | None:
        return join(
            graph, f"{name}_{operation_name}", x, operation_name, out, stride,
            affine=graph.options.get("affine", True), pool_norm=normed, drop_path=graph.options.get("drop_path", 0.0),
        )  # fmt: skip

    return graph.choose(chosen, [((o,), partial(case, o)) for o in graph.options["operations"]], name)


def _edges(graph: Graph, prefix: str, states: list[Value], out: int, reduces: bool) -> Value:
    first = len(states)
    for number in range(_n_nodes(graph)):
        node = first + number
        terms = []
        for i, state in enumerate(states):
            stride = 2 if reduces and i < first else 1
            terms.append(_operation(graph, f"edge_{i}_{node}", state, f"{prefix}edge_{i}_{node}", out, stride))
        spatial = states[0].spatial if not reduces else tuple(-(-size // 2) for size in states[0].spatial)
        value = graph.add(f"node_{node}", terms)
        states.append(value if value is not None else graph.zeros(f"node_{node}", (out, *spatial)))
    return _output(graph, states, first, {}, reduces)


def _pairs(graph: Graph, prefix: str, states: list[Value], out: int, reduces: bool) -> Value:
    first = len(states)
    readers: Readers = defaultdict(list)
    spatial = states[0].spatial if not reduces else tuple(-(-size // 2) for size in states[0].spatial)
    for number in range(_n_nodes(graph)):
        block = f"{prefix}block_{number + 1}_"
        terms = []
        for side in (1, 2):
            cases = _inputs(graph, block, side, len(states))
            for values, i in cases:
                readers[i].append((_pointer(graph, block, side), values))

            chosen = [
                (
                    values,
                    partial(
                        _operation, graph, f"block_{number + 1}_{side}_from_{i}", states[i], f"{block}op_{side}", out,
                        2 if reduces and i < first else 1,
                    ),
                )
                for values, i in cases
            ]  # fmt: skip
            terms.append(graph.choose(_pointer(graph, block, side), chosen, f"block_{number + 1}_{side}"))
        states.append(_combine(graph, f"block_{number + 1}", f"{block}combine", terms, (out, *spatial)))
    return _output(graph, states, first, readers, reduces)


def _pointer(graph: Graph, block: str, side: int) -> str:
    return f"{block}inputs" if graph.options["distinct"] else f"{block}input_{side}"


def _inputs(graph: Graph, block: str, side: int, n: int) -> list[tuple[tuple[Any, ...], int]]:
    """(values of the pointer, state that they mean)."""
    if not graph.options["distinct"]:
        return [((i,), i) for i in range(n)]
    pairs = list(combinations(range(n), 2))
    named = [(tuple(f"{p[0]}-{p[1]}" for p in pairs if p[side - 1] == i), i) for i in range(n)]
    return [(values, i) for values, i in named if values]


def _combine(
    graph: Graph, name: str, hyperparameter: str, terms: Sequence[Value | None], shape: tuple[int, ...]
) -> Value:
    def added() -> Value:
        total = graph.add(f"{name}_add", terms)
        return total if total is not None else graph.zeros(f"{name}_zeros", shape)

    def concatenated() -> Value:
        parts = [t if t is not None else graph.zeros(f"{name}_zeros_{k}", shape) for k, t in enumerate(terms)]
        side_by_side = graph.concat(f"{name}_concat", parts)
        out = join(graph, f"{name}_project", side_by_side, "conv_1x1", shape[0])
        assert out is not None
        return out

    combine = list(graph.options["combine"])
    if len(combine) == 1:
        return added() if combine[0] == "add" else concatenated()
    value = graph.choose(hyperparameter, [(("add",), added), (("concat",), concatenated)], f"{name}_combine")
    assert value is not None
    return value


def _output(graph: Graph, states: Sequence[Value], first: int, readers: Readers, reduces: bool) -> Value:
    """All nodes side by side, those that no other node reads ("loose"), or the last one."""
    how = graph.options["output"]
    carried = [] if reduces or not graph.options["carry"] else [states[0]]
    if how == "last":
        return states[-1]
    if how == "all":
        return graph.concat("output", [*carried, *states[first:]])
    if how != "loose":
        raise unknown("output of a cell", how, ("all", "loose", "last"))
    loose = []
    for i, state in enumerate(states[first:], first):
        if graph.relaxed and readers.get(i):
            loose.append(graph.apply(f"loose_{i}", state, [Unread(tuple(readers[i]))]))
        elif not any(graph.options.get(name) in values for name, values in readers.get(i, ())):
            loose.append(state)
    return graph.concat("output", [*carried, *loose])
