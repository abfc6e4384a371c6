"""Several networks of one shape, trained as one: every parameter is stacked along a first axis.

On small data a loop over folds spends its time in Python; ``torch.func.vmap`` runs any module over
stacked parameters at 10-30 % more than hand-written batched products.  A stack of one skips it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from autonas.architectures.ops import Dropout

__all__ = ["Stack", "Weights"]

Weights = dict[str, Tensor]
"""Parameters and buffers by name, each with one more leading axis: the networks."""


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _input_channels_last(x: Tensor) -> Tensor:
    """Images with their channels last in memory, and with strides that say so.

    Of one channel both orders are the same bytes; unless the strides are those of channels last, all layers that follow
    take the slow way of channels first.
    """
    if x.shape[1] > 1:
        return _channels_last(x)
    return torch.empty(x.shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last).copy_(x)


class Stack:
    """Networks with equal architecture and separate weights.

    Parameters
    ----------
    build : callable
        Makes one network with weights from torch's global generator.
    seeds : sequence of int
        One per network.
    device : str

    Attributes
    ----------
    network : Module
        The architecture, without weights.
    parameters, buffers : dict of str to (networks, ...) Tensor
    dropouts : list of Dropout
        The layers of the architecture that drop units, in the order of its modules.
    """

    def __init__(self, build: Callable[[], nn.Module], seeds: Sequence[int], device: str = "cpu") -> None:
        networks = []
        for seed in seeds:
            torch.default_generator.manual_seed(seed)
            networks.append(build().to(device))
        self.network = copy.deepcopy(networks[0]).to("meta")
        self.parameters, self.buffers = stack_module_state(networks)
        self.size = len(networks)
        self.dropouts = [module for module in self.network.modules() if isinstance(module, Dropout)]
        if self.size == 1:  # convolutions are a fifth faster if channels are last in weights, too
            for parameter in self.parameters.values():
                if parameter.ndim == 5:
                    parameter.data = _channels_last(parameter.data.squeeze(0)).unsqueeze(0)
        self._batched = vmap(self._single, randomness="different")

    def _single(self, parameters: Weights, buffers: Weights, x: Tensor, factors: Mapping[int, Tensor]) -> Tensor:
        for number, dropout in enumerate(self.dropouts):
            dropout.factor = factors.get(number)
        outputs: Tensor = functional_call(self.network, (parameters, buffers), (x,))
        for dropout in self.dropouts:
            dropout.factor = None
        return outputs

    def __call__(self, x: Tensor, training: bool = False, factors: Mapping[int, Tensor] | None = None) -> Tensor:
        """(networks, rows, ...) to (networks, rows, outputs), or (networks, rows, members, outputs).

        ``factors`` are what layers of :attr:`dropouts` multiply with, by number; others draw from torch's generator.
        """
        factors = factors or {}
        if self.size > 1:
            return self.batched(self.parameters, self.buffers, x, training, factors)
        self.network.train(training)
        parameters, buffers = ({k: v.squeeze(0) for k, v in part.items()} for part in (self.parameters, self.buffers))
        x, factors = x.squeeze(0), {k: v.squeeze(0) for k, v in factors.items()}
        return self._single(parameters, buffers, _input_channels_last(x) if x.ndim == 4 else x, factors).unsqueeze(0)

    def batched(
        self, parameters: Weights, buffers: Weights, x: Tensor, training: bool, factors: Mapping[int, Tensor]
    ) -> Tensor:
        """The same with weights that are not the stack's own, of any number of networks."""
        self.network.train(training)
        outputs: Tensor = self._batched(parameters, buffers, x, factors)
        return outputs

    def seen(self, x: Tensor, weights: Weights | None = None) -> list[tuple[int, ...] | None]:
        """Shape of what each of :attr:`dropouts` sees when one network reads ``x``; None if it is not called once.

        ``weights`` are parameters and buffers of other widths than the stack's own.
        """
        shapes: dict[Dropout, list[tuple[int, ...]]] = {dropout: [] for dropout in self.dropouts}
        hooks = [
            dropout.register_forward_pre_hook(lambda module, inputs: shapes[module].append(tuple(inputs[0].shape)))
            for dropout in self.dropouts
        ]
        self.network.train()
        single = {
            name: torch.empty_like(tensor[0], device="meta") for name, tensor in (weights or self.weights).items()
        }
        functional_call(self.network, single, (torch.empty_like(x, device="meta"),))
        for hook in hooks:
            hook.remove()
        return [found[0] if len(found) == 1 else None for found in shapes.values()]

    @property
    def weights(self) -> Weights:
        """Parameters and buffers themselves (not copies)."""
        return {**{k: v.detach() for k, v in self.parameters.items()}, **self.buffers}

    def copy(self) -> Weights:
        """Copies of parameters and buffers."""
        return {k: v.clone() for k, v in self.weights.items()}

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Overwrite parameters and buffers in place."""
        for name, tensor in self.weights.items():
            tensor.copy_(weights[name])

    @property
    def n_parameters(self) -> int:
        """Trainable numbers of one network."""
        return sum(p.numel() for p in self.network.parameters())
