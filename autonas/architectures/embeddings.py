"""Embedding of numeric columns in front of a network for tables, and dropout of what comes out.

"periodic" is learned here: cosines of learned frequencies and phases, mixed linearly to a few
numbers per column and concatenated to the input (Gorishniy et al 2022 in the small form of
Holzmüller et al 2024).  "ple", the piecewise-linear encoding, has nothing to learn and is a view of
the data.  Dropping inputs (Hinton et al 2012) keeps networks from memorising rows by the many columns of an encoding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from autonas.architectures.ops import Dropout
from autonas.core.trial import Value
from autonas.errors import unknown

__all__ = ["Periodic", "table_view", "embedding"]

_VIEWS = {"none": "dense", "ple": "ple", "periodic": "dense"}
_MOST_COLUMNS = 64  # above, cosines of every column cost more than they bring


class Periodic(nn.Module):
    """Appends three learned periodic features of each of the first ``columns`` inputs.

    Parameters
    ----------
    columns : int
    frequencies : int
        Cosines per column.
    scale : float
        Standard deviation of the initial frequencies, in cycles per unit of the scaled column.
    """

    outputs = 3

    def __init__(self, columns: int, frequencies: int = 12, scale: float = 0.2) -> None:
        super().__init__()
        self.columns = columns
        self.frequency = nn.Parameter(torch.randn(columns, frequencies) * scale)
        self.phase = nn.Parameter((torch.rand(columns, frequencies) * 2 - 1) * math.pi)
        bound = frequencies**-0.5
        self.weight = nn.Parameter((torch.rand(columns, frequencies, self.outputs) * 2 - 1) * bound)
        self.bias = nn.Parameter((torch.rand(columns, self.outputs) * 2 - 1) * bound)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, inputs) to (rows, inputs + 3 * columns)."""
        waves = torch.cos(2 * math.pi * x[:, : self.columns, None] * self.frequency + self.phase)
        mixed = torch.einsum("bcf,cfo->bco", waves, self.weight) + self.bias
        return torch.cat([x, mixed.flatten(1)], dim=1)


def table_view(options: Mapping[str, Value]) -> str:
    """Name of the view that a network for tables reads, by its option ``embedding``."""
    name = str(options.get("embedding", "none"))
    if name not in _VIEWS:
        raise unknown("embedding", name, _VIEWS)
    return _VIEWS[name]


def embedding(options: Mapping[str, Value], width: int, n_numeric: int) -> tuple[nn.Module, int]:
    """The first module of a network for tables, and how many features it gives.

    Parameters
    ----------
    options : mapping
        ``embedding``, ``frequencies``, ``frequency_scale``, ``input_dropout``.
    width : int
        Number of input features, of which the first ``n_numeric`` are numeric columns.
    """
    dropout = Dropout(float(options.get("input_dropout", 0.0)))
    if options.get("embedding", "none") != "periodic" or not 0 < n_numeric <= _MOST_COLUMNS:
        return dropout, width
    module = Periodic(n_numeric, int(options.get("frequencies", 12)), float(options.get("frequency_scale", 0.2)))
    return nn.Sequential(module, dropout), width + Periodic.outputs * n_numeric
