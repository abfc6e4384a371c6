"""Graphs as modules: a network, and a supernet whose choices are weighted.

A supernet evaluates only what has a weight, so that one architecture costs what it costs alone (Pham et al 2018); with
weights that need gradients it evaluates everything (Liu et al 2018b).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from autonas.architectures.graph import Graph, Node
from autonas.architectures.layers_recurrent import Loop
from autonas.architectures.layers_routing import Routes
from autonas.architectures.merges import Mask, Mix, Unread
from autonas.errors import OptionError

__all__ = ["GraphNetwork", "Supernet", "mask_of", "mixed"]


def _module(node: Node, graph: Graph) -> nn.Module:
    shapes = tuple(graph.nodes[i].shape for i in node.inputs)
    modules = []
    for layer in node.layers:
        modules.append(layer.module(*shapes))
        shapes = (layer.account(*shapes).shape,)
    return modules[0] if len(modules) == 1 else nn.Sequential(*modules)


class GraphNetwork(nn.Module):
    """The network of a graph.

    Parameters
    ----------
    graph : Graph
        Finished, not relaxed.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self._plan: list[tuple[int, str, tuple[int, ...], tuple[int, ...]]] = []
        last = {i: number for number, node in enumerate(graph.nodes) for i in node.inputs}
        for number, node in enumerate(graph.nodes):
            if number:
                dead = tuple(i for i in node.inputs if last[i] == number and i != graph.result)
                self.add_module(node.name, self._make(node))
                self._plan.append((number, node.name, node.inputs, dead))

    def _make(self, node: Node) -> nn.Module:
        return _module(node, self.graph)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, *shape) to (rows, *output shape)."""
        values: dict[int, Tensor] = {0: x}
        for number, name, inputs, dead in self._plan:
            values[number] = getattr(self, name)(*[values[i] for i in inputs])
            for i in set(dead):
                del values[i]
        return values[self.graph.result]


class _Weighted(nn.Module):
    """Holds the place of a choice."""


def mask_of(mask: Mask, weights: Tensor, channels: int) -> Tensor:
    """(channels,) weight of every channel: the sum of the weights of the widths that contain it."""
    reach = torch.tensor(mask.choices, device=weights.device)[:, None] > torch.arange(channels, device=weights.device)
    return (weights[:, None] * reach).sum(0)


class Supernet(GraphNetwork):
    """All networks of a relaxed graph at once.

    ``forward(x, mix)``: ``mix`` maps every name in :attr:`choices` to a (number of values,) Tensor of weights, in the
    order of the values there.  A one-hot vector is a discrete architecture.

    Attributes
    ----------
    choices : dict of str to tuple
        The values of every choice.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.choices = dict(graph.choices)

    def _make(self, node: Node) -> nn.Module:
        special = node.layers and isinstance(node.layers[0], Mix | Mask | Unread)
        return _Weighted() if special else super()._make(node)

    def one_hot(self, config: Mapping[str, Any]) -> dict[str, Tensor]:
        """The weights of one configuration; a choice that is not active in it has no weight at all.

        Raises
        ------
        OptionError
            If the supernet does not contain it.
        """
        for name, kept in {**self.graph.kept, **self.choices}.items():
            if name in config and config[name] not in kept:
                raise OptionError(
                    f"This supernet has {name} in {list(kept)}, given {config[name]!r}: other values change the shapes "
                    "of what follows. Make a supernet with this value fixed."
                )
        mix = {}
        for name, values in self.choices.items():
            mix[name] = torch.zeros(len(values))
            if name in config:
                mix[name][values.index(config[name])] = 1.0
        return mix

    def forward(self, x: Tensor, mix: Mapping[str, Tensor] | None = None) -> Tensor:
        """(rows, *shape) and weights of all choices to (rows, *output shape)."""
        if mix is None or set(mix) != set(self.choices):
            missing = sorted(set(self.choices) - set(mix or ()))
            raise OptionError(f"A supernet requires weights for each of its choices. Missing: {', '.join(missing)}.")
        weights = {number: self._case_weights(node, mix) for number, node in enumerate(self.graph.nodes)}
        live = self._live(weights)
        values: dict[int, Tensor] = {0: x}
        for number, _, inputs, dead in self._plan:
            if number in live:
                values[number] = self._value(x, number, inputs, values, weights[number], mix)
            for i in set(dead):
                values.pop(i, None)
        return values[self.graph.result]

    def _case_weights(self, node: Node, mix: Mapping[str, Tensor]) -> list[Tensor]:
        if not node.layers or not isinstance(node.layers[0], Mix):
            return []
        weight = mix[node.layers[0].hyperparameter]
        return [weight[case].sum() for case in node.layers[0].positions()]

    def _live(self, weights: Mapping[int, list[Tensor]]) -> set[int]:
        """Nodes on which the result depends; a case without weight and without gradient is not evaluated."""
        live = {self.graph.result}
        for number in range(len(self.graph.nodes) - 1, 0, -1):
            if number in live:
                node, cases = self.graph.nodes[number], weights[number]
                used = [i for i, w in zip(node.inputs, cases, strict=True) if _counts(w)] if cases else node.inputs
                live.update(used)
        return live

    def _value(
        self,
        x: Tensor,
        number: int,
        inputs: tuple[int, ...],
        values: Mapping[int, Tensor],
        cases: list[Tensor],
        mix: Mapping[str, Tensor],
    ) -> Tensor:
        node = self.graph.nodes[number]
        if cases:
            total = mixed((partial(values.__getitem__, i), w) for i, w in zip(inputs, cases, strict=True))
            return x.new_zeros((len(x), *node.shape)) if total is None else total
        if isinstance(node.layers[0], Mask):
            mask = mask_of(node.layers[0], mix[node.layers[0].hyperparameter], node.shape[0])
            return values[inputs[0]] * mask.view(1, -1, *[1] * (len(node.shape) - 1))
        if isinstance(node.layers[0], Loop | Routes):
            inside: Tensor = getattr(self, node.name)(values[inputs[0]], {name: mix[name] for name in node.weighed})
            return inside
        if isinstance(node.layers[0], Unread):
            return values[inputs[0]] * self._unread(node.layers[0], mix)
        found: Tensor = getattr(self, node.name)(*[values[i] for i in inputs])
        return found

    def _unread(self, layer: Unread, mix: Mapping[str, Tensor]) -> Tensor:
        share = torch.ones(())
        for name, readers in layer.pointers:
            share = share * (1 - mix[name][[self.choices[name].index(value) for value in readers]].sum())
        return share


def _counts(weight: Tensor) -> bool:
    return bool(weight.requires_grad or weight != 0)


def mixed(terms: Iterable[tuple[Callable[[], Tensor], Tensor]]) -> Tensor | None:
    """The sum of weighted values, of which only those are computed that count; None if none does.

    A weight of exactly one is not multiplied, so that one architecture is computed as it is alone.
    """
    total: Tensor | None = None
    for make, weight in terms:
        if _counts(weight):
            value = make() if not weight.requires_grad and weight == 1 else make() * weight
            total = value if total is None else total + value
    return total
