"""Local search on codes: every start goes to its best one-exchange neighbour until none is better.

All neighbours of all starts are valued in one batch, which is what makes an acquisition function cheap to maximise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autonas.surrogates.codes import Codes

__all__ = ["Moves", "climb"]

_STEPS = (0.3, 0.1, 0.03, 0.01)  # standard deviations of the steps of a number, in units of its range
_NUMBERS = 16  # so many numbers move, at random if there are more
_FILLINGS = 4  # tries for what becomes active under another value of a parent


@dataclass(frozen=True)
class Moves:
    """The neighbourhood of a code.

    Parameters
    ----------
    codes : Codes
    values : int
        At most so many other values of listed hyperparameters are tried, at random if there are more.
    steps : int
        At most so many steps of numbers.
    """

    codes: Codes
    values: int = 96
    steps: int = 64

    def around(self, rows: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Neighbours of rows, and the number of the row that each comes from; never the row itself."""
        codes = self.codes
        origins, columns, places = [], [], []
        for start, row in enumerate(rows):
            active = row >= 0
            column = np.repeat(np.arange(len(row)), np.where(active, codes.n_values, 0))
            place = np.arange(len(column)) - np.searchsorted(column, column)
            other = place != row[column]
            column, place = column[other], place[other]
            if len(column) > self.values:
                kept = rng.choice(len(column), self.values, replace=False)
                column, place = column[kept], place[kept]
            numbers = np.flatnonzero(active & (codes.n_values == 0))
            if len(numbers) > _NUMBERS:
                numbers = rng.choice(numbers, _NUMBERS, replace=False)
            number = np.repeat(numbers, len(_STEPS))
            step = row[number] + rng.standard_normal(len(number)) * np.tile(_STEPS, len(numbers))
            if len(number) > self.steps:
                kept = rng.choice(len(number), self.steps, replace=False)
                number, step = number[kept], step[kept]
            columns += [column, number]
            places += [place.astype(float), np.clip(step, 0, 1)]
            origins.append(np.full(len(column) + len(number), start))
        origin, column, place = np.concatenate(origins), np.concatenate(columns), np.concatenate(places)
        for j in codes.whole:
            chosen = column == j
            if chosen.any():
                place[chosen] = codes.snap(j, place[chosen])
        parent = codes.is_parent[column]
        if parent.any():
            repeats = np.where(parent, _FILLINGS, 1)
            origin, column, place, parent = (np.repeat(a, repeats) for a in (origin, column, place, parent))
        moved = rows[origin]
        moved[np.arange(len(moved)), column] = place
        if parent.any():
            moved[parent] = codes.activate(moved[parent], rng)
        kept = (moved != rows[origin]).any(1) & codes.legal(moved)
        return moved[kept], origin[kept]


def climb(
    value: Callable[[np.ndarray], np.ndarray],
    rows: np.ndarray,
    heights: np.ndarray,
    moves: Moves,
    rng: np.random.Generator,
    rounds: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Where the searches end, and the values there; starts that meet go on as one.

    Parameters
    ----------
    value : callable
        (n,) array of what to maximise, from (n, n_parameters) codes.
    rows, heights : arrays
        The starts and their values.
    """
    rows, heights = rows.copy(), heights.copy()
    climbing = np.arange(len(rows))
    for _ in range(rounds):
        if not len(climbing):
            break
        found, origin = moves.around(rows[climbing], rng)
        if not len(found):
            break
        values = value(found)
        better = []
        for number, i in enumerate(climbing):
            mine = np.flatnonzero(origin == number)
            if len(mine):
                best = mine[values[mine].argmax()]
                if values[best] > heights[i]:
                    rows[i], heights[i] = found[best], values[best]
                    better.append(i)
        climbing = np.array(better, dtype=np.intp)
        _, first = np.unique(rows[climbing], axis=0, return_index=True)
        climbing = climbing[np.sort(first)]
    return rows, heights
