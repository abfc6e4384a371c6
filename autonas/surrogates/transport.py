"""Many small optimal transport problems at once, exactly: where leftovers cost one a unit (Kandasamy et al 2018).

All problems of one shape share a simplex tableau with one more axis.  The constraints are totally unimodular, so that
every pivot is 1 and the tableau holds only -1, 0 and 1; the slacks are a feasible start.  Masses are perturbed by a
fraction of 1e-11, which rules out cycles.  Meant for up to twenty masses a side; a problem costs microseconds then.
"""

from __future__ import annotations

import numpy as np

__all__ = ["transport"]

_TOLERANCE = 1e-10
_CHUNK = 20_000_000  # entries of a tableau
_JITTER = 1e-11  # of the largest mass
_GOLDEN = 0.6180339887498949


def transport(costs: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Least cost of moving some of the mass, and leaving the rest of both sides at a unit cost.

    Parameters
    ----------
    costs : (n, rows, columns) array
        Of moving a unit; infinite where that is not allowed.
    left, right : (n, rows) and (n, columns) arrays
        Masses, at least 0.

    Returns
    -------
    (n,) array
        ``min over Z >= 0 of <Z, costs> + (sum(left) - sum(Z)) + (sum(right) - sum(Z))``, where rows and columns of Z
        sum up to the masses at most.
    """
    n, rows, columns = costs.shape
    total = left.sum(1) + right.sum(1)
    if not rows or not columns:
        return total
    size = max(1, _CHUNK // ((rows + columns) * rows * columns))
    saved = [_saved(costs[i : i + size], left[i : i + size], right[i : i + size]) for i in range(0, n, size)]
    return np.maximum(total - np.concatenate([np.empty(0), *saved]), 0)


def _saved(costs: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Maximum of ``<Z, 2 - costs>``: what moving saves."""
    n, rows, columns = costs.shape
    bounds = np.concatenate([left, right], axis=1)
    jitter = (np.arange(1, rows + columns + 1) * _GOLDEN) % 1
    largest = bounds.max(axis=1, keepdims=True)
    bounds = bounds + _JITTER * np.where(largest > 0, largest, 1) * (1 + jitter)
    gains = (2 - costs).reshape(n, rows * columns)
    place = np.arange(rows * columns)
    start = np.zeros((rows + columns, rows * columns), dtype=np.int8)
    start[place // columns, place] = 1
    start[rows + place % columns, place] = 1
    table = np.repeat(start[None], n, axis=0)
    problem, found = np.arange(n), np.zeros(n)
    value = np.zeros(n)
    while True:
        entering = gains.argmax(axis=1)
        each = np.arange(len(problem))
        gain = gains[each, entering]
        live = gain > _TOLERANCE
        if not live.all():
            found[problem[~live]] = value[~live]
            problem, value, gains, bounds, table = (a[live] for a in (problem, value, gains, bounds, table))
            entering, gain, each = entering[live], gain[live], np.arange(len(problem))
            if not len(problem):
                return found
        column = table[each, :, entering]
        leaving = np.where(column > 0, bounds, np.inf).argmin(axis=1)
        row = table[each, leaving].copy()
        step = bounds[each, leaving]
        # variables change places: the pivot stays 1, its column changes sign elsewhere
        row[each, entering] = 0
        column[each, leaving] = 0
        table -= column[:, :, None] * row[:, None, :]
        table[each, :, entering] = -column
        table[each, leaving, entering] = 1
        bounds = bounds - column * step[:, None]
        value = value + gain * step
        gains = gains - gain[:, None] * row
        gains[each, entering] = -gain
