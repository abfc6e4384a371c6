"""Losses as a Gaussian process likes them: standardised, with the bad tail drawn in.

Two transforms: ranks as normal scores, which no monotone change of the loss can alter; and a scale that is linear
from the best loss to a *knee* and logarithmic beyond, which keeps how much better the best ones are.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["bent", "knee", "ranked", "standardised"]


def standardised(values: np.ndarray) -> np.ndarray:
    """Mean 0 and standard deviation 1; zeros if all are equal."""
    centred = values - values.mean()
    deviation = centred.std()
    return centred / deviation if deviation > 0 else np.zeros_like(centred)


def ranked(losses: np.ndarray) -> np.ndarray:
    """Quantiles of the normal distribution at (rank - 0.5) / n, ties averaged."""
    from scipy.special import ndtri

    _, inverse, counts = np.unique(losses, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return ndtri((ranks[inverse] - 0.5) / len(losses))


def bent(losses: np.ndarray, at: float | None = None) -> np.ndarray:
    """``u = (loss - min) / (knee - min)`` where that is at most 1, else ``1 + ln u``.

    Parameters
    ----------
    losses : (n,) array
        Finite.
    at : float or None
        The knee; None: the median.
    """
    scale = max(float(np.abs(losses).max()), 1e-300)
    losses = losses / scale  # differences of huge losses must not overflow
    bottom = losses.min()
    height = (np.median(losses) if at is None else at / scale) - bottom
    if height <= 0:  # half of them are as good as the best
        height = losses.mean() - bottom
    if height <= 0:
        return np.zeros_like(losses)
    u = (losses - bottom) / height
    return np.where(u <= 1, u, 1 + np.log(np.maximum(u, 1)))


def knee(losses: np.ndarray, branches: Iterable[np.ndarray]) -> float:
    """The typical loss of the worst branch, at least the median of all.

    The scale then stays linear from the best loss to any branch that might still fall below it.

    Parameters
    ----------
    losses : (n,) array
    branches : iterable of (n,) bool arrays
        Those with fewer than two losses do not count.
    """
    medians = [float(np.median(losses[branch])) for branch in branches if branch.sum() >= 2]
    return max([float(np.median(losses)), *medians])
