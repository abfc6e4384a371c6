"""Networks whose weights are evolved with their topology.

NEAT (Stanley & Miikkulainen 2002), or with ``mutation: gnarl`` GNARL (Angeline et al 1994).

The genome (see ``neatgenes``) holds the weights, so nothing is trained: the learner of this family only predicts.  The
inputs are the numbers of an example, the outputs are logits or the prediction, without a function.  A projection onto
configurations are networks with hidden nodes whose weights are drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autonas.architectures.family import Section
from autonas.architectures.genomes import genome_of, projection
from autonas.architectures.graph import Graph
from autonas.architectures.layers_evolved import Evolved
from autonas.architectures.neatgenes import check_functions, distances, parse, plan, serialise
from autonas.architectures.neatmoves import cross, gnarl, neat, start
from autonas.errors import ArchitectureError, unknown

__all__ = [
    "BATCHED", "RELAXES", "SETTINGS", "construct", "crossover", "distances", "from_options", "initial", "mutate",
    "space", "view",
]  # fmt: skip

BATCHED = False
RELAXES = False  # configurations say how a genome is drawn, and contain no choice about the architecture
SETTINGS: dict[str, Any] = {
    "inputs": 16,  # of the genome; data with fewer leave the last of them unread
    "outputs": 10,
    "mutation": "neat",  # or gnarl
    "functions": ["steep_sigmoid"],  # of hidden nodes
    "recurrent": False,  # whether links may lead backwards
    "sweeps": 3,  # over a recurrent network, until its outputs are read
    "start_hidden": 0,
    "start_links": 1.0,  # share of the links that the start has
    "scale": 1.0,  # standard deviation of a new weight
    "step": 1.0,  # of what is added to an old one
    "weight_rate": 0.8,
    "node_rate": 0.03,
    "link_rate": 0.05,
    "temperature": 1.0,  # of GNARL, where the strategy does not give one
    "max_hidden": 8,  # of the projection
}


def view(options: Mapping[str, Any]) -> str:
    """Reads rows of numbers."""
    return "dense"


def space(settings: Mapping[str, Any]) -> Section:
    """The projection: ``hidden`` nodes, ``density`` of links, ``spread`` of weights and the number of the ``draw``."""
    check_functions(settings["functions"])
    if settings["mutation"] not in ("neat", "gnarl"):
        raise unknown("mutation", settings["mutation"], ("neat", "gnarl"))
    hidden = {"lower": 0, "upper": max(1, int(settings["max_hidden"])), "default_value": 0}
    density = {"lower": 0.1, "upper": 1.0, "default_value": 1.0}
    spread = {"lower": 0.1, "upper": 10.0, "log": True, "default_value": 1.0}
    draw = {"lower": 0, "upper": 2**31 - 1, "default_value": 0}
    return projection(
        {
            "hyperparameters": [
                {"name": "hidden", "type": "uniform_int", **hidden},
                {"name": "density", "type": "uniform_float", **density},
                {"name": "spread", "type": "uniform_float", **spread},
                {"name": "draw", "type": "uniform_int", **draw},
            ]
        }
    )


def initial(settings: Mapping[str, Any], rng: np.random.Generator) -> str:
    """Inputs linked to outputs, and whatever hidden nodes the settings ask for."""
    return serialise(start(settings, rng))


def from_options(options: Mapping[str, Any]) -> str:
    """The genome of a bounded configuration."""
    drawn = {"start_hidden": options["hidden"], "start_links": options["density"], "scale": options["spread"]}
    return initial({**options, **drawn}, np.random.default_rng(int(options["draw"])))


def mutate(genome: str, settings: Mapping[str, Any], rng: np.random.Generator) -> tuple[str, tuple]:
    """A mutation of weights and topology; the edit names its kind and lists what was done."""
    move = {"neat": neat, "gnarl": gnarl}[str(settings["mutation"])]
    child, edit = move(parse(genome), settings, rng)
    return serialise(child), (str(settings["mutation"]), *edit)


def crossover(a: str, b: str, settings: Mapping[str, Any], rng: np.random.Generator) -> str:
    """A child whose genes are those of ``a``, the better parent, with weights of both; GNARL has none: ``a`` itself."""
    return a if settings["mutation"] == "gnarl" else serialise(cross(parse(a), parse(b), rng))


def construct(graph: Graph, n_outputs: int) -> Graph:
    """One node for the whole network; what it computes depends on its links, not on layers."""
    options = graph.options
    features, known = graph.shape[0], int(options["inputs"])
    if len(graph.shape) > 1 or features > known or n_outputs > int(options["outputs"]):
        raise ArchitectureError(
            f"a genome with {known} inputs and {options['outputs']} outputs was given, required are {graph.shape} and "
            f"{n_outputs}: set `inputs` and `outputs` of the space"
        )
    steps, recurrent = plan(parse(genome_of(options, from_options)), features, n_outputs)
    layer = Evolved(steps, n_outputs, int(options["sweeps"]) if recurrent else 1)
    return graph.finish(graph.apply("net", graph.input, [layer], "net"))
