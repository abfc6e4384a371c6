"""A layer whose path depends on the example: a gate sends it through a few of several modules (Ramachandran & Le 2018).

The gate is a linear function of the mean over positions; its k largest logits are kept, and their softmax weighs the
outputs.  Left out: noise on the logits and the term that balances the load, whose published form is not certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autonas.architectures.layers import Account, Layer, Shape

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Route"]


@dataclass(frozen=True)
class Route(Layer):
    """Sum of the outputs of ``k`` of several experts, by example.

    Parameters
    ----------
    experts : tuple of tuples of Layer
        All put out one shape.
    k : int
    """

    experts: tuple[tuple[Layer, ...], ...]
    k: int

    @property
    def mixes_channels(self) -> bool:
        return True

    def account(self, *shapes: Shape) -> Account:
        """The cost is that of all experts: which of them an example needs is not known before."""
        (shape,) = shapes
        n = len(self.experts)
        parameters, macs = (shape[0] + 1) * n, shape[0] * n
        for expert in self.experts:
            out = shape
            for layer in expert:
                account = layer.account(out)
                out, parameters, macs = account.shape, parameters + account.parameters, macs + account.macs
        return Account(out, parameters, macs)

    def module(self, *shapes: Shape) -> nn.Module:
        from torch import nn

        from autonas.architectures.modules_routing import Route as Module

        made = []
        for expert in self.experts:
            shape, parts = shapes[0], []
            for layer in expert:
                parts.append(layer.module(shape))
                shape = layer.account(shape).shape
            made.append(nn.Sequential(*parts))
        return Module(shapes[0][0], made, self.k, len(shapes[0]) - 1)
