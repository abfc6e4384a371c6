"""A short distillation: networks learn to compute what others do before they learn from labels (Elsken et al 2018).

For children whose inherited weights do not compute exactly what the parent did: of shrunk networks, where it recovers
part of what pruning broke.  The targets are the parent's probabilities (Hinton et al 2015, at temperature 1), and in
regression its values.  All weights are trained, not only those of the part that changed: for networks as small as those
of a search that came closer in the same number of steps.  Left out: augmentation, and a mixture with the labels.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from autonas.core.clock import Clock
from autonas.training.loop import Trainer, combine
from autonas.training.stack import Stack

__all__ = ["SHARE", "distil"]

SHARE = 0.05  # of the steps of the training, and of its time
RATE = 0.003  # of Adam, to 0 along a cosine


def distil(trainer: Trainer, teacher: Stack, clock: Clock, share: float = SHARE) -> int:
    """Train the networks of a trainer on the outputs of others; its schedule then stands at ``share``.

    Parameters
    ----------
    trainer : Trainer
        Before its first steps.
    teacher : Stack
        As many networks, for the same folds.
    clock : Clock
        Of the distillation alone; without a limit all steps are taken and nothing reads the time.
    share : float
        Of the planned steps.

    Returns
    -------
    int
        Steps that were taken.
    """
    parameters = list(trainer.stack.parameters.values())
    optimizer = torch.optim.Adam(parameters, lr=RATE)
    steps, taken = round(share * trainer.planned), 0
    while taken < steps and not clock.over():
        passed = max(taken / steps, clock.spent())
        seed = np.random.SeedSequence((trainer.seed, trainer.folds[0], taken, 2)).generate_state(1)
        torch.manual_seed(int(seed[0]))
        loss = _gap(trainer, teacher, trainer.batches(taken))
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * passed))
        optimizer.step()
        taken += 1
    optimizer.zero_grad()
    trainer.lead += share
    return taken


def _gap(trainer: Trainer, teacher: Stack, index: Tensor) -> Tensor:
    """How far outputs are from the teacher's on a batch of (networks, size) rows, summed over networks."""
    x, classification = trainer.data.rows(index), trainer.data.classification
    with torch.no_grad():
        wanted = combine(teacher(x), classification)
    outputs = combine(trainer.stack(x, training=True), classification)
    if classification:
        each = functional.kl_div(outputs, wanted, log_target=True, reduction="none").sum(-1)
    else:
        each = (outputs - wanted).square().mean(-1)
    return each.mean(1).sum()
