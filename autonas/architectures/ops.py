"""The small parts of which every family is made: activations, normalisations, an input scale, a linear layer.

The input scale (one factor per feature, trained with its own learning rate) is RealMLP's
(Holzmüller et al 2024).  Leaves out anything that needs to know how a network is trained.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from autonas.errors import unknown

__all__ = ["ACTIVATIONS", "activation", "normalisation", "Dropout", "Scale", "linear"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "selu": nn.SELU,
    "mish": nn.Mish,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


def activation(name: str) -> nn.Module:
    """A new activation; raises OptionError for a name that is not in ``ACTIVATIONS``."""
    if name not in ACTIVATIONS:
        raise unknown("activation", name, ACTIVATIONS)
    return ACTIVATIONS[name]()


def normalisation(name: str, width: int) -> nn.Module:
    """A new normalisation of ``width`` features: "none", "layer" or "batch"."""
    if name == "none":
        return nn.Identity()
    if name == "layer":
        return nn.LayerNorm(width)
    if name == "batch":
        return nn.BatchNorm1d(width)
    raise unknown("normalisation", name, ("none", "layer", "batch"))


class Dropout(nn.Module):
    """Dropout (Srivastava et al 2014) with one random byte for each unit.

    torch's own draws a float for each and takes a quarter of the time of a small network on a CPU.

    Parameters
    ----------
    p : float
        Share of units that are dropped, in [0, 1); rounded to a multiple of 1/256.

    Attributes
    ----------
    factor : Tensor or None
        What the next pass in training multiplies its input with; None: it is drawn from torch's generator.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.dropped = min(255, round(256 * p))
        self.factor: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape."""
        if not self.training:
            return x
        if self.factor is not None:
            return x * self.factor
        if self.dropped == 0:
            return x
        words = torch.randint(-(2**63), 2**63 - 1, (x.numel() // 8 + 1,), device=x.device)
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.dropped
        return x * (kept * (256 / (256 - self.dropped)))


class Scale(nn.Module):
    """Multiplies every feature by a factor of its own, which starts at 1.

    ``lr_factor`` says how much faster than the rest it learns, by the number of rows: on small
    data a fast scale picks features by chance.

    Parameters
    ----------
    width : int
        Number of features.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    @staticmethod
    def lr_factor(n_rows: int) -> float:
        """Factor on the learning rate."""
        return 6.0 if n_rows >= 1500 else 1.0

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to (..., width)."""
        return x * self.weight


def linear(inputs: int, outputs: int, gain: float = 1.0, bias: float = 0.3) -> nn.Linear:
    """A linear layer with weights from N(0, gain^2 2 / inputs) (He et al 2015) and biases from U(-bias, bias)."""
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=gain * math.sqrt(2 / inputs))
    nn.init.uniform_(layer.bias, -bias, bias)
    return layer
