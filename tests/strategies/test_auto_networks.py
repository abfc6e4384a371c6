"""Auto where kinds are graphs: each network is proposed once, and the model sees what networks are made of."""

import math
import subprocess
import sys

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace

from autonas.core.trial import Result, Trial
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace
from autonas.strategies.auto import Auto
from autonas.surrogates.codes import Codes
from autonas.surrogates.networks import NetworkEncoding
from autonas.testing.strategy_cases import run

EDGES = ("0_1", "0_2", "1_2", "0_3", "1_3", "2_3")


def cells(choices, **others):
    """Cells of NAS-Bench-201 with few operations at each edge, and hyperparameters that are no architecture."""
    whole = load_space("nasbench201")
    space = ConfigurationSpace()
    space.add(Categorical("model", ["cell"]))
    for edge in EDGES:
        space.add(Categorical(f"cell:edge_{edge}", choices.get(edge, ["none"]), meta={"role": "architecture"}))
    for name, values in others.items():
        space.add(Categorical(name, values))
    kept = {"families": whole.families, "settings": whole.settings, "networks": whole.networks}
    return SearchSpace(space, name="cells", modality="image", **kept)


def network(config):
    """What a cell of zeros and convolutions computes, as nested sums: a node that no value reaches is no term."""
    nodes = {0: ("input",)}
    for node in (1, 2, 3):
        terms = [
            nodes[source]
            for source in range(node)
            if config[f"cell:edge_{source}_{node}"] == "conv_3x3" and nodes[source]
        ]
        nodes[node] = tuple(sorted(terms, key=repr))
    return nodes[3]


def n_convolutions(config):
    return float(-sum(value == "conv_3x3" for value in config.values()))


@pytest.mark.parametrize("seed", [0, 1])
def test_every_network_is_proposed_once_before_any_is_twice(seed):
    space = cells({edge: ["none", "conv_3x3"] for edge in EDGES})
    n_networks = len({network(config) for config in space.grid()})
    assert n_networks == 14
    trials = run(Auto(space, seed=seed), n_networks + 5, n_convolutions)
    found = [network(trial.proposal.config) for trial in trials]
    assert len(set(found[:n_networks])) == n_networks
    assert len({trial.proposal.key for trial in trials}) == n_networks + 5  # the other encodings come last


def test_pending_networks_are_known():
    space = cells({edge: ["none", "conv_3x3"] for edge in EDGES})
    trials = run(Auto(space, seed=3), 10, n_convolutions, at_once=5)
    assert len({network(trial.proposal.config) for trial in trials}) == 10


def test_one_network_with_other_hyperparameters_is_another_configuration():
    # nothing reads node 1, so its edge changes nothing
    space = cells({"0_3": ["conv_3x3"], "0_1": ["none", "conv_3x3"]}, batch_size=[16, 32, 64, 128])
    trials = run(Auto(space), 8, lambda config: config["batch_size"] / 100)
    sizes = [trial.proposal.config["batch_size"] for trial in trials]
    assert sorted(sizes[:4]) == sorted(sizes[4:]) == [16, 32, 64, 128]


@pytest.mark.parametrize("n", [3, 9, 15])
def test_a_replay_knows_the_networks(n):
    space = cells({edge: ["none", "identity", "conv_3x3"] for edge in EDGES})
    first = Auto(space, seed=2)
    trials = run(first, n, n_convolutions)
    second = Auto(space, seed=2)
    for trial in trials:
        second.tell(trial)
    assert [first.ask().key for _ in range(3)] == [second.ask().key for _ in range(3)]


# --- features of the network -----------------------------------------------------------------------------------------


def encode(space):
    """Features of the networks of configurations."""
    codes = Codes(space)
    encoding = NetworkEncoding(codes)
    n_own = len(encoding.block) - len(encoding.network(space.default()))
    return lambda configs: encoding(np.array([codes.encode(config) for config in configs]))[:, n_own:]


def test_equal_networks_have_equal_features_and_different_ones_do_not():
    space = cells({edge: ["none", "conv_3x3"] for edge in EDGES})
    configs = list(space.grid())
    features = encode(space)(configs).round(9)
    of = {}
    for config, row in zip(configs, features, strict=True):
        of.setdefault(network(config), set()).add(tuple(row + 0.0))
    assert all(len(rows) == 1 for rows in of.values())
    assert len(set.union(*of.values())) == len(of) == 14


def test_hyperparameters_that_are_no_architecture_change_nothing():
    space = load_space("nasbench201")
    config = space.default()
    free = [name for name in config if name != "model" and not space.is_architectural(name)]
    other = next(c for c in space.sample(50, seed=0) if all(name in c for name in free))
    mixed = {**config, **{name: other[name] for name in free}}
    assert mixed != config
    first, second = encode(space)([config, mixed])
    np.testing.assert_array_equal(first, second)


def test_blocks_have_the_variance_of_one():
    space = load_space("nasbench201")
    codes = Codes(space)
    encoding = NetworkEncoding(codes)
    sample = encoding(codes.sample(64, np.random.default_rng(0)))
    for number in range(encoding.n_blocks - 4, encoding.n_blocks):
        assert math.isclose(sample[:, encoding.block == number].var(0).sum(), 1, rel_tol=1e-6)


@pytest.mark.parametrize("n", [7, 12])
def test_a_replay_with_training_hyperparameters_sees_the_same(n):
    space = load_space("nasbench201")
    first = Auto(space, seed=4)
    trials = run(first, n, n_convolutions, at_once=2)
    second = Auto(space, seed=4)
    for trial in trials:
        second.tell(trial)
    assert first.ask().key == second.ask().key


def test_several_objectives_go_by_the_codes_alone():
    space = cells({edge: ["none", "identity", "conv_3x3"] for edge in EDGES})
    strategy = Auto(space, ("loss", "size"), seed=1)
    for number in range(10):
        proposal = strategy.ask()
        n = n_convolutions(proposal.config)
        strategy.tell(Trial(number, proposal, Result({"loss": n, "size": -n})))
    assert len({space.canonical(strategy.ask().config) for _ in range(3)}) == 3


def test_spaces_without_graphs_see_no_networks():
    program = """
import sys
from autonas.strategies.auto import Auto
from autonas.testing.strategy_cases import conditional_space, run, smooth_loss
run(Auto(conditional_space()), 8, smooth_loss)
assert "autonas.surrogates.networks" not in sys.modules and "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
