"""Morphisms over random edits of the families, one at a time and in chains of genomes."""

from __future__ import annotations

import numpy as np
import pytest
from morph_cases import FEW, GROW, gap, lived_in, loaded

from autonas.architectures.family import compile_graph, graph_module
from autonas.architectures.morph import inherit
from autonas.errors import ArchitectureError
from autonas.search_space.load import load_space
from autonas.search_space.moves import mutate

# --- random edits of the families ------------------------------------------------------------------------------------

FAMILIES = ["chain", "enas_macro", "resnet", "zela", "nasbench201", "fcnet", "autonet", "pathlevel", "densenet"]
ALWAYS = {  # edits by hyperparameter and direction that keep the function, whatever the rest is
    "chain": ("kernel", "width"),
    "zela": ("blocks", "branches", "kernel", "width"),
    "resnet": ("blocks", "width"),
    "enas_macro": ("skip",),
    "fcnet": ("units",),
    "autonet": ("units",),
}


def grows(config: dict, name: str, value) -> bool:
    before = config[name]
    return (before, value) == ("no", "yes") or (not isinstance(value, str) and value > before)


MOST_MACS = 2_000_000


def edits(name: str, n: int, seed: int):
    """Pairs of configurations that differ in one architectural hyperparameter (and its children), and their graphs."""
    space = load_space(name)
    (kind,) = space.families
    family = graph_module(space.families[kind])
    shape = (64,) if space.modality == "tabular" else (1, 8, 8)
    rng = np.random.default_rng(seed)
    found = 0
    for config in space.sample(10 * n + 20, seed=seed):
        child = mutate(space, config, rng)
        changed = [k for k in child if k in config and child[k] != config[k] and space.is_architectural(k)]
        if not changed:
            continue
        try:
            graphs = [compile_graph(family, space.options(c), shape, 10) for c in (config, child)]
        except ArchitectureError:
            continue
        if max(graph.account.macs for graph in graphs) > MOST_MACS:
            continue
        yield changed[0], config, child, *graphs
        found += 1
        if found == n:
            return


def sweep(name: str, n: int, seed: int, grow: str) -> int:
    exact = 0
    for changed, config, child, parent_graph, child_graph in edits(name, n, seed):
        x = FEW.flatten(1) if len(parent_graph.shape) == 1 else FEW
        old = lived_in(parent_graph.network(), seed)
        found = inherit(parent_graph, old.state_dict(), child_graph, rng=np.random.default_rng(seed), grow=grow)
        new = loaded(child_graph, found.state)
        kind = changed.partition(":")[2].split("_")[0]
        if kind in ALWAYS.get(name, ()) and grows(config, changed, child[changed]):
            shaken = kind == "branches" and config.get("shake") == "yes"  # two are a mean, three a sum
            assert found.exact or shaken, (changed, config[changed], child[changed], found.changed)
        if found.exact:
            exact += 1
            assert gap(old, new, x) < 1e-5, (changed, config[changed], child[changed])
    return exact


@pytest.mark.parametrize("name", FAMILIES)
def test_random_edits_that_are_said_to_be_exact_are(name):
    sweep(name, 4, 0, "replicate")


@pytest.mark.slow
@GROW
@pytest.mark.parametrize("name", FAMILIES)
def test_many_random_edits(name, grow):
    assert sweep(name, 200, 1, grow) > 0


GENOMES = ["nash", "lemonade"]
EXACT_MOVES = ("widen", "enlarge_kernel", "add_branch")


def walk(name: str, n: int, seed: int, grow: str) -> None:
    """A chain of random edits of a genome, each child taking its parent's weights."""
    space = load_space(name)
    (kind,) = space.families
    family, options = graph_module(space.families[kind]), space.options(space.default(kind))
    rng = np.random.default_rng(seed)
    genome = space.initial(rng)
    parent = compile_graph(family, {**options, "genome": genome}, (1, 8, 8), 10)
    first = network = lived_in(parent.network(), seed)
    length = 0
    for _ in range(n):
        changed, edit = space.mutate_genome(genome, rng)
        try:
            child = compile_graph(family, {**options, "genome": changed}, (1, 8, 8), 10)
        except ArchitectureError:
            continue
        if child.account.macs > 3 * MOST_MACS:
            continue
        found = inherit(parent, network.state_dict(), child, rng=rng, grow=grow)
        following = loaded(child, found.state)
        concatenates = edit[0] == "add_skip" and "concat" in edit
        if edit[0] in EXACT_MOVES or concatenates:
            assert found.exact, (genome, changed, edit, found.changed)
        if found.exact:
            assert gap(network, following) < 1e-5, (genome, changed, edit)
            length += 1
        else:
            first, length = following, 0
        genome, parent, network = changed, child, following
        assert gap(first, network) < 1e-4, (length, "exact edits in a row")


@pytest.mark.parametrize("name", GENOMES)
def test_chains_of_edits_of_genomes(name):
    walk(name, 20, 0, "replicate")


@pytest.mark.slow
@GROW
@pytest.mark.parametrize("name", GENOMES)
def test_many_chains_of_edits_of_genomes(name, grow):
    for seed in range(1, 11):
        walk(name, 20, seed, grow)
