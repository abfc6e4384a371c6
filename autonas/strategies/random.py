"""Random search: every configuration is drawn uniformly, none twice (Bergstra & Bengio 2012).

Left out: the weighting of isomorphic architectures; two configurations are the same only if all their values are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any

import numpy as np

from autonas.core.trial import Proposal, Trial, config_key
from autonas.search_space.space import SearchSpace
from autonas.strategies.base import Strategy

__all__ = ["STRATEGY", "Random", "draw"]


def draw(space: SearchSpace, known: Collection[str], seed: tuple[int, ...]) -> dict[str, Any] | None:
    """A uniform configuration whose key is not known yet; None if the space has no other."""
    for size in (1, 30, 1000):  # a repetition is rare in a large space, and the rule in a small one
        for config in space.sample(size, (*seed, size)):
            if config_key(config) not in known:
                return config
    if not space.finite:
        return None
    # drawing no longer finds the last few
    rest = list(islice((config for config in space.grid() if config_key(config) not in known), 1000))
    return rest[np.random.default_rng(seed).integers(len(rest))] if rest else None


class Random(Strategy):
    """Uniform draws without repetition, until a finite space is exhausted.

    The number of an ask is the number of configurations known so far, asked for or told, so that a search which is
    replayed from its trials goes on as it would have.
    """

    name = "random"

    def __init__(
        self, space: SearchSpace, objectives: Sequence[str] = ("loss",), *, seed: int = 0, **options: Any
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self._known: set[str] = set()

    def ask(self) -> Proposal | None:
        config = draw(self.space, self._known, (self.seed, len(self._known)))
        if config is None:
            return None
        self._known.add(config_key(config))
        return Proposal(config, origin=self.name)

    def tell(self, trial: Trial) -> None:
        self._known.add(trial.proposal.key)


STRATEGY = Random
