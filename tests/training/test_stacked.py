"""Stacked optimisers against torch's, one configuration at a time."""

from __future__ import annotations

import pytest
import torch

from autonas.training.layout import Layout
from autonas.training.stacked import make_stacked, stackable

SHAPES = ({"weight": (2, 3, 4), "bias": (2, 3)}, {"weight": (3, 5, 2), "bias": (3, 5)})
KINDS = {
    "adamw": lambda groups, n: torch.optim.AdamW(groups, lr=0.01, betas=(0.9, (0.95, 0.999)[n]), fused=True),
    "adam": lambda groups, n: torch.optim.Adam(groups, lr=0.01, betas=((0.8, 0.9)[n], 0.99), fused=True),
    "nesterov": lambda groups, n: torch.optim.SGD(groups, lr=0.01, momentum=(0.9, 0.7)[n], nesterov=True, fused=True),
    "momentum": lambda groups, n: torch.optim.SGD(groups, lr=0.01, momentum=(0.9, 0.7)[n], fused=True),
    "sgd": lambda groups, n: torch.optim.SGD(groups, lr=0.01, fused=True),
}


def made(kind, seed=0):
    """Two configurations: (parameters, optimizer) each."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for number, shapes in enumerate(SHAPES):
        parameters = {n: torch.nn.Parameter(torch.randn(s, generator=generator)) for n, s in shapes.items()}
        groups = [
            {"params": [parameters["weight"]], "base_lr": 0.02 * (number + 1), "weight_decay": 0.1 * (number + 1)},
            {"params": [parameters["bias"]], "base_lr": 0.05, "weight_decay": 0.0},
        ]
        found.append((parameters, KINDS[kind](groups, number)))
    return found


def torch_step(parameters, optimizer, gradients, factor):
    for name, parameter in parameters.items():
        parameter.grad = gradients[name].clone()
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
    optimizer.step()


@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_those_of_torch_and_moments_go_there_and_back(kind):
    generator = torch.Generator().manual_seed(7)
    gradients = [[{n: torch.randn(s, generator=generator) for n, s in shapes.items()} for shapes in SHAPES]
                 for _ in range(9)]  # fmt: skip
    single, stacked = made(kind), made(kind)
    for step in range(3):  # moments of an earlier training, of which the second has had one step less
        for number in range(2):
            if (step, number) != (0, 1):
                for pair in (single[number], stacked[number]):
                    torch_step(*pair, gradients[step][number], 1.0)
    layout = Layout([parameters for parameters, _ in stacked])
    weights = layout.matrix([p for p, _ in stacked], torch.zeros(()))
    optimizer = make_stacked(layout, [o for _, o in stacked], [p for p, _ in stacked])
    factors = (0.5, 0.25)
    for step in range(3, 6):
        gradient = layout.matrix(gradients[step], torch.zeros(()))
        optimizer.step(weights, gradient, optimizer.per_network(factors))
        for number, pair in enumerate(single):
            torch_step(*pair, gradients[step][number], factors[number])
    for number, (parameters, own) in enumerate(stacked):
        for name, view in layout.views(weights, number).items():
            torch.testing.assert_close(view, single[number][0][name].detach(), msg=f"{number} {name}")
            parameters[name].data = view.clone()
        optimizer.give_back(number)
        for step in range(6, 9):
            torch_step(*single[number], gradients[step][number], 1.0)
            torch_step(parameters, own, gradients[step][number], 1.0)
        for name, parameter in parameters.items():
            torch.testing.assert_close(parameter, single[number][0][name])
    assert all(stackable(own) for _, own in stacked)


def test_narrow_networks_lie_in_the_corner_of_wide_ones():
    stacks = [p for p, _ in made("sgd")]
    layout = Layout(stacks)
    matrix = layout.matrix(stacks, torch.zeros(()))
    assert matrix.shape == (5, 5 * 4 + 5)
    assert layout.members == [slice(0, 2), slice(2, 5)]
    whole = layout.tensors(matrix)["weight"]
    assert whole.shape == (5, 5, 4)
    assert torch.equal(whole[:2, :3], stacks[0]["weight"])
    assert torch.equal(whole[2:, :, :2], stacks[1]["weight"])
    assert not whole[:2, 3:].any()
    assert not whole[2:, :, 2:].any()
