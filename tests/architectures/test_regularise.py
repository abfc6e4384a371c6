"""DropPath and Shake-Shake: masks for each example, expectations, and gradients with shares of their own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from autonas.architectures.regularise import DropPath, ShakeShake, scheduled, set_progress


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_a_path_is_dropped_for_whole_examples_and_the_rest_keeps_the_expectation():
    module = DropPath(0.4)
    out = module(torch.ones(20_000, 2, 3))
    assert ((out == 0).all(dim=(1, 2)) | (out == 1 / 0.6).all(dim=(1, 2))).all()
    dropped = (out[:, 0, 0] == 0).float()
    assert dropped.mean().item() == pytest.approx(0.4, abs=4 * (0.24 / 20_000) ** 0.5)
    assert out.mean().item() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("progress", [0.0, 0.25, 0.5, 1.0])
def test_the_probability_rises_linearly_with_progress(progress):
    network = nn.Sequential(nn.Linear(1, 1), nn.Sequential(DropPath(0.4)), DropPath(0.2))
    modules = scheduled(network)
    assert [module.p for module in modules] == [0.4, 0.2]
    set_progress(modules, progress)
    share = (modules[0](torch.ones(20_000, 1)) == 0).float().mean().item()
    assert share == pytest.approx(0.4 * progress, abs=0.015)
    if progress == 0:
        assert share == 0


def test_outside_training_a_path_is_the_identity():
    x = torch.randn(50, 4)
    assert torch.equal(DropPath(0.9).eval()(x), x)
    assert torch.equal(ShakeShake().eval()(x, 3 * x), 2 * x)


def shaken(branches, rows=20_000):
    values = [torch.randn(rows, 2, requires_grad=True) for _ in range(branches)]
    out = ShakeShake()(*values)
    upstream = torch.rand_like(out) + 0.5
    out.backward(upstream)
    return values, out.detach(), torch.stack([value.grad / upstream for value in values])


@pytest.mark.parametrize("branches", [2, 3])
def test_shares_of_the_gradient_are_one_for_each_example_and_add_up_to_one(branches):
    _, _, back = shaken(branches)
    torch.testing.assert_close(back[..., 0], back[..., 1])
    torch.testing.assert_close(back.sum(0), torch.ones_like(back[0]))
    assert (back >= 0).all()
    torch.testing.assert_close(back.mean((1, 2)), torch.full((branches,), 1 / branches), atol=0.01, rtol=0)


def test_shares_of_two_branches_are_uniform_and_the_gradient_has_its_own():
    (a, b), out, back = shaken(2)
    alpha, beta = ((out - b) / (a - b))[:, 0].detach(), back[0, :, 0]
    for share in (alpha, beta):
        quantiles = torch.quantile(share, torch.linspace(0.1, 0.9, 9))
        torch.testing.assert_close(quantiles, torch.linspace(0.1, 0.9, 9), atol=0.02, rtol=0)
    assert abs(torch.corrcoef(torch.stack([alpha, beta]))[0, 1].item()) < 0.03
    error = out - (a + b).detach() / 2
    assert (error.mean(0).abs() < 3 * error.std(0) / len(error) ** 0.5).all()  # evaluation gives the expectation


def test_both_work_in_a_stack_of_networks():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.drop, self.shake = nn.Linear(3, 3), DropPath(0.5), ShakeShake()

        def forward(self, x):
            return self.shake(self.drop(self.linear(x)), x)

    block = Block()
    blocks = [block, copy.deepcopy(block)]
    parameters, buffers = stack_module_state(blocks)
    run = vmap(lambda p, b, x: functional_call(blocks[0], (p, b), (x,)), randomness="different")
    out = run(parameters, buffers, torch.ones(2, 64, 3))
    out.sum().backward()
    assert out.shape == (2, 64, 3)
    assert not torch.equal(out[0], out[1])  # equal weights, but each network draws for itself
    assert torch.isfinite(parameters["linear.weight"].grad).all()
