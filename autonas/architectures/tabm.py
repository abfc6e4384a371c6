"""TabM: one network that acts as an ensemble of ``members`` networks (Gorishniy et al 2025).

The members share every hidden matrix and differ by cheap factors on its inputs and outputs
(BatchEnsemble, Wen et al 2020) and by their own last layers.  Each member is trained on its own
loss; predictions are averaged afterwards.  With factors on the first inputs alone it is TabM-mini, which is a quarter
faster to train.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from autonas.architectures.embeddings import embedding
from autonas.architectures.embeddings import table_view as view
from autonas.architectures.ops import Dropout, activation, linear
from autonas.core.trial import Value
from autonas.errors import unknown

__all__ = ["BATCHED", "MemberFactors", "MemberLinear", "SharedLinear", "build", "view"]

BATCHED = True  # all folds train as one batched network


_ADAPTERS = ("all", "first")


def _signs(members: int, inputs: int) -> Tensor:
    return torch.randint(2, (members, inputs)).float() * 2 - 1


class SharedLinear(nn.Module):
    """A linear layer shared by all members, with factors on inputs and outputs of each.

    The factors and biases are vectors of a member, so they are not named ``weight`` and do not decay.

    Parameters
    ----------
    members, inputs, outputs : int
    signs : bool
        Whether the input factors start as random signs, which makes the members differ; else as 1.
    """

    def __init__(self, members: int, inputs: int, outputs: int, signs: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * math.sqrt(2 / inputs))
        self.input_factor = nn.Parameter(_signs(members, inputs) if signs else torch.ones(members, inputs))
        self.output_factor = nn.Parameter(torch.ones(members, outputs))
        self.bias = nn.Parameter((torch.rand(members, outputs) * 2 - 1) * inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(1 or members, rows, inputs) to (members, rows, outputs)."""
        mixed = (x * self.input_factor[:, None]) @ self.weight.T
        return torch.addcmul(self.bias[:, None], mixed, self.output_factor[:, None])


class MemberFactors(nn.Module):
    """Factors on the inputs of each member, which start as random signs."""

    def __init__(self, members: int, inputs: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(_signs(members, inputs))

    def forward(self, x: Tensor) -> Tensor:
        """(1, rows, inputs) to (members, rows, inputs)."""
        return x * self.factor[:, None]


class MemberLinear(nn.Module):
    """One linear layer for each member, starting near zero."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(members, inputs, outputs) * 0.1 * math.sqrt(2 / inputs))
        self.bias = nn.Parameter(torch.zeros(members, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(members, rows, inputs) to (rows, members, outputs)."""
        return torch.baddbmm(self.bias[:, None], x, self.weight).transpose(0, 1)


def build(options: Mapping[str, Value], shape: Sequence[int], n_outputs: int, n_numeric: int = 0) -> nn.Module:
    """A network from (rows, shape[0]) to (rows, members, n_outputs).

    Parameters
    ----------
    options : mapping
        ``embedding`` (``frequencies``, ``frequency_scale``), ``input_dropout``, ``members``, ``adapters`` ("all": on
        every layer; "first"), ``depth``, ``width``, ``activation``, ``dropout``.
    shape : sequence of int
        Shape of one row: (features,).
    n_numeric : int
        How many of the first features are numeric columns (for the periodic embedding).
    """
    members, width = int(options.get("members", 16)), int(options.get("width", 128))
    adapters = str(options.get("adapters", "all"))
    if adapters not in _ADAPTERS:
        raise unknown("choice of adapters", adapters, _ADAPTERS)
    first, features = embedding(options, shape[0], n_numeric)
    layers: list[nn.Module] = [first, nn.Unflatten(0, (1, -1))]
    if adapters == "first":
        layers.append(MemberFactors(members, features))
    for depth in range(int(options.get("depth", 2))):
        layers += [
            SharedLinear(members, features, width, signs=depth == 0)
            if adapters == "all"
            else linear(features, width, bias=features**-0.5),
            activation(str(options.get("activation", "relu"))),
            Dropout(float(options.get("dropout", 0.1))),
        ]
        features = width
    return nn.Sequential(*layers, MemberLinear(members, features, n_outputs))
