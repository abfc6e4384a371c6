"""What a predictor sees of an architecture: its vector, its labelled graph, its cost, scores of the untrained network.

Each part is an encoding of its own, and several stand side by side.  ``vector`` is the configuration with its choices
one-hot.  ``paths`` counts the operations that follow each other, up to three along a path (after the path encoding of
White et al 2021, cut short so that deep networks have few).  ``cost`` is the dry run's.  Graphs are looked at without
plumbing, and without what the output does not depend on, so that architectures that compute the same look the same.
Left out: Weisfeiler-Lehman labels (Ru et al 2021), which ranked no better on NAS-Bench-201 with ten times the columns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Self

import numpy as np

from autonas.architectures.family import graph_module
from autonas.architectures.graph import Graph
from autonas.architectures.merges import Zeros
from autonas.core.trial import Config
from autonas.errors import ArchitectureError, unknown
from autonas.search_space.encode import VectorEncoding
from autonas.search_space.space import USUAL_SHAPES, SearchSpace

__all__ = ["PARTS", "Features", "default_parts", "living", "path_counts"]

PARTS = ("vector", "paths", "cost")
LONGEST = 3  # operations in a path
_PLUMBING = ("", "add", "concat")

Labels = tuple[str, ...]
Past = Counter[int]
"""Operations that a value comes from, by their number; several paths from one count several times."""


def living(graph: Graph) -> list[bool]:
    """Nodes on which the result depends and that something other than zeros reaches."""
    needed = {graph.result}
    for number in range(len(graph.nodes) - 1, -1, -1):
        if number in needed:
            needed.update(graph.nodes[number].inputs)
    alive: list[bool] = []
    for number, node in enumerate(graph.nodes):
        zero = bool(node.layers) and isinstance(node.layers[0], Zeros)
        reached = not node.inputs or any(alive[i] for i in node.inputs)
        alive.append(number in needed and not zero and reached)
    return alive


def _operations(graph: Graph) -> list[tuple[str, Past]]:
    """Label and past of every operation that lives, and last of the output."""
    found: list[tuple[str, Past]] = []
    pasts: list[Past] = []
    for node, alive in zip(graph.nodes, living(graph), strict=True):
        past: Past = Counter()
        for i in node.inputs:
            past.update(pasts[i])
        if alive and node.label not in _PLUMBING:
            found.append((node.label, past))
            past = Counter({len(found) - 1: 1})
        pasts.append(past if alive else Counter())
    found.append(("output", pasts[graph.result]))
    return found


def path_counts(graph: Graph, longest: int = LONGEST) -> Counter[Labels]:
    """How often up to ``longest`` operations follow each other, input and output included."""
    total: Counter[Labels] = Counter()
    ends: list[Counter[Labels]] = []  # paths that end at each operation
    for label, past in _operations(graph):
        here: Counter[Labels] = Counter({(label,): 1})
        for operation, n in past.items():
            for path, times in ends[operation].items():
                if len(path) < longest:
                    here[*path, label] += n * times
        ends.append(here)
        total.update(here)
    return total


def default_parts(space: SearchSpace) -> tuple[str, ...]:
    """The vector, and paths where a kind of the space is made of a graph."""
    graphs = any(graph_module(family) is not None for family in space.families.values())
    return ("vector", "paths", "cost") if graphs else ("vector",)


class Features:
    """Numbers for configurations, scaled by what :meth:`fit` has seen.

    Parameters
    ----------
    space : SearchSpace
    parts : sequence of {"vector", "paths", "cost"}
    shape : sequence of int or None
        Of one example; None: a usual one of the modality.
    n_outputs : int
    scores : sequence of callable
        Further features, ``score(config) -> float``: zero-cost scores, say.

    Attributes
    ----------
    block : (d,) int array
        The part, or for a path its length, that each column belongs to.

    Raises
    ------
    OptionError
        For a part that does not exist.
    """

    def __init__(
        self,
        space: SearchSpace,
        parts: Sequence[str] = ("vector",),
        *,
        shape: Sequence[int] | None = None,
        n_outputs: int = 10,
        scores: Sequence[Callable[[Config], float]] = (),
    ) -> None:
        for part in parts:
            if part not in PARTS:
                raise unknown("encoding", part, PARTS)
        self.space = space
        self.parts = tuple(parts)
        self.shape = tuple(shape or USUAL_SHAPES[space.modality])
        self.n_outputs = n_outputs
        self.scores = tuple(scores)
        self._vector = VectorEncoding(space, one_hot=True, inactive=-1.0)

    def fit(self, configs: Sequence[Config]) -> Self:
        """Learn which paths there are, and the scale of every column."""
        raw = self._raw(configs)
        self._vocabulary: list[tuple[str, Hashable]] = sorted({key for row in raw for key in row}, key=repr)
        table = self._table(raw)
        rounding = 1e-9 * (1 + np.abs(table).max(axis=0, initial=0.0))
        self._used = np.flatnonzero(table.std(axis=0) > rounding)  # what never varies says nothing
        self._mean, self._sd = table.mean(axis=0)[self._used], table.std(axis=0)[self._used]
        names = [_block(*self._vocabulary[column]) for column in self._used]
        order = {name: number for number, name in enumerate(sorted(set(names)))}
        self.block = np.array([order[name] for name in names], dtype=np.intp)
        return self

    def __call__(self, configs: Sequence[Config]) -> np.ndarray:
        """(n, d) array; a column has mean 0 and standard deviation 1 over the configurations of :meth:`fit`."""
        return (self._table(self._raw(configs))[:, self._used] - self._mean) / self._sd

    def _table(self, rows: Sequence[dict[tuple[str, Hashable], float]]) -> np.ndarray:
        return np.array([[row.get(key, 0.0) for key in self._vocabulary] for row in rows]).reshape(len(rows), -1)

    def _raw(self, configs: Sequence[Config]) -> list[dict[tuple[str, Hashable], float]]:
        """Numbers by part and name; a name that is missing stands for 0."""
        rows: list[dict[tuple[str, Hashable], float]] = [{} for _ in configs]
        if "vector" in self.parts:
            for row, vector in zip(rows, self._vector.encode(configs), strict=True):
                row.update({("vector", j): float(value) for j, value in enumerate(vector)})
        for row, config in zip(rows, configs, strict=True):
            if "paths" in self.parts:
                row.update({("paths", path): math.log1p(n) for path, n in self._paths(config).items()})
            if "cost" in self.parts:
                row.update({("cost", name): value for name, value in self._cost(config).items()})
            row.update({("score", j): score(config) for j, score in enumerate(self.scores)})
        return rows

    def _paths(self, config: Config) -> Counter[Labels]:
        family = self.space.families.get(self.space.kind_of(config), "")
        if graph_module(family) is None:
            return Counter()
        try:
            return path_counts(self.space.graph(config, self.shape, self.n_outputs))
        except ArchitectureError:  # impossible for this data: an architecture without operations
            return Counter()

    def _cost(self, config: Config) -> dict[str, float]:
        if self.space.kind_of(config) not in self.space.networks:
            return {}
        try:
            cost = self.space.dry_run(config, self.shape, self.n_outputs)
        except ArchitectureError:
            return {}
        return {
            "parameters": math.log1p(cost.parameters),
            "macs": math.log1p(cost.macs),
            "activations": math.log1p(cost.activation_bytes),
        }


def _block(part: str, key: Hashable) -> tuple[str, int]:
    """Where a column belongs."""
    return part, len(key) if part == "paths" and isinstance(key, tuple) else 0
