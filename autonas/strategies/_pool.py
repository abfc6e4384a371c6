"""Configurations that a model-based strategy compares: random ones, and neighbours of good ones."""

from __future__ import annotations

import numpy as np

from autonas.strategies._climb import Moves
from autonas.surrogates.codes import Codes, row_keys

__all__ = ["mark", "pool"]


def pool(codes: Codes, best: np.ndarray, drawn: int, near: int, rng: np.random.Generator) -> np.ndarray:
    """Distinct codes: some drawn uniformly, and some of the neighbours of the best."""
    rows = codes.sample(drawn, rng)
    if len(best):
        around = Moves(codes).around(best, rng)[0]
        rows = np.concatenate([rows, around[rng.permutation(len(around))[:near]]])
    first = list({key: i for i, key in reversed(list(enumerate(row_keys(rows))))}.values())
    return rows[np.sort(first)]


def mark(n: int) -> int:
    """The last number of trials, up to ``n``, at which parameters are fitted: each at first, then every fifteenth part.

    So parameters follow from the trials alone, whenever they are asked for.
    """
    last = min(n, 20)
    while last + max(1, last // 15) <= n:
        last += max(1, last // 15)
    return last
