"""Every packaged space: random configurations train; and its graphs: closed forms, networks and their supernet.

Small: two stages of one cell, images of 8 x 8.  ``autonas bench spaces`` trains hundreds of configurations at the sizes
of the files.
"""

from __future__ import annotations

from functools import cache
from itertools import islice

import pytest
import torch

from autonas.architectures.extract import extract
from autonas.architectures.family import build, compile_graph, graph_module
from autonas.bench.spaces import Sweep, attempt
from autonas.errors import ArchitectureError
from autonas.search_space.dry_run import watch
from autonas.search_space.load import list_spaces, load_space

CONFIGURATIONS = 20
SHAPES = {"image": (3, 8, 8), "series": (2, 24), "tabular": (6,), "text": (8,)}
SMALL = {"stages": 2, "repeats": 1, "cells": 3}
SMALLER = {"hierarchical": {"stages": 1}, "pathlevel": {"stages": 1}}  # supernets of thousands of operations
EVERY = [(summary.name, kind) for summary in list_spaces() for kind in load_space(summary.name).families]


@cache
def _space(name):
    """A packaged space, small."""
    space = load_space(name)
    for kind, settings in space.settings.items():
        known = {**getattr(graph_module(space.families[kind]), "SETTINGS", {}), **settings}
        sizes = {**SMALL, **SMALLER.get(name, {})}
        settings |= {key: size for key, size in sizes.items() if size < known.get(key, 0)}
    return space


def _family(name, kind):
    return graph_module(_space(name).families[kind])


KINDS = [pair for pair in EVERY if _family(*pair)]


@cache
def _drawn(name):
    space = _space(name)
    return space.sample(3 * CONFIGURATIONS * len(space.families), seed=1)


def _configs(name, kind):
    """The default and random configurations of a kind."""
    space = _space(name)
    yield space.default(kind)
    yield from (config for config in _drawn(name) if space.kind_of(config) == kind)


def _options(name, kind, n):
    """Options of the first ``n`` that can be built."""

    def possible():
        for config in _configs(name, kind):
            options = _space(name).options(config)
            try:
                compile_graph(_family(name, kind), options, SHAPES[_space(name).modality], 3)
            except ArchitectureError:
                continue
            yield options

    return islice(possible(), n)


def _data(name, rows=4):
    torch.manual_seed(0)
    modality = _space(name).modality
    shape = SHAPES[modality]
    return torch.randint(1, 20, (rows, *shape)).float() if modality == "text" else torch.randn(rows, *shape)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_what_a_graph_counts_is_what_torch_counts(name, kind):
    shape = SHAPES[_space(name).modality]
    for options in _options(name, kind, 3):
        account = compile_graph(_family(name, kind), options, shape, 3).account
        network = build(_family(name, kind), options, shape, 3)
        assert account.parameters == sum(p.numel() for p in network.parameters())
        seen = watch(network.to("meta"), shape)
        assert (account.macs, account.shape) == (seen.macs, seen.output_shape)


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_random_configurations_train(name, kind):
    space, found = _space(name), Sweep(name)
    for config in _configs(name, kind):
        attempt(space, config, SHAPES, found)
        if found.built + found.learners == CONFIGURATIONS:
            break
    assert not found.failures
    assert found.built + found.learners == CONFIGURATIONS, f"{found.refused} configurations cannot be built"


RELAXED = [(name, kind) for name, kind in KINDS if getattr(_family(name, kind), "RELAXES", True)]


@pytest.mark.parametrize(("name", "kind"), RELAXED)
def test_a_network_is_a_part_of_its_supernet(name, kind):
    x, family = _data(name), _family(name, kind)
    for options in _options(name, kind, 2):
        shared = compile_graph(family, options, x.shape[1:], 3, relaxed=True).network()
        for buffer in shared.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
        graph = compile_graph(family, options, x.shape[1:], 3)
        alone = graph.network()
        alone.load_state_dict(extract(shared.graph, graph, shared.state_dict()))
        expected = alone.eval()(x)
        mix = shared.eval().one_hot(options)
        with torch.no_grad():
            torch.testing.assert_close(shared(x, mix), expected, atol=1e-5, rtol=1e-4)
        everything = {key: weight.requires_grad_() for key, weight in mix.items()}  # gradients need all cases
        torch.testing.assert_close(shared(x, everything), expected, atol=1e-5, rtol=1e-4)


def test_a_supernet_has_a_gradient_for_every_choice_that_matters():
    space = _space("nasbench201")
    shared = space.supernet((3, 8, 8), 3)
    mix = {name: torch.full((len(v),), 1 / len(v), requires_grad=True) for name, v in shared.choices.items()}
    shared(torch.randn(4, 3, 8, 8), mix).square().sum().backward()
    assert set(mix) == {"edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3"}
    assert all(weight.grad.abs().max() > 0 for weight in mix.values())
