"""Sums over thousands of small trees, for many rows at once: a bit for every leaf instead of a walk from the root.

Every split of a tree that sends a row to the right rules out the leaves on its left; of the leaves that no split
rules out, the leftmost one is the row's (QuickScorer; Lucchese et al 2015).  What all splits on one column rule out
depends on where the value lies among their thresholds alone, so that it is looked up, for all trees in one go (as in
RapidScorer; Ye et al 2018).  Trees come as LightGBM writes them.  Left out: trees of more than 64 leaves, and so many
columns that walking is as fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["BitTrees", "bit_trees"]

_WORDS = ((16, np.uint16), (32, np.uint32), (64, np.uint64))  # leaves that fit into a word
_MOST_BYTES = 200  # of the words of all columns for one tree; reading them should not take longer than a walk
_MOST_TABLES = 2**27  # bytes of all tables
_CHUNK = 2**19  # words at once: they stay in the cache
_CATEGORICAL, _DEFAULT_LEFT, _NAN_IS_MISSING = 1, 2, 8  # bits of LightGBM's decision_type
_FIELDS = (
    "num_leaves", "num_cat", "split_feature", "threshold", "decision_type", "left_child", "right_child", "leaf_value",
    "cat_boundaries", "cat_threshold",
)  # fmt: skip


@dataclass
class _Splits:
    """All splits of some trees, and what the leaves of their left sides are."""

    tree: np.ndarray
    column: np.ndarray
    threshold: np.ndarray
    kind: np.ndarray
    first: np.ndarray  # first leaf of the left side, counted from the left
    width: np.ndarray  # leaves of the left side
    sets: np.ndarray  # (splits, words) uint32 bits of the categories that go to the left


@dataclass
class _Column:
    """What the values of one column rule out."""

    number: int
    edges: np.ndarray | None  # thresholds; None for categories
    table: np.ndarray  # (places, trees) words; the last place is that of missing values

    def places(self, x: np.ndarray) -> np.ndarray:
        """(rows,) rows of the table."""
        last = len(self.table) - 1
        missing = np.isnan(x)
        if self.edges is not None:
            return np.where(missing, last, np.searchsorted(self.edges, x, side="left"))
        code = np.where(missing | (x < 0), last, x).astype(np.int64)
        return np.minimum(code, last)


class BitTrees:
    """Trees in groups, each of which is summed up; made by :func:`bit_trees`.

    Attributes
    ----------
    n_groups : int
    """

    def __init__(
        self, columns: list[_Column], values: np.ndarray, starts: np.ndarray, word: type[np.unsignedinteger[Any]]
    ) -> None:
        self.n_groups = len(starts)
        self._columns, self._values, self._starts, self._word = columns, values.ravel(), starts, word
        trees, leaves = values.shape
        # a power of two as a double has its logarithm, plus 1023, in the upper 12 bits
        self._offsets = np.arange(trees, dtype=np.int64) * leaves - 1023

    def totals(self, X: np.ndarray) -> np.ndarray:
        """(rows, groups) float64 sums of leaf values."""
        trees = len(self._offsets)
        total = np.empty((len(X), self.n_groups))
        places = [column.places(X[:, column.number].astype(np.float64)) for column in self._columns]
        step = max(1, _CHUNK // trees)
        for start in range(0, len(X), step):
            part = slice(start, start + step)
            words = np.full((len(X[part]), trees), np.iinfo(self._word).max, dtype=self._word)
            for column, place in zip(self._columns, places, strict=True):
                words &= column.table[place[part]]
            words &= ~words + self._word(1)  # the lowest bit alone
            leaf = words.astype(np.float64).view(np.int64) >> 52
            leaf += self._offsets
            total[part] = np.add.reduceat(self._values[leaf], self._starts, axis=1)
        return total


def bit_trees(models: Sequence[Sequence[str]], per_round: int) -> BitTrees | None:
    """Trees of LightGBM models, in groups by model and by their place in a round.

    Parameters
    ----------
    models : sequence of sequences of str
        Texts of the boosters that a model is the sum of; the trees of a round follow each other.
    per_round : int
        Trees of a round (classes).

    Returns
    -------
    BitTrees or None
        Group ``m * per_round + c`` is output c of model m.  None where a walk is as fast, or a model has no tree.
    """
    found: dict[str, list[str]] = {name: [] for name in _FIELDS}
    group: list[int] = []
    for number, texts in enumerate(models):
        for text in texts:
            blocks = text.partition("\nend of trees")[0].split("\nTree=")[1:]
            group += [number * per_round + i % per_round for i in range(len(blocks))]
            for line in "\n".join(blocks).split("\n"):
                name, _, value = line.partition("=")
                if name in found:
                    found[name].append(value)
    if len(set(group)) < len(models) * per_round:
        return None
    numbers = {name: np.array(" ".join(lines).split(), dtype=np.float64) for name, lines in found.items()}
    leaves = numbers["num_leaves"].astype(np.int64)
    word = next((word for most, word in _WORDS if leaves.max() <= most), None)
    used = np.unique(numbers["split_feature"]).astype(np.int64)
    if word is None or len(used) * np.dtype(word).itemsize > _MOST_BYTES:
        return None
    order = np.argsort(group, kind="stable")  # trees of one group side by side
    splits, values = _read(numbers, leaves, np.argsort(order))
    starts = np.flatnonzero(np.diff(np.array(group)[order], prepend=-1))
    one = np.uint64(1)
    width, first = splits.width.astype(np.uint64), splits.first.astype(np.uint64)
    masks = (~(((one << width) - one) << first)).astype(word)
    columns, size = [], 0
    for column in used:
        mine = np.flatnonzero(splits.column == column)
        make = _categories if splits.kind[mine[0]] & _CATEGORICAL else _numbers
        columns.append(make(int(column), splits, mine, masks, len(leaves)))
        size += columns[-1].table.nbytes
        if size > _MOST_TABLES:
            return None
    return BitTrees(columns, values, starts, word)


def _read(numbers: dict[str, np.ndarray], leaves: np.ndarray, place: np.ndarray) -> tuple[_Splits, np.ndarray]:
    """All splits, and (trees, leaves) values with the leaves from left to right; tree t comes to ``place[t]``."""
    trees, most = len(leaves), int(leaves.max())
    inner = leaves - 1
    tree = np.repeat(np.arange(trees), inner)
    node = np.arange(len(tree)) - np.repeat(np.cumsum(inner) - inner, inner)
    children = np.zeros((2, trees, max(1, most - 1)), dtype=np.int64)
    for side, name in enumerate(("left_child", "right_child")):
        children[side, tree, node] = numbers[name].astype(np.int64)
    everyone = np.arange(trees)
    size = np.ones((trees, most), dtype=np.int64)  # leaves below a node; children have higher numbers than parents
    below = np.ones((2, trees, most), dtype=np.int64)
    for n in range(most - 2, -1, -1):
        for side in (0, 1):
            child = children[side, :, n]
            below[side, :, n] = np.where(child < 0, 1, size[everyone, np.maximum(child, 0)])
        size[:, n] = np.where(n < inner, below[0, :, n] + below[1, :, n], 1)
    first = np.zeros((trees, most), dtype=np.int64)
    position = np.zeros((trees, most), dtype=np.int64)  # of the leaves, from the left
    for n in range(most - 1):
        real = n < inner
        for side, start in ((0, first[:, n]), (1, first[:, n] + below[0, :, n])):
            child = children[side, :, n]
            inside, leaf = real & (child >= 0), real & (child < 0)
            first[everyone[inside], child[inside]] = start[inside]
            position[everyone[leaf], ~child[leaf]] = start[leaf]
    owner = np.repeat(everyone, leaves)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(leaves) - leaves, leaves)
    values = np.zeros((trees, most))
    values[place[owner], position[owner, number]] = numbers["leaf_value"]
    column, kind = numbers["split_feature"].astype(np.int64), numbers["decision_type"].astype(np.int64)
    threshold, sets = numbers["threshold"], _sets(numbers, tree, kind & _CATEGORICAL > 0)
    return _Splits(place[tree], column, threshold, kind, first[tree, node], below[0, tree, node], sets), values


def _sets(numbers: dict[str, np.ndarray], tree: np.ndarray, categorical: np.ndarray) -> np.ndarray:
    """(splits, words) bits of the categories that go to the left; a split's threshold is the number of its set."""
    counts, boundaries = numbers["num_cat"].astype(np.int64), numbers["cat_boundaries"].astype(np.int64)
    if not categorical.any():
        return np.zeros((len(tree), 0), dtype=np.uint32)
    # every tree with sets has one boundary more than sets, and counts its words from 0
    ends = np.cumsum(np.where(counts > 0, counts + 1, 0))
    words = np.zeros(len(counts), dtype=np.int64)
    words[counts > 0] = boundaries[ends[counts > 0] - 1]
    owner = tree[categorical]
    at = ends[owner] - counts[owner] - 1 + numbers["threshold"][categorical].astype(np.int64)
    first = boundaries[at] + (np.cumsum(words) - words)[owner]
    size = boundaries[at + 1] - boundaries[at]
    bits = numbers["cat_threshold"].astype(np.uint32)
    sets = np.zeros((len(tree), int(size.max())), dtype=np.uint32)
    rows = np.flatnonzero(categorical)
    for word in range(sets.shape[1]):
        some = size > word
        sets[rows[some], word] = bits[first[some] + word]
    return sets


def _numbers(number: int, splits: _Splits, mine: np.ndarray, masks: np.ndarray, trees: int) -> _Column:
    """A column of numbers: each threshold that a value exceeds rules out the left side."""
    threshold, kind, tree = splits.threshold[mine], splits.kind[mine], splits.tree[mine]
    edges, edge = np.unique(threshold, return_inverse=True)
    table = np.full((len(edges) + 2, trees), np.iinfo(masks.dtype).max, dtype=masks.dtype)
    flat = table.reshape(-1)
    np.bitwise_and.at(flat, (edge + 1) * trees + tree, masks[mine])
    np.bitwise_and.accumulate(table[:-1], axis=0, out=table[:-1])
    # where training had no missing values, LightGBM takes them for 0
    right = np.where(kind & _NAN_IS_MISSING, kind & _DEFAULT_LEFT == 0, threshold < 0)
    np.bitwise_and.at(flat, (len(edges) + 1) * trees + tree[right], masks[mine[right]])
    return _Column(number, edges, table)


def _categories(number: int, splits: _Splits, mine: np.ndarray, masks: np.ndarray, trees: int) -> _Column:
    """A column of codes: those that are not in the set of a split rule out its left side."""
    left = np.unpackbits(splits.sets[mine].view(np.uint8), axis=1, bitorder="little").astype(bool)
    left = np.hstack([left, np.zeros((len(mine), 1), dtype=bool)])  # all other codes and missing ones go right
    split, code = np.nonzero(~left)
    table = np.full((left.shape[1], trees), np.iinfo(masks.dtype).max, dtype=masks.dtype)
    np.bitwise_and.at(table.reshape(-1), code * trees + splits.tree[mine[split]], masks[mine[split]])
    return _Column(number, None, table)
