from __future__ import annotations

from itertools import pairwise, product

import pytest

from autonas.architectures import fabric
from autonas.architectures.family import compile_graph


@pytest.mark.parametrize(("layers", "scales"), [(4, 3), (5, 3), (6, 2), (3, 3)])
def test_the_number_of_paths_is_that_of_an_enumeration(layers, scales):
    ways = [
        path
        for path in product(range(scales), repeat=layers)
        if path[0] == 0 and path[-1] == scales - 1 and all(abs(a - b) <= 1 for a, b in pairwise(path))
    ]
    assert fabric.n_paths(layers, scales) == len(ways)
    settings = {**fabric.SETTINGS, "layers": layers, "scales": scales}
    built = {
        tuple(node.name for node in compile_graph(
            fabric, {**settings, **{f"step_{i}": step for i, step in enumerate(steps, 1)}}, (1, 16, 16), 3
        ).nodes)
        for steps in product((-1, 0, 1), repeat=layers - 1)
    }  # fmt: skip
    assert len(built) == len(ways)


def test_a_fabric_of_one_scale_is_a_chain():
    graph = compile_graph(fabric, {"use": "whole", "scales": 1, "layers": 5}, (1, 16, 16), 3)
    assert [node.label for node in graph.nodes if node.label] == ["input", *["conv_3x3"] * 5, "output"]


def test_the_fabric_contains_all_edges():
    graph = compile_graph(fabric, {"use": "whole", "scales": 3, "layers": 4}, (1, 16, 16), 3)
    names = {node.name for node in graph.nodes}
    assert {f"edge_2_{r}_{s}" for r in range(3) for s in range(3) if abs(r - s) <= 1} <= names
