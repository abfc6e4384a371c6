"""Multi-branch networks: layers with optional skips from all earlier ones (survey, section 2, equation 1).

Every layer applies an operation to what it reads and may read, besides its predecessor, any earlier layer: the reads
are concatenated (Zoph & Le 2017; ENAS's macro space, Pham et al 2018) or added.  A chain is the point without skips; a
residual network that with every second skip and sums; a dense network that with all skips and concatenation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, map_view, number
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, FactorisedReduce, Norm
from autonas.architectures.operations import check_operations, classify, join
from autonas.errors import unknown

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "min_layers": 6,
    "max_layers": 6,
    "operations": ["conv_3x3", "conv_5x5", "sep_conv_3x3", "sep_conv_5x5", "max_pool_3x3", "avg_pool_3x3"],
    "merges": ["concat"],
    "channels": 24,
    "pools": 2,  # reductions, evenly between the layers
    "order": "post",
    "activation": "relu",
    "view": "image",  # or "series"
    "dropout": 0.0,
}
view = map_view


def space(settings: Mapping[str, Any]) -> Section:
    """``layers``; ``op_<i>`` and ``skip_<j>_<i>`` of each layer; ``merge`` if both are allowed."""
    check_operations(settings["operations"])
    least, most = int(settings["min_layers"]), int(settings["max_layers"])
    for merge in settings["merges"]:
        if merge not in ("add", "concat"):
            raise unknown("merge", merge, ("add", "concat"))
    section: Section = {"hyperparameters": [number("layers", list(range(least, most + 1)))], "conditions": []}
    if len(settings["merges"]) > 1:
        section["hyperparameters"].append(architectural("merge", settings["merges"]))
    for i in range(1, most + 1):
        names = [architectural(f"op_{i}", settings["operations"])]
        names += [architectural(f"skip_{j}_{i}", ["no", "yes"]) for j in range(1, i - 1)]
        section["hyperparameters"] += names
        if i > least:
            exists = {"type": "GT", "parent": "layers", "value": i - 1}
            section["conditions"] += [{**exists, "child": h["name"]} for h in names]
    return section


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The layers, and the classifier on the last."""
    channels = int(graph.options["channels"])
    x = graph.apply("stem", graph.input, [Conv(channels, 3), Norm()])
    most, pools = int(graph.options["max_layers"]), int(graph.options["pools"])
    reducing = [round(most * (k + 1) / (pools + 1)) for k in range(pools)]
    states = [x]
    # the number of layers is never relaxed: networks that stop earlier have another resolution
    layers = int(graph.options["layers"])
    for i in range(1, layers + 1):
        states.append(_layer(graph, i, states))
        if i in reducing and i < layers:
            reduce = [Activation(), FactorisedReduce(channels)]
            states = [graph.apply(f"reduce_{i}_{j}", state, reduce) for j, state in enumerate(states)]
    return classify(graph, states[-1], n_outputs, float(graph.options["dropout"]))


def _layer(graph: Graph, i: int, states: Sequence[Value]) -> Value:
    reads = _reads(graph, i, states)
    out = states[-1].channels
    how = {"order": graph.options["order"], "activation": graph.options["activation"]}

    def added() -> Value:
        total = graph.add(f"layer_{i}_add", reads)
        assert total is not None
        return total

    def concatenated() -> Value:
        side_by_side = graph.concat(f"layer_{i}_concat", [v for v in reads if v is not None])
        project = [Conv(out, 1), Norm(), Activation(str(how["activation"]))]
        return graph.apply(f"layer_{i}_project", side_by_side, project)

    merges = {"add": added, "concat": concatenated}
    allowed = list(graph.options["merges"])
    x = (
        merges[allowed[0]]()
        if len(allowed) == 1
        else graph.choose("merge", [((name,), merges[name]) for name in allowed], f"layer_{i}_merge")
    )
    assert x is not None
    cases = [((o,), partial(join, graph, f"layer_{i}_{o}", x, o, out, **how)) for o in graph.options["operations"]]
    made = graph.choose(f"op_{i}", cases, f"layer_{i}")
    assert made is not None
    return made


def _reads(graph: Graph, i: int, states: Sequence[Value]) -> list[Value | None]:
    """The predecessor, and what the skips add to it."""
    return [states[-1], *(graph.optional(f"skip_{j}_{i}", states[j]) for j in range(1, i - 1))]
