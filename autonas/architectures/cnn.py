"""Small convolutional network for images: stages of doubling width, strided between stages.

A plain VGG-like chain with batch normalisation (Simonyan and Zisserman 2015; Ioffe and Szegedy
2015), sized for a few thousand small images and minutes of CPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

from autonas.architectures.ops import Dropout, activation
from autonas.core.trial import Value

__all__ = ["BATCHED", "build", "view"]

BATCHED = False  # convolutions of several networks gain nothing from being batched


def view(options: Mapping[str, Value]) -> str:
    """Name of the view that it reads."""
    return "image"


def _plan(side: int, width: int, stages: int, layers: int) -> list[tuple[int, int]]:
    """(outputs, stride) of every convolution.

    The last stage has one layer less (it is the widest).  Small images keep their resolution for
    the whole of the first stage; large ones lose it at once and get one more layer at the end.
    """
    plan: list[tuple[int, int]] = []
    for stage in range(stages):
        last = stage == stages - 1
        count = max(1, layers - 1) if last else layers
        for layer in range(count):
            strided = stage > 0 and layer == 0 if side < 12 else not last and layer == count - 1
            plan.append((width << stage, 2 if strided else 1))
    if side > 40:
        plan[0] = (width, 2)
        plan.append((width << (stages - 1), 2))
    return plan


def build(options: Mapping[str, Value], shape: Sequence[int], n_outputs: int, n_numeric: int = 0) -> nn.Module:
    """A network from (rows, channels, height, width) to (rows, n_outputs).

    Parameters
    ----------
    options : mapping
        ``width`` (channels of the first stage), ``stages``, ``layers`` (of a stage), ``activation``, ``dropout``.
    shape : sequence of int
        Shape of one image: (channels, height, width).
    """
    channels = shape[0]
    plan = _plan(
        min(shape[1:]), int(options.get("width", 32)), int(options.get("stages", 3)), int(options.get("layers", 2))
    )
    modules: list[nn.Module] = []
    for outputs, stride in plan:
        modules += [
            nn.Conv2d(channels, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            activation(str(options.get("activation", "relu"))),
        ]
        channels = outputs
    dropout = Dropout(float(options.get("dropout", 0.3)))
    return nn.Sequential(*modules, nn.AdaptiveAvgPool2d(2), nn.Flatten(), dropout, nn.Linear(4 * channels, n_outputs))
