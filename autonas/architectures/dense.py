"""What fully connected networks need beyond torch: first weights drawn by name, and a tanh with two scales."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from autonas.errors import unknown

__all__ = ["ScaledTanh", "draw", "linear"]

_UNIFORM, _SPARSE_STD, _SPARSE_SHARE = 0.01, 0.01, 0.1


def linear(inputs: int, outputs: int, init: str, std: float) -> nn.Linear:
    """A linear layer with weights from :func:`draw` and zero biases."""
    layer = nn.Linear(inputs, outputs)
    nn.init.zeros_(layer.bias)
    draw(layer.weight, init, std)
    return layer


@torch.no_grad()
def draw(weight: Tensor, init: str, std: float = 0.01) -> None:
    """Draw first weights in place.

    Parameters
    ----------
    weight : (outputs, inputs) Tensor
    init : str
        "he_normal", "he_uniform" (He et al 2015), "glorot_normal", "glorot_uniform" (Glorot and Bengio 2010),
        "normal", "uniform" (up to 0.01), "constant" (1 / inputs), "orthogonal" (Saxe et al 2014), "sparse" (normal
        with deviation 0.01, nine in ten are zero).
    std : float
        Standard deviation of "normal".
    """
    if init == "he_normal":
        nn.init.kaiming_normal_(weight)
    elif init == "he_uniform":
        nn.init.kaiming_uniform_(weight)
    elif init == "glorot_normal":
        nn.init.xavier_normal_(weight)
    elif init == "glorot_uniform":
        nn.init.xavier_uniform_(weight)
    elif init == "normal":
        nn.init.normal_(weight, std=std)
    elif init == "uniform":
        nn.init.uniform_(weight, -_UNIFORM, _UNIFORM)
    elif init == "constant":
        nn.init.constant_(weight, 1 / weight.shape[1])
    elif init == "orthogonal":
        nn.init.orthogonal_(weight)
    elif init == "sparse":
        nn.init.normal_(weight, std=_SPARSE_STD).mul_(torch.rand_like(weight) < _SPARSE_SHARE)
    else:
        raise unknown("initialisation", init, ("he_normal", "glorot_uniform", "normal", "orthogonal"))


class ScaledTanh(nn.Module):
    """``outside`` * tanh(``inside`` * x) (LeCun et al 1998).

    Parameters
    ----------
    inside, outside : float
    """

    def __init__(self, inside: float, outside: float) -> None:
        super().__init__()
        self.inside, self.outside = inside, outside

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return self.outside * torch.tanh(self.inside * x)

    def extra_repr(self) -> str:
        """As torch shows it."""
        return f"{self.inside}, {self.outside}"
