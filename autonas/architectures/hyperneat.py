"""HyperNEAT: a network that paints the weights of another (Stanley et al 2009).

The genome is that of a compositional pattern producing network (CPPN): four coordinates to one weight for each of two
layers, pixels to a hidden sheet and that to the outputs, which stand in a row.  Because weights depend on coordinates
only, one genome fits images and hidden sheets of any resolution.  Left out: biases of the substrate.

In the supernet ``resolution`` is relaxed; the rest is the genome, or makes one, and is fixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from autonas.architectures.family import Section, architectural, image_view, number
from autonas.architectures.genomes import genome_of, projection
from autonas.architectures.graph import Graph, Value
from autonas.architectures.layers import Activation, Flatten
from autonas.architectures.layers_evolved import Painted
from autonas.architectures.neatgenes import BIAS, HIDDEN, Net, check_functions, distances, parse, serialise
from autonas.architectures.neatmoves import cross, neat, start
from autonas.architectures.substrate import INPUTS, painted
from autonas.errors import ArchitectureError

__all__ = [
    "BATCHED", "SETTINGS", "construct", "crossover", "distances", "from_options", "initial", "mutate",
    "space", "view",
]  # fmt: skip

BATCHED = False
LAYERS = 2
SETTINGS: dict[str, Any] = {
    "resolutions": [3, 5, 7, 9],  # of the hidden sheet
    "functions": ["sigmoid", "gaussian", "sine", "absolute", "identity"],  # of nodes of the CPPN
    "activation": "tanh",  # of the substrate
    "threshold": 0.2,  # of what the CPPN puts out, for a link to exist
    "largest": 3.0,
    "scale": 1.0,  # standard deviation of a new weight of the CPPN
    "step": 1.0,  # of what is added to an old one
    "weight_rate": 0.8,
    "node_rate": 0.1,
    "link_rate": 0.1,
    "max_nodes": 4,  # of the projection
}
view = image_view
Ends = tuple[tuple[int, int], tuple[int, int]]


def _net(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as those of a network with evolved weights."""
    fixed = {"inputs": INPUTS, "outputs": LAYERS, "recurrent": False, "start_hidden": 0, "start_links": 1.0}
    return {**settings, **fixed}


def space(settings: Mapping[str, Any]) -> Section:
    """``resolution``, which is no part of a genome; the projection: ``nodes``, ``function_<i>`` and ``draw``."""
    check_functions(settings["functions"])
    nodes = list(range(1, int(settings["max_nodes"]) + 1))
    functions = [architectural(f"function_{i}", settings["functions"]) for i in nodes]
    draw = {"type": "uniform_int", "lower": 0, "upper": 2**31 - 1, "default_value": 0}
    section = projection({"hyperparameters": [number("nodes", nodes), *functions, {"name": "draw", **draw}]})
    section["hyperparameters"].insert(0, number("resolution", settings["resolutions"]))
    section["conditions"] = [
        {"type": "GT", "child": f"function_{i}", "parent": "nodes", "value": i - 1} for i in nodes[1:]
    ]
    return section


def initial(settings: Mapping[str, Any], rng: np.random.Generator) -> str:
    """Coordinates and bias linked to both outputs."""
    return serialise(start(_net(settings), rng))


def from_options(options: Mapping[str, Any]) -> str:
    """The genome of a bounded configuration: nodes that read all coordinates, and drawn weights."""
    rng = np.random.default_rng(int(options["draw"]))
    net = Net({HIDDEN + i: str(options[f"function_{i}"]) for i in range(1, int(options["nodes"]) + 1)})
    ends = [(s, t) for t in net.nodes for s in range(BIAS, INPUTS + 1)] + [
        (s, -1 - k) for k in range(LAYERS) for s in net.nodes
    ]
    net.links = {pair: (float(options["scale"] * rng.standard_normal()), True) for pair in ends}
    return serialise(net)


def mutate(genome: str, settings: Mapping[str, Any], rng: np.random.Generator) -> tuple[str, tuple]:
    """A mutation of the CPPN as in NEAT; the edit names its kind and lists what was done."""
    child, edit = neat(parse(genome), _net(settings), rng)
    return serialise(child), ("neat", *edit)


def crossover(a: str, b: str, settings: Mapping[str, Any], rng: np.random.Generator) -> str:
    """A child whose genes are those of ``a``, the better parent, with weights of both."""
    return serialise(cross(parse(a), parse(b), rng))


def _ends(pixels: tuple[int, int], side: int, n_outputs: int) -> tuple[Ends, Ends]:
    """Sheets that each of the two layers links."""
    hidden = (side, side)
    return (pixels, hidden), (hidden, (1, n_outputs))


def construct(graph: Graph, n_outputs: int) -> Graph:
    """Pixels, the hidden sheet, and the outputs in a row."""
    options = graph.options
    if len(graph.shape) != 3:
        raise ArchitectureError(f"images (channels, height, width) were required, given {graph.shape}")
    genome = genome_of(options, from_options)
    how = float(options["threshold"]), float(options["largest"])
    _, height, width = graph.shape

    def sheet(side: int) -> Value:
        inner, outer = _ends((height, width), side, n_outputs)
        with graph.case(side):
            hidden = [Flatten(), Painted(genome, 0, *inner, *how), Activation(str(options["activation"]))]
            x = graph.apply("hidden", graph.input, hidden, "painted")
            return graph.apply("output", x, [Painted(genome, 1, *outer, *how)], "output")

    layers = enumerate(_ends((height, width), int(options["resolution"]), n_outputs))
    if not any(painted(genome, output, *ends, 1, *how).any() for output, ends in layers):
        raise ArchitectureError("the function paints no link between pixels, hidden sheet and outputs")
    cases = [((side,), partial(sheet, side)) for side in options["resolutions"]]
    return graph.finish(graph.select("resolution", cases))
