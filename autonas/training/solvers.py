"""The solvers and learning-rate policies of Auto-Net (Mendoza et al 2016), which searches over seven and four of them.

They differ from the optimisers of ``optim.py``, which are what one would choose today: weights are penalised by their
squares in the loss, for every solver, and a policy counts epochs.  SMORMS3 is Funk's (2015).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import floor
from typing import Any

import torch
from torch import Tensor

from autonas.core.trial import Value
from autonas.errors import unknown

__all__ = ["POLICIES", "SMORMS3", "SOLVERS", "make_solver", "policy_rate"]

POLICIES = ("exp", "fixed", "inv", "step")
SOLVERS = ("adadelta", "adagrad", "adam", "momentum", "nesterov", "sgd", "smorms3")


def policy_rate(options: Mapping[str, Value], epoch: float) -> float:
    """Factor on the learning rate after so many epochs, in [0, 1].

    Parameters
    ----------
    options : mapping
        ``rate_policy``: "fixed", "inv" (1 + ``gamma`` e)^-``k``, "exp" ``gamma``^e, "step" ``gamma``^floor(e / ``s``).
    epoch : float
    """
    policy, gamma = str(options["rate_policy"]), float(options.get("gamma", 0.01))
    if policy == "fixed":
        return 1.0
    if policy == "inv":
        return float((1 + gamma * epoch) ** -float(options.get("k", 0.5)))
    if policy == "exp":
        return float(gamma**epoch)
    if policy == "step":
        return float(gamma ** floor(epoch / int(options.get("s", 2))))
    raise unknown("learning-rate policy", policy, POLICIES)


def make_solver(options: Mapping[str, Value], groups: list[dict]) -> torch.optim.Optimizer:
    """The solver that the options name.

    Parameters
    ----------
    options : mapping
        ``solver``, ``lr``, ``l2`` (factor on the sum of squared weights in the loss); ``beta1_complement`` and
        ``beta2_complement`` (1 - beta) of "adam", ``rho`` of "adadelta", ``momentum`` of "momentum" and "nesterov".
    groups : list of dict
        From :func:`~autonas.training.optim.parameter_groups`.
    """
    name, lr, penalty = str(options["solver"]), float(options.get("lr", 0.01)), float(options.get("l2", 1e-4))
    momentum = float(options.get("momentum", 0.9))
    betas = 1 - float(options.get("beta1_complement", 0.1)), 1 - float(options.get("beta2_complement", 0.1))
    # the gradient of a squared weight is twice the weight
    groups = [{**g, "base_lr": lr * g["lr_factor"], "weight_decay": 2 * penalty * g["decays"]} for g in groups]
    made: dict[str, Callable[[], torch.optim.Optimizer]] = {
        "adadelta": lambda: torch.optim.Adadelta(groups, lr=lr, rho=float(options.get("rho", 0.95))),
        "adagrad": lambda: torch.optim.Adagrad(groups, lr=lr),
        "adam": lambda: torch.optim.Adam(groups, lr=lr, betas=betas, fused=True),
        "momentum": lambda: torch.optim.SGD(groups, lr=lr, momentum=momentum, fused=True),
        "nesterov": lambda: torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=True, fused=True),
        "sgd": lambda: torch.optim.SGD(groups, lr=lr, fused=True),
        "smorms3": lambda: SMORMS3(groups, lr=lr),
    }
    if name not in made:
        raise unknown("solver", name, SOLVERS)
    return made[name]()


class SMORMS3(torch.optim.Optimizer):
    """Squared mean over root mean square, cubed: RMSProp whose memory and rate follow the signal-to-noise ratio.

    Parameters
    ----------
    params : iterable
        Parameters or groups.
    lr : float
        Upper bound on the rate.
    weight_decay : float
        Times the weights is added to the gradient.
    eps : float
    """

    def __init__(self, params: Any, lr: float = 0.001, weight_decay: float = 0.0, eps: float = 1e-16) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "eps": eps})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update({"memory": torch.ones_like(parameter)})
            state.update({name: torch.zeros_like(parameter) for name in ("mean", "square")})
        gradient = parameter.grad + group["weight_decay"] * parameter
        newest = 1 / (state["memory"] + 1)
        state["mean"].lerp_(gradient, newest)
        state["square"].lerp_(gradient.square(), newest)
        signal = state["mean"].square() / (state["square"] + group["eps"])
        state["memory"].mul_(1 - signal).add_(1)
        parameter.sub_(gradient * signal.clamp(max=group["lr"]) / (state["square"].sqrt() + group["eps"]))
