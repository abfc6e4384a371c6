"""Spaces whose architectures are genomes: what a space makes of one, and what it refuses."""

import json
import pickle

import numpy as np
import pytest
import torch
from ConfigSpace import ConfigurationSpace

from autonas.core.trial import Proposal
from autonas.data.task import Problem
from autonas.errors import SpaceError
from autonas.search_space.genome import free, sized, with_defaults
from autonas.search_space.load import list_spaces, load_space
from autonas.search_space.space import SearchSpace

IMAGES = {"nash": (1, 12, 12), "lemonade": (3, 9, 9), "largescale": (3, 9, 9), "hyperneat": (1, 8, 8)}
OPEN = {**IMAGES, "neat": (5,), "gnarl": (5,)}


def test_which_spaces_are_open():
    assert {summary.name for summary in list_spaces() if load_space(summary.name).open} == set(OPEN)


@pytest.mark.parametrize(("name", "shape"), OPEN.items())
def test_a_genome_is_built_counted_and_drawn(name, shape):
    space = load_space(name)
    config, rng = space.default(), np.random.default_rng(0)
    genome = space.initial(rng)
    for _ in range(15):
        genome, edit = space.mutate_genome(genome, rng)
        assert json.loads(json.dumps(edit)) is not None
    assert json.dumps(json.loads(genome), sort_keys=True, separators=(",", ":")) == genome
    network = space.network(config, shape, 3, genome=genome)
    assert network(torch.randn(2, *shape)).shape == (2, 3)
    counted = space.dry_run(config, shape, 3, genome=genome)
    assert counted.parameters == sum(p.numel() for p in network.parameters())
    assert space.graph(config, shape, 3, genome=genome).account.parameters == counted.parameters
    learner = space.build(config, Problem("classification", 3, space.modality), genome=genome)
    assert learner.options["genome"] == genome


@pytest.mark.parametrize(("name", "shape"), OPEN.items())
def test_a_configuration_is_its_genome(name, shape):
    space = load_space(name)
    for config in space.sample(5, seed=0):
        genome = space.genomes.from_options(space.options(config))
        plain, drawn = space.graph(config, shape, 3), space.graph(config, shape, 3, genome=genome)
        assert plain.account == drawn.account
        assert repr(plain) == repr(drawn)


def test_equal_seeds_give_equal_genomes():
    for name in OPEN:
        space = load_space(name)
        chains = []
        for _ in range(2):
            rng = np.random.default_rng(5)
            chain = [space.initial(rng)]
            for _ in range(5):
                chain.append(space.mutate_genome(chain[-1], rng)[0])
            chains.append(chain)
        assert chains[0] == chains[1]


def test_a_closed_space_has_none():
    space = load_space("nasbench201")
    assert not space.open
    with pytest.raises(SpaceError, match="has no genomes"):
        space.initial(np.random.default_rng(0))
    with pytest.raises(SpaceError, match="has no genomes"):
        space.dry_run(space.default(), (3, 8, 8), 3, genome="[]")
    bare = SearchSpace(ConfigurationSpace({"x": (0.0, 1.0)}), build=lambda *arguments: None)
    assert not bare.open
    with pytest.raises(SpaceError, match="has no genomes"):
        bare.build({"x": 0.5}, Problem("regression", 1), genome="[]")


def test_what_a_genome_replaces_is_at_its_default():
    space = load_space("nash")
    names = free(space)
    assert "lr" in names
    assert not any(name.startswith("opengraph:") for name in names)
    a, b = ({**space.default(), "opengraph:kernel_1_1": kernel, "lr": 0.01} for kernel in (1, 5))
    assert with_defaults(space, a) == with_defaults(space, b)
    assert with_defaults(space, a)["lr"] == 0.01
    assert free(load_space("neat")) == []
    assert free(load_space("hyperneat")) == ["hyperneat:resolution"]


def test_a_genome_is_a_part_of_the_key():
    config = {"lr": 0.1}
    assert Proposal(config, genome="[]").key != Proposal(config).key
    assert Proposal.from_json(Proposal(config, genome="[]").to_json()).genome == "[]"


def test_sizes_of_the_data():
    space = load_space("neat")
    fitted = sized(space, (64,), 3)
    net = json.loads(fitted.initial(np.random.default_rng(0)))
    assert len(net["links"]) == 65 * 3
    assert fitted.hash != space.hash
    assert fitted.dry_run(fitted.default(), (64,), 3).parameters == 65 * 3
    assert sized(load_space("nash"), (1, 28, 28), 10).settings == load_space("nash").settings


def test_an_open_space_pickles_with_its_genomes():
    space = load_space("nash")
    genome = space.initial(np.random.default_rng(0))
    copy = pickle.loads(pickle.dumps(space))
    assert copy.initial(np.random.default_rng(0)) == genome
