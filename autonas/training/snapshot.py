"""What a validation of all folds finds: their weights at that moment, and how they score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autonas.data.task import Folds
from autonas.training.loop import Trainer
from autonas.training.stack import Weights
from autonas.training.target import TargetScale

__all__ = ["Snapshot", "take_snapshot"]


@dataclass(frozen=True)
class Snapshot:
    """Weights of all folds at one moment, and how they score: ``scores`` is (n_rows, outputs)."""

    epochs: float
    loss: float
    weights: Weights
    scores: np.ndarray

    def state(self) -> dict[str, Any]:
        """Plain state."""
        weights = {k: v.cpu().numpy() for k, v in self.weights.items()}
        return {"epochs": self.epochs, "loss": self.loss, "weights": weights, "scores": self.scores}

    @classmethod
    def from_state(cls, state: dict[str, Any], device: str) -> Snapshot:
        """Inverse of :meth:`state`."""
        return cls(state["epochs"], state["loss"], _tensors(state["weights"], device), state["scores"])


def _tensors(arrays: Mapping[str, np.ndarray], device: str) -> Weights:
    return {name: torch.from_numpy(np.array(array)).to(device) for name, array in arrays.items()}


def take_snapshot(
    trainers: Sequence[Trainer],
    folds: Folds,
    chunk: int,
    scale: TargetScale | None,
    scores: Sequence[Tensor] | None = None,
) -> Snapshot:
    """Validate every fold with the weights as they are, and copy these.

    Parameters
    ----------
    trainers : sequence of Trainer
    folds : Folds
        Those that are trained.
    chunk : int
        Rows to score at once.
    scale : TargetScale or None
        Of a regression target.
    scores : sequence of (networks, rows, outputs) Tensor, optional
        Of each trainer, where they are known already.
    """
    with ExitStack() as settled:
        if any(trainer.is_unsettled for trainer in trainers):
            scores = None
        for trainer in trainers:
            settled.enter_context(trainer.settled())
        scores = scores or [trainer.scores(chunk) for trainer in trainers]
        found = [trainer.judged(mine) for trainer, mine in zip(trainers, scores, strict=True)]
        copies = [trainer.stack.copy() for trainer in trainers]
    loss = float(np.mean([loss for part, _ in found for loss in part]))
    parts = [scores for _, part in found for scores in part]
    if scale is not None:
        averaged = folds.average([scale.inverse(part) for part in parts])
    else:
        averaged = np.log(np.maximum(folds.average([np.exp(part) for part in parts]), 1e-30))
    weights = {name: torch.cat([copy[name] for copy in copies]) for name in copies[0]}
    epochs = float(np.mean([trainer.step / trainer.batches.steps for trainer in trainers]))
    return Snapshot(epochs, loss, weights, averaged)
