"""Networks that choose their path by example: layers of different modules behind a gate (Ramachandran & Le 2018).

In the supernet every module, and the number of modules that an example uses, is a choice behind one gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Conv, Norm, Pool
from autonas.architectures.layers_routing import Expert, Route, Routes
from autonas.architectures.operations import check_operations, classify, operation
from autonas.errors import OptionError

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "layers": 3,
    "modules": 4,
    "operations": ["conv_1x1", "conv_3x3", "conv_5x5", "sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "max_pool_3x3"],
    "channels": 24,
    "dropout": 0.0,
}
view = image_view


def space(settings: Mapping[str, Any]) -> Section:
    """``module_<l>_<m>``: what module m of layer l is; ``k_<l>``: how many of them an example uses."""
    check_operations(settings["operations"])
    if {"none", "identity"} & set(settings["operations"]):
        raise OptionError("a module of a routed layer computes something: leave out 'none' and 'identity'")
    modules = int(settings["modules"])
    found = []
    for layer in range(1, int(settings["layers"]) + 1):
        found.append(number(f"k_{layer}", list(range(1, modules + 1)), min(2, modules)))
        for m in range(1, modules + 1):
            usual = settings["operations"][(m - 1) % len(settings["operations"])]
            found.append(architectural(f"module_{layer}_{m}", settings["operations"], usual))
    return {"hyperparameters": found}


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Stem, routed layers with a pool between them, classifier."""
    options, channels = graph.options, int(graph.options["channels"])
    x = graph.apply("stem", graph.input, [Conv(channels, 3), Norm(), Activation()], "conv_3x3")
    for layer in range(1, int(options["layers"]) + 1):
        if layer > 1:
            x = graph.apply(f"pool_{layer}", x, [Pool("max", 2, 2)], "max_pool_2x2")
        x = _route(graph, layer, x, channels)
    return classify(graph, graph.apply("final", x, [Norm(), Activation()]), n_outputs, float(options["dropout"]))


def _route(graph: Graph, layer: int, x: Value, channels: int) -> Value:
    modules = [f"module_{layer}_{m}" for m in range(1, int(graph.options["modules"]) + 1)]

    def expert(name: str) -> Expert:
        return tuple(operation(name, channels, channels) or ())

    if graph.relaxed:
        cases = tuple((name, expert(name)) for name in graph.options["operations"])
        values = tuple(range(1, len(modules) + 1))
        routes = Routes(tuple((module, cases) for module in modules), f"k_{layer}", values)
        return graph.apply(f"route_{layer}", x, [routes])
    names = [str(graph.options[module]) for module in modules]
    k = int(graph.options[f"k_{layer}"])
    route = Route(tuple(expert(name) for name in names), k)
    return graph.apply(f"route_{layer}", x, [route], f"route_{k}_{'_'.join(names)}")
