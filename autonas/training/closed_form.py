"""Ridge regression on every fold at the price of little more than one fit, by exact linear algebra.

Two forms of one problem: minimise ``sum_i w_i (y_i - f(x_i) - b)^2 + penalty |f|^2`` with an intercept ``b`` that
is not penalised.  :class:`KernelSystem` solves it in the rows (n x n kernel): the residuals of a fold that is left
out follow from the inverse's diagonal block (the block form of the leave-one-out identity of ridge regression).
:class:`NormalEquations` solves it in the columns: a fold's own products are subtracted from the total.  The free
intercept is more than a convenience: without it, a centred linear kernel with more columns than rows predicts each
left-out row as minus the sum of the others and so leaks the target.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autonas.data.task import Folds

__all__ = ["KernelSystem", "NormalEquations", "kernel_ridge", "row_penalties", "training_rows"]

_LEAST_WEIGHT = 1e-6  # a row of weight zero gets this: its ridge term stays finite, its influence does not show
_CHUNK = 4096


def training_rows(folds: Folds) -> np.ndarray:
    """Sorted rows that at least one pair trains on: what a final model may be fitted on."""
    seen = np.zeros(folds.n_rows, dtype=bool)
    for train, _ in folds.pairs:
        seen[train] = True
    return np.flatnonzero(seen)


def row_penalties(weight: np.ndarray | None, rows: int) -> np.ndarray:
    """What one unit of penalty adds to the diagonal of a kernel: the inverse of the sample weights."""
    return np.ones(rows) if weight is None else 1 / np.maximum(weight, _LEAST_WEIGHT)


def kernel_ridge(kernel: np.ndarray, target: np.ndarray, diagonal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One kernel ridge regression with a free intercept; ``kernel`` is overwritten.

    Parameters
    ----------
    kernel : (rows, rows) array
    target : (rows, outputs) array
    diagonal : (rows,) array
        Penalty divided by the weight of each row.

    Returns
    -------
    dual : (rows, outputs) array; it sums to 0
    intercept : (outputs,) array
    """
    from scipy.linalg import cho_factor, cho_solve

    kernel[np.diag_indices_from(kernel)] += diagonal
    factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
    ones = np.ones((len(kernel), 1), dtype=kernel.dtype)
    solved = cho_solve(factor, np.hstack([target, ones]), check_finite=False)
    intercept = solved[:, :-1].sum(axis=0) / solved[:, -1].sum()
    return solved[:, :-1] - solved[:, -1:] * intercept, intercept


class KernelSystem:
    """Ridge regression in a reproducing kernel Hilbert space, on all pairs of rows.

    Parameters
    ----------
    kernel : (rows, rows) float array
        Symmetric, positive semi-definite.  Its precision is that of the factorisations.
    target : (rows, outputs) array
    weight : (rows,) array or None
    folds : Folds
    """

    def __init__(self, kernel: np.ndarray, target: np.ndarray, weight: np.ndarray | None, folds: Folds) -> None:
        self.kernel = kernel
        self.target = np.asarray(target, dtype=kernel.dtype)
        self.ridge = row_penalties(weight, len(kernel)).astype(kernel.dtype)
        self.folds = folds

    def solve(self, penalty: float) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Predictions of every pair's validation rows, and the final model.

        Parameters
        ----------
        penalty : float

        Returns
        -------
        parts : list of (validation rows, outputs) arrays, one per pair
            By the model that was fitted on the pair's training rows.
        dual : (rows, outputs) array
            Coefficients of the model on all rows that some pair trains on (zero elsewhere).
        intercept : (outputs,) array
        """
        if self.folds.complementary:
            return self._left_out(penalty)
        parts = []
        for train, valid in self.folds.pairs:
            dual, intercept = self._fit(train, penalty)
            parts.append(self.kernel[np.ix_(valid, train)] @ dual + intercept)
        rows = training_rows(self.folds)
        if len(self.folds) > 1:  # with one pair it is the pair's own model
            dual, intercept = self._fit(rows, penalty)
        full = np.zeros_like(self.target)
        full[rows] = dual
        return parts, full, intercept

    def _fit(self, rows: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
        return kernel_ridge(self.kernel[np.ix_(rows, rows)], self.target[rows], penalty * self.ridge[rows])

    def _left_out(self, penalty: float) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
        """Closed form: the residual of a left-out block F is ``G_FF^-1 (G y)_F``.

        ``G`` is the leading block of the inverse of the bordered matrix [[K + penalty/W, 1], [1', 0]], that is
        ``A^-1 - A^-1 1 1' A^-1 / (1' A^-1 1)``; by block elimination ``G_FF^-1`` is what remains of the system
        for F when the other rows have been fitted.
        """
        from scipy.linalg import get_lapack_funcs, solve

        system = self.kernel.copy(order="F")
        system[np.diag_indices_from(system)] += penalty * self.ridge
        factorise, invert = get_lapack_funcs(("potrf", "potri"), (system,))
        system, failed = factorise(system, lower=True, overwrite_a=True)
        if failed:
            raise np.linalg.LinAlgError(f"the kernel is not positive definite at a penalty of {penalty:g}")
        inverse, _ = invert(system, lower=True, overwrite_c=True)
        _mirror(inverse)
        ones = inverse.sum(axis=1)
        total = ones.sum()
        dual = inverse @ self.target
        intercept = dual.sum(axis=0) / total
        dual -= np.outer(ones, intercept)
        parts = []
        for _, valid in self.folds.pairs:
            block = inverse[np.ix_(valid, valid)] - np.outer(ones[valid], ones[valid] / total)
            parts.append(self.target[valid] - solve(block, dual[valid], assume_a="sym", check_finite=False))
        return parts, dual, intercept


def _mirror(lower: np.ndarray) -> None:
    """Copy the lower triangle of a square matrix onto the upper one, block by block."""
    n = len(lower)
    for start in range(0, n, 256):
        stop = min(n, start + 256)
        block = np.tril(lower[start:stop, start:stop])
        lower[start:stop, start:stop] = block + np.tril(block, -1).T
        lower[start:stop, stop:] = lower[stop:, start:stop].T


class NormalEquations:
    """Ridge regression in the columns, on all pairs of rows.

    Parameters
    ----------
    features : callable
        ``features(rows) -> (len(rows), columns) array``: asked for a few thousand rows at a time.
    target : (rows, outputs) array
    weight : (rows,) array or None
    folds : Folds
    """

    def __init__(
        self,
        features: Callable[[np.ndarray], np.ndarray],
        target: np.ndarray,
        weight: np.ndarray | None,
        folds: Folds,
    ) -> None:
        self._features, self._target, self._folds = features, np.asarray(target, dtype=np.float64), folds
        self._weight = np.ones(len(target)) if weight is None else weight
        if not folds.complementary:
            self._pairs = [self._products(train) for train, _ in folds.pairs]
            self._final = self._pairs[0] if len(folds) == 1 else self._products(training_rows(folds))
            return
        removed = [self._products(valid) for _, valid in folds.pairs]
        if sum(len(valid) for _, valid in folds.pairs) == len(folds.covered):
            rest = np.setdiff1d(np.arange(folds.n_rows), folds.covered)
            self._final = sum(removed, start=self._products(rest)) if len(rest) else sum(removed[1:], start=removed[0])
        else:  # repeats: the folds together hold every row several times
            self._final = self._products(np.arange(folds.n_rows))
        self._pairs = [self._final - part for part in removed]

    def _products(self, rows: np.ndarray) -> np.ndarray:
        """``[X 1]' W [X 1 y]`` of some rows: (columns + 1, columns + 1 + outputs), in double precision."""
        total: np.ndarray | None = None
        for start in range(0, len(rows), _CHUNK):
            part = rows[start : start + _CHUNK]
            x = np.asarray(self._features(part), dtype=np.float64)
            x = np.hstack([x, np.ones((len(part), 1))])
            root = np.sqrt(self._weight[part])[:, None]
            x *= root
            product = np.hstack([x.T @ x, x.T @ (self._target[part] * root)])
            total = product if total is None else total + product
        assert total is not None
        return total

    def solve(self, penalty: float, metric: np.ndarray | None = None) -> tuple[list[np.ndarray], np.ndarray]:
        """Coefficients of every pair, and of the final model.

        Parameters
        ----------
        penalty : float
        metric : (columns, columns) array or None
            The penalty is ``penalty * c' metric c``; None is the identity.

        Returns
        -------
        pairs : list of (columns + 1, outputs) arrays; the last row is the intercept
        final : (columns + 1, outputs) array
            On all rows that some pair trains on.
        """
        from scipy.linalg import cho_factor, cho_solve

        columns = len(self._final) - 1
        term = penalty * (np.eye(columns) if metric is None else metric)

        def coefficients(products: np.ndarray) -> np.ndarray:
            system = products[:, : columns + 1].copy()
            system[:columns, :columns] += term
            return cho_solve(cho_factor(system, overwrite_a=True, check_finite=False), products[:, columns + 1 :])

        pairs = [coefficients(products) for products in self._pairs]
        return pairs, pairs[0] if len(pairs) == 1 else coefficients(self._final)
