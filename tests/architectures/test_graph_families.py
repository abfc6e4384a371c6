"""Every graph family of every packaged space: closed forms against torch, networks against their supernet."""

from __future__ import annotations

import pytest
import torch

from autonas.architectures.extract import extract
from autonas.architectures.family import compile_graph, graph_module
from autonas.errors import ArchitectureError
from autonas.search_space.dry_run import watch
from autonas.search_space.load import list_spaces, load_space

SHAPES = {"image": (3, 16, 16), "series": (2, 48), "tabular": (6,), "text": (20,)}
SMALLER = {name: {"stages": 1, "repeats": 1} for name in ("hierarchical", "pathlevel")}  # thousands of operations
KINDS = [
    (summary.name, kind)
    for summary in list_spaces()
    for kind, family in load_space(summary.name).families.items()
    if graph_module(family)
]


def _configs(name: str, kind: str, n: int) -> list[dict]:
    space = load_space(name)
    drawn = [space.default(kind), *(c for c in space.sample(8 * n, seed=1) if space.kind_of(c) == kind)]
    possible = []
    for config in drawn:
        try:
            space.dry_run(config, SHAPES[space.modality], 3)
        except ArchitectureError:
            continue
        possible.append(config)
    assert len(possible) > 1, "hardly any configuration can be built"
    return possible[: n + 1]


def _data(space, rows=4):
    torch.manual_seed(0)
    shape = SHAPES[space.modality]
    return torch.randint(1, 20, (rows, *shape)).float() if space.modality == "text" else torch.randn(rows, *shape)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_what_a_graph_counts_is_what_torch_counts(name, kind):
    space = load_space(name)
    shape = SHAPES[space.modality]
    for config in _configs(name, kind, 3):
        counted = space.dry_run(config, shape, 3)
        network = space.network(config, shape, 3)
        assert counted.parameters == sum(p.numel() for p in network.parameters())
        assert counted.output_shape == (3,)
        seen = watch(network.to("meta"), shape)
        assert (counted.macs, counted.output_shape) == (seen.macs, seen.output_shape)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_network_trains(name, kind):
    space = load_space(name)
    x = _data(space)
    for config in _configs(name, kind, 2):
        network = space.network(config, x.shape[1:], 3)
        loss = torch.nn.functional.cross_entropy(network(x), torch.tensor([0, 1, 2, 0]))
        loss.backward()
        assert torch.isfinite(loss)
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


RELAXED = [
    (name, kind) for name, kind in KINDS if getattr(graph_module(load_space(name).families[kind]), "RELAXES", True)
]


@pytest.mark.parametrize("dense", [False, True], ids=["only what is chosen", "everything"])
@pytest.mark.parametrize(("name", "kind"), RELAXED)
def test_a_network_is_a_part_of_its_supernet(name, kind, dense):
    space = load_space(name)
    x = _data(space)
    family = graph_module(space.families[kind])
    for config in _configs(name, kind, 2):
        options = {**space.options(config), **SMALLER.get(name, {})}
        shared = space.supernet(x.shape[1:], 3, kind, fixed=options)
        for buffer in shared.buffers():
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 1.5)
        graph = compile_graph(family, options, x.shape[1:], 3)
        alone = graph.network()
        alone.load_state_dict(extract(shared.graph, graph, shared.state_dict()))
        mix = shared.one_hot(options)
        if dense:
            mix = {key: weight.requires_grad_() for key, weight in mix.items()}
        with torch.set_grad_enabled(dense):
            torch.testing.assert_close(shared.eval()(x, mix), alone.eval()(x), atol=1e-5, rtol=1e-4)


def test_a_supernet_has_a_gradient_for_every_choice_that_matters():
    space = load_space("nasbench201")
    shared = space.supernet((3, 8, 8), 3)
    mix = {name: torch.full((len(v),), 1 / len(v), requires_grad=True) for name, v in shared.choices.items()}
    shared(torch.randn(4, 3, 8, 8), mix).square().sum().backward()
    assert set(mix) == {"edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3"}
    assert all(weight.grad.abs().max() > 0 for weight in mix.values())
