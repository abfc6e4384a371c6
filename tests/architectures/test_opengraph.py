"""Genomes of convolutional networks: every chain of moves stays valid, and numbers of nodes do not matter."""

import functools
import json
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autonas.architectures import opengraph, stages
from autonas.architectures.family import compile_graph
from autonas.architectures.graphgenes import CONVOLUTIONS, Gene, Genes, parse, serialise, shapes
from autonas.architectures.graphmoves import MOVES
from autonas.architectures.graphmoves import mutate as mutate_graph
from autonas.errors import OptionError
from autonas.search_space.load import load_space

SPACES = ("nash", "lemonade", "largescale")


@functools.cache
def _settings(name):
    return load_space(name).genomes.settings


def _grown(name, seed, n, **changed):
    """The genomes and edits of a chain of moves."""
    how, rng = {**_settings(name), **changed}, np.random.default_rng(seed)
    chain = [(opengraph.initial(how, rng), ())]
    for _ in range(n):
        chain.append(opengraph.mutate(chain[-1][0], how, rng))
    return chain


def _graph(genome, shape=(3, 9, 9), n_outputs=4, **options):
    return compile_graph(opengraph, {"genome": genome, **options}, shape, n_outputs)


@pytest.mark.parametrize("name", SPACES)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_fifty_moves_keep_a_valid_graph(name, seed):
    chain = _grown(name, seed, 50)
    for (before, _), (genome, edit) in pairwise(chain):
        assert genome != before
        genes = parse(genome)
        assert shapes(genes) is not None
        assert genes.needed().nodes.keys() == genes.nodes.keys(), "all nodes reach the output"
        assert serialise(genes)[0] == genome
        assert _graph(genome).account.shape == (4,)
        assert json.loads(json.dumps(edit))[0] in _settings(name)["moves"]
        origin, old = edit[-1], parse(before)
        assert len(origin) == len(genes.nodes)
        kept = [n for n in origin if n]
        assert len(set(kept)) == len(kept)
        assert set(kept) <= set(old.nodes)
        for node, number in enumerate(origin, 1):  # a node stays what it was, or a convolution becomes a separable one
            if number:
                assert {genes.nodes[node].op, old.nodes[number].op} in ({old.nodes[number].op}, set(CONVOLUTIONS))


@pytest.mark.parametrize("name", SPACES)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_renumbered_nodes_are_the_same_genome(name, seed):
    rng = np.random.default_rng(seed)
    genome = _grown(name, seed, 25)[-1][0]
    genes = parse(genome)
    names = {0: 0} | dict(zip(genes.nodes, (1 + rng.permutation(3 * len(genes.nodes))).tolist(), strict=False))
    nodes = {}
    for number in rng.permutation(list(genes.nodes)).tolist() if genes.nodes else ():
        gene = genes.nodes[number]
        inputs = [names[i] for i in gene.inputs]
        if gene.op in ("add", "concat"):
            rng.shuffle(inputs)
        nodes[names[number]] = Gene(gene.op, tuple(inputs), gene.width, gene.kernel, gene.stride)
    assert serialise(Genes(nodes, names[genes.output]))[0] == genome


def test_symmetric_branches_are_told_apart_by_what_reads_them():
    # two equal convolutions, of which either one goes on through a pool
    def graph(first, second):
        nodes = {n: Gene("conv", (0,), 8, 3, 2) for n in (1, 2)}
        nodes |= {3: Gene("conv", (first,), 8, 5), 4: Gene("conv", (second,), 8, 3), 5: Gene("add", (3, 4, first))}
        return Genes(nodes, 5)

    assert serialise(graph(1, 2))[0] == serialise(graph(2, 1))[0]
    assert serialise(graph(1, 2))[0] != serialise(graph(1, 1))[0]


@pytest.mark.parametrize("name", SPACES)
def test_grown_networks_compute_what_they_count(name):
    for seed in range(3):
        genome = _grown(name, seed, 25, max_width=32)[-1][0]
        graph = _graph(genome)
        network = graph.network()
        assert sum(p.numel() for p in network.parameters()) == graph.account.parameters
        network(torch.randn(2, 3, 9, 9)).sum().backward()


def test_moves_of_large_scale_evolution_start_at_a_linear_model():
    space = load_space("largescale")
    genome = space.initial(np.random.default_rng(0))
    assert genome == "[]"
    assert space.dry_run(space.default(), (3, 32, 32), 10, genome=genome).parameters == 3 * 10 + 10
    grown, _ = space.mutate_genome(genome, np.random.default_rng(0))
    ((op, inputs, width, kernel, stride),) = json.loads(grown)
    assert (op, inputs, width, kernel) == ("conv", [0], 8, 3)
    assert stride in (1, 2)


def test_the_projection_without_skips_is_a_chain_in_stages():
    nash = load_space("nash")
    for config in nash.sample(10, seed=0):
        options = {n: v if "skip" not in n else "none" for n, v in nash.options(config).items()}
        same = {name.replace("blocks", "layers"): value for name, value in options.items()} | {"kernels": [1, 3, 5]}
        chain = compile_graph(stages, same, (1, 16, 16), 10)
        assert _graph(nash.genomes.from_options(options), (1, 16, 16), 10).account == chain.account


def test_skips_of_the_projection():
    options = {**_settings("nash"), "stages": 1, "blocks_1": 3}
    for i, width in ((1, 8), (2, 8), (3, 16)):
        options |= {f"width_1_{i}": width, f"kernel_1_{i}": 3}
    options |= {"skip_1_1_2": "add", "skip_1_1_3": "add", "skip_1_2_3": "concat"}
    rows = json.loads(opengraph.from_options(options))
    assert [row[0] for row in rows] == ["conv", "conv", "add", "conv", "add_resized", "concat"]
    assert rows[4][1] == [4, 1]
    assert shapes(parse(json.dumps(rows)))[6] == (24, 1)


# --- single moves ----------------------------------------------------------------------------------------------------


def _moved(genome, move, seed=0, **changed):
    how = {**opengraph.SETTINGS, "moves": [move], **changed}
    return mutate_graph(genome, how, np.random.default_rng(seed))


TWO = json.dumps([["conv", [0], 8, 3, 1], ["conv", [1], 8, 3, 1], ["add", [1, 2]]], separators=(",", ":"))


def test_what_is_added_is_widened_together():
    child, edit = _moved(TWO, "widen")
    wide = {row[2] for row in json.loads(child) if row[0] == "conv"}
    assert wide == {edit[2]}
    assert edit[2] in (16, 24, 32)


def test_half_or_a_quarter_of_the_filters_are_pruned():
    widths = {json.loads(_moved(TWO, "prune", seed)[0])[0][2] for seed in range(20)}
    assert widths == {4, 6}


def test_a_removed_skip_takes_what_only_it_needed():
    children = {_moved(TWO, "remove_skip", seed)[0] for seed in range(20)}
    assert {len(json.loads(child)) for child in children} == {1, 2}


def test_a_move_that_is_impossible_changes_nothing():
    assert _moved("[]", "widen") == ("[]", ())
    assert _moved(TWO, "widen", max_width=8) == (TWO, ())


def test_an_unknown_move_is_refused():
    with pytest.raises(OptionError, match="insert_conv"):
        _moved(TWO, "insert_convs")


def test_every_move_is_used_by_a_published_space():
    assert {move for name in SPACES for move in _settings(name)["moves"]} == set(MOVES)


def test_values_of_any_shape_are_added_after_the_first_one():
    rows = [["conv", [0], 6, 3, 2], ["conv", [1], 2, 3, 2], ["add_resized", [1, 2, 0]]]
    graph = _graph(json.dumps(rows), (9, 10, 10))
    network = graph.network().eval()
    x = torch.randn(2, 9, 10, 10)
    first, second = network.node_1(x), network.node_2(network.node_1(x))
    up = torch.nn.functional.interpolate(second, size=(5, 5), mode="nearest")
    down = torch.nn.functional.interpolate(x, size=(5, 5), mode="nearest")[:, :6]
    total = first + torch.cat([up, up.new_zeros(2, 4, 5, 5)], 1) + down
    expected = network.classifier(total)
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize("seed", range(6))
def test_an_inserted_convolution_can_be_the_identity(seed):
    """Elsken et al 2017: with weights taken over by the origin of the nodes, the function stays the same."""
    parent = _grown("nash", seed, 6, max_width=32, merges=["add"])[-1][0]
    inserted = (_moved(parent, "insert_conv", tries) for tries in range(100))
    child, edit = next(found for found in inserted if found[1][1])  # not on the data, which is negative, too
    old, new = _graph(parent).network().eval(), _graph(child).network().eval()
    state = {}
    for name, tensor in new.state_dict().items():
        node = name.split(".")[0]
        number = edit[-1][int(node.removeprefix("node_")) - 1] if node != "classifier" else -1
        if number:
            source = name if number < 0 else name.replace(node, f"node_{number}", 1)
            state[name] = old.state_dict()[source]
        else:
            state[name] = tensor
            if name.endswith("0.weight"):
                state[name] = torch.nn.init.dirac_(torch.empty_like(tensor))
            elif name.endswith("1.weight"):
                state[name] = torch.full_like(tensor, math.sqrt(1 + 1e-5))
    new.load_state_dict(state)
    x = torch.randn(4, 3, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(new(x), old(x), atol=1e-4, rtol=1e-4)
