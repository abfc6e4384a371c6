"""Mutation and crossover of networks whose weights are evolved.

NEAT (Stanley & Miikkulainen 2002) perturbs weights, splits links and adds links, and crosses two nets gene by gene.
GNARL (Angeline et al 1994) knows no crossover; how much it changes is proportional to the temperature, the distance of
the parent from the aim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from autonas.architectures.neatgenes import BIAS, HIDDEN, Net, innovation, outputs_of

__all__ = ["add_link", "add_node", "cross", "gnarl", "neat", "perturb", "start"]

KEPT_DISABLED = 0.75  # chance of a gene that is disabled in a parent to be so in the child
REPLACED = 0.1  # of the weights that mutate; the others are perturbed


def start(settings: Mapping[str, Any], rng: np.random.Generator) -> Net:
    """Inputs and bias linked to outputs, each with a chance; with hidden nodes, over these and directly."""
    net = Net({HIDDEN + 1 + k: _function(settings, rng) for k in range(int(settings["start_hidden"]))})
    sources, outputs = range(int(settings["inputs"]) + 1), outputs_of(settings)
    pairs = [(s, t) for t in (*net.nodes, *outputs) for s in sources] + [(s, t) for t in outputs for s in net.nodes]
    for pair in pairs:
        if rng.random() < settings["start_links"]:
            net.links[pair] = (settings["scale"] * rng.standard_normal(), True)
    return net


def _function(settings: Mapping[str, Any], rng: np.random.Generator) -> str:
    return str(settings["functions"][rng.integers(len(settings["functions"]))])


# --- NEAT ------------------------------------------------------------------------------------------------------------


def neat(net: Net, settings: Mapping[str, Any], rng: np.random.Generator) -> tuple[Net, tuple]:
    """Weights with a chance of 0.8, a node and a link with their rates; weights if else nothing would change."""
    child, edit = net.copy(), []
    if rng.random() < settings["node_rate"]:
        edit += add_node(child, settings, rng)
    if rng.random() < settings["link_rate"]:
        edit += add_link(child, settings, rng)
    if rng.random() < settings["weight_rate"] or not edit:
        perturb(child, settings, rng)
        edit.append(("weights",))
    return child, tuple(edit)


def perturb(net: Net, settings: Mapping[str, Any], rng: np.random.Generator) -> None:
    """Most weights take a step, a tenth of them are drawn anew."""
    replaced = rng.random(len(net.links)) < REPLACED
    steps = rng.standard_normal(len(net.links))
    for (link, (weight, enabled)), new, step in zip(net.links.items(), replaced, steps, strict=True):
        net.links[link] = (float(settings["scale"] * step if new else weight + settings["step"] * step), enabled)


def add_node(net: Net, settings: Mapping[str, Any], rng: np.random.Generator) -> list[tuple]:
    """Split a link: 1 on the way in, the old weight on the way out."""
    open_ = [link for link, (_, enabled) in net.links.items() if enabled and link[0] != BIAS]
    if not open_:
        return []
    source, target = open_[rng.integers(len(open_))]
    times = 0
    while innovation(source, target, times) in net.nodes:
        times += 1
    node = innovation(source, target, times)
    net.nodes[node] = _function(settings, rng)
    weight = net.links[source, target][0]
    net.links |= {(source, target): (weight, False), (source, node): (1.0, True), (node, target): (weight, True)}
    return [("add_node", source, target, node)]


def add_link(
    net: Net, settings: Mapping[str, Any], rng: np.random.Generator, weight: float | None = None
) -> list[tuple]:
    """A link between nodes that have none; forwards, unless the settings allow recurrent ones."""
    outputs = outputs_of(settings)
    recurrent = bool(settings["recurrent"])
    sources = [*range(int(settings["inputs"]) + 1), *net.nodes, *(outputs if recurrent else ())]
    targets = [*net.nodes, *outputs]
    for _ in range(20):
        source, target = sources[rng.integers(len(sources))], targets[rng.integers(len(targets))]
        if (source, target) not in net.links and (recurrent or not net.reaches(target, source)):
            net.links[source, target] = (settings["scale"] * rng.standard_normal() if weight is None else weight, True)
            return [("add_link", source, target)]
    return []


def cross(a: Net, b: Net, rng: np.random.Generator) -> Net:
    """All genes of ``a``, the better parent; the weight of those that ``b`` has, too, from either."""
    child = Net(dict(a.nodes), {})
    draws = rng.random((len(a.links), 2))
    for (link, (weight, enabled)), (own, kept) in zip(a.links.items(), draws, strict=True):
        other = b.links.get(link)
        if other is None:
            child.links[link] = (weight, enabled)
        else:
            both = enabled and other[1]
            child.links[link] = (weight if own < 0.5 else other[0], both or bool(kept >= KEPT_DISABLED))
    return child


# --- GNARL -----------------------------------------------------------------------------------------------------------


def gnarl(net: Net, settings: Mapping[str, Any], rng: np.random.Generator) -> tuple[Net, tuple]:
    """Every weight takes a step; then nodes or links come or go, the more of them the higher the temperature."""
    child = net.copy()
    heat = rng.random() * float(settings["temperature"])
    for (link, (weight, enabled)), step in zip(net.links.items(), rng.standard_normal(len(net.links)), strict=True):
        child.links[link] = (float(weight + settings["step"] * heat * step), enabled)
    kind = ("add_node", "remove_node", "add_link", "remove_link")[rng.integers(4)]
    least, most = (1, 3) if kind.endswith("node") else (1, 5)
    edit: list[tuple] = [("weights",)]
    for _ in range(least + math.floor(rng.random() * heat * (most - least))):
        if kind == "add_node":  # without links, so that nothing changes
            node = max((HIDDEN, *child.nodes)) + 1
            child.nodes[node] = _function(settings, rng)
            edit.append((kind, node))
        elif kind == "add_link":
            edit += add_link(child, settings, rng, weight=0.0)
        elif kind == "remove_node" and child.nodes:
            node = list(child.nodes)[rng.integers(len(child.nodes))]
            del child.nodes[node]
            child.links = {link: gene for link, gene in child.links.items() if node not in link}
            edit.append((kind, node))
        elif kind == "remove_link" and child.links:
            link = list(child.links)[rng.integers(len(child.links))]
            del child.links[link]
            edit.append((kind, *link))
    return child, tuple(edit)
