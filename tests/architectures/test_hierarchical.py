from __future__ import annotations

import random

import torch

from autonas.architectures import cell, hierarchical
from autonas.architectures.family import compile_graph

OPERATIONS = ["none", "identity", "conv_1x1", "conv_3x3", "avg_pool_3x3"]


def test_the_published_space_has_46_choices():
    hyperparameters = hierarchical.space(hierarchical.SETTINGS)["hyperparameters"]
    assert len(hyperparameters) == 6 * 6 + 10
    assert {len(h["choices"]) for h in hyperparameters} == {7, 8}  # 6 primitives and none; 6 motifs, identity and none


def test_motifs_stay_acyclic_under_many_mutations():
    rng = random.Random(0)
    genes = hierarchical.space(hierarchical.SETTINGS)["hyperparameters"]
    genotype = {h["name"]: h["default_value"] for h in genes}
    for step in range(1000):
        gene = rng.choice(genes)
        genotype[gene["name"]] = rng.choice(gene["choices"])
        if step % 100 == 0:
            graph = compile_graph(hierarchical, genotype, (1, 16, 16), 10)
            assert all(i < number for number, node in enumerate(graph.nodes) for i in node.inputs)


def test_two_levels_are_a_flat_cell():
    """The same cell, written as one motif of primitive operations and as the edges of a cell."""
    rng = random.Random(0)
    flat = {"wiring": "edges", "operations": OPERATIONS, "nodes": 3, "inputs": 1, "reduction_cell": False}
    flat |= {"output": "last", "skeleton": "residual", "stem_factor": 1, "channels": 4, "stages": 1, "repeats": 1}
    motif = {"operations": OPERATIONS[1:], "motifs": [1], "nodes": [4], "merge": "add", "channels": 4, "stages": 1}
    for _ in range(10):
        chosen = {edge: rng.choice(OPERATIONS) for edge in hierarchical.edges(4)}
        a = compile_graph(cell, {**flat, **{f"edge_{i}_{j}": o for (i, j), o in chosen.items()}}, (1, 8, 8), 10)
        b = compile_graph(
            hierarchical, {**motif, **{f"level_2_motif_1_{i}_{j}": o for (i, j), o in chosen.items()}}, (1, 8, 8), 10
        )
        labels = [sorted(n.label for n in graph.nodes if n.label.endswith(("_1x1", "_3x3"))) for graph in (a, b)]
        assert labels[0] == labels[1] or "none" in chosen.values()  # a motif drops what reads nothing


def test_a_cell_without_a_path_passes_its_input_on():
    genes = hierarchical.space(hierarchical.SETTINGS)["hyperparameters"]
    genotype = {h["name"]: "none" for h in genes}
    network = compile_graph(hierarchical, {**genotype, "stages": 1}, (1, 8, 8), 10).network()
    assert network(torch.randn(2, 1, 8, 8)).shape == (2, 10)
