"""Parents, children and comparisons for the tests of morphisms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from autonas.architectures.graph import Graph
from autonas.architectures.layers import Activation, Conv, Dense, GlobalPool, Norm
from autonas.architectures.morph import inherit

DIGITS = load_digits()
X = torch.tensor(DIGITS.images[:, None] / 8 - 1, dtype=torch.float32)  # of both signs
Y = torch.tensor(DIGITS.target)
FEW = X[:24]


def lived_in(network: nn.Module, seed: int = 0) -> nn.Module:
    """As if trained: no weight and no statistic stands where it starts, and no two units are equal."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        elif tensor.is_floating_point() and tensor.ndim < 2:
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=generator))
    return network.eval()


def gap(parent: nn.Module, child: nn.Module, x: torch.Tensor = FEW) -> float:
    with torch.no_grad():
        wanted, got = parent.eval()(x), child.eval()(x)
    return float((wanted - got).abs().max() / max(1.0, float(wanted.abs().max())))


def loaded(graph: Graph, state: dict) -> nn.Module:
    network = graph.network()
    network.load_state_dict(state)
    return network.eval()


def chain(*layers, shape=(1, 8, 8)) -> Graph:
    """A graph of named single nodes in a row, a classifier at the end."""
    graph = Graph({}, shape)
    x = graph.input
    for name, made in layers:
        x = graph.apply(name, x, made)
    return graph.finish(graph.apply("classifier", x, [GlobalPool(), Dense(10)]))


def conv(out, kernel=3, activation="relu", stride=1):
    return [Conv(out, kernel, stride), Norm(), Activation(activation)]


def check(parent: Graph, child: Graph, exact=True, x=FEW, **how):
    old = lived_in(parent.network())
    found = inherit(parent, old.state_dict(), child, rng=np.random.default_rng(1), **how)
    new = loaded(child, found.state)
    assert found.exact == exact, found.changed
    if exact:
        assert gap(old, new, x) < 1e-5
    return old, new, found


GROW = pytest.mark.parametrize("grow", ["replicate", "zeros"])
