"""The module of :class:`autonas.architectures.layers_routing.Route`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["Route"]


class Route(nn.Module):
    """Sends every example through the ``k`` experts that its gate prefers.

    Parameters
    ----------
    channels : int
    experts : sequence of Module
    k : int
    axes : int
        Of a map, besides rows and channels.

    Attributes
    ----------
    sparse : bool
        Whether an expert computes its own examples only, which training on small batches does not want (normalisations
        would see a few rows) and a fixed graph of operations cannot say.
    """

    def __init__(self, channels: int, experts: Sequence[nn.Module], k: int, axes: int) -> None:
        super().__init__()
        self.gate = nn.Linear(channels, len(experts))
        self.experts = nn.ModuleList(experts)
        self.k = k
        self.each = (-1, 1, *[1] * axes)  # shape of one weight for each row
        self.sparse = False

    def weights(self, x: Tensor) -> Tensor:
        """(rows, experts) weights of the experts: k of each row are positive and sum to 1."""
        logits = self.gate(x.flatten(2).mean(2))
        least = logits.topk(self.k, dim=1).values[:, -1:]
        return torch.softmax(logits.masked_fill(logits < least, float("-inf")), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, channels, ...) to (rows, out, ...)."""
        weights = self.weights(x)
        if not self.sparse:
            total = self.experts[0](x) * weights[:, 0].view(self.each)
            for i in range(1, len(self.experts)):
                total = total + self.experts[i](x) * weights[:, i].view(self.each)
            return total
        parts: Tensor | None = None
        for i, expert in enumerate(self.experts):
            rows = weights[:, i].nonzero().squeeze(1)
            if len(rows):
                made = expert(x[rows]) * weights[rows, i].view(self.each)
                parts = made.new_zeros((len(x), *made.shape[1:])) if parts is None else parts
                parts = parts.index_add(0, rows, made)
        assert parts is not None
        return parts
