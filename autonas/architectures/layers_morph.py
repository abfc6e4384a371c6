"""Layers that a morphism can put into a network without changing what it computes (Wei et al 2016; Elsken et al 2017).

No family has them by itself; ``morph.soften`` puts P-activations into a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autonas.architectures.layers import Account, Layer, Shape

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Gate", "PActivation"]


@dataclass(frozen=True)
class PActivation(Layer):
    """A trained mean of an activation and the identity, so that any activation can be inserted.

    Parameters
    ----------
    phi : Layer
        The activation.
    """

    phi: Layer

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0], 1)

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules_morph import PActivation as Module

        return Module(self.phi.module(*shapes))


@dataclass(frozen=True)
class Gate(Layer):
    """A trained factor for every channel: the weight of a skip, which is 0 where a morphism adds one."""

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0], shapes[0][0])

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules_morph import Gate as Module

        return Module(shapes[0][0], len(shapes[0]) - 1)
