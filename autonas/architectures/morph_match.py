"""Which steps of a child's network correspond to which of its parent's.

Families name nodes by position and case, so equal names correspond, and a node whose case has changed (another kernel)
has the same beginning and the same neighbours.  Nodes of genomes are numbered anew by every edit; there what is equal
as seen from the data, or as seen from the output, corresponds.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping
from difflib import SequenceMatcher
from typing import Any

from autonas.architectures.graph import Graph, Node
from autonas.architectures.morph_steps import Plan, kind

__all__ = ["match_nodes", "match_steps"]


class _Wiring:
    """Names of the neighbours of every node."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = {node.name: node for node in graph.nodes}
        self.reads = {node.name: [graph.nodes[i].name for i in node.inputs] for node in graph.nodes}
        self.readers: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name, read in self.reads.items():
            for other in dict.fromkeys(read):
                self.readers[other].append(name)
        self.result = graph.nodes[graph.result].name
        self.order = [node.name for node in graph.nodes]


def match_nodes(parent: Graph, child: Graph) -> dict[str, str]:
    """The parent's node for each node of the child that has one."""
    ours, theirs = _Wiring(child), _Wiring(parent)
    if "genome" in child.options or "genome" in parent.options:
        pairs = {"input": "input"} | _equal(ours, theirs)
        _neighbours(ours, theirs, pairs, lambda a, b: 2 * (_kinds(ours.nodes[a]) == _kinds(theirs.nodes[b])))
    else:
        pairs = {name: name for name in ours.order if name in theirs.nodes}
        _neighbours(ours, theirs, pairs, _same_beginning)
    return pairs


def _kinds(node: Node) -> tuple[str, ...]:
    return tuple(type(layer).__name__ for layer in node.layers)


def _same_beginning(a: str, b: str) -> int:
    one, other = a.split("_"), b.split("_")
    n = 0
    while n < min(len(one), len(other)) and one[n] == other[n]:
        n += 1
    return n


def _neighbours(ours: _Wiring, theirs: _Wiring, pairs: dict[str, str], alike: Callable[[str, str], int]) -> None:
    """Add pairs of nodes that are alike and have a neighbour in common, the most alike first."""

    def score(a: str, b: str) -> int:
        """0: they do not correspond."""
        likeness = alike(a, b)
        if not likeness:
            return 0
        read = [pairs[i] for i in ours.reads[a] if i in pairs]
        before = any(i in theirs.reads[b] for i in read)
        readers = [pairs[r] for r in ours.readers[a] if r in pairs]
        known = [r for r in theirs.readers[b] if r in pairs.values()]
        after = any(r in known for r in readers) or (a == ours.result and b == theirs.result)
        if readers and known and not after:
            return 0
        return 2 * likeness + before + after if before or after else 0

    while True:
        taken = set(pairs.values())
        free = [b for b in theirs.order if b not in taken]
        best, a, b = max(
            ((score(a, b), a, b) for a in ours.order if a not in pairs for b in free),
            key=lambda found: found[0],
            default=(0, "", ""),
        )
        if not best:
            return
        pairs[a] = b


# --- genomes ---------------------------------------------------------------------------------------------------------

Marks = dict[str, Hashable]


def _from_data(wiring: _Wiring, label: Callable[[Node], Hashable]) -> Marks:
    marks: Marks = {}
    for name in wiring.order:
        read = [marks[i] for i in wiring.reads[name]]
        marks[name] = hash((label(wiring.nodes[name]), tuple(sorted(map(hash, read)))))
    return marks


def _from_output(wiring: _Wiring, label: Callable[[Node], Hashable]) -> Marks:
    marks: Marks = {}
    for name in reversed(wiring.order):
        readers = sorted(hash(marks[r]) for r in wiring.readers[name])
        marks[name] = hash((label(wiring.nodes[name]), name == wiring.result, tuple(readers)))
    return marks


def _equal(ours: _Wiring, theirs: _Wiring) -> dict[str, str]:
    """Nodes that are equal from both sides, then from one of them; after that with whatever widths and kernels."""
    pairs: dict[str, str] = {}
    stages: list[list[Any]] = []
    labels: list[Callable[[Node], Hashable]] = [lambda node: repr(node.layers), lambda node: repr(_kinds(node))]
    for label in labels:
        up = [_from_data(wiring, label) for wiring in (ours, theirs)]
        down = [_from_output(wiring, label) for wiring in (ours, theirs)]
        both = [{n: (u[n], d[n]) for n in u} for u, d in zip(up, down, strict=True)]
        stages += [both, up, down]
    for certain in (True, False):
        for mine, other in stages:
            _pair(ours, theirs, mine, other, pairs, certain)
    return pairs


def _pair(
    ours: _Wiring,
    theirs: _Wiring,
    mine: Mapping[str, Hashable],
    other: Mapping[str, Hashable],
    pairs: dict[str, str],
    certain: bool,
) -> None:
    """Add pairs with equal marks, of several those with the same neighbours; if ``certain``, of equally many only."""
    taken = set(pairs.values())
    waiting: dict[Hashable, list[str]] = defaultdict(list)
    for name, mark in other.items():
        if name not in taken:
            waiting[mark].append(name)
    offered = {mark: len(names) for mark, names in waiting.items()}
    asking = Counter(mark for name, mark in mine.items() if name not in pairs)

    def agreement(a: str, b: str) -> int:
        read = sum(pairs.get(i) in theirs.reads[b] for i in ours.reads[a])
        return read + sum(pairs.get(r) in theirs.readers[b] for r in ours.readers[a])

    for name, mark in mine.items():
        if name not in pairs and waiting[mark] and (not certain or asking[mark] == offered[mark]):
            best = max(waiting[mark], key=lambda b: agreement(name, b))
            pairs[name] = best
            waiting[mark].remove(best)


# --- steps -----------------------------------------------------------------------------------------------------------


def match_steps(parent: Plan, child: Plan, nodes: Mapping[str, str]) -> dict[int, int]:
    """The parent's step for each step of the child that has one: of matched nodes, those of one kind in order."""
    pairs = {0: 0}
    for mine, theirs in nodes.items():
        ours, others = child.parts.get(mine, []), parent.parts.get(theirs, [])
        kinds = [[kind(child.steps[i]) for i in ours], [kind(parent.steps[i]) for i in others]]
        for block in SequenceMatcher(a=kinds[0], b=kinds[1], autojunk=False).get_matching_blocks():
            pairs |= dict(zip(ours[block.a :][: block.size], others[block.b :][: block.size], strict=True))
    return pairs
