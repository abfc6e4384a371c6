"""A layer whose path depends on the example: a gate sends it through a few of several modules (Ramachandran & Le 2018).

The gate is a linear function of the mean over positions; its k largest logits are kept, and their softmax weighs the
outputs.  In a relaxed graph every module, and k, is a choice.  Left out: noise on the logits and the term that
balances the load, whose published form is not certain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autonas.architectures.layers import Account, Layer, Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Route", "Routes"]

Expert = tuple[Layer, ...]


def _account(shape: Shape, experts: int, modules: tuple[Expert, ...]) -> Account:
    """Gate and all modules."""
    parameters, macs, out = (shape[0] + 1) * experts, shape[0] * experts, shape
    for layers in modules:
        out = shape
        for layer in layers:
            account = layer.account(out)
            out, parameters, macs = account.shape, parameters + account.parameters, macs + account.macs
    return Account(out, parameters, macs)


def _module(shape: Shape, layers: Expert) -> nn.Module:
    from torch import nn

    parts = []
    for layer in layers:
        parts.append(layer.module(shape))
        shape = layer.account(shape).shape
    return nn.Sequential(*parts)


@dataclass(frozen=True)
class Route(Layer):
    """Sum of the outputs of ``k`` of several experts, by example.

    Parameters
    ----------
    experts : tuple of tuples of Layer
        All put out one shape.
    k : int
    """

    experts: tuple[Expert, ...]
    k: int

    @property
    def mixes_channels(self) -> bool:
        return True

    def account(self, *shapes: Shape) -> Account:
        """The cost is that of all experts: which of them an example needs is not known before."""
        return _account(shapes[0], len(self.experts), self.experts)

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules_routing import Route as Module

        experts = [_module(shapes[0], expert) for expert in self.experts]
        return Module(shapes[0][0], experts, self.k, len(shapes[0]) - 1)


@dataclass(frozen=True)
class Routes(Layer):
    """All that a :class:`Route` may be.

    Parameters
    ----------
    experts : tuple of (str, tuple of (value, tuple of Layer))
        For each expert its hyperparameter, and the modules that its values stand for.
    k : str
        Hyperparameter.
    values : tuple of int
        Of ``k``.
    """

    experts: tuple[tuple[str, tuple[tuple[Any, Expert], ...]], ...]
    k: str
    values: tuple[int, ...]

    @property
    def mixes_channels(self) -> bool:
        return True

    @property
    def choices(self) -> dict[str, tuple[Any, ...]]:
        """The values of each hyperparameter."""
        return {self.k: self.values, **{name: tuple(value for value, _ in cases) for name, cases in self.experts}}

    def account(self, *shapes: Shape) -> Account:
        modules = tuple(layers for _, cases in self.experts for _, layers in cases)
        return _account(shapes[0], len(self.experts), modules)

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules_routing import Routes as Module

        experts = {name: [_module(shapes[0], layers) for _, layers in cases] for name, cases in self.experts}
        return Module(shapes[0][0], experts, self.k, self.values, len(shapes[0]) - 1)

    def extract(
        self, place: str, name: str, config: Mapping[str, Any], state: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Out of the state of a supernet with this layer at ``place``, that of the one route at the node ``name``."""
        parts = {f"{place}.gate.": f"{name}.gate."}
        for i, (hyperparameter, cases) in enumerate(self.experts):
            case = [value for value, _ in cases].index(config[hyperparameter])
            parts[f"{place}.experts.{i}.{case}."] = f"{name}.experts.{i}."
        return {
            own + key.removeprefix(shared): tensor.clone()
            for key, tensor in state.items()
            for shared, own in parts.items()
            if key.startswith(shared)
        }
