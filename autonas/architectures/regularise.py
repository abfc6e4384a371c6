"""Regularisers that work on whole paths of a network instead of on single numbers.

ScheduledDropPath (Zoph et al 2018) and Shake-Shake (Gastaldi 2017).  Both draw anew for every example of a batch, and
are the identity, respectively the mean, outside training.  How far training has come is a plain attribute that
:func:`set_progress` writes, so that it reaches networks whose weights live elsewhere (``torch.func.functional_call``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["DropPath", "ShakeShake", "scheduled", "set_progress"]


def _per_example(numbers: Tensor, like: Tensor) -> Tensor:
    """(..., rows) numbers that multiply (rows, ...) values."""
    return numbers.to(like.dtype).view(*numbers.shape, *[1] * (like.ndim - 1))


class DropPath(nn.Module):
    """Drops the whole value of an example with a probability that rises linearly from 0 to ``p`` during training.

    What is kept is divided by the probability of keeping it, so that the expectation is the input.

    Parameters
    ----------
    p : float
        Probability at the end of training, in [0, 1).

    Attributes
    ----------
    progress : float
        How far training has come, in [0, 1]; 1 until :func:`set_progress` says otherwise.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p, self.progress = float(p), 1.0

    def forward(self, x: Tensor) -> Tensor:
        """(rows, ...) to the same shape."""
        kept = 1 - self.p * self.progress
        if not self.training or kept == 1:
            return x
        return x * _per_example((torch.rand(x.shape[0], device=x.device) < kept) / kept, x)

    def extra_repr(self) -> str:
        """As torch shows it."""
        return f"p={self.p}"


def scheduled(network: nn.Module) -> list[DropPath]:
    """The modules of a network that need to know how far training has come."""
    return [module for module in network.modules() if isinstance(module, DropPath)]


def set_progress(modules: Iterable[DropPath], progress: float) -> None:
    """Tell the modules how far training has come, in [0, 1]."""
    for module in modules:
        module.progress = progress


class _Shake(torch.autograd.Function):
    """Weighted sum of branches whose gradient uses other weights; ``branches`` is (branches, rows, ...)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(branches: Tensor, shares: Tensor, gradient_shares: Tensor) -> Tensor:
        return (branches * shares).sum(0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(inputs[2])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (shares,) = ctx.saved_tensors
        return gradient * shares, None, None


def _simplex(branches: int, rows: int, device: torch.device) -> Tensor:
    """(branches, rows) non-negative shares that add up to 1, uniformly; of two branches, one share is U(0, 1)."""
    exponential = -torch.log1p(-torch.rand(branches, rows, device=device))
    return exponential / exponential.sum(0)


class ShakeShake(nn.Module):
    """Merges branches of one shape: a random convex combination in training, the mean otherwise.

    For every example of a batch the forward and the backward pass draw their shares independently ("Shake-Shake-Image",
    the variant that is best in the paper, which has two branches; more take a uniform point of the simplex).
    """

    def forward(self, *branches: Tensor) -> Tensor:
        """At least two (rows, ...) values to one."""
        stacked = torch.stack(branches)
        if not self.training:
            return stacked.mean(0)
        there, back = (
            _per_example(_simplex(len(branches), stacked.shape[1], stacked.device), branches[0]) for _ in range(2)
        )
        mixed: Tensor = _Shake.apply(stacked, there, back)
        return mixed
