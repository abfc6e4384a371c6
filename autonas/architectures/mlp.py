"""Multilayer perceptron for tables, with the details that make a plain one strong (Holzmüller et al 2024).

Learned input scale, He initialisation with random biases, a last layer that starts near zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from autonas.architectures.embeddings import embedding
from autonas.architectures.embeddings import table_view as view
from autonas.architectures.ops import Dropout, Scale, activation, linear, normalisation
from autonas.core.trial import Value

__all__ = ["BATCHED", "build", "view"]

BATCHED = True  # all folds train as one batched network


def build(options: Mapping[str, Value], shape: Sequence[int], n_outputs: int, n_numeric: int = 0) -> nn.Module:
    """A network from (rows, shape[0]) to (rows, n_outputs).

    Parameters
    ----------
    options : mapping
        ``embedding`` (``frequencies``, ``frequency_scale``), ``input_dropout``, ``depth``, ``width``,
        ``activation``, ``normalisation``, ``dropout``.
    shape : sequence of int
        Shape of one row: (features,).
    n_numeric : int
        How many of the first features are numeric columns (for the periodic embedding).
    """
    width, dropout = int(options.get("width", 192)), float(options.get("dropout", 0.3))
    first, features = embedding(options, shape[0], n_numeric)
    layers: list[nn.Module] = [first, Scale(features)]
    for _ in range(int(options.get("depth", 2))):
        layers += [
            linear(features, width),
            normalisation(str(options.get("normalisation", "none")), width),
            activation(str(options.get("activation", "silu"))),
            Dropout(dropout),
        ]
        features = width
    return nn.Sequential(*layers, linear(features, n_outputs, gain=0.1, bias=0.0))
