"""How far two architectures are apart, by optimal transport (OTMANN: Kandasamy et al 2018).

A layer has a mass, units times incoming units, and the mass of one network is moved to the layers of the other.  A unit
costs how much the labels differ plus ``nu`` times how differently the layers lie on the paths from the input and to
the output; what is not moved costs 1.  Label costs follow the paper's tables, continued to the operations that it does
not have.  Left out: networks keep at most some layers of a sort, the most alike being merged.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from autonas.architectures.graph import Graph, Node
from autonas.architectures.layers_recurrent import Loop
from autonas.architectures.merges import Add, Average, Concat, Mix, Multiply, Zeros
from autonas.surrogates.transport import transport

__all__ = ["NUS", "LayerGraph", "layer_graph", "mismatch", "transport_distances"]

NUS = (0.1, 0.25, 0.61, 1.5)
ENDS = 0.1  # mass of the input, and of the output, as a share of that of all other layers
MOST = 16  # layers of one class; the most alike are merged until there are no more

_MERGES = (Add, Average, Concat, Mix, Multiply, Zeros)
_PLUMBING = ("", "identity", "resize", "input", "output")
_CONVOLUTIONS = ("conv", "sep_conv", "dil_conv", "group_conv", "depthwise", "basic", "bottleneck", "res")
_RECTIFIERS = ("relu", "elu", "selu", "gelu", "silu", "leaky", "softplus", "swish")
_SATURATING = ("tanh", "sigmoid", "scaled_tanh", "logistic")


# --- labels ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=10_000)
def _parts(label: str) -> tuple[str, str, tuple[tuple[int, int], ...]]:
    """Class, label without its sizes, and the sizes, both sides of each window."""
    found = re.findall(r"_[dgn]?(\d+)(?:x(\d+))?(?=_|$)", label)
    kind = re.sub(r"_[dgn]?\d+(?:x\d+)?(?=_|$)", "", label)
    if kind in _CONVOLUTIONS:
        return "conv", kind, tuple((int(a), int(b or a)) for a, b in found)
    if kind.endswith("pool"):
        return "pool", kind, tuple((int(a), int(b or a)) for a, b in found)
    if kind in _RECTIFIERS or kind in _SATURATING:
        return "activation", "rectifier" if kind in _RECTIFIERS else "saturating", ()
    return label, label, ()


@lru_cache(maxsize=100_000)
def mismatch(a: str, b: str) -> float:
    """What moving a unit of mass costs because the labels differ; infinite where labels have nothing in common.

    Convolutions: ``0.1 sqrt(2 |k - k'|)`` for windows of sides k and k' (or other sizes that labels have, their
    differences added up), and 0.1 more if they are of different kinds.
    Pooling: the same, with 0.5 for different kinds.  Activations: 0.1, and 0.25 between rectifiers and those that
    saturate.
    """
    if a == b:
        return 0.0
    (group, kind, sizes), (other_group, other_kind, other_sizes) = _parts(a), _parts(b)
    if group != other_group:
        return math.inf
    if group == "activation":
        return 0.1 if kind == other_kind else 0.25
    if len(sizes) == len(other_sizes):
        difference = sum(abs(x[i] - y[i]) / 2 for x, y in zip(sizes, other_sizes, strict=True) for i in (0, 1))
    else:
        difference = abs(_mean(sizes) - _mean(other_sizes))
    kinds = 0.0 if kind == other_kind else 0.5 if group == "pool" else 0.1
    return kinds + 0.1 * math.sqrt(2 * difference)


def _mean(sizes: Sequence[tuple[int, int]]) -> float:
    return sum(map(sum, sizes)) / (2 * len(sizes)) if sizes else 1.0


# --- graphs ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerGraph:
    """What the distance sees of a network.

    Attributes
    ----------
    classes : dict of str to (labels, masses, paths)
        The layers that may be matched with each other: ``(n,)`` labels, ``(n,)`` masses, and the lengths of paths,
        ``(n, 24)``: shortest, longest and of a random walk, from the input and to the output, counting all layers,
        convolutions, poolings and others.
    mass : float
        Of all.
    key : str
        Equal for equal ones.
    """

    classes: dict[str, tuple[tuple[str, ...], np.ndarray, np.ndarray]]
    mass: float
    key: str


def layer_graph(graph: Graph | None) -> LayerGraph:
    """The layers of a graph between its input and its result; none for None.

    What only adds, concatenates or passes on is no layer, and what reads nothing but zeros, or is not read, does not
    count.  Layers of equal labels in equal places are one, and of each class the :data:`MOST` at most.
    """
    steps = [] if graph is None else list(_steps(graph))
    inputs = [list(step.inputs) for step in steps]
    alive = [not ins for ins in inputs]
    for i, step in enumerate(steps):
        inputs[i] = [j for j in inputs[i] if alive[j]]
        alive[i] = not step.inputs or (bool(inputs[i]) and not step.zero)
    read = [False] * len(steps)
    if steps and alive[-1]:
        read[-1] = True
        for i in range(len(steps) - 1, -1, -1):
            for j in inputs[i] if read[i] else ():
                read[j] = True
    kept = [i for i in range(len(steps)) if read[i]]
    place = {old: new for new, old in enumerate(kept)}
    steps = [steps[i] for i in kept]
    inputs = [[place[j] for j in inputs[i]] for i in kept]
    masses = np.array([step.mass for step in steps])
    total = float(masses.sum())
    classes: dict[str, tuple[tuple[str, ...], np.ndarray, np.ndarray]] = {}
    if steps:
        paths = np.concatenate([_lengths(steps, inputs), _lengths(steps, _reversed(inputs), backwards=True)], axis=1)
        members: dict[str, list[int]] = defaultdict(list)
        for i in np.flatnonzero(masses).tolist():
            members[_parts(steps[i].label)[0]].append(i)
        for name, rows in members.items():
            classes[name] = _merged([steps[i].label for i in rows], masses[rows], paths[rows])
        for name, row in (("input", 0), ("output", -1)):
            classes[name] = (name,), np.array([ENDS * total]), paths[[row]]
    key = repr([(name, labels, m.tolist(), p.tolist()) for name, (labels, m, p) in sorted(classes.items())])
    return LayerGraph(classes, total * (1 + 2 * ENDS), key)


@dataclass(frozen=True)
class _Step:
    label: str
    inputs: tuple[int, ...]
    mass: float
    zero: bool


def _steps(graph: Graph) -> Iterator[_Step]:
    """The nodes up to the result, in order; the cell of a loop stands in the place of the loop."""
    place: list[int] = []
    n = 0
    for node in graph.nodes[: graph.result + 1]:
        loop = next((layer for layer in node.layers if isinstance(layer, Loop)), None)
        inputs = tuple(place[i] for i in node.inputs)
        if loop is None:
            yield _Step(node.label, inputs, _mass(node, graph), any(isinstance(x, Zeros) for x in node.layers))
            n += 1
        else:
            inner = list(_steps(loop.cell))
            yield from (
                _Step(s.label, tuple(i + n for i in s.inputs) if s.inputs else inputs, s.mass, s.zero) for s in inner
            )
            n += len(inner)
        place.append(n - 1)


def _mass(node: Node, graph: Graph) -> float:
    """Units times incoming units of a layer; 0 for what is none."""
    if node.label in _PLUMBING or not node.layers or isinstance(node.layers[0], _MERGES):
        return 0.0
    return float(node.shape[0] * sum(graph.nodes[i].shape[0] for i in node.inputs))


def _reversed(inputs: Sequence[Sequence[int]]) -> list[list[int]]:
    outputs: list[list[int]] = [[] for _ in inputs]
    for i, ins in enumerate(inputs):
        for j in ins:
            outputs[j].append(i)
    return outputs


def _lengths(steps: Sequence[_Step], inputs: Sequence[Sequence[int]], backwards: bool = False) -> np.ndarray:
    """Shortest, longest and expected number of layers of each sort up to each step, (n, 12)."""
    lengths = np.zeros((len(steps), 3, 4))
    for i in reversed(range(len(steps))) if backwards else range(len(steps)):
        if inputs[i]:
            before = lengths[inputs[i]]
            lengths[i] = before[:, 0].min(0), before[:, 1].max(0), before[:, 2].mean(0)
        if steps[i].mass:
            group = _parts(steps[i].label)[0]
            lengths[i, :, [0, {"conv": 1, "pool": 2}.get(group, 3)]] += 1
    return lengths.reshape(len(steps), 12)


def _merged(labels: list[str], masses: np.ndarray, paths: np.ndarray) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Layers of one class, those of equal label merged: in equal places all, else the most alike while too many."""
    order = sorted(range(len(labels)), key=lambda i: (labels[i], *paths[i]))
    names: list[str] = []
    weights: list[float] = []
    places: list[np.ndarray] = []
    for i in order:
        if names and names[-1] == labels[i] and (places[-1] == paths[i]).all():
            weights[-1] += float(masses[i])
        else:
            names.append(labels[i])
            weights.append(float(masses[i]))
            places.append(paths[i])
    while len(names) > MOST:
        # neighbours in the order of their places
        gaps = [
            float(np.abs(places[i + 1] - places[i]).sum()) if names[i] == names[i + 1] else math.inf
            for i in range(len(names) - 1)
        ]
        i = int(np.argmin(gaps))
        if gaps[i] == math.inf:
            break
        total = weights[i] + weights[i + 1]
        places[i] = (weights[i] * places[i] + weights[i + 1] * places[i + 1]) / total
        weights[i] = total
        del names[i + 1], weights[i + 1], places[i + 1]
    return tuple(names), np.array(weights), np.array(places)


# --- distances -------------------------------------------------------------------------------------------------------


def transport_distances(
    left: Sequence[LayerGraph], right: Sequence[LayerGraph], nus: Sequence[float] = NUS
) -> tuple[np.ndarray, np.ndarray]:
    """OTMANN distances, and those that are normalised by the mass of both networks.

    Returns
    -------
    distances, normalised : (n_left, n_right, len(nus)) arrays
        Normalised ones lie in [0, 1].  Both are symmetric to the last bit.
    """
    masses = np.array([graph.mass for graph in left])[:, None] + np.array([graph.mass for graph in right])
    distances = np.repeat(masses[:, :, None], len(nus), axis=2)
    problems: dict[tuple[str, int, int], list[tuple[int, int, LayerGraph, LayerGraph]]] = defaultdict(list)
    for i, mine in enumerate(left):
        for j, other in enumerate(right):
            if mine.key == other.key:
                distances[i, j] = 0
                continue
            a, b = (mine, other) if mine.key < other.key else (other, mine)
            for name in a.classes.keys() & b.classes.keys():
                problems[name, len(a.classes[name][0]), len(b.classes[name][0])].append((i, j, a, b))
    for (name, _, _), pairs in sorted(problems.items()):
        rows, columns = np.array([pair[:2] for pair in pairs]).T
        labels_a, masses_a, paths_a = _stacked([pair[2].classes[name] for pair in pairs])
        labels_b, masses_b, paths_b = _stacked([pair[3].classes[name] for pair in pairs])
        known = sorted({*labels_a.ravel(), *labels_b.ravel()})
        costs = np.array([[mismatch(a, b) for b in known] for a in known])
        by_label = costs[np.searchsorted(known, labels_a)[:, :, None], np.searchsorted(known, labels_b)[:, None, :]]
        by_place = np.abs(paths_a[:, :, None] - paths_b[:, None, :]).mean(3)
        alone = masses_a.sum(1) + masses_b.sum(1)
        for k, nu in enumerate(nus):
            distances[rows, columns, k] -= alone - transport(by_label + nu * by_place, masses_a, masses_b)
    distances = np.maximum(distances, 0)
    return distances, distances / np.where(masses > 0, masses, 1)[:, :, None]


def _stacked(classes: Sequence[tuple[tuple[str, ...], np.ndarray, np.ndarray]]) -> tuple[np.ndarray, ...]:
    labels, masses, paths = zip(*classes, strict=True)
    return np.array(labels), np.array(masses), np.array(paths)
