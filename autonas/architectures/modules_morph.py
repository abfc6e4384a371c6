"""Modules with a gate that a morphism can close: an activation that starts as the identity, and a factor."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Gate", "PActivation"]


class PActivation(nn.Module):
    """``a x + (1 - a) phi(x)`` with one trained ``a`` (Wei et al 2016); at first it is ``phi``.

    Parameters
    ----------
    phi : Module
        The activation.
    """

    def __init__(self, phi: nn.Module) -> None:
        super().__init__()
        self.phi = phi
        self.a = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return self.a * x + (1 - self.a) * self.phi(x)


class Gate(nn.Module):
    """Multiplies every channel by a factor of its own, which starts at 1.

    Parameters
    ----------
    channels : int
    axes : int
        Number of spatial axes.
    """

    def __init__(self, channels: int, axes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.view = (-1, *[1] * axes)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, ...) to the same shape."""
        return x * self.weight.view(self.view)
