"""The members on their common rows, and the weight of each in the greedy average."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from autonas.core.clock import Clock
from autonas.core.objective import Metric
from autonas.core.scores import NAMED
from autonas.ensemble.combine import Kind
from autonas.ensemble.greedy import (
    MANY,
    PICKS,
    ROUNDS,
    LogLossAverage,
    MetricAverage,
    SquaredErrorAverage,
    pick,
    select,
)
from autonas.ensemble.rows import row_losses

__all__ = ["Pool", "weigh", "largest"]

FEW_ROWS, UNIFORM, HOPELESS = 1000, 0.3, 0.25
BUDGET = 1e9  # numbers that a greedy selection may read; a metric without a cheap form gets fewer rounds


@dataclass
class Pool:
    """Members on the common rows; ``weight`` has mean 1."""

    members: list[np.ndarray]
    y: np.ndarray
    weight: np.ndarray
    kind: Kind
    metric: Metric

    @property
    def n_outputs(self) -> int:
        return self.members[0].shape[1]

    @functools.cached_property
    def scale(self) -> float:
        """Standard deviation of the target."""
        if self.kind == "classification":
            return 1.0
        centre = np.average(self.y, weights=self.weight)
        return float(np.sqrt(np.average((self.y - centre) ** 2, weights=self.weight))) or 1.0

    @functools.cached_property
    def smooth(self) -> LogLossAverage | SquaredErrorAverage:
        share = self.weight / self.weight.sum()
        if self.kind == "regression":
            return SquaredErrorAverage(np.stack([m[:, 0] - self.y for m in self.members]), share)
        rows = np.arange(len(self.y))
        return LogLossAverage(np.stack([m[rows, self.y] for m in self.members]), share)

    @functools.cached_property
    def exact(self) -> MetricAverage:
        return MetricAverage(np.stack(self.members), self.y, self.weight, self.metric, self.smooth)

    def constant_loss(self) -> float:
        """Log loss or squared error of the best constant prediction."""
        if self.kind == "regression":
            return self.scale**2
        share = np.bincount(self.y, weights=self.weight) / self.weight.sum()
        share = share[share > 0]
        return float(-(share @ np.log(share)))

    def loss(self, mixed: np.ndarray) -> float:
        """Of the metric's surrogate: what decides whether the second layer stays."""
        if self.metric.surrogate == "itself":
            return self.metric.loss(self.y, mixed, self.weight)
        return float(np.average(row_losses(mixed, self.y, self.kind), weights=self.weight))


def weigh(pool: Pool, size: int, clock: Clock, seed: int) -> np.ndarray:
    """(members,) weights of the greedy average."""
    m, n = len(pool.members), len(pool.y)
    if size == 1:
        return pick(pool.exact, np.arange(m), m, 1, clock, picks=1)
    itself = pool.metric.surrogate == "itself"
    cost = n * pool.n_outputs + 5e3 if pool.metric.name in NAMED else 20 * n * pool.n_outputs + 1e6
    if not itself:
        cost = n
    picks = int(np.clip(BUDGET / (m * cost), 5, PICKS))
    rounds = int(min(BUDGET / (m * cost * picks), ROUNDS))
    weights = select(pool.exact if itself else pool.smooth, m, size, clock, seed, picks, rounds)
    if n >= FEW_ROWS or m < MANY:
        return weights
    # Few rows say too little to tell good members apart: some weight for each that is not hopeless.
    losses = pool.smooth.after(np.zeros(m, dtype=np.int64), np.arange(m))[:, 0]
    best = losses.min()
    worthy = losses <= best + HOPELESS * max(0.0, pool.constant_loss() - best)
    return largest((1 - UNIFORM) * weights + UNIFORM * worthy / worthy.sum(), size)


def largest(weights: np.ndarray, size: int) -> np.ndarray:
    """The ``size`` largest weights, summing to 1; the others 0."""
    kept = weights.copy()
    kept[np.argsort(-weights, kind="stable")[size:]] = 0
    return kept / kept.sum()
