"""Features of architectures: paths counted by hand, isomorphic cells, and what is left out."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from autonas.architectures.graph import Graph
from autonas.architectures.layers import Conv
from autonas.core.trial import Proposal
from autonas.errors import OptionError
from autonas.search_space.load import load_space
from autonas.surrogates.features import Features, default_parts, path_counts


def diamond():
    """input -> a -> (b, c) -> sum -> a -> output, and one operation that nothing reads."""
    graph = Graph({}, (4, 8, 8))
    a = graph.apply("a", graph.input, [Conv(4)], "a")
    b, c = (graph.apply(name, a, [Conv(4)], name) for name in ("b", "c"))
    graph.apply("unread", a, [Conv(4)], "unread")
    return graph.finish(graph.apply("end", graph.add("sum", [b, c]), [Conv(4)], "a"), prune=False)


def test_paths_are_counted_through_plumbing_and_without_what_is_unread():
    counts = path_counts(diamond(), 2)
    assert counts == Counter(
        {("input",): 1, ("a",): 2, ("b",): 1, ("c",): 1, ("output",): 1}
        | {("input", "a"): 1, ("a", "b"): 1, ("a", "c"): 1, ("b", "a"): 1, ("c", "a"): 1, ("a", "output"): 1}
    )
    assert path_counts(diamond(), 3)["a", "b", "a"] == 1
    assert sum(n for path, n in path_counts(diamond(), 9).items() if path[0] == "input" and path[-1] == "output") == 2


def cell(space, **edges):
    return space.complete({f"cell:edge_{name[1]}_{name[2]}": value for name, value in edges.items()})


def test_cells_that_compute_the_same_look_the_same():
    space = load_space("nasbench201")
    none = dict.fromkeys(("e01", "e02", "e03", "e12", "e13", "e23"), "none")
    one = cell(space, **(none | {"e01": "conv_3x3", "e13": "conv_1x1"}))  # through node 1
    other = cell(space, **(none | {"e02": "conv_3x3", "e23": "conv_1x1"}))  # through node 2
    more = cell(space, **(none | {"e01": "conv_3x3", "e13": "conv_1x1", "e02": "conv_3x3"}))  # node 2 is not read
    turned = cell(space, **(none | {"e01": "conv_1x1", "e13": "conv_3x3"}))
    features = Features(space, ("paths",)).fit([*space.sample(30, 0), one, turned])
    rows = features([one, other, more, turned])
    assert (rows[0] == rows[1]).all()
    assert (rows[0] == rows[2]).all()
    assert (rows[0] != rows[3]).any()


def test_columns_are_scaled_and_constant_ones_left_out():
    space = load_space("nasbench201")
    configs = space.sample(40, 1)
    features = Features(space, ("vector", "paths", "cost"), scores=[len]).fit(configs)
    table = features(configs)
    assert np.abs(table.mean(axis=0)).max() < 1e-9
    assert table.std(axis=0) == pytest.approx(1)
    assert features.block.shape == (table.shape[1],)
    assert set(features.block) == set(range(features.block.max() + 1))


def test_a_score_is_a_feature():
    space = load_space("nasbench201")
    configs = space.sample(20, 1)
    values = {Proposal(config).key: float(i) for i, config in enumerate(configs)}
    features = Features(space, (), scores=[lambda config: values[Proposal(config).key]]).fit(configs)
    assert np.argsort(features(configs)[:, 0]).tolist() == list(range(20))


def test_a_space_without_graphs_has_its_vector_only():
    space = load_space("tabular")
    assert default_parts(space) == ("vector",)
    configs = space.sample(10, 0)
    assert np.isfinite(Features(space, ("vector", "paths", "cost")).fit(configs)(configs)).all()


def test_an_unknown_part_is_named():
    with pytest.raises(OptionError, match="Did you mean 'paths'"):
        Features(load_space("nasbench201"), ("path",))
