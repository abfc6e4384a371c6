"""Decision trees of scikit-learn as a few flat arrays, and back: a state that holds no code.

A grown tree keeps 64 bytes and a row of values for every node; here an inner node costs 9 to 13 bytes and only leaves
have values, in single precision.  Trees are stored depth first, so that a left child follows its parent and
is not stored.  Predictions are those of scikit-learn's own traversal, on trees that are rebuilt for the purpose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.errors import ModelError

if TYPE_CHECKING:
    from sklearn.tree._tree import Tree

__all__ = ["CompactTrees"]

_LEAF = -1


class CompactTrees:
    """Any number of trees over the same columns and outputs.

    Parameters
    ----------
    columns : int
        Columns of the data.
    outputs : int
        Values of a leaf.

    Attributes
    ----------
    sizes : list of int
        Nodes of every tree.
    """

    def __init__(self, columns: int, outputs: int) -> None:
        self.columns, self.outputs = columns, outputs
        self.sizes: list[int] = []
        self._right: list[np.ndarray] = []  # number of the right child within its tree; -1 in a leaf
        self._feature: list[np.ndarray] = []  # of inner nodes, as the next two
        self._threshold: list[np.ndarray] = []
        self._missing_left: list[np.ndarray] = []
        self._values: list[np.ndarray] = []  # (leaves, outputs)

    def __len__(self) -> int:
        return len(self.sizes)

    def add(self, tree: Tree, values: np.ndarray) -> None:
        """Append a grown tree.

        Parameters
        ----------
        tree : sklearn.tree._tree.Tree
        values : (nodes, outputs) array
            Prediction of every node.
        """
        leaf = tree.children_left == _LEAF
        inner = np.flatnonzero(~leaf)
        if not (tree.children_left[inner] == inner + 1).all():
            raise ModelError("Trees must be grown depth first to be stored: do not limit their number of leaves.")
        nodes = tree.__getstate__()["nodes"]
        self.sizes.append(tree.node_count)
        self._right.append(tree.children_right.astype(np.int32))
        self._feature.append(tree.feature[inner].astype(np.int32 if self.columns > 32767 else np.int16))
        # inputs are single precision: rounding a threshold down leaves each of them on its side
        self._threshold.append(_round_down(tree.threshold[inner]))
        self._missing_left.append(nodes["missing_go_to_left"][inner].astype(bool))
        self._values.append(values[leaf].astype(np.float32))

    def total(self, X: np.ndarray, trees: slice = slice(None)) -> np.ndarray:
        """(rows, outputs) float64 sum of the leaf values of some trees."""
        X = np.ascontiguousarray(X, dtype=np.float32)
        total = np.zeros((len(X), self.outputs))
        for i in range(*trees.indices(len(self))):
            leaves = self._rebuild(i).apply(X)
            place = np.cumsum(self._right[i] == _LEAF) - 1  # of a leaf among the leaves
            total += self._values[i][place[leaves]]
        return total

    def _rebuild(self, i: int) -> Tree:
        from sklearn.tree._tree import Tree

        tree = Tree(self.columns, np.ones(1, dtype=np.intp), 1)
        right = self._right[i]
        inner = np.flatnonzero(right != _LEAF)
        state = tree.__getstate__()
        nodes = np.zeros(len(right), dtype=state["nodes"].dtype)
        nodes["left_child"] = nodes["right_child"] = _LEAF
        nodes["feature"] = nodes["threshold"] = -2  # what scikit-learn writes into leaves
        nodes["left_child"][inner] = inner + 1
        nodes["right_child"][inner] = right[inner]
        nodes["feature"][inner] = self._feature[i]
        nodes["threshold"][inner] = self._threshold[i]
        nodes["missing_go_to_left"][inner] = self._missing_left[i]
        values = np.zeros((len(nodes), 1, 1))
        tree.__setstate__({**state, "max_depth": 0, "node_count": len(nodes), "nodes": nodes, "values": values})
        return tree

    def state(self) -> dict[str, Any]:
        """Plain arrays."""
        lists = {name: getattr(self, f"_{name}") for name in ("right", "feature", "threshold", "missing_left")}
        joined = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in lists.items()}
        values = np.concatenate(self._values) if self._values else np.zeros((0, self.outputs), dtype=np.float32)
        sizes = np.array(self.sizes, dtype=np.int64)
        return {"columns": self.columns, "outputs": self.outputs, "sizes": sizes, "values": values, **joined}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CompactTrees:
        """Inverse of :meth:`state`.

        Raises
        ------
        ModelError
            If following the trees could leave them: scikit-learn's traversal checks nothing itself.
        """
        trees = cls(int(state["columns"]), int(state["outputs"]))
        sizes, right, values = np.asarray(state["sizes"]), state["right"], state["values"]
        if not len(sizes):
            return trees
        inner, leaf = right != _LEAF, right == _LEAF
        ends = np.cumsum(sizes)
        valid = (
            (sizes > 0).all()
            and ends[-1] == len(right)
            and all(len(state[name]) == inner.sum() for name in ("feature", "threshold", "missing_left"))
            and values.shape == (leaf.sum(), trees.outputs)
            and ((state["feature"] >= 0) & (state["feature"] < trees.columns)).all()
        )
        if valid:
            # a left child follows its parent, a right child comes later still: no cycles, all inside the tree
            first = np.repeat(ends - sizes, sizes)
            own = np.arange(len(right)) - first
            size = np.repeat(sizes, sizes)
            valid = (~inner | ((right > own + 1) & (right < size))).all()
        if not valid:
            raise ModelError("The saved trees are damaged. Use another copy, or fit and save the model again.")
        trees.sizes = [int(size) for size in sizes]
        trees._right = _split(right, ends)
        inner_ends = np.cumsum(inner)[ends - 1]
        trees._feature = _split(state["feature"], inner_ends)
        trees._threshold = _split(state["threshold"], inner_ends)
        trees._missing_left = _split(state["missing_left"], inner_ends)
        trees._values = _split(values, np.cumsum(leaf)[ends - 1])
        return trees


def _split(array: np.ndarray, ends: np.ndarray) -> list[np.ndarray]:
    return np.split(array, ends[:-1])


def _round_down(values: np.ndarray) -> np.ndarray:
    """Largest float32 numbers that are not above float64 ones: ``x <= value`` is the same for every float32 x."""
    rounded = values.astype(np.float32)
    return np.where(rounded > values, np.nextafter(rounded, np.float32(-np.inf)), rounded)
