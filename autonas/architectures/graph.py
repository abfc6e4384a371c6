"""One description of a network for everything that looks at architectures: building, counting, kernels, supernets.

A family is a function that constructs a graph from options; it runs in two ways.  Made from one configuration, the
graph is that network.  Made *relaxed*, every choice keeps all its cases, each weighted by a number (Liu et al 2018b;
Pham et al 2018; Bender et al 2018), and is the supernet of the family.  Because both come from one function, a
network and its place in the supernet have the same names, and weights copy by name.

A width is relaxed as a mask over the channels of the widest choice.  What changes the resolution cannot be relaxed: a
choice with such cases keeps those that are alike in shape to the one that the options select.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autonas.architectures.layers import Account, Layer, Shape
from autonas.architectures.layers_recurrent import Loop
from autonas.architectures.layers_routing import Routes
from autonas.architectures.merges import Add, Concat, Mask, Mix, Unread, Zeros
from autonas.errors import ArchitectureError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Case", "Graph", "Node", "Value", "Width", "widest"]


@dataclass(frozen=True)
class Value:
    """The output of a node: its position in the graph, and the shape of one example."""

    node: int
    shape: Shape

    @property
    def channels(self) -> int:
        """Length of the first axis."""
        return self.shape[0]

    @property
    def spatial(self) -> Shape:
        """The other axes."""
        return self.shape[1:]


Case = tuple[Collection[Any], Callable[[], Value | None]]
"""Values of a hyperparameter, and what makes the value that they select; None stands for zeros."""


@dataclass(frozen=True)
class Width:
    """A number of channels that is a choice of a relaxed graph: it counts as the widest."""

    hyperparameter: str
    choices: tuple[int, ...]

    @property
    def most(self) -> int:
        """The widest choice."""
        return max(self.choices)


def widest(width: Width | int) -> int:
    """How many channels layers of this width are given."""
    return width.most if isinstance(width, Width) else width


@dataclass(frozen=True)
class Node:
    """One step of the computation.

    Parameters
    ----------
    name : str
        Unique in its graph.
    place : str
        Its name in the supernet: the same, and the cases that it belongs to.
    inputs : tuple of int
        Positions of the nodes that it reads.
    layers : tuple of Layer
        Applied one after the other; only the first may read several values.
    label : str
        The operation in the words of its family, for kernels and canonical forms; empty for plumbing.
    shape, parameters, macs, activations
        Of one example: shape of the output, trainable numbers, multiply-accumulates, numbers that all layers put out.
    """

    name: str
    place: str
    inputs: tuple[int, ...]
    layers: tuple[Layer, ...]
    label: str
    shape: Shape
    parameters: int
    macs: int
    activations: int

    @property
    def weighed(self) -> tuple[str, ...]:
        """Hyperparameters whose weights a supernet needs to compute it."""
        layer = self.layers[0] if self.layers else None
        if isinstance(layer, Mix | Mask):
            return (layer.hyperparameter,)
        if isinstance(layer, Unread):
            return tuple(name for name, _ in layer.pointers)
        if isinstance(layer, Loop):
            return tuple(layer.cell.choices)
        return tuple(layer.choices) if isinstance(layer, Routes) else ()


@dataclass(repr=False)
class Graph:
    """A network under construction, or constructed.

    Parameters
    ----------
    options : mapping
        Settings of the family and the hyperparameters of one configuration.  Relaxed: the settings, and values for
        what is not relaxed.
    shape : tuple of int
        Shape of one example.
    relaxed : bool

    Attributes
    ----------
    nodes : list of Node
        In the order of computation; the first is the input.
    choices : dict of str to tuple
        Relaxed: the values of every choice that the graph contains.
    kept : dict of str to tuple
        Relaxed: the values that are left of choices of which some are impossible, or change a shape; one value is no
        choice any more.
    """

    options: Mapping[str, Any]
    shape: Shape
    relaxed: bool = False
    nodes: list[Node] = field(default_factory=list)
    choices: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    kept: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    result: int = 0
    _scope: str = ""
    _case: str = ""
    _names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.shape = tuple(self.shape)
        self.nodes.append(Node("input", "input", (), (), "input", self.shape, 0, 0, 0))
        self._names.add("input")

    @property
    def input(self) -> Value:
        """The data."""
        return Value(0, self.shape)

    # --- nodes -------------------------------------------------------------------------------------------------------

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Names of nodes that are made inside begin with ``name``."""
        before, self._scope = self._scope, f"{self._scope}{name}_"
        try:
            yield
        finally:
            self._scope = before

    @contextmanager
    def case(self, name: Any) -> Iterator[None]:
        """Nodes that are made inside have ``name`` in their places, as a relaxed graph has all cases side by side."""
        before, self._case = self._case, f"{self._case}_{name}"
        try:
            yield
        finally:
            self._case = before

    def apply(
        self, name: str, inputs: Value | Sequence[Value], layers: Sequence[Layer], label: str = "", width: Any = None
    ) -> Value:
        """A node that applies the layers to the inputs.

        Parameters
        ----------
        width : Width or int, optional
            The number of channels that the layers were given, if it is a choice.
        """
        inputs = (inputs,) if isinstance(inputs, Value) else tuple(inputs)
        place = f"{self._scope}{name}{self._case}"
        full = place if self.relaxed else f"{self._scope}{name}"
        if full in self._names:
            raise ValueError(f"The graph has two nodes {full!r}: a family gives every node its own name.")
        self._names.add(full)
        for layer in layers:
            if isinstance(layer, Routes):
                for hyperparameter, values in layer.choices.items():
                    self.note(hyperparameter, values)
        shapes: tuple[Shape, ...] = tuple(value.shape for value in inputs)
        parameters = macs = activations = 0
        for layer in layers:
            try:
                account = layer.account(*shapes)
            except ArchitectureError as error:
                raise ArchitectureError(f"{full}: {error}") from None
            parameters, macs = parameters + account.parameters, macs + account.macs
            size = 1
            for length in account.shape:
                size *= length
            activations += size
            shapes = (account.shape,)
        reads = tuple(v.node for v in inputs)
        self.nodes.append(Node(full, place, reads, tuple(layers), label, shapes[0], parameters, macs, activations))
        value = Value(len(self.nodes) - 1, shapes[0])
        if isinstance(width, Width):
            return self.apply(f"{name}_width", value, [Mask(width.hyperparameter, width.choices)])
        return value

    def add(self, name: str, values: Sequence[Value | None], label: str = "add") -> Value | None:
        """The sum; a missing value adds nothing, and the sum of nothing is missing."""
        present = [value for value in values if value is not None]
        if not present:
            return None
        return present[0] if len(present) == 1 else self.apply(name, present, [Add()], label)

    def concat(self, name: str, values: Sequence[Value], label: str = "concat") -> Value:
        """Channels side by side."""
        return values[0] if len(values) == 1 else self.apply(name, values, [Concat()], label)

    def zeros(self, name: str, shape: Shape) -> Value:
        """Zeros of that shape."""
        return self.apply(name, self.input, [Zeros(shape)], "zeros")

    # --- choices -----------------------------------------------------------------------------------------------------

    def choose(
        self,
        hyperparameter: str,
        cases: Sequence[Case],
        name: str = "",
        alike: bool = False,
    ) -> Value | None:
        """The value of the case that the hyperparameter selects; relaxed: all cases, weighted.

        Parameters
        ----------
        hyperparameter : str
        cases : sequence of (values, function)
            The values of all cases together are the hyperparameter's values.  A function that returns None stands
            for zeros.
        name : str
            Of the mixing node; by default the hyperparameter's.
        alike : bool
            Relaxed: of cases that may differ in shape or be impossible, only those remain that are alike in shape to
            the one that the options select (the first, if they select none).
        """
        if not self.relaxed:
            value = self.options[hyperparameter]
            for values, make in cases:
                if value in values:
                    return make()
            known = [v for values, _ in cases for v in values]
            raise ArchitectureError(f"{hyperparameter} has the value {value!r}; required: one of {known}")
        made = self._made(hyperparameter, cases, alike)
        if hyperparameter in self.kept and len(made) == 1:
            return made[0][1]
        self.note(hyperparameter, tuple(v for values, _ in made for v in values))
        present = [(values, value) for values, value in made if value is not None]
        if not present:
            return None
        shapes = {value.shape for _, value in present}
        if len(shapes) > 1:
            raise ArchitectureError(
                f"{hyperparameter} cannot be relaxed: its cases have the shapes {sorted(shapes)}. Fix its value."
            )
        mix = Mix(hyperparameter, self.choices[hyperparameter], tuple(values for values, _ in present))
        return self.apply(f"{name or hyperparameter}_mix", [value for _, value in present], [mix])

    def select(self, hyperparameter: str, cases: Sequence[Case], name: str = "", alike: bool = False) -> Value:
        """As :meth:`choose`, for cases that all make a value."""
        value = self.choose(hyperparameter, cases, name, alike)
        assert value is not None
        return value

    def _made(
        self, hyperparameter: str, cases: Sequence[Case], alike: bool
    ) -> list[tuple[tuple[Any, ...], Value | None]]:
        """Values and what they make, of the cases that remain."""
        kept = self.kept.get(hyperparameter)
        if kept is not None:
            left = [(tuple(v for v in values if v in kept), make) for values, make in cases]
            return [(values, make()) for values, make in left if values]
        if not alike:
            return [(tuple(values), make()) for values, make in cases if values]
        chosen = self.options.get(hyperparameter)
        first = next((number for number, (values, _) in enumerate(cases) if chosen in values), 0)
        made = {first: cases[first][1]()}
        like = made[first]
        for number, (_, make) in enumerate(cases):
            if number != first:
                try:
                    value = make()
                except ArchitectureError:
                    continue  # impossible, where the selected case is possible
                if (value and value.shape) == (like and like.shape):
                    made[number] = value
        found = [(tuple(cases[number][0]), made[number]) for number in sorted(made)]
        self.kept[hyperparameter] = tuple(v for values, _ in found for v in values)
        return found

    def optional(self, hyperparameter: str, value: Value | None) -> Value | None:
        """The value if the hyperparameter is "yes", nothing if it is "no"."""
        return self.choose(hyperparameter, [(("no",), lambda: None), (("yes",), lambda: value)])

    def width(self, hyperparameter: str, choices: Collection[int] | None = None) -> Any:
        """A number of channels: that of the configuration, or of a relaxed graph all.

        Parameters
        ----------
        choices : collection of int, optional
            The values, if it may be relaxed; None: it is fixed in relaxed graphs, too.
        """
        if not self.relaxed or choices is None:
            return int(self.options[hyperparameter])
        self.note(hyperparameter, tuple(choices))
        return Width(hyperparameter, self.choices[hyperparameter])

    def note(self, hyperparameter: str, values: tuple[Any, ...]) -> None:
        """The relaxed graph has a choice with these values."""
        known = self.choices.setdefault(hyperparameter, values)
        if set(known) != set(values):
            raise ValueError(f"{hyperparameter} has the values {known} in one place and {values} in another.")

    def loop(self, name: str, x: Value, cell: Graph, width: int) -> Value:
        """The states of a recurrent cell (a graph of its own) along the last axis of a value."""
        for hyperparameter, values in cell.choices.items():
            self.note(hyperparameter, values)
        return self.apply(name, x, [Loop(cell, width)], "loop")

    # --- the whole ---------------------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"Graph({self.shape}, {[(node.inputs, node.layers) for node in self.nodes]})"

    def finish(self, value: Value, prune: bool = True) -> Graph:
        """The graph with this output, without nodes that nothing reads (unless they shall count) and their choices."""
        needed = {value.node, 0} if prune else set(range(len(self.nodes)))
        for number in range(len(self.nodes) - 1, -1, -1):
            if number in needed:
                needed.update(self.nodes[number].inputs)
        place = {old: new for new, old in enumerate(sorted(needed))}
        self.nodes = [
            Node(**{**self.nodes[old].__dict__, "inputs": tuple(place[i] for i in self.nodes[old].inputs)})
            for old in place
        ]
        self.result = place[value.node]
        weighed = {name for node in self.nodes for name in node.weighed}
        self.choices = {name: values for name, values in self.choices.items() if name in weighed}
        return self

    @property
    def account(self) -> Account:
        """Output and cost of the whole."""
        return Account(
            self.nodes[self.result].shape,
            sum(node.parameters for node in self.nodes),
            sum(node.macs for node in self.nodes),
        )

    @property
    def activations(self) -> int:
        """Numbers that all layers put out for one example."""
        return sum(node.activations for node in self.nodes)

    def network(self) -> nn.Module:
        """The module; of a relaxed graph, one that is called with the weights of the choices."""
        from autonas.architectures.network import GraphNetwork, Supernet

        return Supernet(self) if self.relaxed else GraphNetwork(self)
