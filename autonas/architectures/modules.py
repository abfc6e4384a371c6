"""The few modules that torch does not have, for the layers and merges of a graph."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from autonas.architectures.layers import Shape

__all__ = [
    "Add", "Average", "Concat", "EveryOtherConv", "FactorisedReduce", "GlobalPool", "Interpolate", "Multiply",
    "PadChannels", "Part", "Subsample", "Zeros",
]  # fmt: skip


class FactorisedReduce(nn.Module):
    """See :class:`autonas.architectures.layers.FactorisedReduce`."""

    def __init__(self, shape: Shape, out: int, affine: bool) -> None:
        super().__init__()
        axes = len(shape) - 1
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if axes == 2 else (nn.Conv1d, nn.BatchNorm1d)
        self.even = conv(shape[0], out - out // 2, 1, 2, bias=False)
        self.odd = conv(shape[0], out // 2, 1, 2, bias=False)
        self.norm = norm(out, affine=affine)
        self.shift = (-1, 1) * axes  # drop the first row and column, and a zero takes the place of the last

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, ...) to (rows, out, half the size, rounded up)."""
        return self.norm(torch.cat([self.even(x), self.odd(functional.pad(x, self.shift))], dim=1))


class EveryOtherConv(nn.Conv2d):
    """A convolution of stride and dilation 2 that pads to the same size.

    It reads every other pixel only, so it is a plain convolution of these, ten times as fast as torch's own on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, height, width) to (rows, out, half the size, rounded up)."""
        padding = tuple(size // 2 for size in self.kernel_size)
        return functional.conv2d(x[:, :, ::2, ::2], self.weight, self.bias, padding=padding, groups=self.groups)


class PadChannels(nn.Module):
    """Appends zero channels."""

    def __init__(self, more: int, axes: int) -> None:
        super().__init__()
        self.pad = (0, 0) * axes + (0, more)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, ...) to (rows, channels + more, ...)."""
        return functional.pad(x, self.pad)


class Part(nn.Module):
    """Keeps the channels ``first`` to ``last``, without the last."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__()
        self.first, self.last = first, last

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, ...) to (rows, last - first, ...)."""
        return x[:, self.first : self.last]


class Subsample(nn.Module):
    """Keeps every ``stride``-th position of every spatial axis."""

    def __init__(self, stride: int, axes: int) -> None:
        super().__init__()
        self.stride, self.axes = stride, axes

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, ...) to the same with fewer positions."""
        s = self.stride
        return x[:, :, ::s, ::s] if self.axes == 2 else x[:, :, ::s]


class GlobalPool(nn.Module):
    """Mean over all spatial axes."""

    def __init__(self, axes: int) -> None:
        super().__init__()
        self.over = (-2, -1)[-axes:]

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, ...) to (rows, channels)."""
        return x.mean(self.over)


class Add(nn.Module):
    """Sum of values of one shape."""

    def forward(self, *values: Tensor) -> Tensor:
        """Any number of equal shapes to that shape."""
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total


class Average(nn.Module):
    """Mean of values of one shape."""

    def forward(self, *values: Tensor) -> Tensor:
        """Any number of equal shapes to that shape."""
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total / len(values)


class Interpolate(nn.Module):
    """A gate between two values."""

    def forward(self, gate: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Three equal shapes to that shape."""
        return b + gate * (a - b)


class Multiply(nn.Module):
    """Product of values of one shape."""

    def forward(self, *values: Tensor) -> Tensor:
        """Any number of equal shapes to that shape."""
        product = values[0]
        for value in values[1:]:
            product = product * value
        return product


class Concat(nn.Module):
    """Channels side by side."""

    def forward(self, *values: Tensor) -> Tensor:
        """(rows, c_i, ...) to (rows, sum of c_i, ...)."""
        return torch.cat(values, dim=1)


class Zeros(nn.Module):
    """Zeros of a fixed shape, as many rows as the value that it is given."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, ...) to (rows, *shape)."""
        return x.new_zeros((x.shape[0], *self.shape))
