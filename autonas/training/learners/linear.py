"""Linear models: logistic regression for classes, ridge regression for numbers.

Logistic regression is fitted from zero on every fold, by Newton steps where the Hessian is small, else by L-BFGS
(Liu and Nocedal 1989), which stops when the fold's share of the time is used.  Ridge regression is a closed form
(see ``closed_form.py``), so that it can choose its penalty by out-of-fold error.  There are no lasso penalties.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from autonas.core.clock import Clock
from autonas.core.trial import Value
from autonas.data.task import Task
from autonas.training.calibration import log_mean_exp, log_softmax
from autonas.training.closed_form import KernelSystem, NormalEquations, training_rows
from autonas.training.learner import Report, go_on
from autonas.training.matrix import MatrixLearner, binary_logits

__all__ = ["LEARNER", "LinearLearner"]

_NEWTON_COLUMNS = 500  # columns x classes up to which Newton steps pay
_NEWTON_WORK = 1e10  # rows x (columns x classes)^2 of one step: about a tenth of a second
_CLOSED_WORK = 2e11  # multiplications of one penalty of the closed forms: a second or two
_KERNEL_ROWS = 2500
_PENALTIES = (1.0, 5.0, 0.2, 25.0, 125.0)  # times 1/strength, likely ones first
_CHUNK = 8192


class LinearLearner(MatrixLearner):
    """Options: ``features``, ``strength`` (C of logistic regression, 1/penalty of ridge regression)."""

    def train(self, task: Task, until: float = 1.0, clock: Clock | None = None, report: Report = go_on) -> None:
        """Fit all folds at once; there are no lower fidelities."""
        if self.progress >= 1:
            return
        self._fit_scale(task)
        X, clock = task.view(self.view), clock or Clock()
        if self.scale is None:
            self._logistic(X, task, clock, report)
        else:
            self._ridge(X, task, clock)
        self.progress = 1.0
        self.curve.append((1.0, self._loss(self.out_of_fold(), task.y, task.weight)))
        report(1.0, {"loss": self.curve[-1][1]})

    def _logistic(self, X: Any, task: Task, clock: Clock, report: Report) -> None:
        folds, strength = task.folds, float(self.options.get("strength", 0.2))
        coefficients, parts, seconds = [], [], 0.0
        for fold, (train, valid) in enumerate(folds.pairs):
            part = Clock(None if clock.seconds is None else clock.left() / (len(folds) - fold))
            weight = None if task.weight is None else task.weight[train]
            x, y = X[train], task.y[train]
            if self._newton_pays(x, y) and seconds <= part.left():
                fit = _newton(x, y, weight, strength)
                seconds = part.elapsed()
            else:
                fit = _descend(x, y, weight, strength, self.problem.n_outputs, "logistic", part)
            coefficients.append(fit.astype(np.float32))
            parts.append(log_softmax(binary_logits(_apply(X[valid], coefficients[-1]))))
            report((fold + 1) / (len(folds) + 1), {"loss": self._loss(parts[-1], task.y[valid], None)})
        self._scores = folds.average(parts)
        self.coefficients = np.stack(coefficients)

    def _newton_pays(self, x: Any, y: np.ndarray) -> bool:
        classes = 1 if self.problem.n_outputs == 2 else self.problem.n_outputs
        size = (x.shape[1] + 1) * classes
        complete = len(np.unique(y)) == self.problem.n_outputs
        return complete and size <= _NEWTON_COLUMNS and len(y) * size**2 <= _NEWTON_WORK

    def _ridge(self, X: Any, task: Task, clock: Clock) -> None:
        assert self.scale is not None
        folds, strength = task.folds, float(self.options.get("strength", 0.2))
        target = self.scale.forward(task.y)[:, None]
        (n, columns), rows = X.shape, training_rows(folds)
        in_rows = n**3 if folds.complementary else len(folds) * n**3 / 3
        in_columns = (len(folds) + 1) * columns**3 / 3 + n * columns**2 / len(_PENALTIES)
        if n > _KERNEL_ROWS:
            in_rows = np.inf
        if min(in_rows, in_columns) > _CLOSED_WORK:
            self._iterative_ridge(X, target, task, strength, clock)
            return
        dense = X.toarray() if hasattr(X, "toarray") and in_columns <= in_rows else X
        mean = np.asarray(X[rows].mean(axis=0), dtype=np.float64).ravel()
        if in_columns <= in_rows:
            equations = NormalEquations(lambda part: dense[part] - mean, target, task.weight, folds)
        else:
            system = KernelSystem(_linear_kernel(X, mean), target, task.weight, folds)
        best = np.inf
        for factor in _PENALTIES:
            start = clock.elapsed()
            if in_columns <= in_rows:
                pairs, final = equations.solve(factor / strength)
                parts = [
                    np.asarray((dense[valid] - mean) @ c[:-1] + c[-1])
                    for (_, valid), c in zip(folds.pairs, pairs, strict=True)
                ]
            else:
                parts, dual, intercept = system.solve(factor / strength)
                slope = np.asarray(X.T @ dual) - np.outer(mean, dual.sum(axis=0))
                final = np.vstack([slope, intercept])
            scores = folds.average([self.scale.inverse(part) for part in parts])
            loss = self._loss(scores, task.y, task.weight)
            if loss < best:
                best, self._scores, self.info["penalty"] = loss, scores, factor / strength
                final[-1] -= mean @ final[:-1]
                self.coefficients = final[None].astype(np.float32)
            if clock.left() < 1.2 * (clock.elapsed() - start):
                break

    def _iterative_ridge(self, X: Any, target: np.ndarray, task: Task, strength: float, clock: Clock) -> None:
        """Many columns and many rows: the given penalty only, by L-BFGS on every fold."""
        assert self.scale is not None
        coefficients, parts = [], []
        for fold, (train, valid) in enumerate(task.folds.pairs):
            part = Clock(None if clock.seconds is None else clock.left() / (len(task.folds) - fold))
            weight = None if task.weight is None else task.weight[train]
            fit = _descend(X[train], target[train], weight, strength, 1, "squares", part)
            coefficients.append(fit.astype(np.float32))
            parts.append(self.scale.inverse(_apply(X[valid], coefficients[-1])))
        self._scores = task.folds.average(parts)
        self.coefficients = np.stack(coefficients)

    def predict(self, view: Any) -> np.ndarray:
        """(rows, n_outputs) scores: the mean over the fold models."""
        models, columns, outputs = self.coefficients.shape
        stacked = self.coefficients.transpose(1, 0, 2).reshape(columns, models * outputs)
        parts = []
        for start in range(0, view.shape[0], _CHUNK):
            # in double precision, so that a row's scores do not depend on the rows beside it
            raw = _apply(view[start : start + _CHUNK].astype(np.float64), stacked).reshape(-1, models, outputs)
            if self.scale is None:
                logs = [log_softmax(binary_logits(raw[:, m])) for m in range(models)]
                parts.append(log_mean_exp(np.stack(logs)))
            else:
                parts.append(self.scale.inverse(raw).mean(axis=1))
        return np.concatenate(parts)

    def for_all_rows(self) -> tuple[dict[str, Value], float] | None:
        """One fit with the same strength, unless there is one on all rows already (ridge regression)."""
        return None if len(self.coefficients) == 1 else super().for_all_rows()

    def state(self) -> dict[str, Any]:
        """Everything needed to predict."""
        return {**super().state(), "coefficients": self.coefficients}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        super().restore(state)
        self.coefficients = state["coefficients"]


def _apply(x: Any, coefficients: np.ndarray) -> np.ndarray:
    """Linear scores; the last row of the coefficients is the intercept."""
    return np.asarray(x @ coefficients[:-1]) + coefficients[-1]


def _linear_kernel(X: Any, mean: np.ndarray) -> np.ndarray:
    """Inner products of the centred rows, in double precision (X may be sparse)."""
    x = X.astype(np.float64)
    products = x @ x.T
    products = products.toarray() if hasattr(products, "toarray") else products
    shift = np.asarray(x @ mean).ravel()
    return products - shift[:, None] - shift[None, :] + mean @ mean


def _newton(x: Any, y: np.ndarray, weight: np.ndarray | None, strength: float) -> np.ndarray:
    """Logistic regression by Newton steps: (columns + 1, outputs) coefficients, one output if binary."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-6, max_iter=50)
    with warnings.catch_warnings():
        # a Hessian that is singular to working precision makes it finish with L-BFGS, which is as good
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message=".*ill-conditioned.*")
        warnings.filterwarnings("ignore", message=".*[Hh]essian.*")
        model.fit(x, y, sample_weight=weight)
    return np.vstack([model.coef_.T, model.intercept_])


def _descend(
    x: Any, y: np.ndarray, weight: np.ndarray | None, strength: float, outputs: int, loss: str, clock: Clock
) -> np.ndarray:
    """Minimise mean loss + |c|^2 / (2 strength sum(weight)) from zero by L-BFGS, at most until the clock ends.

    Parameters
    ----------
    x : (rows, columns) array or CSR matrix
    y : (rows,) class codes for "logistic", (rows, 1) targets for "squares" (half the squared error)

    Returns
    -------
    (columns + 1, outputs) coefficients, one output if binary; the last row is the intercept.
    """
    from scipy.optimize import minimize

    n, columns = x.shape
    width = 1 if outputs == 2 else outputs
    share = np.ones(n) if weight is None else weight
    total = share.sum()
    share = share[:, None] / total
    dtype = x.dtype
    transposed = x.T.tocsr() if hasattr(x, "tocsr") else x.T
    if loss == "logistic":
        hot = (y == 1)[:, None] if width == 1 else y[:, None] == np.arange(outputs)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        c = flat.reshape(columns + 1, width)
        raw = _apply(x, c.astype(dtype)).astype(np.float64)
        if loss == "squares":
            residual = raw - y
            value = 0.5 * float((share * residual**2).sum())
        elif width == 1:
            value = float((share * (np.logaddexp(0, raw) - raw * hot)).sum())
            residual = 1 / (1 + np.exp(-np.clip(raw, -500, 500))) - hot
        else:
            logs = log_softmax(raw)
            value = -float((share * logs)[hot].sum())
            residual = np.exp(logs) - hot
        residual *= share
        gradient = np.vstack([transposed @ residual.astype(dtype), residual.sum(axis=0)]).astype(np.float64)
        gradient[:-1] += c[:-1] / (strength * total)
        value += 0.5 * float((c[:-1] ** 2).sum()) / (strength * total)
        return value, gradient.ravel()

    def stop_in_time(intermediate_result: Any) -> None:
        if clock.over():
            raise StopIteration

    options = {"maxiter": 500, "gtol": 1e-4, "ftol": 64 * np.finfo(float).eps, "maxls": 50}
    found = minimize(
        objective,
        np.zeros((columns + 1) * width),
        jac=True,
        method="L-BFGS-B",
        callback=stop_in_time,
        options=options,
    )
    return found.x.reshape(columns + 1, width)


LEARNER = LinearLearner
