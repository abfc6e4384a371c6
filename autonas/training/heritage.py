"""Weights that the networks of a configuration inherit from those of another one, fold by fold.

How they are made stands in ``architectures/morph``.  A network that is not made of a graph takes over what fits.  A
fold that the parent did not train starts from scratch: the networks of other folds have seen its validation rows.

Where the parent's training could go on (a rung below the highest), the momentum of SGD of tensors that the child takes
over unchanged is carried along, too: on 400 digits a wider child of a small convolutional network had a validation loss
lower by 4, 9 and 12 % after 5, 10 and 20 % of its schedule, 3 % at its end (6 seeds).  The moments of Adam are not:
there they changed nothing (of networks that had learned little), and wider perceptrons, which were overfitting already,
got worse by up to 4 %.  A schedule that has ended leaves nothing to carry: its checkpoint has no moments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from autonas.architectures.family import compile_graph
from autonas.training.loop import Trainer
from autonas.training.optim import parameter_order
from autonas.training.stack import Stack

if TYPE_CHECKING:
    from autonas.architectures.morph import Inherited

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
    moments : sequence of mappings, optional
        For each of the parent's trainers what its optimiser keeps of every parameter, by number (``Trainer.state``).
    """

    weights: Mapping[str, np.ndarray]
    options: Mapping[str, Any]
    shape: tuple[int, ...]
    how: Literal["copy", "morph"]
    moments: Sequence[Mapping[str, Mapping[str, np.ndarray]]] = ()

    def knows(self, folds: Sequence[int]) -> bool:
        """Whether the parent has trained all of the folds."""
        return max(folds) < min(map(len, self.weights.values()))

    def give(
        self,
        trainer: Trainer,
        family: ModuleType | None,
        options: Mapping[str, Any],
        n_outputs: int,
    ) -> bool:
        """Overwrite the first weights of networks, and the momentum of their optimiser where there is some.

        Parameters
        ----------
        trainer : Trainer
            Of the networks.
        family : module, optional
            Makes the graphs of both; None: there are none.
        options : mapping
            What the family reads for the child.
        n_outputs : int

        Returns
        -------
        bool
            Whether they compute what the parent's do (up to noise).
        """
        exact, weights, X = True, trainer.stack.weights, trainer.data.X
        origin: dict[str, str] = {}  # of what is taken over unchanged
        for place, (fold, train) in enumerate(zip(trainer.folds, trainer.batches.rows, strict=True)):
            if not self.knows([fold]):
                exact = False
                continue
            old = {name: torch.tensor(array[fold]) for name, array in self.weights.items()}
            if family is None:
                own = {name: tensor[place] for name, tensor in weights.items()}
                new = {
                    name: old[name] for name, tensor in own.items() if name in old and tensor.shape == old[name].shape
                }
                exact, origin = exact and len(new) == len(own), {name: name for name in new}
            else:
                batch = X[torch.from_numpy(train[:ROWS]).to(X.device)].cpu()
                found = self._morphed(old, family, options, n_outputs, batch, (trainer.seed, fold))
                new, origin, exact = found.state, found.origin, exact and found.exact
            for name, tensor in new.items():
                weights[name][place].copy_(tensor)
        if self.moments and origin and self.knows(trainer.folds) and _momentum(options) and _momentum(self.options):
            self._carry(trainer, origin, family, n_outputs)
        return exact

    def _carry(self, trainer: Trainer, origin: Mapping[str, str], family: ModuleType | None, n_outputs: int) -> None:
        """Give an optimiser the moments of what was taken over; those of all else are fresh."""
        from autonas.architectures.morph import inherit_optimizer

        network = trainer.stack.network
        if family is not None:
            network = compile_graph(family, self.options, self.shape, n_outputs).network()
        names, n = parameter_order(network), len(trainer.folds)
        numbered = self.moments[trainer.folds[0]]  # folds that train together begin with the first
        if len(numbered) != len(names):
            return
        moments = {
            names[int(number)]: {key: array[:n] if np.ndim(array) else array for key, array in part.items()}
            for number, part in numbered.items()
        }
        shapes = {name: tuple(parameter.shape) for name, parameter in trainer.stack.parameters.items()}
        trainer.carry(inherit_optimizer(moments, origin, shapes))

    def _morphed(
        self,
        state: Mapping[str, Tensor],
        family: ModuleType,
        options: Mapping[str, Any],
        n_outputs: int,
        batch: Tensor,
        seed: tuple[int, int],
    ) -> Inherited:
        from autonas.architectures.morph import inherit

        shape = tuple(batch.shape[1:])
        how = self.how if shape == self.shape else "copy"
        parent, child = (
            compile_graph(family, o, s, n_outputs) for o, s in ((self.options, self.shape), (options, shape))
        )
        return inherit(parent, state, child, how, np.random.default_rng(seed), NOISE, batch=batch)

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


def _momentum(options: Mapping[str, Any]) -> bool:
    """Whether the optimiser is one whose moments help a child."""
    return "solver" not in options and options.get("optimizer") == "sgd"
