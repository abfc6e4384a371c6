"""Genomes of networks whose weights are evolved with their topology (Stanley & Miikkulainen 2002; Angeline et al 1994).

A genome has hidden nodes, each with its function, and links with weights, which may be disabled.  Node 0 is the bias,
1, 2, ... are inputs, -1, -2, ... outputs.  Which genes correspond follows from their numbers: a link is that between
two nodes, and a node that splits a link has a number that depends on the link only.  So equal structural mutations
have equal innovation numbers in all generations, without a register; what is lost is their order in time, by which the
paper tells excess genes from disjoint ones (their coefficients are equal in all of its experiments).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from autonas.architectures.genomes import dump, read
from autonas.errors import unknown

__all__ = [
    "BIAS", "FUNCTIONS", "HIDDEN", "Net", "Step", "check_functions", "distance", "distances", "evaluate", "innovation",
    "outputs_of", "parse", "plan", "serialise",
]  # fmt: skip

BIAS = 0
HIDDEN = 2**20
"""Numbers of hidden nodes are larger."""

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "steep_sigmoid": lambda x: 0.5 + 0.5 * np.tanh(2.45 * x),  # 1 / (1 + exp(-4.9 x))
    "sigmoid": lambda x: 0.5 + 0.5 * np.tanh(0.5 * x),
    "tanh": np.tanh,
    "gaussian": lambda x: np.exp(-np.square(x)),
    "sine": np.sin,
    "absolute": np.abs,
    "identity": lambda x: x,
}


@dataclass
class Net:
    """Hidden nodes with their functions; links by (source, target), each with weight and whether it is enabled."""

    nodes: dict[int, str] = field(default_factory=dict)
    links: dict[tuple[int, int], tuple[float, bool]] = field(default_factory=dict)

    def copy(self) -> Net:
        """A net that may be changed."""
        return Net(dict(self.nodes), dict(self.links))

    def reaches(self, source: int, target: int) -> bool:
        """Whether a path leads from one node to another, over disabled links too."""
        following: dict[int, list[int]] = {}
        for a, b in self.links:
            following.setdefault(a, []).append(b)
        seen, open_ = {source}, [source]
        while open_:
            new = [b for b in following.get(open_.pop(), ()) if b not in seen]
            seen.update(new)
            open_ += new
        return target in seen


def parse(genome: str) -> Net:
    """The net of a genome."""
    raw = read(genome)
    return Net(dict(raw["nodes"]), {(s, t): (w, bool(enabled)) for s, t, w, enabled in raw["links"]})


def serialise(net: Net) -> str:
    """The genome of a net: genes by their numbers, weights with six decimals."""
    links = [[s, t, round(w, 6), int(enabled)] for (s, t), (w, enabled) in sorted(net.links.items())]
    return dump({"nodes": sorted(map(list, net.nodes.items())), "links": links})


def innovation(source: int, target: int, times: int = 0) -> int:
    """Number of the node that splits a link, for the first time or again."""
    digest = hashlib.blake2b(f"{source} {target} {times}".encode(), digest_size=5).digest()
    return HIDDEN + int.from_bytes(digest)


def distance(a: Net, b: Net, genes: float = 1.0, weights: float = 0.4) -> float:
    """Compatibility distance: genes of one net only, and the mean difference of the weights of common ones.

    Parameters
    ----------
    genes : float
        Coefficient of the share of genes that have no counterpart; the share is their number in nets of fewer than 20
        genes.
    weights : float
        Coefficient of the mean difference.
    """
    common = a.links.keys() & b.links.keys()
    alone = len(a.links) + len(b.links) - 2 * len(common)
    larger = max(len(a.links), len(b.links))
    difference = sum(abs(a.links[link][0] - b.links[link][0]) for link in common) / max(1, len(common))
    return genes * alone / (larger if larger >= 20 else 1) + weights * difference


def distances(genomes: Sequence[str]) -> np.ndarray:
    """(n, n) array of :func:`distance`."""
    nets = [parse(genome) for genome in genomes]
    found = np.zeros((len(nets), len(nets)))
    for i, a in enumerate(nets):
        for j, b in enumerate(nets[:i]):
            found[i, j] = found[j, i] = distance(a, b)
    return found


# --- evaluation ------------------------------------------------------------------------------------------------------


class Step(NamedTuple):
    """A node: its function applied to the weighted sum of the nodes that it reads."""

    node: int
    function: str
    sources: tuple[int, ...]
    weights: tuple[float, ...]


def plan(net: Net, n_inputs: int, n_outputs: int) -> tuple[tuple[Step, ...], bool]:
    """The nodes that matter, in an order of computation, outputs last and without a function.

    A link of weight 0 is none, so that adding one changes nothing, not even the order.

    Returns
    -------
    steps : tuple of Step
    recurrent : bool
        Whether a node reads one that comes later, which has its value of the sweep before.
    """
    present = {BIAS, *range(1, n_inputs + 1), *net.nodes, *range(-n_outputs, 0)}
    reads: dict[int, list[tuple[int, float]]] = {}
    for (source, target), (weight, enabled) in net.links.items():
        if enabled and weight and source in present and target in present:
            reads.setdefault(target, []).append((source, weight))
    needed, open_ = set(range(-n_outputs, 0)), list(range(-n_outputs, 0))
    while open_:
        new = {s for s, _ in reads.get(open_.pop(), ())} - needed
        needed |= new
        open_ += new
    # hidden nodes before outputs, each as soon as all that it reads is there, else by number
    waiting = sorted(node for node in needed if node > HIDDEN) + list(range(-1, -n_outputs - 1, -1))
    done = {node for node in needed if 0 <= node <= HIDDEN}
    steps, recurrent = [], False
    while waiting:
        ready = next((n for n in waiting if all(s in done for s, _ in reads.get(n, ()))), None)
        node = waiting[0] if ready is None else ready
        recurrent |= ready is None
        waiting.remove(node)
        done.add(node)
        sources = tuple(s for s, _ in reads.get(node, ()))
        weights = tuple(w for _, w in reads.get(node, ()))
        steps.append(Step(node, net.nodes.get(node, "identity"), sources, weights))
    return tuple(steps), recurrent


def evaluate(steps: Sequence[Step], x: np.ndarray, n_outputs: int, sweeps: int = 1) -> np.ndarray:
    """Outputs of a net without recurrent links, or after several sweeps over one that has them.

    Parameters
    ----------
    steps : sequence of Step
        See :func:`plan`.
    x : (rows, inputs) array

    Returns
    -------
    (rows, outputs) array
    """
    zero = np.zeros(len(x))
    values: dict[int, np.ndarray] = {BIAS: zero + 1.0} | {i + 1: x[:, i] for i in range(x.shape[1])}
    for _ in range(sweeps):
        for node, function, sources, weights in steps:
            total = zero
            for source, weight in zip(sources, weights, strict=True):
                total = total + weight * values.get(source, zero)
            values[node] = FUNCTIONS[function](total)
    return np.stack([values[-k] for k in range(1, n_outputs + 1)], axis=1)


def check_functions(names: Sequence[Any]) -> None:
    """Refuse functions that do not exist."""
    for name in names:
        if name not in FUNCTIONS:
            raise unknown("function of a node", name, FUNCTIONS)


def outputs_of(settings: Mapping[str, Any]) -> range:
    """Numbers of the output nodes."""
    return range(-1, -int(settings["outputs"]) - 1, -1)
