"""A vision pipeline with fixed filters and a linear classifier, in the manner of Bergstra et al 2013.

One to four layers, each a filter bank (random, patches of the images, or their principal components), a rectifier,
local pooling and a local normalisation; then means over a grid.  The space is as large as the paper's and nested as
it is there: a pipeline of each depth has hyperparameters of its own.  It is not the paper's space: names and ranges
are ours, a regularised linear model takes the place of the support vector machine, and what compares two faces is
left out.  The learner is ``autonas.training.learners.filterbank``; built without it, a bank has random filters.

In the supernet the hyperparameters of the whole but ``depth`` are fixed, and so are numbers of filters, numbers that
are no sizes, and switches.  Kinds and sizes are relaxed, as far as they do not change a shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

from autonas.architectures.family import ROLE, Section, architectural, image_view, number
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Account, Dense, Flatten, Layer, Shape

if TYPE_CHECKING:
    from torch import nn

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {"depths": [1, 2, 3, 4]}
KINDS = ("uniform", "normal", "patches", "pca")
SIZES = (3, 5, 7)  # of filters and neighbourhoods
CORRELATIONS = ("plain", "normalised")
RECTIFIERS = ("none", "half", "both", "abs")
POOLS = ("mean", "norm", "max")
POOL_SIZES = (2, 3, 4, 5)
STRIDES = (1, 2)
view = image_view

Given = tuple[dict[str, Any], dict[str, Any] | None]
"""A hyperparameter, and on which value of which parent it depends."""


def _float(name: str, lower: float, upper: float, default: float, log: bool = False) -> dict[str, Any]:
    bounds = {"lower": lower, "upper": upper, "default_value": default, "log": log}
    return {"name": name, "type": "uniform_float", **bounds}


def _switch(name: str, default: str) -> dict[str, Any]:
    return {"name": name, "type": "categorical", "choices": ["no", "yes"], "default_value": default}


def _whole() -> list[Given]:
    """Hyperparameters of the pipeline that every depth has."""
    return [
        (number("resolution", [0.5, 0.75, 1.0], 1.0), None),
        (architectural("colour", ["keep", "grey"]), None),
        (_switch("contrast", "yes"), None),
        (_float("contrast_floor", 0.01, 1.0, 0.1, log=True), {"parent": "contrast", "value": "yes"}),
        (number("grid", [1, 2, 3, 4], 2), None),
        (_switch("standardise", "yes"), None),
        (_float("strength", 0.0001, 10.0, 0.02, log=True), None),
    ]


def _layer(p: str) -> list[Given]:
    """The 23 hyperparameters of one layer, whose names begin with ``p``."""
    filters = {"type": "uniform_int", "lower": 8, "upper": 64, "log": True, "default_value": 32, "meta": ROLE}
    found: list[Given] = [
        (architectural(f"{p}kind", KINDS, "patches"), None),
        (number(f"{p}size", SIZES, 5), None),
        (_switch(f"{p}uniform_zero_mean", "yes"), {"parent": f"{p}kind", "value": "uniform"}),
        (_switch(f"{p}normal_zero_mean", "yes"), {"parent": f"{p}kind", "value": "normal"}),
        (_switch(f"{p}patches_whiten", "yes"), {"parent": f"{p}kind", "value": "patches"}),
        (_float(f"{p}patches_ridge", 0.001, 1.0, 0.1, True), {"parent": f"{p}patches_whiten", "value": "yes"}),
        ({"name": f"{p}pca_skip", "type": "uniform_int", "lower": 0, "upper": 3, "default_value": 0},
         {"parent": f"{p}kind", "value": "pca"}),
        (architectural(f"{p}correlation", CORRELATIONS, "normalised"), None),
        (_float(f"{p}correlation_floor", 0.0001, 1.0, 0.01, True),
         {"parent": f"{p}correlation", "value": "normalised"}),
        (architectural(f"{p}rectify", RECTIFIERS, "both"), None),
        (_float(f"{p}half_threshold", 0.0, 2.0, 0.5), {"parent": f"{p}rectify", "value": "half"}),
        (_float(f"{p}both_threshold", 0.0, 2.0, 0.5), {"parent": f"{p}rectify", "value": "both"}),
        (architectural(f"{p}pool", POOLS), None),
        (_float(f"{p}pool_order", 1.0, 10.0, 2.0, True), {"parent": f"{p}pool", "value": "norm"}),
        (number(f"{p}pool_size", POOL_SIZES, 3), None),
        (number(f"{p}pool_stride", STRIDES, 2), None),
        (_switch(f"{p}local_norm", "no"), None),
        (number(f"{p}local_norm_size", SIZES, 5), {"parent": f"{p}local_norm", "value": "yes"}),
        (_float(f"{p}local_norm_floor", 0.01, 1.0, 0.1, True), {"parent": f"{p}local_norm", "value": "yes"}),
    ]  # fmt: skip
    return found + [
        ({"name": f"{p}{kind}_filters", **filters}, {"parent": f"{p}kind", "value": kind}) for kind in KINDS
    ]


def _prefix(depth: int, i: int) -> str:
    return f"depth_{depth}_layer_{i}_"


def space(settings: Mapping[str, Any]) -> Section:
    """``depth``, seven hyperparameters of the whole, and ``depth_<d>_layer_<i>_...`` of every layer of every depth."""
    depths = sorted(settings["depths"])
    found: Section = {"hyperparameters": [number("depth", depths)], "conditions": []}
    layers = [(d, given) for d in depths for i in range(1, d + 1) for given in _layer(_prefix(d, i))]
    for depth, (hyperparameter, parent) in [(None, given) for given in _whole()] + layers:
        found["hyperparameters"].append(hyperparameter)
        of_depth = {"parent": "depth", "value": depth} if depth is not None and len(depths) > 1 else None
        if on := parent or of_depth:
            found["conditions"].append({"type": "EQ", "child": hyperparameter["name"], **on})
    return found


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The pipeline, and the linear classifier."""
    declared = space(graph.options)["hyperparameters"]
    options = {**{h["name"]: h.get("default_value", h.get("value")) for h in declared}, **graph.options}
    graph.options = options
    layers: list[Layer] = [_Shrink(float(options["resolution"]), options["colour"] == "grey")]
    if options["contrast"] == "yes":
        layers.append(_Contrast(float(options["contrast_floor"])))
    x = graph.apply("image", graph.input, layers)

    def pipeline(depth: int) -> Value:
        made = x
        with graph.case(depth):
            for i in range(1, depth + 1):
                p = _prefix(depth, i)
                own = {name.removeprefix(p): value for name, value in options.items() if name.startswith(p)}
                with graph.scope(f"layer{i}"):
                    made = _layer_of(graph, made, p, own)
            flat = graph.apply("grid", made, [_Grid(int(options["grid"])), Flatten()])
            return graph.apply("output", flat, [Dense(n_outputs)], "output")

    return graph.finish(graph.select("depth", [((d,), partial(pipeline, d)) for d in sorted(options["depths"])]))


def _layer_of(graph: Graph, x: Value, p: str, own: Mapping[str, Any]) -> Value:
    """One layer, whose hyperparameters are ``own`` with the prefix ``p``."""

    def bank(**chosen: Any) -> Value:
        with graph.case("_".join(map(str, chosen.values()))):
            return graph.apply("filters", x, [_bank({**own, **chosen})], str(chosen["kind"]))

    x = _each(graph, p, "filters", {"kind": KINDS, "size": SIZES, "correlation": CORRELATIONS}, bank)

    def rectify(rectify: str, x: Value = x) -> Value:
        if rectify == "none":
            return x
        with graph.case(rectify):
            layer = _Rectify(rectify, float(own.get(f"{rectify}_threshold", 0.0)))
            return graph.apply("rectify", x, [layer], rectify)

    x = _each(graph, p, "rectify", {"rectify": RECTIFIERS}, rectify)

    def pool(x: Value = x, **chosen: Any) -> Value:
        with graph.case("_".join(map(str, chosen.values()))):
            layer = _Pool(chosen["pool"], chosen["pool_size"], chosen["pool_stride"], float(own["pool_order"]))
            return graph.apply("pool", x, [layer], str(chosen["pool"]))

    x = _each(graph, p, "pool", {"pool": POOLS, "pool_size": POOL_SIZES, "pool_stride": STRIDES}, pool)

    def norm(local_norm_size: int, x: Value = x) -> Value:
        with graph.case(local_norm_size):
            return graph.apply("norm", x, [_Norm(local_norm_size, float(own["local_norm_floor"]))], "local_norm")

    return _each(graph, p, "norm", {"local_norm_size": SIZES}, norm) if own["local_norm"] == "yes" else x


def _each(graph: Graph, p: str, name: str, values: Mapping[str, Sequence[Any]], make: Callable[..., Value]) -> Value:
    """A choice among the values of the first hyperparameter, in each case of which one among those of the next."""
    (first, cases), *rest = values.items()

    def case(value: Any) -> Value:
        chosen = partial(make, **{first: value})
        return _each(graph, p, f"{name}_{value}", dict(rest), chosen) if rest else chosen()

    return graph.select(f"{p}{first}", [((value,), partial(case, value)) for value in cases], name, alike=True)


def _bank(own: Mapping[str, Any]) -> _Bank:
    kind = own["kind"]
    return _Bank(
        kind,
        int(own[f"{kind}_filters"]),
        int(own["size"]),
        zero_mean=own.get(f"{kind}_zero_mean") == "yes",
        whiten=float(own["patches_ridge"]) if kind == "patches" and own["patches_whiten"] == "yes" else 0.0,
        skip=int(own["pca_skip"]) if kind == "pca" else 0,
        floor=float(own["correlation_floor"]) if own["correlation"] == "normalised" else -1.0,
    )


@dataclass(frozen=True)
class _Shrink(Layer):
    resolution: float
    grey: bool

    def account(self, *shapes: Shape) -> Account:
        (shape,) = shapes
        sides = tuple(max(1, round(self.resolution * side)) for side in shape[1:])
        return Account((1 if self.grey else shape[0], *sides))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.filters import Shrink

        height, width = self.account(*shapes).shape[1:]
        return Shrink((height, width), self.grey)


@dataclass(frozen=True)
class _Contrast(Layer):
    floor: float

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0])

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.filters import Contrast

        return Contrast(self.floor)


@dataclass(frozen=True)
class _Bank(Layer):
    """See :class:`autonas.architectures.filters.FilterBank`; a patch has no more components than numbers."""

    kind: str
    filters: int
    size: int
    zero_mean: bool
    whiten: float
    skip: int
    floor: float

    @property
    def mixes_channels(self) -> bool:
        return True

    def account(self, *shapes: Shape) -> Account:
        (shape,) = shapes
        patch = shape[0] * self.size**2
        filters = min(self.filters, patch - self.skip) if self.kind == "pca" else self.filters
        return Account((filters, *shape[1:]), 0, patch * filters * prod(shape[1:]))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.filters import FilterBank

        filters = self.account(*shapes).shape[0]
        return FilterBank(
            shapes[0][0], filters, self.size, self.kind, self.zero_mean, self.whiten, self.skip, self.floor
        )


@dataclass(frozen=True)
class _Rectify(Layer):
    how: str
    threshold: float

    def account(self, *shapes: Shape) -> Account:
        (shape,) = shapes
        return Account((shape[0] * (2 if self.how == "both" else 1), *shape[1:]))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.filters import Rectify

        return Rectify(self.how, self.threshold)


@dataclass(frozen=True)
class _Pool(Layer):
    how: str
    size: int
    stride: int
    order: float

    def account(self, *shapes: Shape) -> Account:
        (shape,) = shapes
        return Account((shape[0], *((side - min(self.size, side)) // self.stride + 1 for side in shape[1:])))

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.filters import LocalPool

        return LocalPool(self.how, self.size, self.stride, self.order)


@dataclass(frozen=True)
class _Norm(Layer):
    size: int
    floor: float

    def account(self, *shapes: Shape) -> Account:
        return Account(shapes[0])

    def module(self, *shapes: Shape) -> nn.Module:
        from autonas.architectures.filters import LocalNorm

        return LocalNorm(self.size, self.floor)


@dataclass(frozen=True)
class _Grid(Layer):
    """Means over a grid of equal parts."""

    side: int

    def account(self, *shapes: Shape) -> Account:
        (shape,) = shapes
        return Account((shape[0], *(min(self.side, length) for length in shape[1:])))

    def module(self, *shapes: Shape) -> nn.Module:
        from torch import nn

        return nn.AdaptiveAvgPool2d(self.account(*shapes).shape[1:])
