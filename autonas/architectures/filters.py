"""Parts of a vision pipeline with fixed filters: banks that are drawn or taken from images, rectifiers, local norms.

A bank is fitted once, without labels, on a sample of what it will see (Bergstra et al 2013; Pinto et al 2009), and is
never trained.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from autonas.errors import unknown

__all__ = ["Contrast", "FilterBank", "LocalNorm", "LocalPool", "Rectify", "Shrink"]

_PATCHES = 4000  # on which whitening and components are computed
_FLOOR = 1e-8


class Shrink(nn.Module):
    """Fewer pixels, by means over areas, and one channel if ``grey``."""

    def __init__(self, sides: tuple[int, int], grey: bool) -> None:
        super().__init__()
        self.sides, self.grey = sides, grey

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, height, width) to (rows, channels or 1, *sides)."""
        x = x.mean(1, keepdim=True) if self.grey else x
        return x if tuple(x.shape[2:]) == self.sides else functional.interpolate(x, self.sides, mode="area")


class Contrast(nn.Module):
    """Every image with mean zero and deviation one; deviations under ``floor`` count as ``floor``."""

    def __init__(self, floor: float) -> None:
        super().__init__()
        self.floor = floor

    def forward(self, x: Tensor) -> Tensor:
        """Any images to the same shape."""
        centred = x - x.mean((1, 2, 3), keepdim=True)
        return centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(self.floor)


class FilterBank(nn.Conv2d):
    """Correlation with fixed filters of unit norm, which are no parameters.

    Parameters
    ----------
    channels, filters, size : int
        The filters are (filters, channels, size, size).
    kind : {"uniform", "normal", "patches", "pca"}
        Where filters come from: numbers from U(0, 1) or N(0, 1), patches of images, or their principal components.
    zero_mean : bool
        Of random filters.
    whiten : float
        0: not; else what is added to the variance of every component of the patches when they are whitened.
    skip : int
        Leading principal components that are left out.
    floor : float
        Negative: plain correlation.  Else every patch is centred and scaled first, and variances under it count as it.

    Attributes
    ----------
    weight : (filters, channels, size, size) Tensor
    scale : () Tensor
        Deviation of the responses to the sample; the output is in this unit.
    """

    scale: Tensor

    def __init__(
        self,
        channels: int,
        filters: int,
        size: int,
        kind: str,
        zero_mean: bool = True,
        whiten: float = 0.0,
        skip: int = 0,
        floor: float = -1.0,
    ) -> None:
        super().__init__(channels, filters, size, padding=size // 2, bias=False)
        self.kind, self.zero_mean, self.whiten, self.skip, self.floor = kind, zero_mean, whiten, skip, floor
        del self.weight
        self.register_buffer("weight", torch.randn(filters, channels, size, size) / (channels * size**2) ** 0.5)
        self.register_buffer("scale", torch.ones(()))

    @torch.no_grad()
    def fit(self, x: Tensor, generator: torch.Generator) -> None:
        """Take filters and scale from a sample of (rows, channels, height, width) inputs."""
        shape = self.weight.shape
        if self.kind in ("uniform", "normal"):
            draw = torch.rand if self.kind == "uniform" else torch.randn
            filters = draw(shape[0], shape[1:].numel(), generator=generator)
            filters = filters - filters.mean(1, keepdim=True) if self.zero_mean else filters
        elif self.kind in ("patches", "pca"):
            filters = self._from_patches(self._patches(x, generator))
        else:
            raise unknown("kind of filters", self.kind, ("uniform", "normal", "patches", "pca"))
        self.weight = functional.normalize(filters).view(shape).contiguous()
        self.scale = torch.ones(())
        self.scale = self(x).std().clamp_min(_FLOOR)

    def _patches(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """(patches, channels * size * size) random patches, each centred and scaled."""
        size = self.weight.shape[2]
        x = functional.pad(x, (size // 2,) * 4)

        def draw(bound: int) -> Tensor:
            return torch.randint(bound, (_PATCHES,), generator=generator)

        reach = torch.arange(size)
        down, across = draw(x.shape[2] - size + 1)[:, None] + reach, draw(x.shape[3] - size + 1)[:, None] + reach
        taken = x[draw(len(x))[:, None, None], :, down[:, :, None], across[:, None, :]]
        flat = taken.permute(0, 3, 1, 2).flatten(1)
        flat = flat - flat.mean(1, keepdim=True)
        return flat / flat.std(1, keepdim=True).clamp_min(1e-3)

    def _from_patches(self, patches: Tensor) -> Tensor:
        count = len(self.weight)
        if self.kind == "patches" and not self.whiten:
            return patches[:count]
        centred = (patches - patches.mean(0)).double()
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(centred))
        if self.kind == "pca":
            last = vectors.shape[1] - self.skip
            return vectors[:, last - count : last].flip(1).T.float()
        # a filter for whitened patches, seen from the patches themselves: whitened twice
        return (centred[:count] @ vectors / (values.clamp_min(0) + self.whiten) @ vectors.T).float()

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, height, width) to (rows, filters, height, width)."""
        out = super().forward(x)
        if self.floor >= 0:
            n = self.weight[0].numel()
            ones = torch.ones_like(self.weight[:1])
            mean = functional.conv2d(x, ones, padding=self.padding) / n
            variance = functional.conv2d(x.square(), ones, padding=self.padding) / n - mean.square()
            centred = out - mean * self.weight.sum((1, 2, 3)).view(1, -1, 1, 1)
            out = centred / (n * variance.clamp_min(self.floor + _FLOOR)).sqrt()
        return out / self.scale


class Rectify(nn.Module):
    """What is above a threshold ("half"), that and what is below its negative ("both"), or the size ("abs")."""

    def __init__(self, how: str, threshold: float) -> None:
        super().__init__()
        self.how, self.threshold = how, threshold

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, ...) to the same, or twice the channels for "both"."""
        if self.how == "abs":
            return x.abs()
        up = (x - self.threshold).clamp_min(0)
        return up if self.how == "half" else torch.cat([up, (-x - self.threshold).clamp_min(0)], dim=1)


class LocalPool(nn.Module):
    """The mean, the maximum, or the mean of order p over windows that fit into the map."""

    def __init__(self, how: str, size: int, stride: int, order: float) -> None:
        super().__init__()
        self.how, self.size, self.stride, self.order = how, size, stride, order

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, height, width) to smaller maps."""
        size = (min(self.size, x.shape[2]), min(self.size, x.shape[3]))
        if self.how == "max":
            return functional.max_pool2d(x, size, self.stride)
        if self.how == "mean":
            return functional.avg_pool2d(x, size, self.stride)
        top = x.abs().amax((2, 3), keepdim=True).clamp_min(_FLOOR)  # so that no power is too large
        powers = functional.avg_pool2d((x.abs() / top) ** self.order, size, self.stride)
        positive = powers > 0  # a root has no gradient at 0
        return top * torch.where(positive, torch.where(positive, powers, 1.0) ** (1 / self.order), 0.0)


class LocalNorm(nn.Module):
    """Divides by the root mean square over all channels of a neighbourhood, if that is above ``floor``."""

    def __init__(self, size: int, floor: float) -> None:
        super().__init__()
        self.size, self.floor = size, floor

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, height, width) to the same shape."""
        energy = functional.avg_pool2d(
            x.square().mean(1, keepdim=True), self.size, 1, self.size // 2, count_include_pad=False
        )
        return x / energy.clamp_min(self.floor**2).sqrt()  # not the other way round: a root has no gradient at 0
