"""Local search: try the neighbours of the best configuration, move when one is better, restart at an optimum.

A neighbour is one edit away; of numbers a few random steps stand for all neighbours.  First improvement with random
restarts, after White et al 2020 ("Local search is state of the art for NAS").
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from autonas.core.trial import Proposal, Trial, config_key
from autonas.search_space.moves import neighbours
from autonas.search_space.space import SearchSpace
from autonas.strategies.base import Strategy
from autonas.strategies.random import draw

__all__ = ["STRATEGY", "Local"]


class Local(Strategy):
    """Climbs from a centre through better neighbours.

    A better trial becomes the centre, whoever proposed it.  When all neighbours of the centre are told, the next
    configuration is random, and the centre whatever it is worth.

    Parameters
    ----------
    n_numeric : int
        Steps of every number that count as its neighbours.
    """

    name = "local"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        n_numeric: int = 4,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self.n_numeric = n_numeric
        self._known: set[str] = set()
        self._told: set[str] = set()
        self._loss = math.inf
        self._neighbours: dict[str, dict[str, Any]] = {}  # of the centre, by key

    def ask(self) -> Proposal | None:
        config = next((c for key, c in self._neighbours.items() if key not in self._known), None)
        if config is None:
            config = draw(self.space, self._known, (self.seed, len(self._known)))
        if config is None:
            return None
        self._known.add(config_key(config))
        return Proposal(config, origin=self.name)

    def tell(self, trial: Trial) -> None:
        key = trial.proposal.key
        self._known.add(key)
        self._told.add(key)
        # what is pending does not count, so that a replay, which knows of nothing pending, decides alike
        is_restart = key not in self._neighbours and self._told.issuperset(self._neighbours)
        if trial.ok and (trial.loss < self._loss or is_restart):
            self._loss = trial.loss
            rng = np.random.default_rng((self.seed, zlib.crc32(key.encode())))
            found = neighbours(self.space, trial.config, rng, self.n_numeric)
            self._neighbours = {config_key(neighbour): neighbour for neighbour in found}


STRATEGY = Local
