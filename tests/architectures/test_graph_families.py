"""Every graph family of every packaged space: closed forms against torch, networks against their supernet.

Small: two stages of one cell, images of 8 x 8.  ``autonas bench spaces`` does the same for hundreds of configurations
at the sizes of the files.
"""

from __future__ import annotations

from functools import cache

import pytest
import torch

from autonas.architectures.extract import extract
from autonas.architectures.family import build, compile_graph, graph_module
from autonas.errors import ArchitectureError
from autonas.search_space.dry_run import watch
from autonas.search_space.load import list_spaces, load_space

SHAPES = {"image": (3, 8, 8), "series": (2, 24), "tabular": (6,), "text": (8,)}
SMALL = {"stages": 2, "repeats": 1, "cells": 3}
SMALLER = {"hierarchical": {"stages": 1}, "pathlevel": {"stages": 1}}  # supernets of thousands of operations
KINDS = [
    (summary.name, kind)
    for summary in list_spaces()
    for kind, family in load_space(summary.name).families.items()
    if graph_module(family)
]


@cache
def _space(name):
    return load_space(name)


def _family(name, kind):
    return graph_module(_space(name).families[kind])


def _options(name, kind, n):
    """Options of the default and of ``n`` random configurations, small."""
    space, family = _space(name), _family(name, kind)
    sampled = space.sample(20 * n * len(space.families), seed=1)
    drawn = [space.default(kind), *(c for c in sampled if space.kind_of(c) == kind)]
    sizes = {key: value for key, value in {**SMALL, **SMALLER.get(name, {})}.items() if key in family.SETTINGS}
    possible = []
    for config in drawn:
        given = space.options(config)
        settings = {**family.SETTINGS, **given}
        options = {**given, **{key: size for key, size in sizes.items() if size < settings[key] and key not in config}}
        try:
            compile_graph(family, options, SHAPES[space.modality], 3)
        except ArchitectureError:
            continue
        possible.append(options)
        if len(possible) > n:
            break
    assert len(possible) > 1, "hardly any configuration can be built"
    return possible


def _data(name, rows=4):
    torch.manual_seed(0)
    modality = _space(name).modality
    shape = SHAPES[modality]
    return torch.randint(1, 20, (rows, *shape)).float() if modality == "text" else torch.randn(rows, *shape)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_what_a_graph_counts_is_what_torch_counts(name, kind):
    shape = SHAPES[_space(name).modality]
    for options in _options(name, kind, 2):
        account = compile_graph(_family(name, kind), options, shape, 3).account
        network = build(_family(name, kind), options, shape, 3)
        assert account.parameters == sum(p.numel() for p in network.parameters())
        seen = watch(network.to("meta"), shape)
        assert (account.macs, account.shape) == (seen.macs, seen.output_shape)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_network_trains(name, kind):
    x = _data(name)
    for options in _options(name, kind, 1):
        network = build(_family(name, kind), options, x.shape[1:], 3)
        loss = torch.nn.functional.cross_entropy(network(x), torch.tensor([0, 1, 2, 0]))
        loss.backward()
        assert torch.isfinite(loss)
        trained = [p for p in network.parameters() if p.requires_grad]
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in trained)
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in trained)


RELAXED = [(name, kind) for name, kind in KINDS if getattr(_family(name, kind), "RELAXES", True)]


@pytest.mark.parametrize(("name", "kind"), RELAXED)
def test_a_network_is_a_part_of_its_supernet(name, kind):
    x, family = _data(name), _family(name, kind)
    for options in _options(name, kind, 1):
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
