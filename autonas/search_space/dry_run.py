"""What a configuration costs before anything is trained: parameters, multiply-accumulates, memory, output shape.

A family of graphs is counted in closed form from its graph; another builds its module on the meta device and watches
one example pass through (so does the test that holds the closed forms against torch).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autonas.architectures.family import compile_graph, graph_module, load_family
from autonas.errors import ArchitectureError

__all__ = ["DryRun", "dry_run", "watch"]

BYTES = 4  # of a float32


@dataclass(frozen=True)
class DryRun:
    """Cost of a network for one example.

    Attributes
    ----------
    parameters : int
        Trainable numbers.
    macs : int
        Multiply-accumulates of a forward pass.
    activation_bytes : int
        Outputs of all layers, which training keeps for the backward pass.
    output_shape : tuple of int
    """

    parameters: int
    macs: int
    activation_bytes: int
    output_shape: tuple[int, ...]

    def training_bytes(self, batch: int) -> int:
        """Memory of one step of training with AdamW: weights, gradients, two moments, and the activations."""
        return BYTES * 4 * self.parameters + batch * self.activation_bytes


def dry_run(family: str, options: Mapping[str, Any], shape: Sequence[int], n_outputs: int) -> DryRun:
    """Cost of the network that a family makes of options.

    Parameters
    ----------
    family : str
    options : mapping
    shape : sequence of int
        Shape of one example.
    n_outputs : int

    Raises
    ------
    ArchitectureError
        If the network is impossible for examples of this shape; says where and why.
    """
    module = graph_module(family)
    if module is not None:
        graph = compile_graph(module, options, shape, n_outputs)
        account = graph.account
        return DryRun(account.parameters, account.macs, BYTES * graph.activations, account.shape)
    import torch

    with torch.device("meta"):
        return watch(load_family(family).build(options, tuple(shape), n_outputs, 0), shape)


def watch(network: Any, shape: Sequence[int]) -> DryRun:
    """Cost of a module on the meta device, from one example that passes through it."""
    import torch
    from torch import nn

    macs = activations = 0

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        nonlocal macs, activations
        if isinstance(module, nn.RNNBase):
            output = output[0]
            size = output.shape[0] * output.shape[1]  # rows and steps: each multiplies all matrices once
            macs += size * sum(p.numel() for p in module.parameters() if p.ndim > 1)
        if not isinstance(output, torch.Tensor):
            return
        activations += output.numel()
        weight = getattr(module, "weight", None)
        if isinstance(module, nn.Linear):
            macs += output.numel() * module.in_features
        elif isinstance(module, nn.Conv1d | nn.Conv2d) and weight is not None:
            macs += output.numel() * math.prod(weight.shape[1:])
        elif isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d) and weight is not None:
            macs += inputs[0].numel() * math.prod(weight.shape[1:])

    leaves = [module for module in network.modules() if not any(module.children())]
    handles = [module.register_forward_hook(note) for module in leaves]
    was_training = network.training
    try:
        with torch.no_grad():
            output = network.eval()(torch.zeros((1, *shape), device="meta"))
    except (RuntimeError, ValueError) as error:
        raise ArchitectureError(f"The network cannot be built for examples of shape {tuple(shape)}: {error}") from error
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return DryRun(parameters, macs, BYTES * activations, tuple(output.shape[1:]))
