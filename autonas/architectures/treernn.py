"""Recurrent cells that grow as trees (Rawal & Miikkulainen 2018).

A node is a leaf (a linear function of input and state, or the memory) or combines two nodes by sum or product; each has
an activation.  The root is the new state, and one node, before its activation, is the new memory.  An LSTM (Hochreiter
& Schmidhuber 1997) is such a tree of four levels.  Left out: several memories.

The supernet is the full tree, and relaxes everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from autonas.architectures.family import Section, architectural
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Dense, Part
from autonas.architectures.merges import Add, Concat, Multiply
from autonas.architectures.operations import classify
from autonas.architectures.recurrent import sequence, view

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "depth": 3,
    "activations": ["identity", "tanh", "sigmoid", "relu"],
    "width": 32,
    "steps": 0,
    "tokens": "none",
    "vocabulary": 2000,
    "embedding": 24,
    "dropout": 0.2,
}
INNER = ("add", "multiply")
LEAVES = ("linear", "memory")


def _paths(depth: int, path: str = "") -> list[str]:
    """All paths of a full binary tree: "" is the root, "_1_2" the second child of its first."""
    return [path, *(p for child in "12" for p in _paths(depth - 1, f"{path}_{child}"))] if depth >= 0 else []


def _kinds(path: str, depth: int) -> list[str]:
    """What a node may be: the root is no leaf, and the deepest nodes are leaves."""
    level = path.count("_")
    return [*(INNER if level < depth else ()), *(LEAVES if level else ())]


def space(settings: Mapping[str, Any]) -> Section:
    """``node<path>``, ``activation<path>``; ``memory``: the path whose value is kept (the root, if it is not there)."""
    depth = int(settings["depth"])
    section: Section = {"hyperparameters": [], "conditions": []}
    for path in _paths(depth):
        level, kinds = path.count("_"), _kinds(path, depth)
        mine = [
            architectural(f"node{path}", kinds, "linear" if level > 1 else kinds[0]),
            architectural(f"activation{path}", settings["activations"], "tanh" if level != 2 else "sigmoid"),
        ]
        section["hyperparameters"] += mine
        if level:
            parent = f"node{path[:-2]}"
            section["conditions"] += [
                {"type": "IN", "child": h["name"], "parent": parent, "values": list(INNER)} for h in mine
            ]
    section["hyperparameters"].append(architectural("memory", [p or "root" for p in _paths(min(depth, 2))], "_2"))
    return section


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Embedding, the loop of the cell, classifier."""
    x, width = sequence(graph), int(graph.options["width"])
    cell = Graph(graph.options, (x.channels + 2 * width,), graph.relaxed)
    both = cell.apply("both", cell.input, [Part(0, x.channels + width)])
    memory = cell.apply("c", cell.input, [Part(x.channels + width, x.channels + 2 * width)])
    before: dict[str, Value] = {}
    state = _node(cell, "", both, memory, width, before)
    paths = _paths(min(int(graph.options["depth"]), 2))
    kept = cell.select("memory", [((path or "root",), partial(_kept, cell, path, before)) for path in paths])
    cell.finish(cell.apply("state", [state, kept], [Concat()]))
    return classify(graph, graph.loop("loop", x, cell, width), n_outputs, float(graph.options["dropout"]))


def _node(cell: Graph, path: str, both: Value, memory: Value, width: int, before: dict[str, Value]) -> Value:
    """The value of a node; ``before`` collects the values of all nodes before their activations."""

    @cache  # the combinations of a relaxed graph are of the same two nodes
    def pair() -> list[Value]:
        return [_node(cell, f"{path}_{child}", both, memory, width, before) for child in "12"]

    def make(kind: str) -> Value:
        if kind == "linear":
            return cell.apply(f"linear{path}", both, [Dense(width)], "linear")
        if kind == "memory":
            return memory
        return cell.apply(f"{kind}{path}", pair(), [Add() if kind == "add" else Multiply()], kind)

    kinds = _kinds(path, int(cell.options["depth"]))
    before[path] = cell.select(f"node{path}", [((kind,), partial(make, kind)) for kind in kinds])
    names = list(cell.options["activations"])
    cases = [((name,), partial(cell.apply, f"{name}{path}", before[path], [Activation(name)], name)) for name in names]
    return cell.select(f"activation{path}", cases)


def _kept(cell: Graph, path: str, before: Mapping[str, Value], at: str = "") -> Value:
    """The value of a node before its activation; of the root, if there is no such node."""
    if at == path:
        return before[path]
    kinds = _kinds(at, int(cell.options["depth"]))
    below = partial(_kept, cell, path, before, path[: len(at) + 2])
    leaves = [kind for kind in kinds if kind in LEAVES]
    return cell.select(f"node{at}", [(INNER, below), (leaves, lambda: before[""])], f"kept{path}_at{at}")
