"""The modules of ``layers_routing``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from autonas.architectures.network import mixed

__all__ = ["Route", "Routes"]


def _shares(logits: Tensor, k: int) -> Tensor:
    """(rows, experts) weights: those of the k largest logits of each row are positive and sum to 1."""
    least = logits.topk(k, dim=1).values[:, -1:]
    return torch.softmax(logits.masked_fill(logits < least, float("-inf")), dim=1)


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
        return _shares(self.gate(x.flatten(2).mean(2)), self.k)

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


class Routes(nn.Module):
    """All modules that the experts may be, behind one gate.

    Parameters
    ----------
    channels : int
    experts : mapping of str to sequence of Module
        By the hyperparameter of an expert: what it may be, in the order of its values.
    k : str
        The hyperparameter that says how many experts an example uses.
    values : sequence of int
        Of ``k``.
    axes : int
        Of a map, besides rows and channels.
    """

    def __init__(
        self, channels: int, experts: Mapping[str, Sequence[nn.Module]], k: str, values: Sequence[int], axes: int
    ) -> None:
        super().__init__()
        self.gate = nn.Linear(channels, len(experts))
        self.experts = nn.ModuleList([nn.ModuleList(cases) for cases in experts.values()])
        self.names, self.k, self.values = list(experts), k, tuple(values)
        self.each = (-1, 1, *[1] * axes)

    def forward(self, x: Tensor, mix: Mapping[str, Tensor]) -> Tensor:
        """(rows, channels, ...) and the weights of all choices to (rows, out, ...)."""
        logits = self.gate(x.flatten(2).mean(2))
        shares = mixed((partial(_shares, logits, k), w) for k, w in zip(self.values, mix[self.k], strict=True))
        total = None
        for i, (name, cases) in enumerate(zip(self.names, self.experts.children(), strict=True)):
            made = mixed((partial(case, x), w) for case, w in zip(cases.children(), mix[name], strict=True))
            if made is not None and shares is not None:
                part = made * shares[:, i].view(self.each)
                total = part if total is None else total + part
        if total is None:
            raise ValueError(f"No value of {self.k}, or of {', '.join(self.names)}, has a weight.")
        return total
