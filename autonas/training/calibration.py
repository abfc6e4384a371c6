"""One temperature for a classifier's logits, and the stable logarithms that go with it.

A temperature moves every probability at once and leaves the order of the classes alone, so that it can be
fitted on the rows that the classifier is judged by without fitting noise (Guo et al 2017).  One imaginary row
that votes for a temperature of 1 keeps it finite where the classes are separable and tame where rows are few.
"""

from __future__ import annotations

import numpy as np

__all__ = ["fit_temperature", "log_loss", "log_mean_exp", "log_softmax", "softmax", "weighted_mean"]

LOWEST, HIGHEST = 0.02, 50.0


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log probabilities along the last axis, in the precision of the logits."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities along the last axis, in the precision of the logits."""
    return np.exp(log_softmax(logits))


def log_mean_exp(values: np.ndarray, axis: int = 0) -> np.ndarray:
    """``log(mean(exp(values)))`` along an axis: from log probabilities of several models to those of their mean."""
    top = values.max(axis=axis, keepdims=True)
    return np.log(np.exp(values - top).mean(axis=axis)) + np.squeeze(top, axis=axis)


def weighted_mean(values: np.ndarray, weight: np.ndarray | None) -> float:
    """Mean with weights, or without them if they are all zero (a fold may have none of the weight)."""
    if weight is None or not weight.sum() > 0:
        return float(np.mean(values))
    return float(np.average(values, weights=weight))


def log_loss(logits: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Weighted mean of ``-log p[true class]``; rows whose logits are NaN do not count.

    Parameters
    ----------
    logits : (rows, classes) array
    y : (rows,) array of class codes
    weight : (rows,) array or None
    """
    rows = np.flatnonzero(np.isfinite(logits[:, 0]))
    losses = -log_softmax(logits[rows].astype(np.float64))[np.arange(len(rows)), y[rows]]
    return weighted_mean(losses, None if weight is None else weight[rows])


def fit_temperature(logits: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Temperature ``T`` at which ``softmax(logits / T)`` has the least log loss.

    In ``b = 1/T`` the loss is convex; a gamma prior of one row with its mode at 1 keeps it so.  Newton steps are
    taken where they stay inside the bracket of the sign change, bisection (of the logarithm) elsewhere.

    Parameters
    ----------
    logits : (rows, classes) array
        Rows with NaN (not predicted) are left out.
    y : (rows,) array of class codes
    weight : (rows,) array or None
        Sample weights, mean near 1.

    Returns
    -------
    float in [0.02, 50]; 1 if there is no row.

    References
    ----------
    Guo et al 2017, "On calibration of modern neural networks".
    """
    rows = np.flatnonzero(np.isfinite(logits).all(axis=1))
    w = np.ones(len(rows)) if weight is None else np.asarray(weight, dtype=np.float64)[rows]
    total = w.sum()
    if total <= 0:
        return 1.0
    z = logits[rows].astype(np.float64)
    z -= z[np.arange(len(rows)), y[rows]][:, None]  # the true class at 0: the loss of a row is logsumexp(b z)
    low, high, b = 1 / HIGHEST, 1 / LOWEST, 1.0
    for _ in range(60):
        p = softmax(b * z)
        mean = (p * z).sum(axis=1)
        slope = w @ mean / total + (1 - 1 / b) / total
        curvature = w @ ((p * z**2).sum(axis=1) - mean**2) / total + 1 / (b * b * total)
        low, high = (b, high) if slope < 0 else (low, b)
        step = b - slope / curvature
        new = step if low < step < high else float(np.sqrt(low * high))
        if abs(new - b) <= 1e-6 * b:
            break
        b = new
    return float(np.clip(1 / b, LOWEST, HIGHEST))
