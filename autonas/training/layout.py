"""Stacked networks of several widths as one matrix: a row for each network, its parameters side by side.

A tensor that is smaller than that of the widest network lies in the corner of the place that it has, and around it are
zeros.  These stay zero in training as long as an activation of zero is zero (see ``fused.py``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

__all__ = ["Layout", "widest"]


def widest(shapes: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The smallest shape that has room for each of several."""
    return tuple(max(sizes) for sizes in zip(*shapes, strict=True))


class Layout:
    """Where each tensor of each stack lies.

    Parameters
    ----------
    stacks : sequence of dict of str to (networks, ...) Tensor
        Of equal names and numbers of dimensions.

    Attributes
    ----------
    members : list of slice
        Rows of each stack.
    networks, size : int
        Rows and columns of the matrix.
    """

    def __init__(self, stacks: Sequence[Mapping[str, Tensor]]) -> None:
        self.own = [{name: tensor.shape[1:] for name, tensor in stack.items()} for stack in stacks]
        self.widest = {name: widest([own[name] for own in self.own]) for name in self.own[0]}
        self.sizes = [math.prod(shape) for shape in self.widest.values()]
        self.size = sum(self.sizes)
        counts = [len(next(iter(stack.values()))) for stack in stacks]
        ends = [sum(counts[: number + 1]) for number in range(len(counts))]
        self.members = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
        self.networks = ends[-1]

    def tensors(self, matrix: Tensor) -> dict[str, Tensor]:
        """All networks' tensors by name, as wide as the widest: (networks, ...) views of the matrix."""
        parts = matrix.split(self.sizes, 1)
        return {
            name: part.view(len(matrix), *shape) for (name, shape), part in zip(self.widest.items(), parts, strict=True)
        }

    def views(self, matrix: Tensor, member: int) -> dict[str, Tensor]:
        """The tensors of one stack by name, as wide as they are: views of the matrix."""
        found = self.tensors(matrix[self.members[member]])
        return {name: found[name][:, *map(slice, shape)] for name, shape in self.own[member].items()}

    @torch.no_grad()
    def matrix(self, stacks: Sequence[Mapping[str, Tensor | float]], like: Tensor) -> Tensor:
        """The matrix of these tensors, or numbers that fill tensors."""
        matrix = like.new_zeros(self.networks, self.size)
        for member, stack in enumerate(stacks):
            for name, view in self.views(matrix, member).items():
                view[...] = stack[name]
        return matrix
