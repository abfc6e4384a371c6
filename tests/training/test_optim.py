"""Schedules in closed form; one step of each optimiser against its published formula."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autonas.architectures import mlp, tabm
from autonas.errors import OptionError
from autonas.training.optim import make_optimizer, parameter_groups, rate, set_rate

SCHEDULES = ("cosine", "linear", "constant", "sgdr")


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_warmup_is_linear(schedule):
    for p in (0.0, 0.05, 0.1, 0.1999):
        assert rate({"schedule": schedule, "warmup": 0.2}, p) == pytest.approx(p / 0.2)


@given(st.floats(0.2, 1.0))
def test_after_warmup_every_schedule_has_its_closed_form(p):
    q = (p - 0.2) / 0.8
    given_ = {"warmup": 0.2, "cycles": 4}
    assert rate({**given_, "schedule": "cosine"}, p) == pytest.approx((1 + math.cos(math.pi * q)) / 2)
    assert rate({**given_, "schedule": "linear"}, p) == pytest.approx(1 - q, abs=1e-12)
    assert rate({**given_, "schedule": "constant"}, p) == 1
    within = q * 4 - math.floor(q * 4) if q < 1 else 1
    assert rate({**given_, "schedule": "sgdr"}, p) == pytest.approx((1 + math.cos(math.pi * within)) / 2, abs=1e-9)


def test_schedules_end_at_zero_but_constant():
    ends = {schedule: rate({"schedule": schedule}, 1.0) for schedule in SCHEDULES}
    assert ends == {"cosine": 0, "linear": 0, "constant": 1, "sgdr": 0}


@pytest.mark.parametrize(("t_mult", "cycles", "restarts"), [(2, 5, [10, 30, 70, 150, 310]), (1, 3, [10, 20, 30])])
def test_sgdr_is_that_of_torch_step_by_step(t_mult, cycles, restarts):
    end = restarts[-1]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=10, T_mult=t_mult)
    options = {"schedule": "sgdr", "warmup": 0.0, "cycles": cycles, "t_mult": t_mult}
    rates = []
    for step in range(4 * end):  # four steps in an epoch
        schedule.step(step / 4)
        rates.append(rate(options, step / (4 * end)))
        if step % 40:  # at a restart rounding decides between the end of one cycle and the start of the next
            assert rates[-1] == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-6)
    jumps = [(step + 1) / 4 for step, (a, b) in enumerate(itertools.pairwise(rates)) if b > a + 0.5]
    assert [round(jump) for jump in jumps] == restarts[:-1]
    assert rates[0] == 1
    assert rates[20] == pytest.approx(0.5)  # in the middle of the first cycle
    assert rate(options, 1.0) == 0


def test_unknown_names_are_named():
    with pytest.raises(OptionError, match="cosine"):
        rate({"schedule": "cosin"}, 0.5)
    with pytest.raises(OptionError, match="adamw"):
        make_optimizer({"optimizer": "adam"}, [])


def names(network, n_rows=100):
    """Parameter names by (decays, factor)."""
    name_of = {id(p): name for name, p in network.named_parameters()}
    groups = parameter_groups(network, dict(network.named_parameters()), n_rows)
    return {(g["decays"], g["lr_factor"]): [name_of[id(p)] for p in g["params"]] for g in groups}


def test_only_matrices_decay_and_only_scales_are_fast():
    network = mlp.build({"normalisation": "layer", "depth": 1, "embedding": "periodic"}, (5,), 2, n_numeric=5)
    found = names(network, n_rows=2000)
    assert found[True, 1.0] == ["0.0.weight", "2.weight", "6.weight"]
    assert found[False, 6.0] == ["1.weight"]
    assert sum(map(len, found.values())) == len(list(network.parameters()))


def test_factors_of_members_do_not_decay():
    found = names(tabm.build({"depth": 2}, (5,), 2))
    assert found[True, 1.0] == ["2.weight", "5.weight", "8.weight"]


def one_step(options, gradient, factor):
    network = torch.nn.Linear(3, 2)
    torch.nn.init.ones_(network.weight)
    torch.nn.init.ones_(network.bias)
    optimizer = make_optimizer(options, parameter_groups(network, dict(network.named_parameters()), 100))
    for parameter in network.parameters():
        parameter.grad = torch.full_like(parameter, gradient)
    set_rate(optimizer, factor)
    optimizer.step()
    return network.weight.detach(), network.bias.detach()


def test_the_first_step_of_adamw():
    weight, bias = one_step({"optimizer": "adamw", "lr": 0.01, "weight_decay": 0.5}, 3.0, 0.5)
    # the bias-corrected first step of Adam is the sign of the gradient
    torch.testing.assert_close(weight, torch.full_like(weight, 1 - 0.005 * 0.5 - 0.005))
    torch.testing.assert_close(bias, torch.full_like(bias, 1 - 0.005))


def test_the_first_step_of_sgd():
    options = {"optimizer": "sgd", "sgd_lr": 0.1, "momentum": 0.9, "weight_decay": 0.0}
    weight, bias = one_step(options, 2.0, 0.5)
    # Nesterov: gradient + momentum * (velocity = gradient)
    torch.testing.assert_close(bias, torch.full_like(bias, 1 - 0.05 * 1.9 * 2.0))
    torch.testing.assert_close(weight, torch.full_like(weight, 1 - 0.05 * 1.9 * 2.0))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("lr", [0.01, 0.3])
def test_sgd_shrinks_as_adamw_at_its_default_rate_whatever_its_own(momentum, lr):
    network = torch.nn.Linear(3, 2)
    torch.nn.init.ones_(network.weight)
    options = {"optimizer": "sgd", "sgd_lr": lr, "momentum": momentum, "weight_decay": 0.1}
    optimizer = make_optimizer(options, parameter_groups(network, dict(network.named_parameters()), 100))
    for _ in range(500):
        network.weight.grad, network.bias.grad = torch.zeros(2, 3), torch.zeros(2)
        optimizer.step()
    assert network.weight.mean().item() == pytest.approx((1 - 0.002 * 0.1) ** 500, rel=0.01)
