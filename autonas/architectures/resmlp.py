"""Residual multilayer perceptron for tables: pre-normalised blocks of two linear layers (Gorishniy et al 2021)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from autonas.architectures.embeddings import embedding
from autonas.architectures.embeddings import table_view as view
from autonas.architectures.ops import Dropout, activation, linear, normalisation
from autonas.core.trial import Value

__all__ = ["BATCHED", "Residual", "build", "view"]

BATCHED = True  # all folds train as one batched network


class Residual(nn.Module):
    """``x + f(x)``."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, width) to (rows, width)."""
        return x + self.layers(x)


def build(options: Mapping[str, Value], shape: Sequence[int], n_outputs: int, n_numeric: int = 0) -> nn.Module:
    """A network from (rows, shape[0]) to (rows, n_outputs).

    Parameters
    ----------
    options : mapping
        ``embedding`` (``frequencies``, ``frequency_scale``), ``input_dropout``, ``blocks``, ``width``,
        ``hidden_factor``, ``activation``, ``normalisation``, ``hidden_dropout``, ``residual_dropout``.
    shape : sequence of int
        Shape of one row: (features,).
    n_numeric : int
        How many of the first features are numeric columns (for the periodic embedding).
    """
    width = int(options.get("width", 128))
    hidden = round(width * float(options.get("hidden_factor", 2.0)))
    norm, act = str(options.get("normalisation", "layer")), str(options.get("activation", "relu"))
    first, features = embedding(options, shape[0], n_numeric)
    blocks = [
        Residual(
            normalisation(norm, width),
            linear(width, hidden, bias=0.0),
            activation(act),
            Dropout(float(options.get("hidden_dropout", 0.25))),
            linear(hidden, width, bias=0.0),
            Dropout(float(options.get("residual_dropout", 0.0))),
        )
        for _ in range(int(options.get("blocks", 2)))
    ]
    head = (normalisation(norm, width), activation(act), linear(width, n_outputs, gain=0.1, bias=0.0))
    return nn.Sequential(first, linear(features, width), *blocks, *head)
