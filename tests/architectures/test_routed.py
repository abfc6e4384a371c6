from __future__ import annotations

import torch
from torch import nn

from autonas.architectures.layers import Activation, Conv
from autonas.architectures.layers_routing import Route
from autonas.architectures.modules_routing import Route as Module


def _route(k, experts=4):
    torch.manual_seed(0)
    return Module(6, [nn.Conv2d(6, 5, 3, padding=1) for _ in range(experts)], k, 2)


def test_all_modules_are_a_soft_mixture():
    route = _route(4)
    x = torch.randn(7, 6, 8, 8)
    soft = torch.softmax(route.gate(x.mean((2, 3))), dim=1)
    mixture = sum(soft[:, i].view(-1, 1, 1, 1) * expert(x) for i, expert in enumerate(route.experts))
    torch.testing.assert_close(route(x), mixture)


def test_every_example_uses_k_modules_whose_weights_sum_to_one():
    weights = _route(2).weights(torch.randn(50, 6, 8, 8))
    assert ((weights > 0).sum(1) == 2).all()
    torch.testing.assert_close(weights.sum(1), torch.ones(50))


def test_sparse_computation_touches_only_the_chosen_modules():
    route, x = _route(2), torch.randn(50, 6, 8, 8)
    dense, seen = route(x), []
    for expert in route.experts:
        expert.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    route.sparse = True
    torch.testing.assert_close(route(x), dense)
    assert sum(seen) == 2 * 50


def test_clusters_learn_routes_of_their_own():
    torch.manual_seed(0)
    route = Route(((Conv(1, 1), Activation("relu")), (Conv(1, 1), Activation("relu"))), 1).module((2, 1))
    cluster = torch.arange(200) % 2
    x = torch.randn(200, 2, 1) * 0.3 + torch.where(cluster[:, None, None] == 0, 2.0, -2.0)
    # one linear map with a rectifier fits |mean| only on one side of zero, so the clusters need different modules
    y, optimizer = x.mean(1, keepdim=True).abs(), torch.optim.Adam(route.parameters(), 0.02)
    for step in range(400):
        route.k = 2 if step < 200 else 1
        optimizer.zero_grad()
        (route(x) - y).square().mean().backward()
        optimizer.step()
    chosen = route.weights(x).argmax(1)
    purity = max((chosen == cluster).float().mean(), (chosen != cluster).float().mean())
    assert purity >= 0.9
