"""Which rows a stack of networks trains on at each step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

__all__ = ["Batches"]


class Batches:
    """Which rows each network sees at each step.

    Every epoch shuffles each network's training rows anew, by (seed, epoch, fold).  All networks
    have equally many steps of equally many rows; the few rows that do not fit are left out for
    that epoch.

    Parameters
    ----------
    rows : sequence of (training rows,) int arrays
    folds : sequence of int
        Number of the fold of each network.
    size : int
        At most so many rows in a batch.
    seed : int

    Attributes
    ----------
    steps : int
        Steps in an epoch.
    size : int
        Rows in a batch, at least half of what was asked unless there are fewer.
    """

    def __init__(self, rows: Sequence[np.ndarray], folds: Sequence[int], size: int, seed: int, device: str) -> None:
        self.rows, self.folds, self.seed, self.device = rows, folds, seed, device
        smallest = min(map(len, rows))
        self.steps = -(-smallest // size)
        self.size = smallest // self.steps
        self._epoch = -1

    def __call__(self, step: int) -> Tensor:
        """(networks, size) row numbers."""
        epoch, number = divmod(step, self.steps)
        if epoch != self._epoch:
            used = self.steps * self.size
            shuffled = [
                np.random.default_rng((self.seed, epoch, fold)).permutation(rows)[:used].reshape(self.steps, self.size)
                for fold, rows in zip(self.folds, self.rows, strict=True)
            ]
            self._order, self._epoch = torch.from_numpy(np.stack(shuffled, axis=1)).to(self.device), epoch
        return self._order[number]
