"""Species: members that are close to each other share their fitness, so that a new form has time to improve.

Speciation of NEAT (Stanley & Miikkulainen 2002) on configurations, where hyperparameters take the part of genes: one
that is active in only one of two members is disjoint.  Left out: extinction of species that stagnate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autonas.core.trial import Config
from autonas.search_space.encode import VectorEncoding
from autonas.search_space.space import SearchSpace
from autonas.strategies._selection import roulette

__all__ = ["distances", "divide", "species_chances"]


def distances(space: SearchSpace, configs: Sequence[Config]) -> np.ndarray:
    """How different configurations are, as a share of the hyperparameters that are active in either.

    A categorical counts 1 if its values differ, a number the difference in units of its range, a hyperparameter that
    only one of the two has 1.

    Returns
    -------
    (n, n) array in [0, 1]
    """
    encoding = VectorEncoding(space)
    rows = encoding.encode(configs)
    active = ~np.isnan(rows)
    gaps = np.abs(rows[:, None] - rows[None])
    gaps = np.where(encoding.n_values > 0, gaps > 0, gaps)
    either, both = active[:, None] | active[None], active[:, None] & active[None]
    gaps = np.where(both, gaps, either)
    return gaps.sum(2) / np.maximum(either.sum(2), 1)


def divide(gaps: np.ndarray, threshold: float) -> np.ndarray:
    """Species of every member: that of the first older founder within the threshold, or a new one that it founds.

    Parameters
    ----------
    gaps : (n, n) array
        Distances, members from the oldest to the newest.

    Returns
    -------
    (n,) int array
        Numbers from 0 in the order of the founders.
    """
    founders: list[int] = []
    species = np.empty(len(gaps), dtype=np.int64)
    for member, row in enumerate(gaps):
        near = np.flatnonzero(row[founders] <= threshold)
        species[member] = near[0] if len(near) else len(founders)
        if not len(near):
            founders.append(member)
    return species


def species_chances(values: np.ndarray, species: np.ndarray) -> np.ndarray:
    """Share of the offspring that each species has: fitness sharing makes it proportional to the mean fitness.

    Fitness is the distance from the worst loss.  A species of nothing but the worst keeps a small share.

    Parameters
    ----------
    values : (n, m) array
    species : (n,) int array

    Returns
    -------
    (number of species,) array
    """
    fitness = roulette(values) + 0.05 / len(values)
    means = np.bincount(species, fitness) / np.bincount(species)
    return means / means.sum()
