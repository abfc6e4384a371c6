"""Optimisers of stacked networks that differ in their options: every number is a row or a matrix of the stack.

The same steps as torch's fused AdamW, Adam and SGD (with Nesterov's momentum or a plain one) take one configuration at
a time; ``optim.py`` and ``solvers.py`` say what each is for.  Moments come from the optimisers of the single
configurations and go back there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from autonas.training.layout import Layout

__all__ = ["StackedOptimizer", "make_stacked", "stackable"]

Parameters = Mapping[str, Tensor]


class StackedOptimizer(ABC):
    """Steps of all networks of a layout.

    Parameters
    ----------
    layout : Layout
    optimizers : sequence of Optimizer
        One for each stack; they hold its options and, if it was trained before, its moments.
    parameters : sequence of dict of str to Tensor
        What each of them trains.
    """

    moments: ClassVar[tuple[str, ...]]

    def __init__(
        self, layout: Layout, optimizers: Sequence[torch.optim.Optimizer], parameters: Sequence[Parameters]
    ) -> None:
        self.layout, self.optimizers, self.parameters = layout, optimizers, parameters
        self.like = next(iter(parameters[0].values())).detach()  # the type and the device of all
        groups = [_groups(*pair) for pair in zip(optimizers, parameters, strict=True)]
        self.rate = layout.matrix([{n: g["base_lr"] for n, g in own.items()} for own in groups], self.like)
        self.decay = layout.matrix([{n: g["weight_decay"] for n, g in own.items()} for own in groups], self.like)
        states = [
            {name: optimizer.state.get(parameter, {}) for name, parameter in own.items()}
            for optimizer, own in zip(optimizers, parameters, strict=True)
        ]
        self.state = {
            moment: layout.matrix(
                [{n: s[moment] if s.get(moment) is not None else 0.0 for n, s in own.items()} for own in states],
                self.like,
            )
            for moment in self.moments
        }
        self.steps = self.per_network([float(next(iter(own.values())).get("step", 0)) for own in states])

    def per_network(self, numbers: Sequence[float]) -> Tensor:
        """(networks, 1): one number for each stack, repeated for its networks."""
        counts = [rows.stop - rows.start for rows in self.layout.members]
        return self.like.new_tensor(
            [[number] for number, count in zip(numbers, counts, strict=True) for _ in range(count)]
        )

    def option(self, name: str, part: int | None = None) -> Tensor:
        """(networks, 1) of an option of the optimisers, or of one part of it."""
        values = [optimizer.param_groups[0][name] for optimizer in self.optimizers]
        return self.per_network([value if part is None else value[part] for value in values])

    @abstractmethod
    def step(self, weights: Tensor, gradient: Tensor, factor: Tensor) -> None:
        """Change (networks, size) weights in place; ``factor`` (networks, 1) multiplies the learning rates."""

    def give_back(self, member: int) -> None:
        """Write the moments of one stack into its own optimiser."""
        optimizer, found = self.optimizers[member], dict[str, dict[str, Tensor]]()
        for moment, matrix in self.state.items():
            for name, view in self.layout.views(matrix, member).items():
                found.setdefault(name, {})[moment] = view.clone()
        for name, moments in found.items():
            optimizer.state[self.parameters[member][name]] = {**self.counts(member), **moments}

    def counts(self, member: int) -> dict[str, Any]:
        """What an optimiser keeps of each parameter beside its moments."""
        return {}


def _groups(optimizer: torch.optim.Optimizer, parameters: Parameters) -> dict[str, dict[str, Any]]:
    """The group of options of every parameter."""
    of = {id(parameter): group for group in optimizer.param_groups for parameter in group["params"]}
    return {name: of[id(parameter)] for name, parameter in parameters.items()}


class _Adam(StackedOptimizer):
    """Adam (Kingma and Ba 2015) with decoupled (AdamW, Loshchilov and Hutter 2019) or coupled weight decay."""

    moments = ("exp_avg", "exp_avg_sq")

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.decoupled = isinstance(self.optimizers[0], torch.optim.AdamW)
        self.decays = bool(self.decay.any())
        self.beta1, self.beta2, self.eps = self.option("betas", 0), self.option("betas", 1), self.option("eps")
        if self.decoupled:
            self.decay *= self.rate

    def step(self, weights: Tensor, gradient: Tensor, factor: Tensor) -> None:
        mean, square = self.state["exp_avg"], self.state["exp_avg_sq"]
        self.steps += 1
        if self.decays and self.decoupled:
            weights.addcmul_(weights, self.decay * factor, value=-1)
        elif self.decays:
            gradient = torch.addcmul(gradient, weights, self.decay)
        mean.lerp_(gradient, 1 - self.beta1)
        square.lerp_(gradient * gradient, 1 - self.beta2)
        root = square.sqrt().div_((1 - self.beta2**self.steps).sqrt()).add_(self.eps)
        weights.addcdiv_((self.rate * (factor / (1 - self.beta1**self.steps))).mul_(mean), root, value=-1)

    def counts(self, member: int) -> dict[str, Any]:
        return {"step": self.steps[self.layout.members[member].start, 0].clone()}


class _SGD(StackedOptimizer):
    """Gradient descent with momentum, coupled weight decay."""

    moments = ("momentum_buffer",)

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.momentum, self.nesterov = self.option("momentum"), self.option("nesterov")

    def step(self, weights: Tensor, gradient: Tensor, factor: Tensor) -> None:
        buffer = self.state["momentum_buffer"]
        gradient = torch.addcmul(gradient, weights, self.decay)
        buffer.mul_(self.momentum).add_(gradient)
        ahead = torch.addcmul(gradient, buffer, self.momentum)
        weights.addcmul_(torch.lerp(buffer, ahead, self.nesterov), self.rate * factor, value=-1)


_STACKED: dict[type[torch.optim.Optimizer], type[StackedOptimizer]] = {
    torch.optim.AdamW: _Adam,
    torch.optim.Adam: _Adam,
    torch.optim.SGD: _SGD,
}


def stackable(optimizer: torch.optim.Optimizer) -> bool:
    """Whether there is a stacked optimiser that takes the same steps."""
    return type(optimizer) in _STACKED


def make_stacked(
    layout: Layout, optimizers: Sequence[torch.optim.Optimizer], parameters: Sequence[Parameters]
) -> StackedOptimizer:
    """The optimiser of all of a kind; see :class:`StackedOptimizer`."""
    return _STACKED[type(optimizers[0])](layout, optimizers, parameters)
