"""Residual networks, those of many branches, dense networks and ENAS's macro space are points of one space."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from autonas.architectures import dag, denseblock, residual
from autonas.architectures.family import compile_graph
from autonas.errors import OptionError
from autonas.search_space.load import load_space

SPACE = """
name: branched
title: Residual, many-branched and dense networks
modality: image
kinds:
  dag:
    network: true
    settings:
      min_layers: 1
      max_layers: 48
      operations: [conv_3x3, basic_3x3, bottleneck_3x3, group_bottleneck_3x3, dense_3x3]
      merges: [add, concat, residual, dense]
      skips: false
      spread: own
    hyperparameters:
      - {name: channels, type: categorical, choices: [12, 16, 32, 64], default_value: 16}
      - {name: stem, type: categorical, choices: [16, 24], default_value: 16}
      - {name: widen, type: categorical, choices: [1, 2], default_value: 2}
      - {name: pools, type: categorical, choices: [0, 1, 2], default_value: 2}
      - {name: groups, type: categorical, choices: [4, 8], default_value: 8}
      - {name: order, type: categorical, choices: [post, full], default_value: post}
      - {name: reduction, type: categorical, choices: [stride, transition], default_value: stride}
      - {name: compression, type: categorical, choices: [0.5, 1.0], default_value: 0.5}
      - {name: shortcut, type: categorical, choices: [projection, padding], default_value: projection}
"""
DENSE = {"merge": "dense", "op": "dense_3x3", "channels": 12, "stem": 24, "widen": 1, "order": "full",
         "reduction": "transition"}  # fmt: skip


@pytest.fixture(scope="module")
def branched(tmp_path_factory):
    path = tmp_path_factory.mktemp("space") / "branched.yaml"
    path.write_text(SPACE)
    return load_space(path)


def point(space, layers, op, **rest):
    """The options of a configuration of the space, all of whose layers have one operation."""
    ops = {f"op_{i}": op for i in range(1, layers + 1)}
    config = {"model": "dag", **{f"dag:{k}": v for k, v in {"layers": layers, **ops, **rest}.items()}}
    return space.options(space.complete(config))


def both(one, other, shape):
    """Outputs of two networks of equal weights, in their order, and normalisations that do something."""
    torch.manual_seed(0)
    for name, value in one.state_dict().items():
        if value.is_floating_point():
            value.uniform_(0.5, 1.5) if "running_var" in name else value.normal_(0, 0.2)
    values = list(one.state_dict().values())
    wanted = other.state_dict()
    assert [v.shape for v in values] == [v.shape for v in wanted.values()]
    other.load_state_dict(dict(zip(wanted, values, strict=True)))
    x = torch.randn(2, *shape)
    with torch.no_grad():
        return one.eval()(x), other.eval()(x)


def stages(blocks, kind, shortcut, width=16):
    per_stage = {f"{key}_{s}": v for s in (1, 2, 3) for key, v in (("blocks", blocks), ("branches", 1), ("kernel", 3))}
    return {"width": width, "block": kind, "shortcut": shortcut, "shortcuts": [shortcut], "kinds": [kind], **per_stage}


@pytest.mark.parametrize(("shortcut", "parameters"), [("padding", 269_722), ("projection", 272_474)])
def test_resnet_20_is_a_point(branched, shortcut, parameters):
    options = point(branched, 9, "basic_3x3", merge="residual", shortcut=shortcut)
    graph = compile_graph(dag, options, (3, 32, 32), 10)
    assert graph.account.parameters == parameters
    made, known = (
        compile_graph(family, given, (3, 9, 9), 10).network()
        for family, given in ((dag, options), (residual, stages(3, "basic", shortcut)))
    )
    torch.testing.assert_close(*both(made, known, (3, 9, 9)), atol=1e-6, rtol=1e-5)


def test_a_residual_network_of_bottlenecks_is_a_point(branched):
    options = point(branched, 6, "bottleneck_3x3", merge="residual", channels=64)
    made = compile_graph(dag, options, (3, 8, 8), 10).network()
    known = compile_graph(residual, stages(2, "bottleneck", "projection"), (3, 8, 8), 10).network()
    torch.testing.assert_close(*both(made, known, (3, 8, 8)), atol=1e-6, rtol=1e-5)


def test_densenet_bc_100_12_is_a_point(branched):
    known = {f"{k}_{i}": v for i in range(1, 17) for k, v in (("norm", "pre"), ("conv", "conv_3x3"))}
    known |= {"repeats": 1, "growth": 12, "bottleneck": True, "compression": 0.5}
    graph = compile_graph(dag, point(branched, 48, **DENSE), (3, 32, 32), 10)
    assert graph.account.parameters == 769_162
    assert graph.account == compile_graph(denseblock, {**known, "layers": 16}, (3, 32, 32), 10).account
    made = compile_graph(dag, point(branched, 9, **DENSE), (3, 9, 9), 10).network()
    same = compile_graph(denseblock, {**known, "layers": 3}, (3, 9, 9), 10).network()
    torch.testing.assert_close(*both(made, same, (3, 9, 9)), atol=1e-6, rtol=1e-5)


class ResNeXt(nn.Module):
    """Stem, a block of 32 channels, one of 64 at half the resolution (Xie et al 2017), and the classifier."""

    class Block(nn.Module):
        def __init__(self, channels, out, cardinality, stride):
            super().__init__()
            self.shortcut = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out))
            self.reduce, self.norm_1 = nn.Conv2d(channels, out // 2, 1, bias=False), nn.BatchNorm2d(out // 2)
            self.conv = nn.Conv2d(out // 2, out // 2, 3, stride, 1, groups=cardinality, bias=False)
            self.norm_2 = nn.BatchNorm2d(out // 2)
            self.expand, self.norm_3 = nn.Conv2d(out // 2, out, 1, bias=False), nn.BatchNorm2d(out)

        def forward(self, x):
            y = functional.relu(self.norm_1(self.reduce(x)))
            y = functional.relu(self.norm_2(self.conv(y)))
            return functional.relu(self.shortcut(x) + self.norm_3(self.expand(y)))

    def __init__(self, cardinality):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.first, self.second = self.Block(16, 32, cardinality, 1), self.Block(32, 64, cardinality, 2)
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = self.second(self.first(functional.relu(self.norm(self.stem(x)))))
        return self.out(x.mean((2, 3)))


@pytest.mark.parametrize("cardinality", [4, 8])
def test_a_resnext_is_a_point(branched, cardinality):
    options = point(branched, 2, "group_bottleneck_3x3", merge="residual", channels=32, pools=1, groups=cardinality)
    made = compile_graph(dag, options, (3, 9, 9), 10).network()
    alone = ResNeXt(cardinality)
    torch.testing.assert_close(*both(made, alone, (3, 9, 9)), atol=1e-6, rtol=1e-5)
    branches = alone.second.conv.weight.shape  # every branch reads 32 / cardinality channels only
    assert branches == (32, 32 // cardinality, 3, 3)


SKIPS = {"min_layers": 4, "max_layers": 4, "pools": 1, "operations": ["conv_3x3", "identity"], "channels": 8}


@pytest.mark.parametrize("reduction", ["factorised", "stride", "transition"])
@pytest.mark.parametrize("merge", dag.BEFORE + dag.BEHIND)
def test_every_merge_reads_what_a_skip_gives_it(merge, reduction):
    options = {**SKIPS, "layers": 4, "merges": [merge], "reduction": reduction, "widen": 2, "order": "full"}
    options |= {f"op_{i}": "conv_3x3" for i in range(1, 5)}
    skips = {f"skip_{j}_{i}": "no" for i in range(3, 5) for j in range(1, i - 1)}
    plain = compile_graph(dag, {**options, **skips}, (3, 9, 9), 4)
    more = compile_graph(dag, {**options, **skips, "skip_1_4": "yes"}, (3, 9, 9), 4)

    def read(graph):  # a sum of one term is no node
        return next((len(n.inputs) for n in graph.nodes if n.name in ("layer_4_add", "layer_4_concat")), 1)

    assert read(more) == read(plain) + 1
    x = torch.randn(2, 3, 9, 9)
    assert more.network()(x).shape == (2, 4)


def test_residual_layers_are_a_part_of_the_supernet_of_their_merge():
    settings = {**SKIPS, "merges": ["residual", "dense"], "reduction": "stride", "merge": "residual", "layers": 4}
    shared = compile_graph(dag, settings, (3, 8, 8), 4, relaxed=True).network()
    skips = {f"skip_{j}_{i}" for i in range(3, 5) for j in range(1, i - 1)}
    assert set(shared.choices) == {*skips, *(f"op_{i}" for i in range(1, 5))}
    mix = {name: torch.full((len(v),), 1 / len(v), requires_grad=True) for name, v in shared.choices.items()}
    shared(torch.randn(2, 3, 8, 8), mix).square().sum().backward()
    assert all(weight.grad.abs().max() > 0 for weight in mix.values())


@pytest.mark.parametrize(
    ("key", "value"),
    [("merges", ["sum"]), ("reduction", "pool"), ("shortcut", "none"), ("order", "last"), ("operations", ["none"])],
)
def test_what_is_no_setting_is_refused(key, value):
    with pytest.raises(OptionError):
        dag.space({**dag.SETTINGS, key: value})
