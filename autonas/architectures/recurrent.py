"""Recurrent networks whose cell is searched (Zoph & Le 2017; Pham et al 2018; Liu et al 2018b).

"chain": node l reads one earlier node through a gate and an activation (ENAS; with the mean over all nodes, as DARTS
does, in the place of the mean over loose ends).  "tree": a full binary tree whose leaves read input and state; one
node receives the memory, and one gives it (NAS-RL).  The classifier reads the mean of the states over time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Dense, Part
from autonas.architectures.layers_recurrent import Embed
from autonas.architectures.merges import Add, Average, Concat, Interpolate, Multiply
from autonas.architectures.operations import classify
from autonas.errors import ArchitectureError, unknown

__all__ = ["BATCHED", "SETTINGS", "construct", "sequence", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "cell": "chain",
    "nodes": 8,  # leaves of a tree, a power of two
    "activations": ["tanh", "relu", "sigmoid", "identity"],
    "width": 32,
    "steps": 0,  # of a text that are read; 0: all
    "tokens": "none",  # "words" or "characters" for texts; "none" for series
    "vocabulary": 2000,
    "embedding": 24,
    "dropout": 0.2,
}


def view(options: Mapping[str, Any]) -> str:
    """Tokens of a text, or a series."""
    tokens = options.get("tokens", "none")
    return "series" if tokens == "none" else f"tokens:{tokens}"


def space(settings: Mapping[str, Any]) -> Section:
    """Chain: ``activation_<l>``, ``previous_<l>``.  Tree: ``combine_<n>``, ``activation_<n>``, and of the memory."""
    if settings["cell"] not in ("chain", "tree"):
        raise unknown("cell", settings["cell"], ("chain", "tree"))
    names, n = list(settings["activations"]), int(settings["nodes"])
    if settings["cell"] == "chain":
        found = [architectural(f"activation_{i}", names) for i in range(1, n + 1)]
        found += [architectural(f"previous_{i}", list(range(1, i)), i - 1) for i in range(2, n + 1)]
        return {"hyperparameters": found}
    if n < 2 or n & (n - 1):
        raise ArchitectureError(f"a full binary tree has 2, 4, 8, ... leaves, given {n}")
    nodes = range(1, 2 * n)
    found = [architectural(f"activation_{i}", names) for i in (*nodes, "memory")]
    found += [architectural(f"combine_{i}", ["add", "multiply"]) for i in (*nodes, "memory")]
    found += [architectural(f"memory_{way}", list(nodes), default) for way, default in (("to", 1), ("from", 2 * n - 1))]
    return {"hyperparameters": found}


def sequence(graph: Graph) -> Value:
    """The input as (channels, time): a series as it is, tokens embedded."""
    if graph.options["tokens"] == "none":
        if len(graph.shape) != 2:
            raise ArchitectureError(f"a series of shape (channels, time) was required, given {graph.shape}")
        return graph.input
    steps = int(graph.options["steps"]) or graph.shape[0]
    first = graph.apply("first", graph.input, [Part(0, min(steps, graph.shape[0]))])
    return graph.apply("embed", first, [Embed(int(graph.options["vocabulary"]), int(graph.options["embedding"]))])


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Embedding, the loop of the cell, classifier."""
    x, width = sequence(graph), int(graph.options["width"])
    memory = graph.options["cell"] == "tree"
    cell = Graph(graph.options, (x.channels + width * (1 + memory),), graph.relaxed)
    (_tree if memory else _chain)(cell, x.channels, width)
    states = graph.loop("loop", x, cell, width)
    return classify(graph, states, n_outputs, float(graph.options["dropout"]))


def activate(graph: Graph, name: str, hyperparameter: str, x: Value) -> Value:
    """The chosen activation of a value."""
    cases = [((a,), partial(graph.apply, f"{name}_{a}", x, [Activation(a)], a)) for a in graph.options["activations"]]
    made = graph.choose(hyperparameter, cases, name)
    assert made is not None
    return made


def _chain(graph: Graph, channels: int, width: int) -> Graph:
    h = graph.apply("h", graph.input, [Part(channels, channels + width)])
    nodes: list[Value] = []
    for i in range(1, int(graph.options["nodes"]) + 1):
        if i == 1:  # reads input and state side by side
            made = _gated(graph, "node_1", graph.input, h, "activation_1", width)
        else:
            cases = [
                ((j,), partial(_gated, graph, f"node_{i}_from_{j}", node, node, f"activation_{i}", width))
                for j, node in enumerate(nodes, 1)
            ]
            chosen = graph.choose(f"previous_{i}", cases, f"node_{i}")
            assert chosen is not None
            made = chosen
        nodes.append(made)
    mean = graph.apply("mean", nodes, [Average()], "mean") if len(nodes) > 1 else nodes[0]
    return graph.finish(mean)


def _gated(graph: Graph, name: str, x: Value, carried: Value, hyperparameter: str, width: int) -> Value:
    """Highway connection (Zilly et al 2017): gate * activation(W x) + (1 - gate) * carried."""
    gate = graph.apply(f"{name}_gate", x, [Dense(width), Activation("sigmoid")], "gate")
    linear = graph.apply(f"{name}_linear", x, [Dense(width)])
    return graph.apply(
        name, [gate, activate(graph, f"{name}_act", hyperparameter, linear), carried], [Interpolate()], "highway"
    )


def _tree(graph: Graph, channels: int, width: int) -> Graph:
    leaves = int(graph.options["nodes"])
    x = graph.apply("x", graph.input, [Part(0, channels)])
    h = graph.apply("h", graph.input, [Part(channels, channels + width)])
    memory = graph.apply("c", graph.input, [Part(channels + width, channels + 2 * width)])
    level: list[Value] = []
    nodes: list[Value] = []
    for i in range(1, leaves + 1):
        read = [graph.apply(f"leaf_{i}_x", x, [Dense(width)])]
        read.append(graph.apply(f"leaf_{i}_h", h, [Dense(width, bias=False)]))
        level.append(_with_memory(graph, i, _join(graph, str(i), read), memory))
    nodes += level
    while len(level) > 1:
        pairs = list(zip(level[::2], level[1::2], strict=True))
        level = []
        for pair in pairs:
            i = len(nodes) + 1
            level.append(_with_memory(graph, i, _join(graph, str(i), pair), memory))
            nodes.append(level[-1])
    kept = graph.choose("memory_from", [((i,), partial(_itself, node)) for i, node in enumerate(nodes, 1)])
    assert kept is not None
    return graph.finish(graph.apply("state", [nodes[-1], kept], [Concat()]))


def _join(graph: Graph, which: str, values: Sequence[Value]) -> Value:
    """The values combined and activated, as the hyperparameters of a node say."""
    ways = {"add": Add(), "multiply": Multiply()}
    cases = [((way,), partial(graph.apply, f"node_{which}_{way}", values, [layer], way)) for way, layer in ways.items()]
    chosen = which.rpartition("_")[2]
    combined = graph.choose(f"combine_{chosen}", cases, f"node_{which}")
    assert combined is not None
    return activate(graph, f"node_{which}_act", f"activation_{chosen}", combined)


def _with_memory(graph: Graph, i: int, value: Value, memory: Value) -> Value:
    """The node that receives the memory combines it with its own value."""
    others = [n for n in range(1, 2 * int(graph.options["nodes"])) if n != i]
    cases = [
        (others, partial(_itself, value)),
        ((i,), partial(_join, graph, f"{i}_memory", [value, memory])),
    ]
    made = graph.choose("memory_to", cases, f"memory_to_{i}")
    assert made is not None
    return made


def _itself(value: Value) -> Value:
    return value
