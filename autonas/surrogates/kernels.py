"""The kernel of the Gaussian process over mixed, conditional spaces, and its gradient.

    K(x, x') = b B(x, x') + s(x) s(x') K0(x, x')
    K0 = (1 - a - c) M(r) + a L + c L^2,    r^2 = sum_p w_p |u_p - u'_p|^2
    L = (2 / W) sum_p w_p <u_p, u'_p>,    W = sum_p w_p

u_p is block p of the features less its mean over the space, M the Matern correlation with nu = 5/2.  L is a linear
model of main effects with the same weights; for choices it is the weighted overlap of Hutter et al 2011, up to the
mean.  Its square adds the effects of pairs, which makes the extremes of a space (cells of one operation) the least
certain, and so the first to be tried.  Where a choice opens a branch of the space (a kind of model), B is the share of
such choices that two points have in common and ln s(x) the sum of an amplitude for each value: a branch whose losses
spread widely may still fall far, one whose losses hardly vary is closed.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = ["MAIN", "base", "base_gradient", "base_variance", "matern", "squared_distances", "squared_norms"]

MAIN = 0.3  # a, the share of the main effects
_SQRT5 = math.sqrt(5)


def squared_distances(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances of rows, (n_left, n_right), never negative."""
    distances = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * (left @ right.T)
    return np.maximum(distances, 0, out=distances)


def matern(r2: np.ndarray) -> np.ndarray:
    """Matern correlation with nu = 5/2 of squared scaled distances."""
    r = _SQRT5 * np.sqrt(r2)
    return (1 + r + 5 / 3 * r2) * np.exp(-r)


def base(r2: np.ndarray, products: np.ndarray, total: float, pairs: float = 0.0) -> np.ndarray:
    """K0.

    Parameters
    ----------
    r2, products : array
        Squared distances and inner products of weighted, centred features.
    total : float
        Sum W of the weights of the blocks.
    pairs : float
        c, the share of the effects of pairs.
    """
    linear = (2 / total) * products
    return (1 - MAIN - pairs) * matern(r2) + (MAIN + pairs * linear) * linear


def base_variance(norms: np.ndarray, total: float, pairs: float = 0.0) -> np.ndarray:
    """K0(x, x) from the squared norms of weighted, centred features."""
    linear = (2 / total) * norms
    return (1 - MAIN - pairs) + (MAIN + pairs * linear) * linear


def base_gradient(
    r2: np.ndarray,
    products: np.ndarray,
    outer: np.ndarray,
    distances: np.ndarray,
    norms: np.ndarray,
    total: float,
    pairs: float = 0.0,
) -> np.ndarray:
    """How a function F of K0 changes with the weights, (n_blocks,).

    Parameters
    ----------
    r2, products : (n, n) arrays
    outer : (n, n) array
        dF / dK0, symmetric.
    distances : (n_blocks, n * n) array
        Squared distances by block, without weights.
    norms : (n_blocks, n) array
        Squared norms of the centred features by block, without weights.
    """
    r = _SQRT5 * np.sqrt(r2)
    by_product = outer * (2 / total) * (MAIN + (4 * pairs / total) * products)
    # <u, u'> = (|u|^2 + |u'|^2 - |u - u'|^2) / 2
    slope = outer * (-(5 / 6) * (1 - MAIN - pairs) * (1 + r) * np.exp(-r)) - by_product / 2
    by_distance = distances @ slope.ravel()
    by_norm = norms @ by_product.sum(1)
    by_total = -float((by_product * products).sum()) / total
    return by_distance + by_norm + by_total


def squared_norms(rows: np.ndarray) -> np.ndarray:
    """Squared norms of rows."""
    return np.einsum("ij,ij->i", rows, rows)
