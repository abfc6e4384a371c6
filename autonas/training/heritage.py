"""Weights that the networks of a configuration inherit from those of another one, fold by fold.

How they are made stands in ``architectures/morph``.  A network that is not made of a graph takes over what fits.  A
fold that the parent did not train starts from scratch: the networks of other folds have seen its validation rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from autonas.architectures.family import compile_graph
from autonas.training.stack import Stack

__all__ = ["Heritage"]

NOISE = 0.01  # on copies, as a share of the deviation of the weights (Chen et al 2016)
ROWS = 256  # on which inserted normalisations are measured


@dataclass(frozen=True)
class Heritage:
    """The trained networks of a parent.

    Parameters
    ----------
    weights : mapping of str to (folds, ...) array
    options : mapping
        What the parent's family read.
    shape : tuple of int
        Of one example that the parent read.
    how : {"copy", "morph"}
        Where examples have another shape, what fits is copied.
    """

    weights: Mapping[str, np.ndarray]
    options: Mapping[str, Any]
    shape: tuple[int, ...]
    how: Literal["copy", "morph"]

    def knows(self, folds: Sequence[int]) -> bool:
        """Whether the parent has trained all of the folds."""
        return max(folds) < min(map(len, self.weights.values()))

    def give(
        self,
        stack: Stack,
        folds: Sequence[int],
        family: ModuleType | None,
        options: Mapping[str, Any],
        n_outputs: int,
        X: Tensor,
        rows: Sequence[np.ndarray],
        seed: int,
    ) -> bool:
        """Overwrite the first weights of networks.

        Parameters
        ----------
        stack : Stack
            The networks.
        folds : sequence of int
            Their folds.
        family : module, optional
            Makes the graphs of both; None: there are none.
        options : mapping
            What the family reads for the child.
        n_outputs : int
        X : (rows, *shape) Tensor
        rows : sequence of int arrays
            The training rows of each fold.
        seed : int

        Returns
        -------
        bool
            Whether they compute what the parent's do (up to noise).
        """
        exact, weights = True, stack.weights
        for place, (fold, train) in enumerate(zip(folds, rows, strict=True)):
            if not self.knows([fold]):
                exact = False
                continue
            old = {name: torch.tensor(array[fold]) for name, array in self.weights.items()}
            if family is None:
                own = {name: tensor[place] for name, tensor in stack.weights.items()}
                new = {
                    name: old[name] for name, tensor in own.items() if name in old and tensor.shape == old[name].shape
                }
                exact = exact and len(new) == len(own)
            else:
                batch = X[torch.from_numpy(train[:ROWS]).to(X.device)].cpu()
                new, same = self._morphed(old, family, options, n_outputs, batch, (seed, fold))
                exact = exact and same
            for name, tensor in new.items():
                weights[name][place].copy_(tensor)
        return exact

    def _morphed(
        self,
        state: Mapping[str, Tensor],
        family: ModuleType,
        options: Mapping[str, Any],
        n_outputs: int,
        batch: Tensor,
        seed: tuple[int, int],
    ) -> tuple[dict[str, Tensor], bool]:
        from autonas.architectures.morph import inherit

        shape = tuple(batch.shape[1:])
        how = self.how if shape == self.shape else "copy"
        parent, child = (
            compile_graph(family, o, s, n_outputs) for o, s in ((self.options, self.shape), (options, shape))
        )
        found = inherit(parent, state, child, how, np.random.default_rng(seed), NOISE, batch=batch)
        return found.state, found.exact

    def teacher(
        self, build: Callable[[Mapping[str, Any]], nn.Module], folds: Sequence[int], shape: Sequence[int], device: str
    ) -> Stack | None:
        """The parent's networks of some folds; None where there is nothing to learn from them.

        Parameters
        ----------
        build : callable
            Makes a network from what its family reads.
        folds : sequence of int
        shape : sequence of int
            Of one example that the child reads.
        device : str
        """
        if self.how != "morph" or tuple(shape) != self.shape or not self.knows(folds):
            return None
        found = Stack(lambda: build(self.options), folds, device)
        found.load({name: torch.tensor(array[list(folds)]) for name, array in self.weights.items()})
        return found
