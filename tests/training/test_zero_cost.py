"""Zero-cost scores: closed forms of linear networks, finite differences, and inputs that repeat."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional

from autonas.training.zero_cost import grad_norm, jacob_cov, synflow


def linear(*widths, between=nn.Identity):
    torch.manual_seed(0)
    layers = [part for i, o in pairwise(widths) for part in (nn.Linear(i, o, bias=False), between())]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("between", [nn.Identity, nn.ReLU, nn.Dropout])
def test_synflow_of_a_linear_network_is_layers_times_the_flow(between):
    """R = 1' |W3| |W2| |W1| 1, and each layer's weights carry all of it; ReLU passes what is positive."""
    network = linear(5, 7, 4, 3, between=between)
    flow = torch.ones(5, dtype=torch.float64)
    for layer in network:
        if isinstance(layer, nn.Linear):
            flow = layer.weight.detach().double().abs() @ flow
    assert synflow(network, (5,)) == pytest.approx(math.log1p(3 * float(flow.sum())), rel=1e-12)


def test_synflow_does_not_see_batch_normalisation_nor_change_the_network():
    network, bare = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 2)), linear(4, 6, 2)
    for layer, other in ((0, 0), (2, 2)):
        network[layer].weight.data = bare[other].weight.data.clone()
        network[layer].bias.data.zero_()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    assert synflow(network, (4,)) == pytest.approx(synflow(bare, (4,)), abs=1e-5)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert network[0].weight.dtype == torch.float32


def test_synflow_of_a_network_that_passes_nothing_on_is_0():
    class Nothing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2, bias=False)

        def forward(self, x):
            return 0 * self.layer(x)

    assert synflow(Nothing(), (3,)) == 0


def test_grad_norm_agrees_with_finite_differences():
    network = linear(3, 4, 2, between=nn.Tanh).double()
    X, y = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 1, 0, 1, 0])
    norms, step = [], 1e-4
    for layer in (network[0], network[2]):
        squares = 0.0
        for index in range(layer.weight.numel()):
            values = []
            for sign in (1, -1):
                layer.weight.data.view(-1)[index] += sign * step
                values.append(functional.cross_entropy(network(X), y).item())
                layer.weight.data.view(-1)[index] -= sign * step
            squares += ((values[0] - values[1]) / (2 * step)) ** 2
        norms.append(math.sqrt(squares))
    assert grad_norm(network, X, y) == pytest.approx(sum(norms), rel=1e-3)


def test_grad_norm_of_a_linear_regression_is_the_closed_form():
    network = linear(4, 1)
    X, y = torch.randn(9, 4), torch.randn(9)
    gradient = 2 * (network(X)[:, 0] - y) @ X / 9
    assert grad_norm(network, X, y) == pytest.approx(float(gradient.detach().norm()), rel=1e-5)


class Products(nn.Module):
    """The gradient of (rows of A) . x at row i is row i of A, whatever x is."""

    def __init__(self, A):
        super().__init__()
        self.A = A

    def forward(self, x):
        return (self.A * x).sum(1, keepdim=True)


def test_jacob_cov_is_highest_where_gradients_are_uncorrelated():
    hadamard = torch.tensor([[1.0, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])
    assert jacob_cov(Products(hadamard), torch.randn(3, 4)) == pytest.approx(-3, abs=1e-4)


def test_jacob_cov_of_two_rows_is_the_closed_form():
    """Correlation r has the eigenvalues 1 + r and 1 - r."""
    A = torch.tensor([[1.0, 2, 3, 5], [2, 1, 4, 4]])
    r = float(torch.corrcoef(A)[0, 1])
    expected = -sum(math.log(v + 1e-5) + 1 / (v + 1e-5) for v in (1 + r, 1 - r))
    assert jacob_cov(Products(A), torch.randn(2, 4)) == pytest.approx(expected, rel=1e-4)


def test_jacob_cov_of_repeated_inputs_is_very_low():
    network = linear(30, 16, 16, 3, between=nn.ReLU)
    torch.manual_seed(1)
    X = torch.randn(8, 30)
    repeated = torch.cat([X[:4], X[:4]])
    assert jacob_cov(network, X) > -1e3 * 8
    # four eigenvalues are 0: each costs 1 / k + ln k with k = 1e-5
    assert jacob_cov(network, repeated) == pytest.approx(-4 * (1e5 + math.log(1e-5)), rel=0.02)
