"""The modules of ``layers_evolved``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from autonas.architectures.neatgenes import BIAS, HIDDEN, Step

__all__ = ["Evolved", "apply_function", "fixed_linear"]


def apply_function(name: str, x: Tensor) -> Tensor:
    """A function of ``neatgenes.FUNCTIONS``."""
    if name == "steep_sigmoid":
        return torch.sigmoid(4.9 * x)
    if name == "gaussian":
        return torch.exp(-x.square())
    if name == "identity":
        return x
    found: Tensor = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "sine": torch.sin, "absolute": torch.abs}[name](x)
    return found


def fixed_linear(weight: np.ndarray) -> nn.Linear:
    """A linear layer without bias, with these weights: (outputs, inputs)."""
    with torch.device("meta"):  # the initial weights that torch would draw change the global random state
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(torch.tensor(weight, dtype=torch.float32))
    return layer


class Evolved(nn.Module):
    """See :class:`autonas.architectures.layers_evolved.Evolved`."""

    def __init__(self, steps: Sequence[Step], inputs: int, outputs: int, sweeps: int) -> None:
        super().__init__()
        self.sweeps = sweeps
        self.links = nn.ModuleList()
        self._plan: list[tuple[str, list[int], list[int]]] = []
        place = {step.node: number for number, step in enumerate(steps)}
        for step in steps:
            # what is data, then what is computed
            data = [k for k, s in enumerate(step.sources) if BIAS <= s < HIDDEN]
            made = [k for k, s in enumerate(step.sources) if not BIAS <= s < HIDDEN]
            weights = np.array([[step.weights[k] for k in data + made]])
            self.links.append(fixed_linear(weights) if step.sources else nn.Identity())
            sources = [step.sources[k] for k in data], [place[step.sources[k]] for k in made]
            self._plan.append((step.function, *sources))
        self._results = [place[-k] for k in range(1, outputs + 1)]

    def forward(self, x: Tensor) -> Tensor:
        """(rows, inputs) to (rows, outputs)."""
        zero = x.new_zeros(len(x))
        data = torch.cat([x.new_ones(len(x), 1), x], dim=1)
        values = [zero] * len(self._plan)
        for _ in range(self.sweeps):
            for number, (function, inputs, nodes) in enumerate(self._plan):
                if not inputs and not nodes:
                    values[number] = apply_function(function, zero)
                    continue
                parts = [data[:, inputs]] if inputs else []
                parts += [torch.stack([values[i] for i in nodes], dim=1)] if nodes else []
                values[number] = apply_function(function, self.links[number](torch.cat(parts, dim=1))[:, 0])
        return torch.stack([values[i] for i in self._results], dim=1)
