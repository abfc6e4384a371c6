"""A policy of image operations as hyperparameters (AutoAugment, Cubuk et al 2018), on batches of tensors.

A policy has sub-policies, of which every image draws one anew each time; a sub-policy applies two operations in turn,
each with a probability and a magnitude.  The operations are those of the paper, with the scales of its appendix; pixels
are in [0, 1], and what moves in at a border, or is cut out, is grey.  Leaves out what finds a policy: that is a search
over the space ``autoaugment``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from autonas.errors import unknown

__all__ = ["OPERATIONS", "Operation", "Policy", "Step", "cutout"]

MAGNITUDES = 10  # levels 0 .. 9
_LEVELS = 255  # of a pixel, for the operations that look at single values
_GREY = 0.5


# --- operations: (rows, channels, height, width) pixels in [0, 1] and (rows,) amounts to the same shape and range -----


def _warp(x: Tensor, along_x: Sequence[Tensor], along_y: Sequence[Tensor]) -> Tensor:
    """Every pixel from where a 2 x 3 matrix sends it, in units of half the image's sides."""
    theta = torch.stack([torch.stack(list(along_x), dim=1), torch.stack(list(along_y), dim=1)], dim=1)
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    return functional.grid_sample(x - _GREY, grid, align_corners=False) + _GREY


def _constants(amount: Tensor) -> tuple[Tensor, Tensor]:
    return torch.zeros_like(amount), torch.ones_like(amount)


def shear_x(x: Tensor, amount: Tensor) -> Tensor:
    """Rows slide by ``amount`` times their distance from the middle."""
    zero, one = _constants(amount)
    return _warp(x, (one, amount * x.shape[2] / x.shape[3], zero), (zero, one, zero))


def shear_y(x: Tensor, amount: Tensor) -> Tensor:
    """Columns slide by ``amount`` times their distance from the middle."""
    zero, one = _constants(amount)
    return _warp(x, (one, zero, zero), (amount * x.shape[3] / x.shape[2], one, zero))


def translate_x(x: Tensor, amount: Tensor) -> Tensor:
    """A shift by a share of the width."""
    zero, one = _constants(amount)
    return _warp(x, (one, zero, 2 * amount), (zero, one, zero))


def translate_y(x: Tensor, amount: Tensor) -> Tensor:
    """A shift by a share of the height."""
    zero, one = _constants(amount)
    return _warp(x, (one, zero, zero), (zero, one, 2 * amount))


def rotate(x: Tensor, amount: Tensor) -> Tensor:
    """A turn about the middle by ``amount`` degrees."""
    angle, ratio = amount * (math.pi / 180), x.shape[2] / x.shape[3]
    cos, sin, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(amount)
    return _warp(x, (cos, -sin * ratio, zero), (sin / ratio, cos, zero))


def autocontrast(x: Tensor, amount: Tensor) -> Tensor:
    """Every channel stretched to the whole range."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return torch.where(high > low, (x - low) / (high - low).clamp_min(1e-6), x).clamp(0, 1)


def invert(x: Tensor, amount: Tensor) -> Tensor:
    """The negative."""
    return 1 - x


def equalize(x: Tensor, amount: Tensor) -> Tensor:
    """Every channel with about equally many pixels at each level."""
    levels = (x * _LEVELS).round().long().flatten(2).flatten(0, 1)
    counts = torch.zeros(len(levels), _LEVELS + 1, dtype=torch.long, device=x.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels))
    below = counts.cumsum(1) - counts
    most = below.gather(1, levels.amax(1, keepdim=True))  # pixels darker than the brightest; none of one level
    table = torch.where(most > 0, below * _LEVELS // most.clamp_min(1), torch.arange(_LEVELS + 1, device=x.device))
    return (table.gather(1, levels).to(x.dtype) / _LEVELS).view(x.shape)


def solarize(x: Tensor, amount: Tensor) -> Tensor:
    """The negative of the pixels from 1 - ``amount`` on."""
    return torch.where(x < 1 - _column(amount), x, 1 - x)


def posterize(x: Tensor, amount: Tensor) -> Tensor:
    """The lowest ``amount`` of the eight bits of every pixel are cleared."""
    step = _column(torch.exp2(amount.round()))
    return ((x * _LEVELS).round() / step).floor() * step / _LEVELS


def _column(amount: Tensor) -> Tensor:
    return amount.view(-1, 1, 1, 1)


def _grey(x: Tensor) -> Tensor:
    """(rows, 1, height, width) luminance (ITU-R 601), the mean unless there are three channels."""
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    return (x * torch.tensor([0.299, 0.587, 0.114], device=x.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _away(x: Tensor, reference: Tensor, amount: Tensor) -> Tensor:
    """At -1 the reference, at 0 the image, at 1 as far beyond it."""
    return (x + (x - reference) * _column(amount)).clamp(0, 1)


def contrast(x: Tensor, amount: Tensor) -> Tensor:
    """Away from the mean luminance, or towards it."""
    return _away(x, _grey(x).mean((2, 3), keepdim=True), amount)


def color(x: Tensor, amount: Tensor) -> Tensor:
    """Away from the grey image, or towards it."""
    return _away(x, _grey(x), amount)


def brightness(x: Tensor, amount: Tensor) -> Tensor:
    """Away from black, or towards it."""
    return _away(x, torch.zeros_like(x), amount)


def sharpness(x: Tensor, amount: Tensor) -> Tensor:
    """Away from a smoothed image, or towards it; the outermost pixels stay."""
    if min(x.shape[2:]) < 3:
        return x
    kernel = torch.ones(x.shape[1], 1, 3, 3, dtype=x.dtype, device=x.device)
    kernel[:, :, 1, 1] = 5.0
    smooth = x.clone()
    smooth[:, :, 1:-1, 1:-1] = functional.conv2d(x, kernel / 13, groups=x.shape[1])
    return _away(x, smooth, amount)


def cutout(x: Tensor, length: Tensor, fill: float = 0.0) -> Tensor:
    """A square of ``length`` pixels, centred anywhere in the image, set to ``fill`` (DeVries and Taylor 2017).

    Parameters
    ----------
    x : (rows, channels, height, width) Tensor
    length : (rows,) int Tensor
    fill : float
        0 is the mean colour of standardised images.
    """

    def inside(side: int) -> Tensor:
        start = torch.randint(side, (len(x), 1), device=x.device) - length[:, None] // 2
        place = torch.arange(side, device=x.device)
        return (place >= start) & (place < start + length[:, None])

    hole = inside(x.shape[2])[:, None, :, None] & inside(x.shape[3])[:, None, None, :]
    return x.masked_fill(hole, fill)


def _cut_share(x: Tensor, amount: Tensor) -> Tensor:
    return cutout(x, (amount * min(x.shape[2:])).round().long(), _GREY)


def sample_pairing(x: Tensor, amount: Tensor) -> Tensor:
    """Mixed with another of the images that it falls on; the label stays (Inoue 2018)."""
    return x + (x.roll(1, 0) - x) * _column(amount)


@dataclass(frozen=True)
class Operation:
    """One kind of change.

    Parameters
    ----------
    apply : callable
    most : float
        Amount at the highest magnitude; 0: the magnitude means nothing.
    signed : bool
        Whether half of the images, by chance, are changed the other way.
    """

    apply: Callable[[Tensor, Tensor], Tensor]
    most: float = 0.0
    signed: bool = False

    def __call__(self, x: Tensor, magnitude: int) -> Tensor:
        """Images in [0, 1] at a magnitude in 0 .. 9."""
        amount = torch.full((len(x),), self.most * magnitude / (MAGNITUDES - 1), device=x.device)
        if self.signed:
            amount = amount * (2 * torch.randint(2, (len(x),), device=x.device) - 1)
        return self.apply(x, amount)


OPERATIONS: dict[str, Operation] = {
    "shear_x": Operation(shear_x, 0.3, True),
    "shear_y": Operation(shear_y, 0.3, True),
    "translate_x": Operation(translate_x, 0.45, True),
    "translate_y": Operation(translate_y, 0.45, True),
    "rotate": Operation(rotate, 30.0, True),
    "autocontrast": Operation(autocontrast),
    "invert": Operation(invert),
    "equalize": Operation(equalize),
    "solarize": Operation(solarize, 1.0),
    "posterize": Operation(posterize, 4.0),
    "contrast": Operation(contrast, 0.9, True),
    "color": Operation(color, 0.9, True),
    "brightness": Operation(brightness, 0.9, True),
    "sharpness": Operation(sharpness, 0.9, True),
    "cutout": Operation(_cut_share, 0.2),
    "sample_pairing": Operation(sample_pairing, 0.4),
}


# --- policies --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """An operation by name, the probability that an image gets it, and its magnitude in 0 .. 9."""

    operation: str
    probability: float
    magnitude: int = 0

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise unknown("image operation", self.operation, OPERATIONS)

    def __call__(self, x: Tensor) -> Tensor:
        """Images in [0, 1]."""
        chosen = (torch.rand(len(x), device=x.device) < self.probability).nonzero()[:, 0]
        if len(chosen) == 0:
            return x
        return x.index_copy(0, chosen, OPERATIONS[self.operation](x[chosen], self.magnitude))


class Policy:
    """Sub-policies, of which every image draws one.

    Parameters
    ----------
    sub_policies : sequence of sequences of Step
    low, high : (channels,) Tensor
        Darkest and brightest value of the data.
    """

    def __init__(self, sub_policies: Sequence[Sequence[Step]], low: Tensor, high: Tensor) -> None:
        self.sub_policies = [tuple(steps) for steps in sub_policies]
        self.low = low.view(1, -1, 1, 1)
        self.span = (high - low).clamp_min(1e-6).view(1, -1, 1, 1)

    @classmethod
    def from_options(cls, options: Mapping[str, Any], X: Tensor) -> Policy | None:
        """The policy that options name; None if they name none.

        Parameters
        ----------
        options : mapping
            ``policy_<s>_operation_<k>``, ``policy_<s>_probability_<k>``, ``policy_<s>_magnitude_<k>`` (see
            ``spaces/training.yaml``), numbered from 1.
        X : (rows, channels, height, width) Tensor
            The data.
        """
        found: list[list[Step]] = []
        while f"policy_{len(found) + 1}_operation_1" in options:
            start = f"policy_{len(found) + 1}"
            steps: list[Step] = []
            while (operation := options.get(f"{start}_operation_{len(steps) + 1}")) is not None:
                k = len(steps) + 1
                magnitude = int(options.get(f"{start}_magnitude_{k}", 0))
                steps.append(Step(str(operation), float(options.get(f"{start}_probability_{k}", 1.0)), magnitude))
            found.append(steps)
        return cls(found, X.amin((0, 2, 3)), X.amax((0, 2, 3))) if found else None

    def __call__(self, x: Tensor) -> Tensor:
        """Images on the scale of the data, (rows, channels, height, width)."""
        pixels = ((x - self.low) / self.span).clamp(0, 1)
        drawn = torch.randint(len(self.sub_policies), (len(x),), device=x.device)
        for number, steps in enumerate(self.sub_policies):
            mine = (drawn == number).nonzero()[:, 0]
            if len(mine) == 0:
                continue
            part = pixels[mine]
            for step in steps:
                part = step(part)
            pixels = pixels.index_copy(0, mine, part)
        return pixels * self.span + self.low
