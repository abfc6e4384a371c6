"""Structural mutations of graphs of convolutions (Elsken et al 2017, 2018; Real et al 2017).

Each move yields changed graphs in random order with a description; the first whose values fit is taken.  Moves that
only add (``insert_conv`` with the width and stride of what it reads, ``widen``, ``enlarge_kernel``, skips, branches)
have weights with which the function stays the same; the others change it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from autonas.architectures.graphgenes import CONVOLUTIONS, MERGES, Gene, Genes, parse, serialise, shapes
from autonas.errors import unknown

__all__ = ["MOVES", "mutate"]

Changed = tuple[Genes, tuple]
Move = Callable[[Genes, Mapping[str, Any], np.random.Generator], Iterator[Changed]]

TRIES = 30  # pairs of nodes for a skip


def mutate(genome: str, settings: Mapping[str, Any], rng: np.random.Generator) -> tuple[str, tuple]:
    """One random move among ``settings["moves"]``.

    Returns
    -------
    genome : str
        Another one, whose values fit; the same if no move can change it.
    edit : tuple
        Name of the move, its numbers (nodes as in the old genome), and last, for each node of the new genome in turn,
        its number in the old one, or 0 if it is new.
    """
    genes = parse(genome)
    names = list(settings["moves"])
    for name in names:
        if name not in MOVES:
            raise unknown("move", name, MOVES)
    for place in rng.permutation(len(names)):
        for changed, numbers in MOVES[names[place]](genes, settings, rng):
            if shapes(changed.needed()) is None:
                continue
            child, origin = serialise(changed)
            if child != genome:
                return child, (names[place], *numbers, tuple(n if n in genes.nodes else 0 for n in origin))
    return genome, ()


def _shuffled(items: Any, rng: np.random.Generator) -> list:
    items = list(items)
    return [items[place] for place in rng.permutation(len(items))]


def _convs(genes: Genes, rng: np.random.Generator) -> list[tuple[int, Gene]]:
    return _shuffled(((n, gene) for n, gene in genes.nodes.items() if gene.op in CONVOLUTIONS), rng)


# --- depth -----------------------------------------------------------------------------------------------------------


def insert_conv(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """A convolution between a node and one that reads it, as wide as the first."""
    widths = shapes(genes) or {}
    readers = genes.readers()
    edges = [(u, v) for u in readers for v in readers[u]] + [(genes.output, -1)]
    for u, v in _shuffled(edges, rng):
        kernel, stride = int(rng.choice(settings["kernels"])), int(rng.choice(settings["strides"]))
        changed = Genes(dict(genes.nodes), genes.output)
        new = changed.add(Gene("conv", (u,), widths[u][0] or settings["channels"], kernel, stride))
        if v < 0:
            changed.output = new
        else:
            gene = genes.nodes[v]
            place = int(rng.choice([k for k, i in enumerate(gene.inputs) if i == u]))
            inputs = (*gene.inputs[:place], new, *gene.inputs[place + 1 :])
            changed = changed.with_gene(v, replace(gene, inputs=inputs))
        yield changed, (u, v, kernel, stride)


def remove_conv(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """A convolution goes; what read it reads what it read."""
    for number, gene in _convs(genes, rng):
        changed = genes.redirect(number, gene.inputs[0])
        del changed.nodes[number]
        yield changed, (number,)


# --- width and kernels -----------------------------------------------------------------------------------------------


def _tied(genes: Genes, number: int) -> set[int]:
    """The nodes that have the width of one of them, because of sums and pools."""
    readers, found, open_ = genes.readers(), {number}, [number]
    while open_:
        n = open_.pop()
        near = [r for r in readers[n] if genes.nodes[r].op in ("pool", "add")]
        if n and genes.nodes[n].op in ("pool", "add"):
            near += genes.nodes[n].inputs
        new = [i for i in dict.fromkeys(near) if i not in found]
        found.update(new)
        open_ += new
    return found


def _with_width(genes: Genes, number: int, width: int) -> Genes:
    nodes = dict(genes.nodes)
    for n in _tied(genes, number):
        if n and nodes[n].op in CONVOLUTIONS:
            nodes[n] = replace(nodes[n], width=width)
    return Genes(nodes, genes.output)


def widen(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """Two to four times as many channels of a convolution, and of those that are added to it."""
    for number, gene in _convs(genes, rng):
        width = min(gene.width * int(rng.integers(2, 5)), settings["max_width"])
        if width > gene.width:
            yield _with_width(genes, number, width), (number, width)


def prune(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """A half or a quarter of the filters of a convolution go, and of those that are added to it."""
    for number, gene in _convs(genes, rng):
        width = gene.width - gene.width // int(rng.choice([2, 4]))
        if width < gene.width:
            yield _with_width(genes, number, width), (number, width)


def alter_width(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """Another number of channels, between a half and twice the old one."""
    for number, gene in _convs(genes, rng):
        width = round(gene.width * math.exp(rng.uniform(-math.log(2), math.log(2))))
        width = max(1, min(width, settings["max_width"]))
        yield _with_width(genes, number, width), (number, width)


def enlarge_kernel(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """The next larger odd kernel."""
    for number, gene in _convs(genes, rng):
        if gene.kernel + 2 <= settings["max_kernel"]:
            yield genes.with_gene(number, replace(gene, kernel=gene.kernel + 2)), (number, gene.kernel + 2)


def alter_kernel(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """The next larger or smaller odd kernel."""
    for number, gene in _convs(genes, rng):
        kernel = gene.kernel + int(rng.choice([-2, 2]))
        if 1 <= kernel <= settings["max_kernel"]:
            yield genes.with_gene(number, replace(gene, kernel=kernel)), (number, kernel)


def alter_stride(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """Twice or half the stride."""
    for number, gene in _convs(genes, rng):
        stride = gene.stride * 2 if gene.stride == 1 or rng.random() < 0.5 else gene.stride // 2
        if stride <= settings["max_stride"]:
            yield genes.with_gene(number, replace(gene, stride=stride)), (number, stride)


def separate(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """A convolution becomes a separable one."""
    for number, gene in _convs(genes, rng):
        if gene.op == "conv" and gene.kernel > 1:
            yield genes.with_gene(number, replace(gene, op="sep_conv")), (number,)


# --- branches --------------------------------------------------------------------------------------------------------


def _merged(genes: Genes, op: str, v: int, other: int) -> Genes:
    """What read ``v`` reads it merged with another node."""
    merge = genes.add(Gene(op, (v, other)))
    return genes.redirect(v, merge, but=(merge,))


def add_skip(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """An earlier value is added to a later one, or concatenated."""
    readers = genes.readers()
    numbers = list(genes.nodes)
    for _ in range(TRIES if numbers else 0):
        v, u = int(rng.choice(numbers)), int(rng.choice([0, *numbers]))
        op = str(rng.choice(settings["merges"]))
        known = any(genes.nodes[r].op in MERGES and r in readers[v] for r in readers[u])
        if not known and u not in genes.below(v):
            yield _merged(Genes(dict(genes.nodes), genes.output), op, v, u), (u, v, op)


def add_branch(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """A second convolution beside one, merged with it."""
    for v, gene in _convs(genes, rng):
        kernel, op = int(rng.choice(settings["kernels"])), str(rng.choice(settings["merges"]))
        changed = Genes(dict(genes.nodes), genes.output)
        new = changed.add(Gene("conv", gene.inputs, gene.width, kernel, gene.stride))
        yield _merged(changed, op, v, new), (v, op, kernel)


def remove_skip(genes: Genes, settings: Mapping[str, Any], rng: np.random.Generator) -> Iterator[Changed]:
    """A merge loses one of its values, and whatever only that needed."""
    merges = [(n, k) for n, gene in genes.nodes.items() if gene.op in MERGES for k in range(len(gene.inputs))]
    for number, k in _shuffled(merges, rng):
        gene = genes.nodes[number]
        rest = gene.inputs[:k] + gene.inputs[k + 1 :]
        if len(rest) > 1:
            yield genes.with_gene(number, replace(gene, inputs=rest)), (number, gene.inputs[k])
        else:
            changed = genes.redirect(number, rest[0])
            del changed.nodes[number]
            yield changed, (number, gene.inputs[k])


MOVES: dict[str, Move] = {
    move.__name__: move
    for move in (
        insert_conv, remove_conv, widen, prune, alter_width, enlarge_kernel, alter_kernel, alter_stride, separate,
        add_skip, add_branch, remove_skip,
    )
}  # fmt: skip
