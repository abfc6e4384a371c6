"""Layers for sequences: an embedding of tokens, and a recurrent cell that runs along the time axis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autonas.architectures.layers import Account, Layer, Shape

if TYPE_CHECKING:
    from torch import nn

    from autonas.architectures.graph import Graph

__all__ = ["Embed", "Loop"]


@dataclass(frozen=True)
class Embed(Layer):
    """(tokens,) numbers to (size, tokens); numbers beyond the vocabulary are read as unknown."""

    vocabulary: int
    size: int

    @property
    def mixes_channels(self) -> bool:
        return True

    def account(self, *shapes: Shape) -> Account:
        return Account((self.size, shapes[0][0]), (self.vocabulary + 2) * self.size)

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules_recurrent import Embed as Module

        return Module(self.vocabulary, self.size)


@dataclass(frozen=True)
class Loop(Layer):
    """States of a cell along time: (channels, time) to (width, time).

    Parameters
    ----------
    cell : Graph
        From one input and the state side by side, (channels + state,), to the new state; the first ``width`` numbers
        of the state are put out (the rest is memory).
    width : int
        0: the whole state.
    """

    cell: Graph
    width: int = 0

    @property
    def mixes_channels(self) -> bool:
        return True

    def _state(self) -> int:
        return self.cell.account.shape[0]

    def account(self, *shapes: Shape) -> Account:
        time = shapes[0][1]
        account = self.cell.account
        return Account((self.width or self._state(), time), account.parameters, account.macs * time)

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules_recurrent import Loop as Module

        return Module(self.cell.network(), shapes[0][1], self._state(), self.width or self._state())
