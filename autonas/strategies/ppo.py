"""The policy of ``reinforce`` with PPO's clipped objective, as the controller of NASNet (Zoph et al 2018).

Several epochs over a batch of trials, the ratio of new to old probability clipped for every decision.  The old policy
is the one before the batch's update: what proposed trials that were pending, or came from elsewhere, is not kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from autonas.strategies.reinforce import Reinforce

__all__ = ["STRATEGY", "Ppo"]


class Ppo(Reinforce):
    """Policy gradients with a clipped objective; options as in :class:`~autonas.strategies.reinforce.Reinforce`."""

    name = "ppo"
    defaults: ClassVar[Mapping[str, Any]] = {"batch": 20, "clip": 0.2, "epochs": 4}


STRATEGY = Ppo
