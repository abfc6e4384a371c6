"""Radial kernels on dense rows, and the column scales that a kernel machine learns from its own gradients.

``laplace`` is exp(-width d/m) and ``rbf`` exp(-width d^2/m^2), with d the Euclidean distance and m its median over
pairs of rows, so that one width fits every data set.  The scales are the diagonal form of the recursive feature
machine (Radhakrishnan et al 2024): columns along which the fit is steep count more in the next fit.
"""

from __future__ import annotations

import numpy as np

from autonas.training.closed_form import kernel_ridge, row_penalties

__all__ = ["Kernel", "learned_scales", "median_distance", "squared_distances"]

_PAIRS_OF = 500  # rows whose distances give the median
_GRADIENTS_AT = 1000  # rows at which the slope of the fit is looked at


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(rows of a, rows of b) squared Euclidean distances, in the precision of the rows."""
    products = a @ b.T
    products *= -2
    products += np.einsum("ij,ij->i", a, a)[:, None]
    products += np.einsum("ij,ij->i", b, b)[None, :]
    return np.maximum(products, 0, out=products)


def median_distance(x: np.ndarray) -> float:
    """Median distance between different rows (1 if all rows are equal), from at most 500 evenly spaced rows."""
    rows = x[np.linspace(0, len(x) - 1, min(len(x), _PAIRS_OF)).astype(np.int64)].astype(np.float64)
    distances = np.sqrt(squared_distances(rows, rows)[np.triu_indices(len(rows), 1)])
    apart = distances[distances > 1e-6 * distances.max(initial=0)]
    return float(np.median(apart)) if len(apart) else 1.0


class Kernel:
    """A radial kernel with its bandwidth.

    Parameters
    ----------
    name : {"laplace", "rbf"}
    width : float
        Larger is narrower.
    unit : float
        The distance that counts as 1.
    """

    def __init__(self, name: str, width: float, unit: float) -> None:
        self.name, self.width, self.unit = name, width, unit

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(rows of a, rows of b) similarities in (0, 1]."""
        k = squared_distances(a, b)
        if a is b:
            k[np.diag_indices_from(k)] = 0  # rounding must not make a row differ from itself
        if self.name == "laplace":
            np.sqrt(k, out=k)
            k *= -self.width / self.unit
        else:
            k *= -self.width / self.unit**2
        return np.exp(k, out=k)

    def slopes(self, x: np.ndarray, centres: np.ndarray, dual: np.ndarray) -> np.ndarray:
        """Mean over ``x`` of the squared gradient of ``sum_j dual_j k(x, centre_j)``, summed over outputs.

        Parameters
        ----------
        x : (rows, columns) array
        centres : (centres, columns) array
        dual : (centres, outputs) array

        Returns
        -------
        (columns,) float64 array
        """
        d2 = squared_distances(x, centres)
        # dk/dx = factor * (x - centre): constant times k for the Gaussian, k/d for Laplace (0 at the kink)
        if self.name == "laplace":
            d = np.sqrt(d2)
            factor = np.where(d > 1e-4 * self.unit, np.exp(-self.width / self.unit * d) / np.maximum(d, 1e-12), 0)
            factor *= -self.width / self.unit
        else:
            factor = np.exp(-self.width / self.unit**2 * d2) * (-2 * self.width / self.unit**2)
        total = np.zeros(x.shape[1])
        for column in dual.T.astype(x.dtype):
            gradient = x * (factor @ column)[:, None] - factor @ (column[:, None] * centres)
            total += np.mean(gradient.astype(np.float64) ** 2, axis=0)
        return total


def learned_scales(
    x: np.ndarray, target: np.ndarray, weight: np.ndarray | None, name: str, width: float, penalty: float, rounds: int
) -> np.ndarray:
    """Multipliers of the columns: roots of the mean squared gradients of kernel ridge fits on these rows.

    Parameters
    ----------
    x : (rows, columns) float array
        Training rows only: scales that have seen a row make its left-out prediction optimistic.
    target : (rows, outputs) array
    weight : (rows,) array or None
    name, width : see :class:`Kernel`
    penalty : float
        Of the ridge regression.
    rounds : int
        Fits, each on the columns as the one before has scaled them.

    Returns
    -------
    (columns,) array in [1e-3, 1], in the precision of x.
    """
    scales = np.ones(x.shape[1], dtype=x.dtype)
    shown = np.linspace(0, len(x) - 1, min(len(x), _GRADIENTS_AT)).astype(np.int64)
    diagonal = (penalty * row_penalties(weight, len(x))).astype(x.dtype)
    target = target.astype(x.dtype)
    for _ in range(rounds):
        z = x * scales
        kernel = Kernel(name, width, median_distance(z))
        dual, _ = kernel_ridge(kernel(z, z), target, diagonal)
        # slopes are per unit of the scaled columns; times the scales they are per unit of the original ones
        root = np.sqrt(kernel.slopes(z[shown], z, dual)) * scales
        if root.max() <= 0:
            break  # a constant fit prefers no column
        scales = np.clip(root / root.max(), 1e-3, 1).astype(x.dtype)
    return scales
