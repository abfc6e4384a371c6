"""A linear second layer on log probabilities or values (Ting and Witten 1999), shrunk to the greedy average.

Ridge regression in closed form; for classes a logistic regression whose penalty is chosen by cross-validation
and which looks at the clock in every step.  Left out: non-negative weights, which were no better.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from autonas.core.clock import Clock
from autonas.ensemble.layer import Fitted, fold_of, outputs
from autonas.ensemble.rows import row_losses

__all__ = ["LinearLayer", "linear", "fit_linear", "MAX_WORK"]

STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
PENALTY = 10.0
FOLDS = 3
MAX_WORK = 4e6  # rows x inputs x classes


@dataclass
class LinearLayer:
    """``scores = base + X coef + intercept``."""

    coef: np.ndarray
    intercept: np.ndarray

    def add(self, X: np.ndarray, base: np.ndarray) -> np.ndarray:
        """(rows, columns) scores."""
        return base + X @ self.coef + self.intercept

    def state(self) -> dict[str, Any]:
        """Plain state (see ``autonas.core.state``)."""
        return {"coef": self.coef, "intercept": self.intercept}


def _ridge(X: np.ndarray, residual: np.ndarray, weight: np.ndarray) -> LinearLayer:
    """Ridge regression on the residual of the average, so that shrinking leads to the average."""
    mean, level = np.average(X, axis=0, weights=weight), np.average(residual, weights=weight)
    Z = X - mean
    coef = np.linalg.solve((Z.T * weight) @ Z + PENALTY * np.eye(X.shape[1]), (Z.T * weight) @ (residual - level))
    return LinearLayer(coef[:, None], np.array([level - mean @ coef]))


def _logistic(
    X: np.ndarray, y: np.ndarray, base: np.ndarray, weight: np.ndarray, C: float, clock: Clock, spread: float
) -> LinearLayer:
    """Minimise the summed log loss of ``base + X coef + intercept`` plus ``|coef|^2 / 2C``.

    L-BFGS in coordinates where the Hessian is close to one: principal axes, each divided by the root of
    its curvature (``spread`` is the mean of p(1-p)) plus the penalty's.  A clock that is over ends it early,
    which is a stronger penalty.
    """
    from scipy.optimize import minimize

    mean = np.average(X, axis=0, weights=weight)
    Z = X - mean
    curvature, axes = np.linalg.eigh((Z.T * weight) @ Z)
    shrink = 1 / np.sqrt(spread * np.maximum(curvature, 0) + 1 / C)
    axes *= shrink
    Z = Z @ axes
    level = 1 / np.sqrt(spread * weight.sum() + 1e-12)
    n_columns = base.shape[1]
    target = (y == 1)[:, None] if n_columns == 1 else y[:, None] == np.arange(n_columns)
    rows = np.arange(len(y))

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        u = flat.reshape(-1, n_columns)
        scores = base + Z @ u[1:] + level * u[0]
        if n_columns == 1:
            losses = np.logaddexp(0, scores[:, 0]) - target[:, 0] * scores[:, 0]
            p = 1 / (1 + np.exp(-np.clip(scores, -500, 500)))
        else:
            scores -= scores.max(axis=1, keepdims=True)
            p = np.exp(scores)
            total = p.sum(axis=1, keepdims=True)
            losses = np.log(total[:, 0]) - scores[rows, y]
            p /= total
        pull = (p - target) * weight[:, None]
        beta = shrink[:, None] * u[1:]
        value = weight @ losses + (beta**2).sum() / (2 * C)
        gradient = np.vstack([level * pull.sum(axis=0), Z.T @ pull + shrink[:, None] * beta / C])
        return float(value), gradient.ravel()

    def callback(_: np.ndarray) -> None:
        if clock.over():
            raise StopIteration

    start = np.zeros((X.shape[1] + 1) * n_columns)
    u = minimize(
        objective, start, jac=True, method="L-BFGS-B", callback=callback, options={"maxiter": 200, "gtol": 1e-3}
    ).x.reshape(-1, n_columns)
    coef = axes @ u[1:]
    return LinearLayer(coef, level * u[0] - mean @ coef)


def linear(
    X: np.ndarray, y: np.ndarray, base: np.ndarray, weight: np.ndarray, kind: str, clock: Clock, C: float = 0.1
) -> LinearLayer:
    """One linear layer; ``C`` is a classifier's strength.  Parameters as for :func:`fit_linear`."""
    if kind == "regression":
        return _ridge(X, y - base[:, 0], weight)
    p = outputs(base, kind, 1.0)
    return _logistic(X, y, base, weight, C, clock, float(np.mean(p * (1 - p))))


def fit_linear(
    X: np.ndarray,
    y: np.ndarray,
    base: np.ndarray,
    weight: np.ndarray,
    kind: str,
    clock: Clock,
    seed: int,
    groups: np.ndarray | None = None,
) -> Fitted | None:
    """Linear second layer; the strength of a classifier's penalty is chosen by 3-fold cross-validation.

    Parameters
    ----------
    X : (rows, inputs) array
    y : (rows,) array
        Class codes, or targets in the unit of ``base``.
    base : (rows, columns) array
        Scores of the greedy average.
    weight : (rows,) array, mean 1
    kind : {"classification", "regression"}
    clock : Clock
    seed : int
    groups : (rows,) array or None
        Rows of one group are in one fold.

    Returns
    -------
    Fitted, or None if the clock did not allow one, or the problem is too large.
    """
    if len(X) * X.shape[1] * base.shape[1] > MAX_WORK:
        return None
    fold = fold_of(y, FOLDS, kind, seed, groups)
    parts = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(FOLDS)]
    scores = np.empty_like(base)
    best: tuple[float, float, np.ndarray] | None = None
    for C in STRENGTHS if kind == "classification" else (1.0,):
        started = clock.elapsed()
        for fit, rest in parts:
            scores[rest] = linear(X[fit], y[fit], base[fit], weight[fit], kind, clock, C).add(X[rest], base[rest])
        if clock.over():
            break
        loss = float(np.average(row_losses(outputs(scores, kind, 1.0), y, kind), weights=weight))
        if best is not None and loss >= best[0]:
            break
        best = (loss, C, scores.copy())
        if clock.left() < 2.5 * (clock.elapsed() - started):  # the next strength, and the final fit
            break
    if best is None:
        return None
    layer = linear(X, y, base, weight, kind, clock, best[1])
    return Fitted(layer, best[2], np.linalg.norm(layer.coef, axis=1) * X.std(axis=0))
