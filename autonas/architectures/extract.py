"""The weights of one architecture out of the shared weights of a supernet (Pham et al 2018; Bender et al 2018).

A node knows its place in the supernet.  Where a width was chosen, the network has the first channels of the widest, so
every value of the network is a selection of the channels of the supernet's value, and a weight is cut along both axes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from autonas.architectures.graph import Graph, Node
from autonas.architectures.layers import Conv, Deconv, Dense, Flatten, Layer, Norm, Part, Shape
from autonas.architectures.layers_recurrent import Loop
from autonas.architectures.layers_routing import Routes
from autonas.architectures.merges import Concat, Mask, Mix, Unread

__all__ = ["extract"]

Channels = np.ndarray
"""Which channels of the supernet's value the network has, in order."""


def extract(supernet: Graph, graph: Graph, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """State of the network ``graph`` from the state of a supernet.

    Parameters
    ----------
    supernet : Graph
        Relaxed.
    graph : Graph
        The same family, made from one configuration.
    state : mapping of str to Tensor
        State of the supernet's module.
    """
    own = {node.place: node for node in graph.nodes}
    channels: list[Channels | None] = [np.arange(graph.shape[0])]
    found: dict[str, Tensor] = {}
    for node in supernet.nodes[1:]:
        inputs = [channels[i] for i in node.inputs]
        if node.name in own:
            shapes = tuple(graph.nodes[i].shape for i in own[node.name].inputs)
            wide = tuple(supernet.nodes[i].shape for i in node.inputs)
            if isinstance(node.layers[0], Routes):
                found |= node.layers[0].extract(node.name, own[node.name].name, graph.options, state)
                channels.append(np.arange(node.shape[0]))
            else:
                channels.append(_cut(own[node.name], node, inputs, shapes, wide, state, found))
        else:
            channels.append(_pass(node, inputs, [supernet.nodes[i].shape for i in node.inputs], graph.options))
    return found


def _pass(node: Node, inputs: list[Channels | None], wide: list[Shape], config: Mapping[str, Any]) -> Channels | None:
    """What is left of its inputs by a node that the network does not have; None: nothing."""
    layer = node.layers[0]
    if isinstance(layer, Concat) and any(given is not None for given in inputs):
        return _side_by_side(inputs, wide)
    if isinstance(layer, Unread) and inputs[0] is not None:
        read = any(config.get(name) in readers for name, readers in layer.pointers)
        return inputs[0][:0] if read else inputs[0]
    if isinstance(layer, Part) and inputs[0] is not None:
        part = inputs[0][(layer.first <= inputs[0]) & (inputs[0] < layer.last)]
        return part - layer.first
    if isinstance(layer, Mask):
        width = config.get(layer.hyperparameter)
        return None if inputs[0] is None or width is None else inputs[0][inputs[0] < width]
    if isinstance(layer, Mix):
        value = config.get(layer.hyperparameter)
        inputs = [given for given, selected in zip(inputs, layer.selects(value), strict=True) if selected]
    present = [given for given in inputs if given is not None]
    return present[0] if present and not node.parameters else None


def _cut(
    node: Node,
    shared: Node,
    inputs: list[Channels | None],
    shapes: tuple[Shape, ...],
    wide: tuple[Shape, ...],
    state: Mapping[str, Tensor],
    found: dict[str, Tensor],
) -> Channels:
    """Copy the weights of one node of the network into ``found``; returns the channels of its output."""
    present = [given for given in inputs if given is not None]
    channels = (
        _side_by_side(inputs, wide)
        if isinstance(node.layers[0], Concat)
        else (present[0] if present else np.arange(shapes[0][0]))
    )
    for position, (layer, whole) in enumerate(zip(node.layers, shared.layers, strict=True)):
        inner = "" if len(node.layers) == 1 else f".{position}"
        own, prefix = f"{node.name}{inner}", f"{shared.name}{inner}"
        shape, wide_shape = layer.account(*shapes).shape, whole.account(*wide).shape
        if isinstance(layer, Loop) and isinstance(whole, Loop):
            cell = {n.removeprefix(f"{prefix}.cell."): t for n, t in state.items() if n.startswith(f"{prefix}.cell.")}
            found |= {f"{own}.cell.{n}": t for n, t in extract(whole.cell, layer.cell, cell).items()}
            return np.arange(layer.account(*shapes).shape[0])
        after = _output(layer, channels, wide[0], shape[0])
        for name, tensor in state.items():
            if name.startswith(f"{prefix}."):
                found[own + name.removeprefix(prefix)] = _slice(
                    layer, tensor, after, channels, wide_shape[0], wide[0][0]
                )
        shapes, wide, channels = (shape,), (wide_shape,), after
    return channels


def _side_by_side(inputs: Sequence[Channels | None], wide: Sequence[Shape]) -> Channels:
    offsets = np.cumsum([0, *(shape[0] for shape in wide)])
    pairs = zip(inputs, offsets, strict=False)
    return np.concatenate([given + offset for given, offset in pairs if given is not None])


def _output(layer: Layer, channels: Channels, wide: Shape, out: int) -> Channels:
    """Channels of the layer's output: those that came in, or the first ``out`` of new ones."""
    if isinstance(layer, Flatten):
        block = math.prod(wide[1:])
        return (channels[:, None] * block + np.arange(block)).ravel()
    return np.arange(out) if layer.mixes_channels or len(channels) != out else channels


def _slice(layer: Layer, tensor: Tensor, after: Channels, before: Channels, outputs: int, inputs: int) -> Tensor:
    """The part of one weight, given the channels of output and input; the supernet has ``outputs`` and ``inputs``."""
    if isinstance(layer, Deconv):
        return tensor[before][:, after].clone()
    if len(after) < outputs and tensor.ndim:
        if not isinstance(layer, Conv | Dense | Norm):
            raise NotImplementedError(f"{type(layer).__name__} of a chosen width: give it a fixed width.")
        tensor = tensor[after]
    depthwise = isinstance(layer, Conv) and layer.groups == 0
    if tensor.ndim > 1 and not depthwise and len(before) < inputs:
        tensor = tensor[:, before]
    return tensor.clone()
