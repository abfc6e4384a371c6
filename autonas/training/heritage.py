"""Weights that the networks of a configuration inherit from those of another one, fold by fold.

How they are made stands in ``architectures/morph``.  A network that is not made of a graph takes over what fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

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
    how : {"copy", "morph"}
    """

    weights: Mapping[str, np.ndarray]
    options: Mapping[str, Any]
    how: Literal["copy", "morph"]

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
            Their folds; a fold that the parent did not train takes over another one.
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
            old = {name: torch.tensor(array[fold % len(array)]) for name, array in self.weights.items()}
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

        parent, child = (compile_graph(family, o, tuple(batch.shape[1:]), n_outputs) for o in (self.options, options))
        found = inherit(parent, state, child, self.how, np.random.default_rng(seed), NOISE, batch=batch)
        return found.state, found.exact
