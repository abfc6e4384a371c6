"""The survey's operations by name, each as the layers that it stands for.

A name says kind and size: ``conv_3x3``, ``sep_conv_5x5`` (Chollet 2016), ``dil_conv_3x3`` (Yu & Koltun 2016),
``conv_1x7_7x1`` (Szegedy et al 2016), ``max_pool_3x3``, ``avg_pool_3x3``, ``identity``, ``none``, and the rarer
``depthwise_3x3``, ``group_conv_3x3``, and whole blocks: ``basic_3x3`` (two convolutions) and ``bottleneck_3x3`` (He et
al 2016), ``group_bottleneck_3x3`` (its branches as groups; Xie et al 2017), ``dense_3x3`` (1x1, then 3x3; Huang et al
2017).  ``order`` says where normalisation and activation stand: cells have "pre" (activation, convolution,
normalisation), chains "post" (convolution first), dense networks "full" (normalisation, activation, convolution).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from autonas.architectures.graph import Graph, Value, Width
from autonas.architectures.layers import (
    Activation,
    Conv,
    Dense,
    Drop,
    DropPath,
    FactorisedReduce,
    GlobalPool,
    Layer,
    Norm,
    Pool,
)  # fmt: skip
from autonas.errors import ArchitectureError, unknown

__all__ = ["KINDS", "check_operations", "classify", "join", "operation"]

KINDS = (
    "avg_pool", "basic", "bottleneck", "conv", "dense", "depthwise", "dil_conv", "group_bottleneck", "group_conv",
    "identity", "max_pool", "none", "sep_conv",
)  # fmt: skip
_NAME = re.compile(r"([a-z]+(?:_[a-z]+)*?)((?:_\d+x\d+)*)")


def check_operations(names: Sequence[Any]) -> None:
    """Refuse what is not a list of operations, with the near names."""
    for name in names:
        _parse(str(name))


def _parse(name: str) -> tuple[str, tuple[tuple[int, int], ...]]:
    match = _NAME.fullmatch(name)
    if match is None or match[1] not in KINDS:
        known = [kind if kind in ("identity", "none") else f"{kind}_3x3" for kind in KINDS]
        raise unknown("operation", name, known)
    sizes = tuple((int(a), int(b)) for a, b in re.findall(r"(\d+)x(\d+)", match[2]))
    if any(k % 2 == 0 for size in sizes for k in size):
        raise unknown("operation", name, ("conv_3x3",), "Kernels are odd, so that sizes stay.")
    if bool(sizes) == (match[1] in ("identity", "none")) or (len(sizes) > 1 and match[1] != "conv"):
        raise unknown("operation", name, ("conv_3x3", "conv_1x7_7x1", "identity", "none"))
    return match[1], sizes


def _unit(order: str, convs: Sequence[Layer], activation: str, affine: bool) -> list[Layer]:
    """Convolutions with one normalisation and one activation."""
    if order == "pre":
        return [Activation(activation), *convs, Norm(affine)]
    if order == "full":
        return [Norm(affine), Activation(activation), *convs]
    return [*convs, Norm(affine), Activation(activation)]


def operation(
    name: str,
    channels: int,
    out: int,
    stride: int = 1,
    *,
    order: str = "pre",
    activation: str = "relu",
    affine: bool = True,
    groups: int = 8,
    pool_norm: bool = False,
    drop_path: float = 0.0,
) -> list[Layer] | None:
    """The layers of an operation.

    Parameters
    ----------
    name : str
    channels, out : int
        Channels that come in and that go out.
    stride : int
    order : {"pre", "post", "full"}
    activation : str
    affine : bool
        Whether normalisations have weights.
    groups : int
        Of group convolutions and group bottlenecks.
    pool_norm : bool
        Whether a normalisation follows a pool, as in the shared weights of Liu et al 2018b.
    drop_path : float
        Probability at the end of training with which the whole operation is dropped (Zoph et al 2018).

    Returns
    -------
    list of Layer, empty for the identity; None for "none".

    Raises
    ------
    OptionError
        For a name that is none.
    """
    kind, sizes = _parse(name)

    def unit(*convs: Layer) -> list[Layer]:
        return _unit(order, convs, activation, affine)

    if kind == "none":
        return None
    if kind == "identity" and stride == 1 and channels == out:
        return []
    layers = _layers(kind, sizes, channels, out, stride, unit, activation, affine, groups)
    if kind.endswith("pool") and pool_norm:
        layers = [*layers, Norm(affine)]
    return [*layers, DropPath(drop_path)] if drop_path else layers


def _layers(
    kind: str,
    sizes: tuple[tuple[int, int], ...],
    channels: int,
    out: int,
    stride: int,
    unit: Callable[..., list[Layer]],
    activation: str,
    affine: bool,
    groups: int,
) -> list[Layer]:
    if kind == "identity":
        if stride == 1:
            return unit(Conv(out, 1))
        return [Activation(activation), FactorisedReduce(out, affine)]
    kernel = sizes[0] if len(set(sizes[0])) > 1 else sizes[0][0]
    if kind == "conv":
        if len(sizes) == 1:
            return unit(Conv(out, kernel, stride))
        first, *rest = (Conv(out, size, stride if number == 0 else 1) for number, size in enumerate(sizes))
        return unit(first, *rest)
    if kind in ("max_pool", "avg_pool"):
        project = unit(Conv(out, 1)) if channels != out else []
        return [*project, Pool(kind[:3], sizes[0][0], stride)]
    if kind == "sep_conv":
        again = unit(Conv(0, kernel, 1, groups=0), Conv(out, 1))
        return [*unit(Conv(0, kernel, stride, groups=0), Conv(channels, 1)), *again]
    if kind == "dil_conv":
        return unit(Conv(0, kernel, stride, 2, groups=0), Conv(out, 1))
    if kind == "depthwise":
        return [*unit(Conv(0, kernel, stride, groups=0)), *(unit(Conv(out, 1)) if channels != out else [])]
    if kind == "group_conv":
        return unit(Conv(out, kernel, stride, groups=groups))
    if kind == "basic":
        return [*unit(Conv(out, kernel, stride)), *unit(Conv(out, kernel))]
    if kind == "dense":
        return [*unit(Conv(4 * out, 1)), *unit(Conv(out, kernel, stride))]
    # groups have few weights, so that as many give twice the channels (Xie et al 2017, table 1)
    middle, groups = (max(1, out // 2), groups) if kind == "group_bottleneck" else (max(1, out // 4), 1)
    return [*unit(Conv(middle, 1)), *unit(Conv(middle, kernel, stride, groups=groups)), *unit(Conv(out, 1))]


def join(graph: Graph, name: str, x: Value, operation_name: str, out: Any, stride: int = 1, **how: Any) -> Value | None:
    """Apply an operation in a graph; ``out`` may be a width that is a choice, and "none" gives None: nothing to add."""
    most = out.most if isinstance(out, Width) else int(out)
    layers = operation(operation_name, x.channels, most, stride, **how)
    if layers is None:
        return None
    return graph.apply(name, x, layers, operation_name, out) if layers or isinstance(out, Width) else x


def classify(graph: Graph, x: Value, n_outputs: int, dropout: float = 0.0, prune: bool = True) -> Graph:
    """Global mean and a linear layer."""
    if not x.spatial:
        raise ArchitectureError("a map was required in front of the classifier, given a vector")
    drop = [Drop(dropout)] if dropout else []
    return graph.finish(graph.apply("classifier", x, [GlobalPool(), *drop, Dense(n_outputs)], "output"), prune)
