from __future__ import annotations

import random

from autonas.architectures import cgp
from autonas.architectures.family import compile_graph
from autonas.errors import ArchitectureError

SETTINGS = {**cgp.SETTINGS, "rows": 3, "columns": 8, "levels_back": 3, "filters": [4, 8]}


def _genotype(rng, settings=SETTINGS):
    return {h["name"]: rng.choice(h.get("choices", [h.get("value")])) for h in cgp.space(settings)["hyperparameters"]}


def _active(genotype):
    active, waiting = set(), [genotype["output"]]
    while waiting:
        node = waiting.pop()
        if node and node not in active:
            active.add(node)
            two = genotype[f"type_{node}"] in ("sum", "concat")
            waiting += [genotype[f"first_{node}"], *([genotype[f"second_{node}"]] if two else [])]
    return active


def test_nodes_read_at_most_so_many_columns_back():
    assert cgp.readable(1, 3, 2) == [0]
    assert cgp.readable(2, 3, 2) == [0, 1, 2, 3]
    assert cgp.readable(4, 3, 2) == [4, 5, 6, 7, 8, 9]


def test_a_neutral_mutation_leaves_the_network_as_it_was():
    rng = random.Random(0)
    compared = 0
    while compared < 20:
        genotype = _genotype(rng)
        try:
            graph = compile_graph(cgp, {**SETTINGS, **genotype}, (3, 32, 32), 10)
        except ArchitectureError:
            continue
        active = _active(genotype)
        other = {
            name: value if name == "output" or int(name.split("_")[1]) in active else _genotype(rng)[name]
            for name, value in genotype.items()
        }
        assert compile_graph(cgp, {**SETTINGS, **other}, (3, 32, 32), 10).nodes == graph.nodes
        compared += 1


def test_most_genotypes_of_the_published_grid_decode():
    rng = random.Random(1)
    assert len(cgp.space(cgp.SETTINGS)["hyperparameters"]) == 150 * 3 + 1
    built = 0
    for _ in range(200):
        try:
            compile_graph(cgp, _genotype(rng, cgp.SETTINGS), (3, 32, 32), 10)
        except ArchitectureError:
            continue
        built += 1
    assert built > 120
