"""Blueprints and modules: a network of pointers to a few module species (Miikkulainen et al 2017; Liang et al 2018).

A module is a small graph of convolutions; a blueprint is a graph whose nodes each point to a species.  Wherever a
species is pointed to, its module appears with the same structure and weights of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.graph import Case, Graph, Value
from autonas.architectures.layers import Activation, Conv, Drop, Layer, Norm, Pool
from autonas.architectures.operations import classify

__all__ = ["BATCHED", "SETTINGS", "construct", "space", "view"]

BATCHED = False
SETTINGS: dict[str, Any] = {
    "species": 3,
    "module_nodes": 3,
    "blueprint_nodes": 4,
    "filters": [8, 16, 32],
    "kernels": [1, 3],
    "channels": 16,
    "pools": 2,  # evenly between the nodes of the blueprint
    "dropout": 0.0,
}
view = image_view


def space(settings: Mapping[str, Any]) -> Section:
    """``pointer_<p>`` and ``link_<q>_<p>`` of the blueprint; filters, kernels, dropout and links of each species."""
    section: Section = {"hyperparameters": [], "conditions": []}
    found = section["hyperparameters"]
    species = list(range(1, int(settings["species"]) + 1))
    for p in range(1, int(settings["blueprint_nodes"]) + 1):
        found.append(architectural(f"pointer_{p}", species, species[(p - 1) % len(species)]))
        found += [architectural(f"link_{q}_{p}", ["no", "yes"]) for q in range(1, p - 1)]
    for s in species:
        found.append(number(f"species_{s}_nodes", list(range(1, int(settings["module_nodes"]) + 1))))
        found.append(number(f"species_{s}_dropout", [0.0, 0.2, 0.4, 0.6]))
        for i in range(1, int(settings["module_nodes"]) + 1):
            mine = [
                number(f"species_{s}_filters_{i}", settings["filters"]),
                number(f"species_{s}_kernel_{i}", settings["kernels"], settings["kernels"][-1]),
                *(architectural(f"species_{s}_link_{j}_{i}", ["no", "yes"]) for j in range(1, i - 1)),
            ]
            found += mine
            if i > 1:
                exists = {"type": "GT", "parent": f"species_{s}_nodes", "value": i - 1}
                section["conditions"] += [{**exists, "child": h["name"]} for h in mine]
    return section


def construct(graph: Graph, n_outputs: int) -> Graph:
    """The blueprint with a module in place of each pointer; links between its nodes are added."""
    options, channels = graph.options, int(graph.options["channels"])
    x = graph.apply("stem", graph.input, [Conv(channels, 3), Norm(), Activation()])
    nodes, pools = int(options["blueprint_nodes"]), int(options["pools"])
    reducing = [round(nodes * (k + 1) / (pools + 1)) for k in range(pools)]
    states: list[Value] = [x]
    for p in range(1, nodes + 1):
        reads = [states[-1], *(graph.optional(f"link_{q}_{p}", states[q]) for q in range(1, p - 1))]
        read = graph.add(f"blueprint_{p}", reads)
        assert read is not None
        species = range(1, int(options["species"]) + 1)
        kinds: list[Case] = [
            ((s,), partial(_module, graph, f"node_{p}_species_{s}", read, s, channels)) for s in species
        ]
        made = graph.choose(f"pointer_{p}", kinds, f"node_{p}")
        assert made is not None
        states.append(made)
        if p in reducing and p < nodes:
            pool = [Pool("max", 2, 2)]
            states = [graph.apply(f"pool_{p}_{k}", state, pool) for k, state in enumerate(states)]
    return classify(graph, states[-1], n_outputs, float(options["dropout"]))


def _module(graph: Graph, name: str, x: Value, species: int, out: int) -> Value:
    """The module of a species; its last node is projected to the width of the blueprint.

    Nodes, filters and links of a module are never relaxed: they are the numbers of channels inside it.
    """
    options = graph.options
    values = [x]
    for i in range(1, int(options[f"species_{species}_nodes"]) + 1):
        links = [values[j] for j in range(1, i - 1) if options[f"species_{species}_link_{j}_{i}"] == "yes"]
        read = graph.concat(f"{name}_read_{i}", [values[-1], *links])
        kernel = int(options[f"species_{species}_kernel_{i}"])
        layers: list[Layer] = [Conv(int(options[f"species_{species}_filters_{i}"]), kernel), Norm(), Activation()]
        values.append(graph.apply(f"{name}_conv_{i}", read, layers, f"conv_{kernel}x{kernel}"))
    drop = float(options[f"species_{species}_dropout"])
    project: list[Layer] = [Conv(out, 1), Norm(), Activation(), *([Drop(drop)] if drop else [])]
    return graph.apply(f"{name}_project", values[-1], project, "conv_1x1")
