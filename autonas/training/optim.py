"""Optimisers and learning-rate schedules.

Weight decay is decoupled and falls on matrices only.  A schedule is a function of progress p in
[0, 1], never of a step count, so that training which follows a clock ends with a learning rate of
zero whatever the speed of the machine (cosine: Loshchilov and Hutter 2017, who also give the
restarts "sgdr").  The solvers and policies of Auto-Net stand in ``solvers.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch._dynamo  # the first optimiser would import it, for a second of some trial's time slice
from torch import Tensor, nn

from autonas.architectures.ops import Scale
from autonas.core.trial import Value
from autonas.errors import unknown
from autonas.training.solvers import make_solver, policy_rate

__all__ = ["rate", "parameter_groups", "parameter_order", "make_optimizer", "set_rate"]

_SCHEDULES = ("cosine", "linear", "constant", "sgdr")
_DECAY_UNIT = 0.002  # SGD shrinks weights per step as AdamW does at this, its default, learning rate


def rate(options: Mapping[str, Value], progress: float, epochs: float = 40) -> float:
    """Factor on the learning rate, in [0, 1].

    Parameters
    ----------
    options : mapping
        ``schedule`` ("cosine", "linear", "constant", "sgdr"), ``warmup`` (share of the training
        during which the rate rises linearly), ``cycles`` of "sgdr", each ``t_mult`` times as long as the one
        before; or ``rate_policy``, one of Auto-Net's.
    progress : float
        In [0, 1].
    epochs : float
        Of the whole training, for the policies, which count them.
    """
    if "rate_policy" in options:
        return policy_rate(options, progress * epochs)
    schedule, warmup = str(options.get("schedule", "cosine")), float(options.get("warmup", 0.05))
    if schedule not in _SCHEDULES:
        raise unknown("schedule", schedule, _SCHEDULES)
    if progress < warmup:
        return progress / warmup
    q = min(1.0, (progress - warmup) / (1 - warmup))
    if schedule == "constant":
        return 1.0
    if schedule == "linear":
        return 1 - q
    if schedule == "sgdr" and q < 1:
        q = _within_cycle(q, int(options.get("cycles", 2)), float(options.get("t_mult", 1)))
    return 0.5 * (1 + math.cos(math.pi * q))


def _within_cycle(q: float, cycles: int, growth: float) -> float:
    """Share of its cycle at which the share ``q`` of all cycles lies, each ``growth`` times as long as the last."""
    lengths = [growth**number for number in range(cycles)]
    place = q * sum(lengths)
    for length in lengths:
        if place < length:
            return place / length
        place -= length
    return 1.0


def parameter_groups(network: nn.Module, parameters: Mapping[str, Tensor], n_rows: int) -> list[dict]:
    """Groups for an optimiser: matrices, which decay; the rest; input scales, which learn faster.

    Parameters
    ----------
    network : Module
        One network: says what each parameter is.
    parameters : mapping of str to Tensor
        What is trained: the network's own parameters or stacks of several networks' under the same names.
    n_rows : int
        Rows of the whole task.
    """
    scales = {f"{name}.weight" for name, module in network.named_modules() if isinstance(module, Scale)}
    groups: dict[str, list[Tensor]] = {"matrices": [], "vectors": [], "scales": []}
    for name, single in network.named_parameters():
        matrix = single.ndim >= 2 and name.rpartition(".")[2] == "weight"
        groups["scales" if name in scales else "matrices" if matrix else "vectors"].append(parameters[name])
    factor = {"scales": Scale.lr_factor(n_rows)}
    return [
        {"params": tensors, "lr_factor": factor.get(name, 1.0), "decays": name == "matrices"}
        for name, tensors in groups.items()
        if tensors
    ]


def parameter_order(network: nn.Module) -> list[str]:
    """Names of a network's parameters in the order in which an optimiser numbers them."""
    own = dict(network.named_parameters())
    names = {id(parameter): name for name, parameter in own.items()}
    return [names[id(parameter)] for group in parameter_groups(network, own, 1) for parameter in group["params"]]


def make_optimizer(options: Mapping[str, Value], groups: list[dict]) -> torch.optim.Optimizer:
    """The optimiser that the options name: fused AdamW, or fused SGD with Nesterov's momentum, or one of Auto-Net's.

    Parameters
    ----------
    options : mapping
        ``optimizer``, ``weight_decay``; ``lr`` and ``beta2`` of "adamw"; ``sgd_lr`` and ``momentum`` of "sgd"; or
        ``solver`` (see ``solvers.py``).
    groups : list of dict
        From :func:`parameter_groups`.
    """
    if "solver" in options:
        return make_solver(options, groups)
    name, decay = str(options.get("optimizer", "adamw")), float(options.get("weight_decay", 0.1))
    if name == "adamw":
        lr = float(options.get("lr", 0.002))
        groups = [{**g, "base_lr": lr * g["lr_factor"], "weight_decay": decay * g["decays"]} for g in groups]
        return torch.optim.AdamW(groups, lr=lr, betas=(0.9, float(options.get("beta2", 0.95))), fused=True)
    if name == "sgd":
        lr, momentum = float(options.get("sgd_lr", 0.05)), float(options.get("momentum", 0.9))
        # torch adds decay * w to the gradient; per step this shrinks w by lr / (1 - momentum) of it
        coupled = decay * _DECAY_UNIT * (1 - momentum) / lr
        groups = [{**g, "base_lr": lr * g["lr_factor"], "weight_decay": coupled * g["decays"]} for g in groups]
        return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=momentum > 0, fused=True)
    raise unknown("optimizer", name, ("adamw", "sgd"))


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Set every group's learning rate to ``factor`` times its base."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
