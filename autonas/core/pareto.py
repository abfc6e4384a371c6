"""Several objectives at once: domination, fronts, crowding, hypervolume, scalarisation.

Everything is minimised and exact.  Fronts and crowding as in NSGA-II (Deb et al 2002), the hypervolume of two
objectives by a sweep and of more by slices (Fonseca et al 2006 without its tree), the scalarisation of ParEGO
(Knowles 2006).  Left out: approximations for many objectives.
"""

from __future__ import annotations

import numpy as np

from autonas.errors import OptionError

__all__ = ["crowding", "front_bounds", "fronts", "hypervolume", "non_dominated", "scalarise"]

RHO = 0.05  # weight of the sum in the augmented Tchebycheff function (Knowles 2006)


def non_dominated(values: np.ndarray) -> np.ndarray:
    """Which points no other point dominates: none is at least as low everywhere and lower somewhere.

    Equal points do not dominate each other.

    Parameters
    ----------
    values : (n, m) array
        Losses without NaN.

    Returns
    -------
    (n,) bool array
    """
    values = _matrix(values)
    mask = np.zeros(len(values), dtype=bool)
    if not len(values):
        return mask
    order = np.lexsort(values.T[::-1])  # a point comes after all that dominate it
    front = np.empty_like(values)
    size = 0
    for i in order:
        value = values[i]
        below = front[:size]
        dominated = ((below <= value).all(1) & (below < value).any(1)).any()
        if not dominated:
            front[size] = value
            size += 1
            mask[i] = True
    return mask


def fronts(values: np.ndarray) -> np.ndarray:
    """The front of every point: 0 for those that nothing dominates, 1 for those that only front 0 does, ...

    Parameters
    ----------
    values : (n, m) array

    Returns
    -------
    (n,) int array
    """
    values = _matrix(values)
    ranks = np.zeros(len(values), dtype=np.int64)
    rest, rank = np.arange(len(values)), 0
    while len(rest):
        best = non_dominated(values[rest])
        ranks[rest[best]] = rank
        rest, rank = rest[~best], rank + 1
    return ranks


def crowding(values: np.ndarray) -> np.ndarray:
    """Crowding distance of every point among the others: larger is lonelier, infinite at the ends of an objective.

    The sum over the objectives of the distance between a point's two neighbours, in units of the objective's range
    (Deb et al 2002).  Meant for the points of one front.

    Parameters
    ----------
    values : (n, m) array

    Returns
    -------
    (n,) float array
    """
    values = _matrix(values)
    distances = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        spread = column[order[-1]] - column[order[0]] if len(order) else 0.0
        distances[order[:1]] = distances[order[-1:]] = np.inf
        if spread > 0:
            distances[order[1:-1]] += (column[order[2:]] - column[order[:-2]]) / spread
    return distances


def hypervolume(values: np.ndarray, reference: np.ndarray) -> float:
    """Volume between the points and a reference point: what they dominate.

    Parameters
    ----------
    values : (n, m) array
    reference : (m,) array
        Points that are not below it in every objective count for nothing.

    Returns
    -------
    float
        In the product of the objectives' units; 0 without a point.
    """
    values, reference = _matrix(values), np.asarray(reference, dtype=float)
    if reference.shape != values.shape[1:]:
        raise OptionError(f"reference needs shape {values.shape[1:]}, one number an objective, not {reference.shape}.")
    values = values[(values < reference).all(1)]
    return _volume(np.unique(values[non_dominated(values)], axis=0), reference)


def _volume(front: np.ndarray, reference: np.ndarray) -> float:
    """Of points that do not dominate each other, sorted by the first objective."""
    if not len(front):
        return 0.0
    if len(reference) == 1:
        return float(reference[0] - front[:, 0].min())
    if len(reference) == 2:
        heights = np.concatenate([[reference[1]], front[:-1, 1]]) - front[:, 1]
        return float(((reference[0] - front[:, 0]) * heights).sum())
    # slabs along the last objective: in each, what the points below its floor dominate in the others
    front = front[np.argsort(front[:, -1], kind="stable")]
    edges = np.append(front[:, -1], reference[-1])
    total = 0.0
    for i, thickness in enumerate(np.diff(edges)):
        if thickness > 0:
            slice_ = front[: i + 1, :-1]
            total += thickness * _volume(np.unique(slice_[non_dominated(slice_)], axis=0), reference[:-1])
    return float(total)


def scalarise(
    values: np.ndarray, weights: np.ndarray, bounds: tuple[np.ndarray, np.ndarray] | None = None
) -> np.ndarray:
    """One loss out of several: the augmented Tchebycheff function, ``max_j w_j f_j + 0.05 sum_j w_j f_j``.

    Every optimum for positive weights is a point of the front, and every point of the front, also where that is not
    convex, is the optimum for some weights (Knowles 2006).

    Parameters
    ----------
    values : (n, m) array
        Finite losses.
    weights : (m,) array
        Not negative, summing to 1.
    bounds : pair of (m,) arrays, optional
        What becomes 0 and 1 of every objective; by default the lowest and highest of the values' front, or of all
        values where the front has one.

    Returns
    -------
    (n,) array
    """
    values, weights = _matrix(values), np.asarray(weights, dtype=float)
    if not len(values):
        return np.zeros(0)
    low, high = front_bounds(values) if bounds is None else bounds
    weighted = (values - low) / (high - low) * weights
    return weighted.max(1) + RHO * weighted.sum(1)


def front_bounds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value of each objective on the front: the ideal and the nadir point.

    Where the front has one value of an objective only, the highest of all values takes its place; where that is the
    same, anything above.

    Parameters
    ----------
    values : (n, m) array, n > 0
    """
    values = _matrix(values)
    front = values[non_dominated(values)]
    low, high = front.min(0), front.max(0)
    high = np.where(high > low, high, values.max(0))
    return low, np.where(high > low, high, low + np.maximum(1.0, np.abs(low)))


def _matrix(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or np.isnan(values).any():
        raise OptionError(f"values must be an (n, m) array without NaN, not of shape {values.shape}.")
    return values
