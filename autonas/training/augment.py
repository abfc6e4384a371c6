"""Random changes of training batches that keep the label.

Images: one random affine map each (rotation, scale, shear, shift), no flips, since digits and
letters do not survive them.  Series: scaling and noise, and a small roll in time if long.
Randomness is torch's global generator.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["augment", "affine", "jitter"]

_LONG = 60  # time steps from which a small shift in time is harmless


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
