"""Counts that the authors published, or that their code gives."""

from __future__ import annotations

import pytest

from autonas.architectures import cell
from autonas.architectures.family import compile_graph
from autonas.search_space.load import load_space

S3, S5, S7, D3, D5 = "sep_conv_3x3", "sep_conv_5x5", "sep_conv_7x7", "dil_conv_3x3", "dil_conv_5x5"
MAX, AVG, SKIP, FACTORISED = "max_pool_3x3", "avg_pool_3x3", "identity", "conv_1x7_7x1"
DARTS = [MAX, AVG, SKIP, S3, S5, D3, D5]


def _pairs(normal, reduction, distinct):
    """A genotype of (operation, input) pairs, as authors print it, as hyperparameters."""
    found = {}
    for name, genes in (("normal", normal), ("reduction", reduction)):
        for b in range(0, len(genes), 2):
            block = f"{name}_block_{b // 2 + 1}_"
            two = sorted(genes[b : b + 2], key=lambda gene: gene[1]) if distinct else genes[b : b + 2]
            found |= {f"{block}op_{k}": operation for k, (operation, _) in enumerate(two, 1)}
            if distinct:
                found[f"{block}inputs"] = f"{two[0][1]}-{two[1][1]}"
            else:
                found |= {f"{block}input_{k}": i for k, (_, i) in enumerate(two, 1)}
    return found


DARTS_V1 = _pairs(
    [(S3, 1), (S3, 0), (SKIP, 0), (S3, 1), (SKIP, 0), (S3, 1), (S3, 0), (SKIP, 2)],
    [(MAX, 0), (MAX, 1), (SKIP, 2), (MAX, 0), (MAX, 0), (SKIP, 2), (SKIP, 2), (AVG, 0)],
    distinct=True,
)
DARTS_V2 = _pairs(
    [(S3, 0), (S3, 1), (S3, 0), (S3, 1), (S3, 1), (SKIP, 0), (SKIP, 0), (D3, 2)],
    [(MAX, 0), (MAX, 1), (SKIP, 2), (MAX, 1), (MAX, 0), (SKIP, 2), (SKIP, 2), (MAX, 1)],
    distinct=True,
)
NASNET_A = _pairs(
    [(S5, 1), (S3, 0), (S5, 0), (S3, 0), (AVG, 1), (SKIP, 0), (AVG, 0), (AVG, 0), (S3, 1), (SKIP, 1)],
    [(S5, 1), (S7, 0), (MAX, 1), (S7, 0), (AVG, 1), (S5, 0), (SKIP, 3), (AVG, 2), (S3, 2), (MAX, 1)],
    distinct=False,
)
AMOEBANET_A = _pairs(
    [(AVG, 0), (MAX, 1), (S3, 0), (S5, 2), (S3, 0), (AVG, 3), (S3, 1), (SKIP, 1), (SKIP, 0), (AVG, 1)],
    [(AVG, 0), (S3, 1), (MAX, 0), (S7, 2), (S7, 0), (AVG, 1), (MAX, 0), (MAX, 1), (FACTORISED, 0), (S3, 5)],
    distinct=False,
)


@pytest.mark.parametrize(("genotype", "parameters"), [(DARTS_V1, 3_169_414), (DARTS_V2, 3_349_342)])
def test_published_darts_cells_have_the_weights_of_the_authors_code(genotype, parameters):
    options = {"operations": DARTS, "distinct": True, "channels": 36, "cells": 20, **genotype}
    assert compile_graph(cell, options, (3, 32, 32), 10).account.parameters == parameters


def test_the_relaxed_darts_network_has_the_weights_of_the_authors_code():
    options = {"wiring": "edges", "operations": ["none", *DARTS], "affine": False, "pool_norm": True, "cells": 8}
    graph = compile_graph(cell, options, (3, 32, 32), 10, relaxed=True)
    assert graph.account.parameters == 1_930_618
    assert len(graph.choices) == 2 * 14
    assert {len(values) for values in graph.choices.values()} == {8}


@pytest.mark.parametrize(
    ("genotype", "settings", "printed"),
    [
        (NASNET_A, {"channels": 32, "repeats": 6, "carry": True}, 3.3e6),
        (AMOEBANET_A, {"channels": 36, "repeats": 6}, 3.2e6),
    ],
    ids=["NASNet-A 6 @ 768", "AmoebaNet-A 6, 36"],
)
def test_published_cells_have_about_the_printed_number_of_parameters(genotype, settings, printed):
    operations = [S3, S5, S7, AVG, MAX, SKIP, FACTORISED]
    options = {"operations": operations, "nodes": 5, "output": "loose", **settings, **genotype}
    assert compile_graph(cell, options, (3, 32, 32), 10).account.parameters == pytest.approx(printed, rel=0.03)


KEYS = {"000000": 73_306, "111111": 73_306, "222222": 241_306, "333333": 1_531_546, "333132": 1_073_466}


@pytest.mark.parametrize(("key", "parameters"), KEYS.items())
def test_cells_of_nas_bench_201_have_the_size_of_the_table(key, parameters):
    space = load_space("nasbench201")
    settings = {**space.settings["cell"], "channels": 16, "repeats": 5}  # the size of the table
    edges = [f"edge_{i}_{j}" for i, j in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))]
    chosen = {edge: settings["operations"][int(k)] for edge, k in zip(edges, key, strict=True)}
    assert compile_graph(cell, {**settings, **chosen}, (3, 32, 32), 10).account.parameters == parameters


def test_there_are_136_cells_of_one_block_in_pnas():
    space = load_space("pnas")
    base = space.complete({"model": "cell", "cell:blocks": 1})
    operations = space.settings["cell"]["operations"]
    forms = {
        space.canonical(
            {**base, **{f"cell:block_1_{k}": v for k, v in (("input_1", i), ("input_2", j), ("op_1", a), ("op_2", b))}}
        )
        for i in (0, 1) for j in (0, 1) for a in operations for b in operations
    }  # fmt: skip
    assert len(forms) == 136


def test_the_size_of_the_darts_space_is_that_of_the_paper():
    space = load_space("darts")
    size = 1
    for name, hyperparameter in space.configspace.items():
        if name.startswith("cell:normal"):
            size *= len(hyperparameter.choices) if hasattr(hyperparameter, "choices") else 1
    assert size == 180 * 7**8
