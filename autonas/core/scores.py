"""The metrics that have names of our own, in plain numpy: a fit's first seconds import nothing heavy.

Each function takes ``(y, p, w)``: class codes and (rows, classes) probabilities, or target values and
(rows,) predictions, and weights of the rows; it returns nan where the metric is undefined (an AUC of
one class).  Values equal scikit-learn's; classes that a fold lacks are left out of averages.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["NAMED", "NamedScore"]

Array = np.ndarray


def _log_loss(y: Array, p: Array, w: Array) -> float:
    tiny = np.finfo(p.dtype).eps
    true = np.clip(p[np.arange(len(y)), y], tiny, 1 - tiny).astype(np.float64)
    return float(-np.average(np.log(true), weights=w))


def _auc(positive: Array, score: Array, w: Array) -> float:
    """Chance that a positive row outscores a negative one; ties count half."""
    _, group = np.unique(score, return_inverse=True)
    plus = np.bincount(group, weights=w * positive)
    minus = np.bincount(group, weights=w * ~positive)
    total = plus.sum() * minus.sum()
    return float(plus @ (np.cumsum(minus) - 0.5 * minus) / total) if total > 0 else math.nan


def _roc_auc(y: Array, p: Array, w: Array) -> float:
    if p.shape[1] == 2:
        return _auc(y == 1, p[:, 1], w)
    aucs, _ = _one_vs_rest(y, p, w)
    return float(aucs.mean()) if len(aucs) else math.nan


def _roc_auc_weighted(y: Array, p: Array, w: Array) -> float:
    if p.shape[1] == 2:
        return _auc(y == 1, p[:, 1], w)
    aucs, share = _one_vs_rest(y, p, w)
    return float(np.average(aucs, weights=share)) if len(aucs) else math.nan


def _one_vs_rest(y: Array, p: Array, w: Array) -> tuple[Array, Array]:
    """AUC and weight of every class that is present and not alone."""
    aucs = np.array([_auc(y == k, p[:, k], w) for k in range(p.shape[1])])
    share = np.bincount(y, weights=w, minlength=p.shape[1])
    defined = np.isfinite(aucs)
    return aucs[defined], share[defined]


def _accuracy(y: Array, p: Array, w: Array) -> float:
    return float(np.average(p.argmax(axis=1) == y, weights=w))


def _counts(y: Array, p: Array, w: Array) -> tuple[Array, Array, Array]:
    """Weight, by class, of rows that are hit, that have the class, that are predicted as it."""
    guess, k = p.argmax(axis=1), p.shape[1]
    hit = guess == y
    return (
        np.bincount(y[hit], weights=w[hit], minlength=k),
        np.bincount(y, weights=w, minlength=k),
        np.bincount(guess, weights=w, minlength=k),
    )


def _balanced_accuracy(y: Array, p: Array, w: Array) -> float:
    hit, actual, _ = _counts(y, p, w)
    here = actual > 0
    return float((hit[here] / actual[here]).mean()) if here.any() else math.nan


def _f1(y: Array, p: Array, w: Array) -> float:
    hit, actual, guessed = _counts(y, p, w)
    if p.shape[1] == 2:
        return float(2 * hit[1] / (actual[1] + guessed[1])) if actual[1] + guessed[1] > 0 else 0.0
    here = actual + guessed > 0
    return float((2 * hit[here] / (actual + guessed)[here]).mean()) if here.any() else math.nan


def _rmse(y: Array, p: Array, w: Array) -> float:
    return math.sqrt(np.average((y - p) ** 2, weights=w))


def _mae(y: Array, p: Array, w: Array) -> float:
    return float(np.average(np.abs(y - p), weights=w))


def _r2(y: Array, p: Array, w: Array) -> float:
    if len(y) < 2:
        return math.nan
    rest, total = w @ (y - p) ** 2, w @ (y - np.average(y, weights=w)) ** 2
    if total == 0:
        return 1.0 if rest == 0 else 0.0
    return float(1 - rest / total)


@dataclass(frozen=True)
class NamedScore:
    """A metric with a name of our own.

    ``optimum`` is the best possible value; ``surrogate`` what an ensemble may optimise instead.
    """

    function: Callable[[Array, Array, Array], float]
    kind: str
    greater_is_better: bool
    optimum: float
    surrogate: str = "itself"


NAMED: dict[str, NamedScore] = {
    "log_loss": NamedScore(_log_loss, "classification", False, 0.0, "log_loss"),
    "roc_auc": NamedScore(_roc_auc, "classification", True, 1.0, "log_loss"),
    "roc_auc_ovr": NamedScore(_roc_auc, "classification", True, 1.0, "log_loss"),
    "roc_auc_ovr_weighted": NamedScore(_roc_auc_weighted, "classification", True, 1.0, "log_loss"),
    "accuracy": NamedScore(_accuracy, "classification", True, 1.0),
    "balanced_accuracy": NamedScore(_balanced_accuracy, "classification", True, 1.0),
    "f1": NamedScore(_f1, "classification", True, 1.0),
    "rmse": NamedScore(_rmse, "regression", False, 0.0, "squared_error"),
    "mae": NamedScore(_mae, "regression", False, 0.0),
    "r2": NamedScore(_r2, "regression", True, 1.0, "squared_error"),
}
