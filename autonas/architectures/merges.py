"""Layers that read several values, and those that stand for a choice in a relaxed graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autonas.architectures.layers import Account, Layer, Shape
from autonas.errors import ArchitectureError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Add", "Average", "Concat", "Interpolate", "Mask", "Mix", "Multiply", "ShakeShake", "Unread", "Zeros"]


def _same(shapes: tuple[Shape, ...], what: str) -> Shape:
    if len(set(shapes)) > 1:
        raise ArchitectureError(f"{what} requires values of one shape, given {', '.join(map(str, shapes))}")
    return shapes[0]


@dataclass(frozen=True)
class Add(Layer):
    """Sum (He et al 2016)."""

    def account(self, *shapes: Shape) -> Account:
        return Account(_same(shapes, "a sum"))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import Add as Module

        return Module()


@dataclass(frozen=True)
class Average(Layer):
    """Mean of values of one shape."""

    def account(self, *shapes: Shape) -> Account:
        return Account(_same(shapes, "a mean"))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import Average as Module

        return Module()


@dataclass(frozen=True)
class Interpolate(Layer):
    """``gate * a + (1 - gate) * b`` of three values of one shape."""

    def account(self, *shapes: Shape) -> Account:
        return Account(_same(shapes, "a gate"))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import Interpolate as Module

        return Module()


@dataclass(frozen=True)
class Multiply(Layer):
    """Product, element by element."""

    def account(self, *shapes: Shape) -> Account:
        return Account(_same(shapes, "a product"))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import Multiply as Module

        return Module()


@dataclass(frozen=True)
class Concat(Layer):
    """Channels side by side (Huang et al 2017)."""

    def account(self, *shapes: Shape) -> Account:
        spatial = _same(tuple(shape[1:] for shape in shapes), "a concatenation")
        return Account((sum(shape[0] for shape in shapes), *spatial))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import Concat as Module

        return Module()


@dataclass(frozen=True)
class ShakeShake(Layer):
    """Random convex combination in training, mean otherwise (Gastaldi 2017)."""

    def account(self, *shapes: Shape) -> Account:
        return Account(_same(shapes, "Shake-Shake"))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.regularise import ShakeShake as Module

        return Module()


@dataclass(frozen=True)
class Zeros(Layer):
    """Zeros of a fixed shape, whatever the input."""

    shape: Shape

    def account(self, *shapes: Shape) -> Account:
        return Account(self.shape)

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.modules import Zeros as Module

        return Module(self.shape)


@dataclass(frozen=True)
class Mix(Layer):
    """Weighted sum of the cases of a choice; :class:`~autonas.architectures.network.Supernet` gives the weights.

    Parameters
    ----------
    hyperparameter : str
    choices : tuple
        All values of the hyperparameter.
    cases : tuple of tuples
        For each value that is read, the choices that select it: its weight is the sum of theirs.
    """

    hyperparameter: str
    choices: tuple[Any, ...]
    cases: tuple[tuple[Any, ...], ...]

    def positions(self) -> list[list[int]]:
        """For each value that is read, the positions of its choices."""
        return [[self.choices.index(choice) for choice in case] for case in self.cases]

    def selects(self, choice: Any) -> list[bool]:
        """For each value that is read, whether that choice selects it."""
        return [choice in case for case in self.cases]

    def account(self, *shapes: Shape) -> Account:
        return Account(_same(shapes, "a choice"))

    def module(self, *shapes: Shape) -> nn.Module:
        raise TypeError("A choice is mixed by the supernet.")


@dataclass(frozen=True)
class Mask(Layer):
    """Keeps a channel as far as the chosen widths reach it."""

    hyperparameter: str
    choices: tuple[int, ...]

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0])

    def module(self, *shapes: Shape) -> nn.Module:
        raise TypeError("A width is masked by the supernet.")


@dataclass(frozen=True)
class Unread(Layer):
    """A value as far as no pointer reads it: a cell puts out its loose ends.

    Parameters
    ----------
    pointers : tuple of (str, tuple)
        Hyperparameters, each with those of its values that read the value.
    """

    pointers: tuple[tuple[str, tuple[Any, ...]], ...]

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0])

    def module(self, *shapes: Shape) -> nn.Module:
        raise TypeError("What is loose is weighed by the supernet.")
