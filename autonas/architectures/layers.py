"""The primitive layers of which every graph is made: what each costs, and the module that it becomes.

Nothing here imports torch before a module is asked for, so that a configuration can be described, counted and refused
without one.  Every layer is written once for series (channels, time) and images (channels, height, width).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from autonas.errors import ArchitectureError

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Account", "Activation", "Conv", "Deconv", "Dense", "Drop", "DropPath", "FactorisedReduce", "Flatten", "GlobalPool",
    "Layer", "Norm", "PadChannels", "Part", "Pool", "Shape", "Subsample", "Upsample",
]  # fmt: skip

Shape = tuple[int, ...]
"""Shape of one example: (channels, height, width), (channels, time) or (features,)."""


class Account(NamedTuple):
    """What a layer makes of one example: the shape of its output, its trainable numbers, multiply-accumulates."""

    shape: Shape
    parameters: int = 0
    macs: int = 0


class Layer(ABC):
    """A function of one value, or of several, with weights or without."""

    @property
    def mixes_channels(self) -> bool:
        """Whether an output channel depends on several input channels, so that it is a new one."""
        return False

    @abstractmethod
    def account(self, *shapes: Shape) -> Account:
        """Output and cost for inputs of these shapes.

        Raises
        ------
        ArchitectureError
            If it cannot be applied to them.
        """

    @abstractmethod
    def module(self, *shapes: Shape) -> nn.Module:
        """The module for inputs of these shapes."""


def _each(value: int | tuple[int, ...], shape: Shape) -> tuple[int, ...]:
    """A size for each spatial axis; one-dimensional data takes the longest side of a rectangular kernel."""
    axes = len(shape) - 1
    if isinstance(value, int):
        return (value,) * axes
    return value if len(value) == axes else (max(value),) * axes


def _torch_class(name: str, shape: Shape) -> type[nn.Module]:
    """``Conv2d`` for images, ``Conv1d`` for series."""
    from torch import nn

    found: type[nn.Module] = getattr(nn, f"{name}{len(shape) - 1}d")
    return found


@dataclass(frozen=True)
class Conv(Layer):
    """Convolution.

    Parameters
    ----------
    out : int
        Output channels; 0: as many as come in.
    kernel, stride, dilation : int
        A tuple has one kernel size for each axis.
    groups : int
        0: one for each input channel (depthwise).
    bias : bool
    valid : bool
        Without padding; else "same": the output has ceil(size / stride).
    """

    out: int = 0
    kernel: int | tuple[int, ...] = 3
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    bias: bool = False
    valid: bool = False

    @property
    def mixes_channels(self) -> bool:
        return self.groups != 0

    def _padding(self, shape: Shape) -> tuple[int, ...]:
        return tuple(0 if self.valid else self.dilation * (k - 1) // 2 for k in _each(self.kernel, shape))

    def account(self, *shapes: Shape) -> Account:
        (shape,) = shapes
        out, groups = self.out or shape[0], self.groups or shape[0]
        if shape[0] % groups or out % groups:
            raise ArchitectureError(
                f"a convolution with {groups} groups requires channels that they divide, given {shape[0]} to {out}"
            )
        kernel = _each(self.kernel, shape)
        spatial = []
        for size, k, pad in zip(shape[1:], kernel, self._padding(shape), strict=True):
            spatial.append((size + 2 * pad - self.dilation * (k - 1) - 1) // self.stride + 1)
            if spatial[-1] < 1:
                raise ArchitectureError(f"a kernel of {k} does not fit into a map of {size}")
        weights = math.prod(kernel) * (shape[0] // groups) * out
        return Account((out, *spatial), weights + out * self.bias, weights * math.prod(spatial))

    def module(self, *shapes: Shape) -> nn.Module:
        (shape,) = shapes
        kind = _torch_class("Conv", shape)
        if self.stride == self.dilation == 2 and len(shape) == 3 and not self.valid:
            from autonas.architectures.modules import EveryOtherConv

            kind = EveryOtherConv
        return kind(
            shape[0], self.out or shape[0], _each(self.kernel, shape), self.stride, self._padding(shape),
            self.dilation, self.groups or shape[0], self.bias,
        )  # fmt: skip


@dataclass(frozen=True)
class Deconv(Layer):
    """Transposed convolution that multiplies the resolution by ``stride``; an odd kernel keeps shapes simple."""

    out: int
    kernel: int = 3
    stride: int = 1

    @property
    def mixes_channels(self) -> bool:
        return True

    def account(self, *shapes: Shape) -> Account:
        (shape,) = shapes
        spatial = tuple(size * self.stride for size in shape[1:])
        weights = self.kernel ** len(spatial) * shape[0] * self.out
        return Account((self.out, *spatial), weights, weights * math.prod(shape[1:]))

    def module(self, *shapes: Shape) -> nn.Module:
        (shape,) = shapes
        return _torch_class("ConvTranspose", shape)(
            shape[0], self.out, self.kernel, self.stride, (self.kernel - 1) // 2, output_padding=self.stride - 1,
            bias=False,
        )  # fmt: skip


@dataclass(frozen=True)
class Norm(Layer):
    """Batch normalisation; without ``affine`` it has no weights, as in the shared weights of Liu et al 2018b."""

    affine: bool = True

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0], 2 * shapes[0][0] * self.affine)

    def module(self, *shapes: Shape) -> nn.Module:
        from torch import nn

        (shape,) = shapes
        kind = nn.BatchNorm1d if len(shape) < 3 else nn.BatchNorm2d
        return kind(shape[0], affine=self.affine)


@dataclass(frozen=True)
class Activation(Layer):
    """An activation by its name (see ``ops.ACTIVATIONS``)."""

    name: str = "relu"

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0])

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.ops import activation

        return activation(self.name)


@dataclass(frozen=True)
class Pool(Layer):
    """Maximum or mean over windows; the mean leaves out what is beyond the border.

    Parameters
    ----------
    how : {"max", "avg"}
    kernel, stride : int
    valid : bool
        Only windows that fit; else the output has ceil(size / stride), as that of a convolution with "same".
    """

    how: str
    kernel: int = 3
    stride: int = 1
    valid: bool = False

    def account(self, *shapes: Shape) -> Account:
        if self.valid:
            spatial = tuple((size - self.kernel) // self.stride + 1 for size in shapes[0][1:])
            if min(spatial) < 1:
                raise ArchitectureError(f"a pool of {self.kernel} does not fit into a map of {shapes[0][1:]}")
        else:
            spatial = tuple(-(-size // self.stride) for size in shapes[0][1:])
        return Account((shapes[0][0], *spatial))

    def module(self, *shapes: Shape) -> nn.Module:
        padding = 0 if self.valid else (self.kernel - 1) // 2
        shared = {"ceil_mode": not self.valid and self.kernel % 2 == 0}
        if self.how == "max":
            return _torch_class("MaxPool", shapes[0])(self.kernel, self.stride, padding, **shared)
        return _torch_class("AvgPool", shapes[0])(self.kernel, self.stride, padding, count_include_pad=False, **shared)


@dataclass(frozen=True)
class FactorisedReduce(Layer):
    """Half the resolution without losing pixels: two strided 1x1 convolutions, one shifted by a pixel, side by side."""

    out: int
    affine: bool = True

    @property
    def mixes_channels(self) -> bool:
        return True

    def account(self, *shapes: Shape) -> Account:
        (shape,) = shapes
        spatial = tuple(-(-size // 2) for size in shape[1:])
        weights = shape[0] * self.out
        return Account((self.out, *spatial), weights + 2 * self.out * self.affine, weights * math.prod(spatial))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import FactorisedReduce as Module

        return Module(shapes[0], self.out, self.affine)


@dataclass(frozen=True)
class PadChannels(Layer):
    """Zeros as further channels, up to ``out`` (shortcut A of He et al 2016)."""

    out: int

    def account(self, *shapes: Shape) -> Account:
        return Account((max(self.out, shapes[0][0]), *shapes[0][1:]))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import PadChannels as Module

        return Module(max(0, self.out - shapes[0][0]), len(shapes[0]) - 1)


@dataclass(frozen=True)
class Part(Layer):
    """Channels ``first`` to ``last``, without the last."""

    first: int
    last: int

    @property
    def mixes_channels(self) -> bool:
        return True

    def account(self, *shapes: Shape) -> Account:
        return Account((self.last - self.first, *shapes[0][1:]))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import Part as Module

        return Module(self.first, self.last)


@dataclass(frozen=True)
class Subsample(Layer):
    """Every ``stride``-th pixel."""

    stride: int = 2

    def account(self, *shapes: Shape) -> Account:
        return Account((shapes[0][0], *(-(-size // self.stride) for size in shapes[0][1:])))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import Subsample as Module

        return Module(self.stride, len(shapes[0]) - 1)


@dataclass(frozen=True)
class Upsample(Layer):
    """Nearest neighbour interpolation to a given spatial size."""

    spatial: tuple[int, ...]

    def account(self, *shapes: Shape) -> Account:
        return Account((shapes[0][0], *self.spatial))

    def module(self, *shapes: Shape) -> nn.Module:
        from torch import nn

        return nn.Upsample(size=self.spatial, mode="nearest")


@dataclass(frozen=True)
class GlobalPool(Layer):
    """The mean over all positions."""

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0][:1])

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import GlobalPool as Module

        return Module(len(shapes[0]) - 1)


@dataclass(frozen=True)
class Flatten(Layer):
    """All numbers of an example in one axis."""

    def account(self, *shapes: Shape) -> Account:
        return Account((math.prod(shapes[0]),))

    def module(self, *shapes: Shape) -> nn.Module:
        from torch import nn

        return nn.Flatten()


@dataclass(frozen=True)
class Dense(Layer):
    """A linear layer on the only axis."""

    out: int
    bias: bool = True

    @property
    def mixes_channels(self) -> bool:
        return True

    def account(self, *shapes: Shape) -> Account:
        weights = shapes[0][0] * self.out
        return Account((self.out,), weights + self.out * self.bias, weights)

    def module(self, *shapes: Shape) -> nn.Module:
        from torch import nn

        return nn.Linear(shapes[0][0], self.out, self.bias)


@dataclass(frozen=True)
class Drop(Layer):
    """Dropout of single numbers (Srivastava et al 2014)."""

    p: float

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0])

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.ops import Dropout

        return Dropout(self.p)


@dataclass(frozen=True)
class DropPath(Layer):
    """Drops the whole value of an example, with a probability that rises to ``p`` (Zoph et al 2018)."""

    p: float

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0])

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.regularise import DropPath as Module

        return Module(self.p)
