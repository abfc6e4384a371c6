"""Layers whose weights a genome gives: a network of single nodes, and links that a CPPN paints."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autonas.architectures.layers import Account, Layer, Shape
from autonas.architectures.neatgenes import Step

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Evolved", "Painted"]


@dataclass(frozen=True)
class Evolved(Layer):
    """A network of single nodes.

    Parameters
    ----------
    steps : tuple of Step
        Its nodes in the order of computation (see ``neatgenes.plan``).
    outputs : int
    sweeps : int
        How often all nodes are computed; more than once if links lead backwards.
    """

    steps: tuple[Step, ...]
    outputs: int
    sweeps: int = 1

    @property
    def mixes_channels(self) -> bool:
        return True

    def account(self, *shapes: Shape) -> Account:
        links = sum(len(step.weights) for step in self.steps)
        return Account((self.outputs,), links, links * self.sweeps)

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules_evolved import Evolved as Module

        return Module(self.steps, shapes[0][0], self.outputs, self.sweeps)


@dataclass(frozen=True)
class Painted(Layer):
    """A linear layer between two sheets of nodes, whose weights are a function of the places that they link.

    Parameters
    ----------
    cppn : str
        Genome of the function.
    output : int
        Which of its outputs, from 0.
    source, target : tuple of int
        Rows and columns of nodes; a source of an image has the same weights for each of its channels.
    threshold, largest : float
        See ``hyperneat.express``.
    """

    cppn: str
    output: int
    source: tuple[int, int]
    target: tuple[int, int]
    threshold: float
    largest: float

    @property
    def mixes_channels(self) -> bool:
        return True

    def account(self, *shapes: Shape) -> Account:
        weights = shapes[0][0] * math.prod(self.target)
        return Account((math.prod(self.target),), weights, weights)

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules_evolved import fixed_linear
        from autonas.architectures.substrate import painted

        channels = shapes[0][0] // math.prod(self.source)
        return fixed_linear(
            painted(self.cppn, self.output, self.source, self.target, channels, self.threshold, self.largest)
        )
