"""A graph as steps of one layer each, as weight inheritance walks over it.

A factorised reduction is taken apart into the two convolutions side by side that it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autonas.architectures.graph import Graph
from autonas.architectures.layers import (
    Account,
    Conv,
    Deconv,
    Dense,
    Drop,
    DropPath,
    FactorisedReduce,
    Layer,
    Norm,
    Shape,
)  # fmt: skip
from autonas.architectures.merges import Concat

__all__ = ["Plan", "Step", "activation_name", "is_depthwise", "kind", "mixes", "plan"]


@dataclass(frozen=True)
class Step:
    """One layer.

    Parameters
    ----------
    node : str
        The node that it is a part of.
    prefix : str
        Of the names of its tensors, with the dot.
    layer : Layer
    inputs : tuple of int
        Positions of the steps that it reads.
    shapes : tuple of Shape
        Of what it reads.
    shape : Shape
        Of what it puts out.
    weighted : bool
        Whether it has tensors.
    """

    node: str
    prefix: str
    layer: Layer
    inputs: tuple[int, ...]
    shapes: tuple[Shape, ...]
    shape: Shape
    weighted: bool = False


@dataclass
class Plan:
    """All steps of a graph; the first is the data.

    Attributes
    ----------
    steps : list of Step
    parts : dict of str to list of int
        The steps of every node.
    result : int
    prefixes : set of str
        Of the names of all tensors, each with its dot.
    """

    steps: list[Step]
    prefixes: set[str]
    parts: dict[str, list[int]] = field(default_factory=dict)
    result: int = 0

    def add(self, node: str, prefix: str, layer: Layer, inputs: Sequence[int]) -> int:
        """The position of a new step."""
        shapes = tuple(self.steps[i].shape for i in inputs)
        weighted = prefix in self.prefixes and not isinstance(layer, Drop | DropPath)
        self.steps.append(Step(node, prefix, layer, tuple(inputs), shapes, layer.account(*shapes).shape, weighted))
        self.parts.setdefault(node, []).append(len(self.steps) - 1)
        return len(self.steps) - 1

    def readers(self) -> list[list[int]]:
        """For every step, those that read it."""
        found: list[list[int]] = [[] for _ in self.steps]
        for number, step in enumerate(self.steps):
            for i in dict.fromkeys(step.inputs):
                found[i].append(number)
        return found

    def live(self) -> set[int]:
        """The steps on which the result depends."""
        found = {self.result}
        for number in range(len(self.steps) - 1, 0, -1):
            if number in found:
                found.update(self.steps[number].inputs)
        return found


@dataclass(frozen=True)
class Shift(Layer):
    """One pixel to the upper left, as the second half of a factorised reduction reads the data."""

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0])

    def module(self, *shapes: Shape) -> None:  # type: ignore[override]
        raise TypeError("A shift is a part of a factorised reduction.")


def plan(graph: Graph, tensors: Iterable[str]) -> Plan:
    """The steps of a finished graph that is not relaxed, whose network has tensors of these names."""
    prefixes = {name[: place + 1] for name in tensors for place, letter in enumerate(name) if letter == "."}
    found = Plan([Step("input", "", Drop(0.0), (), (), graph.shape)], prefixes, {"input": [0]})
    values = [0]
    for node in graph.nodes[1:]:
        at = [values[i] for i in node.inputs]
        found.parts[node.name] = []
        for position, layer in enumerate(node.layers):
            prefix = f"{node.name}." if len(node.layers) == 1 else f"{node.name}.{position}."
            if isinstance(layer, FactorisedReduce):
                at = [_factorised(found, node.name, prefix, layer, at[0])]
            else:
                at = [found.add(node.name, prefix, layer, at)]
        values.append(at[0])
    found.result = values[graph.result]
    return found


def _factorised(found: Plan, node: str, prefix: str, layer: FactorisedReduce, x: int) -> int:
    odd = layer.out // 2
    halves = [found.add(node, f"{prefix}even.", Conv(layer.out - odd, 1, 2), [x])]
    if odd:
        shifted = found.add(node, "", Shift(), [x])
        halves.append(found.add(node, f"{prefix}odd.", Conv(odd, 1, 2), [shifted]))
    both = found.add(node, "", Concat(), halves)
    return found.add(node, f"{prefix}norm.", Norm(layer.affine), [both])


def activation_name(layer: Layer) -> str | None:
    """The name of an activation; None for another layer."""
    name = getattr(layer, "name", None)
    return name if isinstance(name, str) and layer.account((1,)) == Account((1,)) else None


def is_depthwise(step: Step) -> bool:
    """Whether it is a convolution of every channel by itself."""
    layer = step.layer
    if not isinstance(layer, Conv) or step.shape[0] != step.shapes[0][0]:
        return False
    return layer.groups in (0, step.shape[0]) and (layer.groups == 0 or step.shape[0] > 1)


def mixes(step: Step) -> bool:
    """Whether it is a linear map of all channels, with weights."""
    return isinstance(step.layer, Conv | Deconv | Dense) and not is_depthwise(step)


def kind(step: Step) -> str:
    """What kind of layer it is: two steps of one kind can hand on weights."""
    if isinstance(step.layer, Dense):
        return "Dense"
    if activation_name(step.layer) is not None:
        return "Activation"
    return "Depthwise" if is_depthwise(step) else type(step.layer).__name__
