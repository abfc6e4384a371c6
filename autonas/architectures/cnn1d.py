"""One-dimensional convolutional network for series, a small form of the FCN of Wang et al 2017.

Stages of convolution, batch normalisation and activation with kernels 7, 5, 3; then the mean and
the maximum over time.  Long series are halved stage by stage until they are short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from autonas.architectures.ops import Dropout, activation
from autonas.core.trial import Value

__all__ = ["BATCHED", "MeanMax", "build", "view"]

BATCHED = False  # convolutions of several networks gain nothing from being batched
_SHORT = 96  # time steps that are not halved further


class MeanMax(nn.Module):
    """Mean and maximum over time, concatenated."""

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, time) to (rows, 2 * channels)."""
        return torch.cat([x.mean(-1), x.amax(-1)], dim=1)


def view(options: Mapping[str, Value]) -> str:
    """Name of the view that it reads."""
    return "series"


def build(options: Mapping[str, Value], shape: Sequence[int], n_outputs: int, n_numeric: int = 0) -> nn.Module:
    """A network from (rows, channels, time) to (rows, n_outputs).

    Parameters
    ----------
    options : mapping
        ``width`` (channels of the first stage; the others have twice as many), ``stages``,
        ``activation``, ``dropout``.
    shape : sequence of int
        Shape of one series: (channels, time).
    """
    (channels, time), width = shape, int(options.get("width", 48))
    modules: list[nn.Module] = []
    for stage in range(int(options.get("stages", 3))):
        outputs = width if stage == 0 else 2 * width
        kernel, stride = max(3, 7 - 2 * stage), 2 if time > _SHORT else 1
        modules += [
            nn.Conv1d(channels, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm1d(outputs),
            activation(str(options.get("activation", "relu"))),
        ]
        channels, time = outputs, -(-time // stride)
    dropout = Dropout(float(options.get("dropout", 0.2)))
    return nn.Sequential(*modules, MeanMax(), dropout, nn.Linear(2 * channels, n_outputs))
