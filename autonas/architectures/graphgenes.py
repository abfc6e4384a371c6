"""Genomes of convolutional networks: a directed acyclic graph of any size, as canonical JSON.

Node 0 is the data; the others are convolutions (with normalisation and activation), separable convolutions, pools, and
merges of several values.  A genome lists its nodes in an order that depends on nothing but the graph, each as
``[operation, inputs, numbers...]``; the last one goes to the classifier, and of no nodes the data does.  Whether values
fit is known without their sizes: channels are those of the last convolution, and the resolution is the product of the
strides.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from autonas.architectures.genomes import dump, read

__all__ = ["CONVOLUTIONS", "MERGES", "Gene", "Genes", "parse", "serialise", "shapes"]

CONVOLUTIONS = ("conv", "sep_conv")
MERGES = ("add", "add_resized", "concat")
"""Sums require equal shapes; ``add_resized`` brings all values to the shape of its first (Real et al 2017)."""


@dataclass(frozen=True)
class Gene:
    """One node: an operation, the nodes that it reads, and the numbers of a convolution."""

    op: str
    inputs: tuple[int, ...]
    width: int = 0
    kernel: int = 0
    stride: int = 1

    def row(self, inputs: tuple[int, ...]) -> list:
        """As in the JSON, with these numbers of the inputs."""
        numbers = [self.width, self.kernel, self.stride] if self.op in CONVOLUTIONS else []
        return [self.op, list(inputs), *numbers]


@dataclass
class Genes:
    """A graph: genes by the numbers of their nodes, and the node that goes to the classifier."""

    nodes: dict[int, Gene] = field(default_factory=dict)
    output: int = 0

    def add(self, gene: Gene) -> int:
        """The number of a new node."""
        number = max(self.nodes, default=0) + 1
        self.nodes[number] = gene
        return number

    def with_gene(self, number: int, gene: Gene) -> Genes:
        """The graph with another gene of one node."""
        return Genes({**self.nodes, number: gene}, self.output)

    def redirect(self, old: int, new: int, but: tuple[int, ...] = ()) -> Genes:
        """The graph in which what read ``old`` reads ``new``, but for some nodes."""
        nodes = {}
        for number, gene in self.nodes.items():
            inputs = tuple(new if i == old else i for i in gene.inputs) if number not in but else gene.inputs
            nodes[number] = replace(gene, inputs=inputs)
        return Genes(nodes, new if self.output == old else self.output)

    def readers(self) -> dict[int, list[int]]:
        """For every node, those that read it."""
        found: dict[int, list[int]] = {number: [] for number in (0, *self.nodes)}
        for number, gene in self.nodes.items():
            for i in dict.fromkeys(gene.inputs):
                found[i].append(number)
        return found

    def below(self, number: int) -> set[int]:
        """The node and all that depend on it."""
        readers, found, open_ = self.readers(), {number}, [number]
        while open_:
            new = [r for r in readers[open_.pop()] if r not in found]
            found.update(new)
            open_ += new
        return found

    def needed(self) -> Genes:
        """The graph without what the output does not depend on."""
        found, open_ = {self.output}, [self.output]
        while open_:
            number = open_.pop()
            new = [i for i in (self.nodes[number].inputs if number else ()) if i not in found]
            found.update(new)
            open_ += new
        return Genes({n: gene for n, gene in self.nodes.items() if n in found}, self.output)

    def order(self, priority: Mapping[int, int] | None = None) -> list[int]:
        """All nodes but the data, each after what it reads, by priority among those that are ready.

        Shorter than the graph if it has a cycle.
        """
        priority = priority or {number: number for number in self.nodes}
        readers = self.readers()
        missing = {number: len(set(gene.inputs)) for number, gene in self.nodes.items()}
        ready, found = [(-1, 0)], []
        while ready:
            _, number = heapq.heappop(ready)
            found.append(number)
            for reader in readers[number]:
                missing[reader] -= 1
                if not missing[reader]:
                    heapq.heappush(ready, (priority[reader], reader))
        return found[1:]


def shapes(genes: Genes) -> dict[int, tuple[int, int]] | None:
    """Channels (0: unknown before the data is seen) and stride of every node; None if values do not fit."""
    order = genes.order()
    if len(order) < len(genes.nodes):
        return None
    found = {0: (0, 1)}
    for number in order:
        gene = genes.nodes[number]
        widths, strides = zip(*(found[i] for i in gene.inputs), strict=True)
        if gene.op in CONVOLUTIONS:
            found[number] = (gene.width, strides[0] * gene.stride)
        elif gene.op == "pool":
            found[number] = (widths[0], 2 * strides[0])
        elif gene.op == "add_resized":
            found[number] = (widths[0], strides[0])
        elif len(set(strides)) > 1 or (gene.op == "add" and (len(set(widths)) > 1 or 0 in widths)):
            return None
        else:
            found[number] = (widths[0] if gene.op == "add" else sum(widths) * all(widths), strides[0])
    return found


def parse(genome: str) -> Genes:
    """The graph of a genome."""
    rows = read(genome)
    nodes = {number: Gene(op, tuple(inputs), *numbers) for number, (op, inputs, *numbers) in enumerate(rows, 1)}
    return Genes(nodes, len(rows))


def serialise(genes: Genes) -> tuple[str, tuple[int, ...]]:
    """The genome of a graph, without nodes that are of no use.

    Returns
    -------
    genome : str
        Equal for graphs that differ in the numbers of their nodes only.
    origin : tuple of int
        For each node of the genome in turn, its number in the graph.
    """
    genes = genes.needed()
    colours = _colours(genes)
    order = genes.order(colours)
    number = {0: 0} | {old: new for new, old in enumerate(order, 1)}
    rows = []
    for old in order:
        gene = genes.nodes[old]
        rows.append(gene.row(_sorted(gene, [number[i] for i in gene.inputs])))
    return dump(rows), tuple(order)


def _sorted(gene: Gene, inputs: list[int]) -> tuple[int, ...]:
    """Sums and concatenations forget the order of their terms."""
    if gene.op == "add_resized":
        return (inputs[0], *sorted(inputs[1:]))
    return tuple(sorted(inputs))


def _leads(reader: Gene, number: int) -> bool:
    """Whether a node is the one that the others are resized to."""
    return reader.op == "add_resized" and reader.inputs[0] == number


def _colours(genes: Genes) -> dict[int, int]:
    """A number for every node that depends on its place in the graph only: refinement of colours (Weisfeiler & Leman).

    What remains equal is told apart by marking one of them, which is exact where they are equal by symmetry.
    """
    readers, depth, height = genes.readers(), {0: 0}, dict.fromkeys((0, *genes.nodes), 0)
    order = genes.order()
    for number in order:
        depth[number] = 1 + max(depth[i] for i in genes.nodes[number].inputs)
    for number in reversed(order):
        for i in genes.nodes[number].inputs:
            height[i] = max(height[i], 1 + height[number])
    labels: dict[int, tuple] = {0: (0,)}
    for n in order:
        gene = genes.nodes[n]
        labels[n] = (depth[n], height[n], gene.op, gene.width, gene.kernel, gene.stride)
    colours = _ranked(labels)
    classes = 0
    while classes < len(colours):
        if len(set(colours.values())) == classes:  # symmetric nodes: mark one
            values = list(colours.values())
            least = min(colour for colour in values if values.count(colour) > 1)
            one = next(n for n, colour in colours.items() if colour == least)
            colours = {n: 2 * colour + (n != one) for n, colour in colours.items()}
        classes = len(set(colours.values()))
        colours = _ranked(
            {
                n: (colour, _sorted(genes.nodes[n], [colours[i] for i in genes.nodes[n].inputs]) if n else (),
                    tuple(sorted((colours[r], _leads(genes.nodes[r], n)) for r in readers[n])))
                for n, colour in colours.items()
            }
        )  # fmt: skip
    return colours


def _ranked(labels: Mapping[int, tuple]) -> dict[int, int]:
    place = {label: rank for rank, label in enumerate(sorted(set(labels.values())))}
    return {number: place[label] for number, label in labels.items()}
