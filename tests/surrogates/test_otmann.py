"""The OTMANN distance: a pseudo-distance of networks, with the values that can be had by hand."""

import itertools

import numpy as np
import pytest

from autonas.architectures.graph import Graph
from autonas.architectures.layers import Dense
from autonas.search_space.load import load_space
from autonas.surrogates.otmann import ENDS, LayerGraph, layer_graph, mismatch, transport_distances


def dense_network(*widths, label="relu", branches=False, backwards=False):
    """Layers one after the other, or side by side."""
    graph = Graph({}, (4,))
    x = graph.input
    if branches:
        order = list(enumerate(widths))
        made = {i: graph.apply(f"layer_{i}", x, [Dense(width)], label) for i, width in order[:: -1 if backwards else 1]}
        x = graph.concat("concat", [made[i] for i in sorted(made)])
    else:
        for i, width in enumerate(widths):
            x = graph.apply(f"layer_{i}", x, [Dense(width)], label)
    return graph.finish(graph.apply("output", x, [Dense(3)], "output"))


def distance(a, b, normalised=False):
    return transport_distances([layer_graph(a)], [layer_graph(b)])[int(normalised)][0, 0]


def random_networks(name, n):
    space = load_space(name)
    return [layer_graph(space.graph(config)) for config in space.sample(n, seed=1)]


def test_two_layers_of_one_label_differ_by_their_masses():
    a, b = 4 * 8, 4 * 20  # units times incoming units
    ends = 2 * ENDS  # the input and the output weigh a share of that each
    assert distance(dense_network(8), dense_network(20)) == pytest.approx((b - a) * (1 + ends))
    assert distance(dense_network(8), dense_network(20), normalised=True) == pytest.approx((b - a) / (a + b))


def test_labels_have_a_price():
    a, b = dense_network(8), dense_network(8, label="elu")
    assert distance(a, b) == pytest.approx(4 * 8 * 0.1)
    assert distance(a, dense_network(8, label="something")) == pytest.approx(2 * 4 * 8)


def test_places_have_a_price():
    """Two layers of equal mass in a row, and side by side."""
    row, beside = dense_network(4, 4), dense_network(4, 4, branches=True)
    found = distance(row, beside)
    assert (np.diff(found) > 0).all()
    assert found[0] > 0
    assert (distance(row, row) == 0).all()


@pytest.mark.parametrize("name", ["nasbench201", "cgp_conv", "nasrl", "enas_rnn"])
def test_it_is_a_pseudo_distance(name):
    graphs = random_networks(name, 14)
    d, normalised = transport_distances(graphs, graphs)
    assert (d == d.swapaxes(0, 1)).all()
    assert (np.diagonal(d) == 0).all()
    assert (d >= 0).all()
    assert ((normalised >= 0) & (normalised <= 1)).all()
    for i, j, k in itertools.islice(itertools.permutations(range(14), 3), 0, None, 30):
        assert (d[i, k] <= d[i, j] + d[j, k] + 1e-6).all()
    assert (np.diff(d, axis=2) >= -1e-6).all(), "a larger nu never makes it smaller"


def test_the_numbers_of_nodes_do_not_matter():
    a = dense_network(3, 5, 7, branches=True)
    b = dense_network(3, 5, 7, branches=True, backwards=True)
    assert [node.name for node in a.nodes] != [node.name for node in b.nodes]
    assert (distance(a, b) == 0).all()


def test_what_does_not_count():
    graph = Graph({}, (4,))
    x = graph.apply("layer_0", graph.input, [Dense(8)], "relu")
    same = graph.apply("pass", x, [], "identity")
    dead = graph.apply("dead", graph.zeros("nothing", (4,)), [Dense(8)], "relu")
    summed = graph.add("sum", [same, dead])
    unread = graph.finish(graph.apply("output", summed, [Dense(3)], "output"), prune=False)
    assert (distance(unread, dense_network(8)) == 0).all()


def test_isomorphic_cells_are_one():
    """Two paths through a cell of NAS-Bench-201 that compute the same."""
    space = load_space("nasbench201")
    operations = dict.fromkeys(("0_1", "0_2", "0_3", "1_2", "1_3", "2_3"), "none")
    one = {**operations, "0_1": "conv_3x3", "1_3": "conv_1x1"}
    two = {**operations, "0_2": "conv_3x3", "2_3": "conv_1x1", "0_1": "avg_pool_3x3"}
    a, b = (space.graph(space.complete({f"cell:edge_{k}": v for k, v in ops.items()})) for ops in (one, two))
    assert (distance(a, b) == 0).all()


def test_a_network_that_cannot_be_built_has_no_layers():
    none, some = layer_graph(None), layer_graph(dense_network(8))
    d, normalised = transport_distances([none, some], [none, some])
    assert (d[0, 0] == 0).all()
    assert normalised[0, 1] == pytest.approx(1)


def test_large_networks_are_merged_without_losing_mass():
    many = layer_graph(dense_network(*[4] * 40))
    assert isinstance(many, LayerGraph)
    labels, masses, _ = many.classes["activation"]
    assert len(labels) == 16
    assert masses.sum() == pytest.approx(40 * 16)
    twins = layer_graph(dense_network(*[4] * 40, branches=True))
    assert len(twins.classes["activation"][0]) == 1, "equal layers in equal places are one"


@pytest.mark.parametrize(
    ("a", "b", "price"),
    [
        ("conv_3x3", "conv_5x5", 0.2),
        ("conv_3x3", "conv_7x7", 0.1 * np.sqrt(8)),
        ("conv_1x7", "conv_7x1", 0.1 * np.sqrt(12)),
        ("conv_3x3", "sep_conv_3x3", 0.1),
        ("sep_conv_3x3", "dil_conv_5x5", 0.3),
        ("conv_1x7_7x1", "conv_3x3", 0.1 * np.sqrt(2)),
        ("max_pool_3x3", "avg_pool_3x3", 0.5),
        ("conv_16_3", "conv_32_3", 0.1 * np.sqrt(32)),
        ("relu", "elu", 0.1),
        ("relu", "tanh", 0.25),
        ("conv_3x3", "max_pool_3x3", np.inf),
        ("conv_3x3", "output", np.inf),
    ],
)
def test_prices_of_labels(a, b, price):
    assert mismatch(a, b) == mismatch(b, a) == pytest.approx(price)
    assert mismatch(a, a) == 0
