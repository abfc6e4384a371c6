"""Greedy selection with replacement (Caruana et al 2004): which members to average, and how much of each.

Members are picked one by one, each pick the one that improves the average most; the best prefix of the
picks counts.  With many members this is repeated on random subsets of them and the weights are averaged,
which keeps a small validation set from choosing a lucky few.  The selection starts from the best member
and is never worse than it on the rows that it sees.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from autonas.core.clock import Clock
from autonas.core.objective import Metric

__all__ = ["Average", "LogLossAverage", "SquaredErrorAverage", "MetricAverage", "pick", "select"]

PICKS, ROUNDS, SHARE, MANY = 40, 10, 0.7, 8
_TIE = 1e-6  # relative difference below which two losses are equal (half of float32's digits)
_FLOOR = 1e-7  # of a probability


class Average(Protocol):
    """Losses of weighted averages of members, as rows of columns that are compared from left to right."""

    def after(self, counts: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        """(candidates, columns) losses of the average of ``counts`` picks and one more of each candidate."""

    def loss(self, weights: np.ndarray) -> np.ndarray:
        """(columns,) losses of the average with these weights, which sum to 1."""


class LogLossAverage:
    """Log loss; of all probabilities only the true class's is needed.

    Parameters
    ----------
    true : (members, rows) array
        Probability of the class that each row has.
    weight : (rows,) array, sums to 1
    """

    def __init__(self, true: np.ndarray, weight: np.ndarray) -> None:
        self.true = np.clip(true, _FLOOR, 1).astype(np.float32)
        self.weight = weight.astype(np.float32)

    def after(self, counts: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        total = counts.astype(np.float32) @ self.true
        mixed = self.true[candidates] + total
        mixed /= np.float32(counts.sum() + 1)
        return -(np.log(mixed, out=mixed) @ self.weight)[:, None].astype(np.float64)

    def loss(self, weights: np.ndarray) -> np.ndarray:
        return np.array([-np.log(weights @ self.true.astype(np.float64)) @ self.weight.astype(np.float64)])


class SquaredErrorAverage:
    """Squared error: a quadratic form in the weights, so rows are read only once.

    Parameters
    ----------
    residuals : (members, rows) array
    weight : (rows,) array, sums to 1
    """

    def __init__(self, residuals: np.ndarray, weight: np.ndarray) -> None:
        self.products = (residuals * weight) @ residuals.T

    def after(self, counts: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        cross = self.products @ counts
        total = counts @ cross + 2 * cross[candidates] + self.products[candidates, candidates]
        return (total / (counts.sum() + 1) ** 2)[:, None]

    def loss(self, weights: np.ndarray) -> np.ndarray:
        return np.array([weights @ self.products @ weights])


class MetricAverage:
    """Any metric, ties resolved by a smooth loss.

    Parameters
    ----------
    members : (members, rows, outputs) array
    y, weight : (rows,) arrays
    metric : Metric
    smooth : Average
        Log loss or squared error of the same members.
    """

    def __init__(self, members: np.ndarray, y: np.ndarray, weight: np.ndarray, metric: Metric, smooth: Average) -> None:
        self.members, self.y, self.weight, self.metric, self.smooth = members, y, weight, metric, smooth

    def after(self, counts: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        total = np.tensordot(counts.astype(self.members.dtype), self.members, axes=1)
        share = 1 / (counts.sum() + 1)
        losses = [self.metric.loss(self.y, (total + self.members[i]) * share, self.weight) for i in candidates]
        return np.column_stack([losses, self.smooth.after(counts, candidates)])

    def loss(self, weights: np.ndarray) -> np.ndarray:
        mixed = np.tensordot(weights.astype(self.members.dtype), self.members, axes=1)
        return np.append(self.metric.loss(self.y, mixed, self.weight), self.smooth.loss(weights))


def _less(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether losses ``a`` are lower than ``b``, from left to right, by more than a tie."""
    for x, y in zip(a, b, strict=True):
        if x != y and not abs(x - y) <= _TIE * min(abs(x), abs(y)):
            return bool(x < y)
    return False


def _lowest(losses: np.ndarray, chosen: np.ndarray) -> int:
    """Row with the lowest losses; of equal rows one that is chosen already, else the first."""
    left = np.arange(len(losses))
    for column in losses.T:
        low = column[left].min()
        left = left[column[left] <= low + _TIE * abs(low)]
    return int(left[np.argmax(chosen[left])])


def pick(
    average: Average, candidates: np.ndarray, n_members: int, size: int, clock: Clock, picks: int = PICKS
) -> np.ndarray:
    """One greedy selection.

    Parameters
    ----------
    average : Average
    candidates : array of member numbers
    n_members : int
        Length of the result.
    size : int
        Largest number of distinct members.
    clock : Clock
        The selection stops when it is over, but not before the first pick.
    picks : int

    Returns
    -------
    (n_members,) weights that sum to 1.
    """
    counts = np.zeros(n_members, dtype=np.int64)
    best, best_counts = np.full(0, np.inf), counts
    for step in range(picks):
        if step and clock.over():
            break
        if np.count_nonzero(counts) >= size:
            candidates = np.flatnonzero(counts)
        losses = average.after(counts, candidates)
        i = _lowest(losses, counts[candidates] > 0)
        counts[candidates[i]] += 1
        if step == 0 or _less(losses[i], best):
            best, best_counts = losses[i], counts.copy()
    return best_counts / best_counts.sum()


def select(
    average: Average,
    n_members: int,
    size: int,
    clock: Clock,
    seed: int,
    picks: int = PICKS,
    rounds: int = ROUNDS,
) -> np.ndarray:
    """Greedy selection; with 8 members or more, averaged over random subsets of 70 % of them.

    The best member is in every subset: each round is then no worse than it, and so is their average
    (both smooth losses are convex).  Parameters as for :func:`pick`.

    Returns
    -------
    (n_members,) weights that sum to 1, at most ``size`` of them positive.
    """
    everyone = np.arange(n_members)
    plain = pick(average, everyone, n_members, size, clock, picks)
    if n_members < MANY or rounds < 2 or clock.over():
        return plain
    losses = average.after(np.zeros(n_members, dtype=np.int64), everyone)
    best = _lowest(losses, np.zeros(n_members, dtype=bool))
    others = np.delete(everyone, best)
    rng = np.random.default_rng(seed)
    total = np.zeros(n_members)
    for _ in range(rounds):
        some = rng.choice(others, size=round(SHARE * n_members) - 1, replace=False)
        total += pick(average, np.sort(np.append(some, best)), n_members, size, clock, picks)
        if clock.over():
            break
    weights = total / total.sum()
    weights[np.argsort(-weights, kind="stable")[size:]] = 0
    weights[weights < 0.01] = 0
    weights /= weights.sum()
    single = np.eye(n_members)[best]
    return plain if _less(average.loss(single), average.loss(weights)) else weights
