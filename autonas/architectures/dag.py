"""Multi-branch networks: layers with optional skips from all earlier ones (survey, section 2, equation 1).

Every layer applies an operation and may read, besides its predecessor, any earlier layer.  ``merge`` says where what it
reads meets: in front of the operation, added ("add") or concatenated and projected ("concat": Zoph & Le 2017; ENAS's
macro space, Pham et al 2018), or behind it, added to what the operation makes ("residual") or beside it ("dense").  A
chain is "add" without skips; residual networks (He et al 2016), those with many branches (groups; Xie et al 2017) and
dense ones (Huang et al 2017) need no further skips.  Left out: stages of different depth, which ``residual`` has, and
cells of layers that repeat, which ``denseblock`` has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, map_view, number
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import (
    Activation,
    Conv,
    FactorisedReduce,
    Layer,
    Norm,
    PadChannels,
    Pool,
    Shape,
    Subsample,
)  # fmt: skip
from autonas.architectures.operations import check_operations, classify, operation
from autonas.errors import OptionError, unknown

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "min_layers": 6,
    "max_layers": 6,
    "operations": ["conv_3x3", "conv_5x5", "sep_conv_3x3", "sep_conv_5x5", "max_pool_3x3", "avg_pool_3x3"],
    "merges": ["concat"],
    "skips": True,  # whether layers may read others than their predecessor
    "channels": 24,  # of a layer; of a "dense" one, those that it adds
    "stem": 0,  # channels; 0: as the layers
    "widen": 1,  # from stage to stage
    "groups": 8,  # of grouped operations: their cardinality
    "pools": 2,  # reductions, evenly between the layers
    "spread": "most",  # between those of the deepest network, or "own": of each network
    "reduction": "factorised",  # of every value; "stride": by a stage's first layer; "transition" (Huang et al 2017)
    "compression": 1.0,  # of the channels by a transition
    "shortcut": "projection",  # to another width or resolution; or "padding", without weights (He et al 2016)
    "order": "post",
    "activation": "relu",
    "view": "image",  # or "series"
    "dropout": 0.0,
}
view = map_view
BEFORE, BEHIND = ("add", "concat"), ("residual", "dense")
_WAYS = {
    "spread": ("most", "own"),
    "reduction": ("factorised", "stride", "transition"),
    "shortcut": ("projection", "padding"),
    "order": ("post", "pre", "full"),
}


def space(settings: Mapping[str, Any]) -> Section:
    """``layers``; ``op_<i>`` and ``skip_<j>_<i>`` of each layer; ``merge`` if several are allowed."""
    check_operations(settings["operations"])
    if "none" in settings["operations"]:
        raise OptionError("a layer requires an operation: 'none' is for edges. Leave it out, or allow 'identity'.")
    least, most = int(settings["min_layers"]), int(settings["max_layers"])
    for merge in settings["merges"]:
        if merge not in BEFORE + BEHIND:
            raise unknown("merge", merge, BEFORE + BEHIND)
    for key, known in _WAYS.items():
        if settings[key] not in known:
            raise unknown(key, settings[key], known)
    section: Section = {"hyperparameters": [number("layers", list(range(least, most + 1)))], "conditions": []}
    if len(settings["merges"]) > 1:
        section["hyperparameters"].append(architectural("merge", settings["merges"]))
    for i in range(1, most + 1):
        names = [architectural(f"op_{i}", settings["operations"])]
        if settings["skips"]:
            names += [architectural(f"skip_{j}_{i}", ["no", "yes"]) for j in range(1, i - 1)]
        section["hyperparameters"] += names
        if i > least:
            exists = {"type": "GT", "parent": "layers", "value": i - 1}
            section["conditions"] += [{**exists, "child": h["name"]} for h in names]
    return section


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The layers, and the classifier on the last."""
    options = graph.options
    width, pools = int(options["channels"]), int(options["pools"])
    spread = int(options["layers"] if options["spread"] == "own" else options["max_layers"])
    reducing = [round(spread * (k + 1) / (pools + 1)) for k in range(pools)]
    states = [_stem(graph, int(options["stem"]) or width)]
    # the number of layers is never relaxed: networks that stop earlier have another resolution
    for i in range(1, int(options["layers"]) + 1):
        starts = i > 1 and i - 1 in reducing
        if starts:
            width *= int(options["widen"])
            states = _reduce(graph, i - 1, states, width)
        stride = 2 if starts and options["reduction"] == "stride" else 1
        behind = _merges(graph)[0] in BEHIND
        states.append((_merge_behind if behind else _merge_before)(graph, i, states, width, stride))
    last = states[-1]
    if options["order"] == "full":
        last = graph.apply("final", last, [Norm(), Activation(str(options["activation"]))])
    return classify(graph, last, n_outputs, float(options["dropout"]))


def _merges(graph: Graph) -> list[str]:
    """The merges between which there is a choice; it is never relaxed where "dense" values have other widths."""
    allowed: list[str] = list(graph.options["merges"])
    relaxes = len(allowed) == 1 or set(allowed) <= set(BEFORE)
    return allowed if relaxes else [str(graph.options["merge"])]


def _after(graph: Graph) -> list[Layer]:
    """What follows a sum: the activation that its last term would have had."""
    post_sum = graph.options["order"] == "post" and _merges(graph) == ["residual"]
    return [Activation(str(graph.options["activation"]))] if post_sum else []


def _stem(graph: Graph, channels: int) -> Value:
    norm = [] if graph.options["order"] == "full" else [Norm()]
    return graph.apply("stem", graph.input, [Conv(channels, 3), *norm, *_after(graph)])


def _reduce(graph: Graph, i: int, states: list[Value], width: int) -> list[Value]:
    """The values behind the last layer of a stage, for the first of the next."""
    options = graph.options
    if options["reduction"] == "factorised":
        reduce = [Activation(), FactorisedReduce(width)]
        return [graph.apply(f"reduce_{i}_{j}", state, reduce) for j, state in enumerate(states)]
    if options["reduction"] == "stride":
        return states
    out = int(states[-1].channels * float(options["compression"]))
    layers = [Norm(), Activation(str(options["activation"])), Conv(out, 1), Pool("avg", 2, 2)]
    return [*states[:-1], graph.apply(f"transition_{i}", states[-1], layers)]


def _merge_before(graph: Graph, i: int, states: Sequence[Value], width: int, stride: int) -> Value:
    """The operation of what is read together."""
    last = states[-1]
    reads = [last, *_skips(graph, i, states, last.shape)]

    def concatenated() -> Value:
        side_by_side = graph.concat(f"layer_{i}_concat", [v for v in reads if v is not None])
        project = [Conv(last.channels, 1), Norm(), Activation(str(graph.options["activation"]))]
        return graph.apply(f"layer_{i}_project", side_by_side, project)

    merges = {"add": lambda: graph.add(f"layer_{i}_add", reads), "concat": concatenated}
    allowed = _merges(graph)
    x = (
        merges[allowed[0]]()
        if len(allowed) == 1
        else graph.choose("merge", [((name,), merges[name]) for name in allowed], f"layer_{i}_merge")
    )
    assert x is not None
    return _operate(graph, i, x, width, stride)


def _merge_behind(graph: Graph, i: int, states: Sequence[Value], width: int, stride: int) -> Value:
    """What is read together with what the operation makes of the predecessor."""
    last = states[-1]
    spatial = tuple(-(-size // stride) for size in last.spatial)
    if _merges(graph) == ["residual"]:
        shape = (width, *spatial)
        reads = [_fit(graph, f"layer_{i}_shortcut", last, shape), *_skips(graph, i, states, shape)]
        total = graph.add(f"layer_{i}_add", [*reads, _operate(graph, i, last, width, stride)])
        assert total is not None
        return graph.apply(f"layer_{i}_after", total, after) if (after := _after(graph)) else total
    kept = _fit(graph, f"layer_{i}_shortcut", last, (last.channels, *spatial))
    skips = [v for v in _skips(graph, i, states, (width, *spatial)) if v is not None]
    return graph.concat(f"layer_{i}_concat", [kept, *skips, _operate(graph, i, last, width, stride)])


def _operate(graph: Graph, i: int, x: Value, width: int, stride: int) -> Value:
    options, after = graph.options, _after(graph)
    how = {key: options[key] for key in ("order", "activation", "groups")}

    def made(name: str) -> Value:
        layers = operation(name, x.channels, width, stride, **how)
        assert layers is not None
        if layers and layers[-1:] == after:
            layers = layers[:-1]
        return graph.apply(f"layer_{i}_{name}", x, layers, name) if layers else x

    found = graph.choose(f"op_{i}", [((name,), partial(made, name)) for name in options["operations"]], f"layer_{i}")
    assert found is not None
    return found


def _skips(graph: Graph, i: int, states: Sequence[Value], shape: Shape) -> list[Value | None]:
    """What the layer reads besides its predecessor, in a given shape."""
    others = range(1, i - 1) if graph.options["skips"] else ()
    fitted = {j: _fit(graph, f"layer_{i}_shortcut_{j}", states[j], shape) for j in others}
    return [graph.optional(f"skip_{j}_{i}", value) for j, value in fitted.items()]


def _fit(graph: Graph, name: str, x: Value, shape: Shape) -> Value:
    """A value in another width, or at a resolution that reductions lead to."""
    if x.shape == shape:
        return x
    stride = 1
    while any(-(-size // stride) > wanted for size, wanted in zip(x.spatial, shape[1:], strict=True)):
        stride *= 2
    ways: dict[str, list[Layer]] = {
        "projection": [Conv(shape[0], 1, stride), Norm()],
        "padding": [Subsample(stride), PadChannels(shape[0])],
    }
    return graph.apply(name, x, ways[graph.options["shortcut"]])
