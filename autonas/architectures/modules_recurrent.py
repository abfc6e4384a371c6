"""The modules of ``layers_recurrent``."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Embed", "Loop"]

BOUND = 10.0  # of every number of a state: cells that multiply what they remember would overflow after some steps
INITIAL = 0.1  # standard deviation of new vectors; at torch's 1, chance outweighs what a few thousand texts teach
UNKNOWN = 1  # as in the views of tokens, where 0 is padding


class Embed(nn.Module):
    """See :class:`autonas.architectures.layers_recurrent.Embed`."""

    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(vocabulary + 2, size, padding_idx=0)
        with torch.no_grad():
            self.vectors.weight.mul_(INITIAL)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, tokens) to (rows, size, tokens)."""
        x = x.long()
        known = torch.where(x < self.vectors.num_embeddings, x, UNKNOWN)
        vectors: Tensor = self.vectors(known)
        return vectors.transpose(1, 2)


class Loop(nn.Module):
    """See :class:`autonas.architectures.layers_recurrent.Loop`."""

    def __init__(self, cell: nn.Module, steps: int, state: int, width: int) -> None:
        super().__init__()
        self.cell, self.steps, self.state, self.width = cell, steps, state, width

    def forward(self, x: Tensor, *mix: dict[str, Tensor]) -> Tensor:
        """(rows, channels, time) to (rows, width, time)."""
        state = x.new_zeros((x.shape[0], self.state))
        outputs = []
        for t in range(self.steps):
            state = self.cell(torch.cat([x[:, :, t], state], dim=1), *mix).clamp(-BOUND, BOUND)
            outputs.append(state[:, : self.width])
        return torch.stack(outputs, dim=2)
