"""Random changes of training batches that keep the label, and mixup, which mixes labels as it mixes inputs.

Small images: one random affine map each (rotation, scale, shear, shift), no flips, since digits and letters do not
survive them; that is the default.  Photographs: flips and crops after padding (He et al 2016), Cutout (DeVries and
Taylor 2017), and a policy of operations (see ``policy.py``).  Series: scaling and noise, and a small roll in time if
long.  Randomness is torch's global generator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from autonas.training.policy import Policy, cutout

__all__ = ["Augmentation", "affine", "augment", "crop", "flip", "jitter", "mix", "mix_shares"]

_LONG = 60  # time steps from which a small shift in time is harmless


class Augmentation:
    """What the options do to a batch: affine map or jitter, flip, crop, policy, Cutout, in this order.

    Parameters
    ----------
    options : mapping
        ``augment`` (strength of the affine map or the jitter); for images ``flip`` and ``crop`` ("yes", "no"),
        ``crop_padding`` and ``cutout_length`` (shares of the shorter side), ``cutout``, and those of a policy.
    X : (rows, ...) Tensor
        The data, whose range is that of the pixels of a policy.  What is not an image has no flip, crop, ...
    """

    def __init__(self, options: Mapping[str, Any], X: Tensor) -> None:
        self.strength = float(options.get("augment", 0.0)) if X.ndim > 2 else 0.0
        image = X.ndim == 4
        side = min(X.shape[2:]) if image else 0

        def pixels(switch: str, share: str, default: float) -> int:
            return round(side * float(options.get(share, default))) if options.get(switch) == "yes" else 0

        self.flips = image and options.get("flip") == "yes"
        self.padding = pixels("crop", "crop_padding", 0.125)
        self.hole = pixels("cutout", "cutout_length", 0.5)
        self.policy = Policy.from_options(options, X) if image else None

    @property
    def changes(self) -> bool:
        """Whether it does anything."""
        return bool(self.strength > 0 or self.flips or self.padding or self.hole or self.policy)

    def __call__(self, x: Tensor) -> Tensor:
        """A changed copy of a batch, (rows, ...)."""
        if self.strength > 0:
            x = augment(x, self.strength)
        if self.flips:
            x = flip(x)
        if self.padding:
            x = crop(x, self.padding)
        if self.policy:
            x = self.policy(x)
        return cutout(x, torch.full((len(x),), self.hole, device=x.device)) if self.hole else x


def augment(x: Tensor, strength: float) -> Tensor:
    """A changed copy of a batch of images (rows, channels, height, width) or series (rows, channels, time)."""
    return affine(x, strength) if x.ndim == 4 else jitter(x, strength)


def _uniform(rows: int, bound: float, like: Tensor) -> Tensor:
    return (torch.rand(rows, device=like.device) * 2 - 1) * bound


def affine(x: Tensor, strength: float = 1.0) -> Tensor:
    """Every image under an affine map of its own; what moves in at the border repeats the border.

    Parameters
    ----------
    x : (rows, channels, height, width) Tensor
    strength : float
        At 1: rotation up to 0.2 rad, scale up to 12 %, shear up to 0.15, shift up to 10 % of half the side.
    """
    rows = len(x)
    angle, shear = _uniform(rows, 0.2 * strength, x), _uniform(rows, 0.15 * strength, x)
    scale = 1 + _uniform(rows, 0.12 * strength, x)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    theta = torch.stack(
        [
            torch.stack([cos, cos * shear - sin, _uniform(rows, 0.1 * strength, x)], dim=1),
            torch.stack([sin, sin * shear + cos, _uniform(rows, 0.1 * strength, x)], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def jitter(x: Tensor, strength: float = 1.0) -> Tensor:
    """Every series scaled, rolled in time if it is long, and with noise.

    Parameters
    ----------
    x : (rows, channels, time) Tensor
        Of about unit variance.
    strength : float
        At 1: scale with standard deviation 0.1, noise with 0.05, roll up to 5 % of the length.
    """
    rows, _, time = x.shape
    if time > _LONG:
        shift = _uniform(rows, 0.05 * strength * time, x).round().long()
        place = (torch.arange(time, device=x.device) + shift[:, None]) % time
        x = x.gather(2, place[:, None].expand_as(x))
    scale = 1 + 0.1 * strength * torch.randn(rows, 1, 1, device=x.device)
    return x * scale + 0.05 * strength * torch.randn_like(x)


def flip(x: Tensor) -> Tensor:
    """Every second image, by chance, as in a mirror (left and right)."""
    return torch.where(torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5, x.flip(3), x)


def crop(x: Tensor, padding: int) -> Tensor:
    """Every image moved by up to ``padding`` pixels along each axis; zeros, the mean colour, move in."""
    rows, _, height, width = x.shape
    padded = functional.pad(x, (padding,) * 4)
    top, left = torch.randint(2 * padding + 1, (2, rows, 1), device=x.device)
    down = (top + torch.arange(height, device=x.device))[:, None, :, None]
    across = (left + torch.arange(width, device=x.device))[:, None, None, :]
    moved = padded.gather(2, down.expand(-1, x.shape[1], -1, padded.shape[3]))
    return moved.gather(3, across.expand(-1, x.shape[1], height, -1))


def mix_shares(alpha: float, networks: int, device: str | torch.device) -> Tensor:
    """(networks, 1) shares from Beta(alpha, alpha), one for the batch of each network (mixup, Zhang et al 2017).

    A share is g / (g + h) of two Gamma(alpha) numbers, here their logarithms: of a small alpha both are 0 as floats.
    """
    one = torch.ones(2, networks, 1)
    logarithms = torch.distributions.Gamma(alpha * one + 1, one).sample().log() + torch.rand_like(one).log() / alpha
    return torch.sigmoid(logarithms[0] - logarithms[1]).to(device)


def mix(values: Tensor, share: Tensor) -> Tensor:
    """``share`` of every row and the rest of its neighbour's; a batch is shuffled, so that the neighbour is any other.

    Parameters
    ----------
    values : (networks, rows, ...) Tensor
    share : (networks, 1) Tensor
    """
    share = share.view(*share.shape, *[1] * (values.ndim - 2))
    return share * values + (1 - share) * values.roll(1, 1)
