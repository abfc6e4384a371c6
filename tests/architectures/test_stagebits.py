from __future__ import annotations

from itertools import product

import pytest

from autonas.architectures import stagebits
from autonas.architectures.family import compile_graph


def _graph(bits, nodes):
    names = [f"stage_1_{i}_{j}" for i, j in stagebits.bits(nodes)]
    options = {"nodes": [nodes], "widths": [4], "kernel": 3, **dict(zip(names, bits, strict=True))}
    return compile_graph(stagebits, options, (3, 8, 8), 10)


def test_the_published_network_has_19_bits():
    assert len(stagebits.space(stagebits.SETTINGS)["hyperparameters"]) == 19


@pytest.mark.parametrize(
    ("bits", "convolutions"),
    [
        (["no"] * 6, 2),  # only the default input and output nodes
        (["yes", "no", "no", "no", "no", "no"], 4),  # 1-2; nodes 3 and 4 are isolated
        (["yes", "no", "yes", "no", "no", "yes"], 6),  # the chain 1-2-3-4
        (["yes"] * 6, 6),
    ],
)
def test_isolated_nodes_vanish(bits, convolutions):
    assert sum(node.label.startswith("conv") for node in _graph(bits, 4).nodes) == convolutions


def test_every_code_of_a_stage_has_a_network_of_its_own_bits():
    found = {}
    for bits in product(["no", "yes"], repeat=3):
        nodes = _graph(bits, 3).nodes
        found.setdefault(tuple((n.name, n.inputs) for n in nodes), []).append(bits)
    assert len(found) == 8  # renumbered nodes keep their names
