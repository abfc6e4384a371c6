"""The second layer: small models that read the members' out-of-fold predictions.

Both start from the greedy average (their offset) and are regularised towards it: a linear model on
log probabilities (Wolpert 1992; Ting and Witten 1999), and a bag of short boosted trees.  Each brings
predictions of the rows by models that have not seen them, so that its loss is honest.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from autonas.core.clock import Clock
from autonas.ensemble.rows import row_losses

__all__ = [
    "Fitted",
    "LinearLayer",
    "BoostedLayer",
    "inputs",
    "base_scores",
    "outputs",
    "fold_of",
    "fit_linear",
    "fit_boosted",
]

CLIP = 1e-4
STRENGTHS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
PENALTY = 10.0
LINEAR_FOLDS, BOOSTED_FOLDS = 3, 5
MAX_WORK = 4e6  # rows x inputs x classes of the linear layer
ROUNDS, PATIENCE, SECONDS = 200, 20, 4.0


def inputs(members: list[np.ndarray], average: np.ndarray, kind: str, scale: float) -> np.ndarray:
    """What the second layer reads, member by member.

    Parameters
    ----------
    members : list of (rows, outputs) arrays
        Probabilities or values.
    average : (rows, outputs) array
        The greedy average.
    kind : {"classification", "regression"}
    scale : float
        Standard deviation of the target (regression).

    Returns
    -------
    (rows, members x columns) array: log odds (two classes), centred log probabilities (more), or
    differences to the average in standard deviations.
    """
    if kind == "regression":
        return np.hstack([(m - average) / scale for m in members]).astype(np.float64)
    return np.hstack([base_scores(m, kind, scale, CLIP) for m in members])


def base_scores(average: np.ndarray, kind: str, scale: float, clip: float = 1e-7) -> np.ndarray:
    """Scores that the layers add to: log odds, centred log probabilities, or values in standard deviations."""
    if kind == "regression":
        return average.astype(np.float64) / scale
    logs = np.log(np.clip(average.astype(np.float64), clip, 1 - clip))
    return logs[:, 1:] - logs[:, :1] if logs.shape[1] == 2 else logs - logs.mean(axis=1, keepdims=True)


def outputs(scores: np.ndarray, kind: str, scale: float) -> np.ndarray:
    """Inverse of :func:`base_scores`: probabilities or values."""
    if kind == "regression":
        return scores * scale
    z = np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def fold_of(y: np.ndarray, n_folds: int, kind: str, seed: int) -> np.ndarray:
    """(rows,) number of the fold of every row; random, and stratified for classes."""
    noise = np.random.default_rng(seed).random(len(y))
    order = np.lexsort((noise, y)) if kind == "classification" else np.argsort(noise)
    fold = np.empty(len(y), dtype=np.int64)
    fold[order] = np.arange(len(y)) % n_folds
    return fold


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


@dataclass
class BoostedLayer:
    """``scores = base + mean of the bag``; ``models`` are in LightGBM's text format.

    A fold whose trees never helped has no model and adds nothing, but ``n_folds`` counts it.
    """

    models: list[bytes]
    n_folds: int

    def add(self, X: np.ndarray, base: np.ndarray) -> np.ndarray:
        """(rows, columns) scores."""
        return base + sum(b.predict(X, raw_score=True).reshape(base.shape) for b in self._boosters) / self.n_folds

    @functools.cached_property
    def _boosters(self) -> list[Any]:
        import lightgbm

        return [lightgbm.Booster(model_str=m.decode()) for m in self.models]

    def state(self) -> dict[str, Any]:
        """Plain state (see ``autonas.core.state``)."""
        return {"models": list(self.models), "n_folds": self.n_folds}


@dataclass
class Fitted:
    """A layer, its scores of the rows that it was fitted on by models that had not seen them, and how
    much it uses each column of its inputs.
    """

    layer: LinearLayer | BoostedLayer
    scores: np.ndarray
    use: np.ndarray


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
    X: np.ndarray, y: np.ndarray, base: np.ndarray, weight: np.ndarray, kind: str, clock: Clock, seed: int
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

    Returns
    -------
    Fitted, or None if the clock did not allow one, or the problem is too large.
    """
    if len(X) * X.shape[1] * base.shape[1] > MAX_WORK:
        return None
    fold = fold_of(y, LINEAR_FOLDS, kind, seed)
    parts = [(np.flatnonzero(fold != f), np.flatnonzero(fold == f)) for f in range(LINEAR_FOLDS)]
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


def fit_boosted(
    X: np.ndarray, y: np.ndarray, base: np.ndarray, weight: np.ndarray, kind: str, clock: Clock, seed: int
) -> Fitted | None:
    """Boosted second layer: five short LightGBM models that go on from the greedy average.

    Parameters and result as for :func:`fit_linear`.  At most 4 s where there is a clock.
    """
    import lightgbm

    n_columns = base.shape[1]
    if kind == "regression":
        objective: dict[str, Any] = {"objective": "regression"}
    elif n_columns == 1:
        objective = {"objective": "binary"}
    else:
        objective = {"objective": "multiclass", "num_class": n_columns}
    options = {
        **objective,
        "learning_rate": 0.05,
        "num_leaves": 8,
        "min_data_in_leaf": 30,
        "feature_fraction": 0.4,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    clock = Clock(None if clock.seconds is None else min(SECONDS, clock.left()))
    fold = fold_of(y, BOOSTED_FOLDS, kind, seed)
    scores, use, models = base.copy(), np.zeros(X.shape[1]), []
    for f in range(BOOSTED_FOLDS):
        part = clock.part(1 / (BOOSTED_FOLDS - f))
        fit, rest = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        data, valid = (
            lightgbm.Dataset(
                X[i], y[i], weight=weight[i], init_score=np.squeeze(base[i], axis=1) if n_columns == 1 else base[i]
            )
            for i in (fit, rest)
        )
        valid.set_reference(data)
        booster = lightgbm.Booster(options, data)
        booster.add_valid(valid, "valid")
        least, n_rounds = booster.eval_valid()[0][2], 0
        for r in range(1, ROUNDS + 1):
            finished = booster.update()
            loss = booster.eval_valid()[0][2]
            if loss < least:
                least, n_rounds = loss, r
            if finished or r - n_rounds >= PATIENCE or part.over():
                break
        if n_rounds:
            models.append(booster.model_to_string(num_iteration=n_rounds).encode())
            raw = np.asarray(booster.predict(X[rest], raw_score=True, num_iteration=n_rounds))
            scores[rest] += raw.reshape(-1, n_columns)
            use += booster.feature_importance("gain", iteration=n_rounds)
        if clock.over() and f + 1 < BOOSTED_FOLDS:
            return None
    return Fitted(BoostedLayer(models, BOOSTED_FOLDS), scores, use) if models else None
