"""Who has offspring and who stays: the selection rules of evolution, on arrays of losses.

Tournaments (Goldberg & Deb 1991), the roulette (Xie & Yuille 2017), the front by inverse density (Elsken et al 2018);
several objectives are ordered by front and crowding (Deb et al 2002).  Rows are members from the oldest to the
newest, everything is minimised.
"""

from __future__ import annotations

import numpy as np

from autonas.core.pareto import crowding, fronts, non_dominated

__all__ = ["PARENTS", "SURVIVORS", "inverse_density", "pick", "positions", "roulette", "surviving"]

PARENTS = ("tournament", "roulette", "pareto")
SURVIVORS = ("oldest", "worst", "loser", "generational", "none", "nondominated")


def positions(values: np.ndarray) -> np.ndarray:
    """Place of every member from the best, 0, to the worst; of equal ones the newer is better.

    Parameters
    ----------
    values : (n, m) array

    Returns
    -------
    (n,) int array
    """
    newest_first = -np.arange(len(values))
    if values.shape[1] == 1:
        best_first = np.lexsort((newest_first, values[:, 0]))
    else:
        front = fronts(values)
        lonely = np.zeros(len(values))
        for rank in range(front.max(initial=-1) + 1):
            lonely[front == rank] = crowding(values[front == rank])
        best_first = np.lexsort((newest_first, -lonely, front))
    places = np.empty(len(values), dtype=np.int64)
    places[best_first] = np.arange(len(values))
    return places


def pick(rule: str, values: np.ndarray, sample_size: int, rng: np.random.Generator) -> int:
    """Row of a parent.

    Parameters
    ----------
    rule : {"tournament", "roulette", "pareto"}
    values : (n, m) array
        Losses, n > 0.
    sample_size : int
        Members of a tournament, drawn with replacement; of equal winners the first drawn wins.
    """
    if rule == "tournament":
        drawn = rng.integers(len(values), size=sample_size)
        losses = values[drawn, 0] if values.shape[1] == 1 else positions(values[drawn])
        return int(drawn[np.argmin(losses)])
    if rule == "roulette":
        return int(rng.choice(len(values), p=roulette(values)))
    front = np.flatnonzero(non_dominated(values))
    return int(rng.choice(front, p=inverse_density(values[front, 1:] if values.shape[1] > 1 else values[front])))


def roulette(values: np.ndarray) -> np.ndarray:
    """Chances in proportion to the distance from the worst, uniform if all are equal; of several objectives, ranks.

    Parameters
    ----------
    values : (n, m) array

    Returns
    -------
    (n,) array
    """
    losses = values[:, 0] if values.shape[1] == 1 else positions(values).astype(float)
    losses = losses / max(np.abs(losses).max(), np.finfo(float).tiny)  # a difference may be too large for a float
    share = losses.max() - losses
    return share / share.sum() if share.sum() > 0 else np.full(len(values), 1 / len(values))


def inverse_density(points: np.ndarray, among: np.ndarray | None = None) -> np.ndarray:
    """Chances in proportion to 1 / density, estimated by Gaussian kernels of Scott's width.

    Parameters
    ----------
    points : (n, d) array
        Logarithms are taken of columns that are positive: sizes of networks differ by factors.
    among : (k, d) array, optional
        Where the kernels are; default: at the points.

    Returns
    -------
    (n,) array
    """
    among = points if among is None else among
    positive = (points > 0).all(0) & (among > 0).all(0)
    points, among = (np.log(a, where=positive, out=a.astype(float)) for a in (points, among))
    largest = np.maximum(np.abs(points).max(0), np.abs(among).max(0))
    points, among = (a / np.where(largest > 0, largest, 1.0) for a in (points, among))  # so that squares are finite
    scale = among.std(0)
    scale = np.where(scale > 0, scale, 1.0) * len(among) ** (-1 / (among.shape[1] + 4))
    squared = (((points[:, None] - among[None]) / scale) ** 2).sum(2)
    nearest = squared.min(1)  # far from all kernels every density would be 0
    logs = np.log(np.exp((nearest[:, None] - squared) / 2).sum(1)) - nearest / 2
    chances = np.exp(logs.min() - logs)
    return chances / chances.sum()


def surviving(rule: str, values: np.ndarray, n_fresh: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of those that stay, in their order.

    Parameters
    ----------
    rule : str
        One of ``SURVIVORS``.
    values : (n, m) array
    n_fresh : int
        So many of the last rows are children.
    size : int
        Of the population.
    """
    n = len(values)
    rows = np.arange(n)
    if rule == "generational":
        return rows[-n_fresh:] if n_fresh >= size else rows
    if rule == "nondominated":
        return rows[non_dominated(values)]
    if rule == "none" or n <= size:
        return rows
    if rule == "oldest":
        return rows[-size:]
    if rule == "worst":
        return np.flatnonzero(positions(values) < size)
    alive = list(rows)  # the worse of a random pair, until there are few enough
    while len(alive) > size:
        pair = np.sort(rng.choice(alive, size=2, replace=False))
        alive.remove(pair[np.argmax(positions(values[pair]))])
    return np.array(alive)
