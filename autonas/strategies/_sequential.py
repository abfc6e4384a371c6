"""What the strategies that decide one hyperparameter after the other share.

All of them read the same stream of tokens (``search_space/tokens.py``), learn from told trials only, in the order of
the tells and only when asked, and never propose a known configuration.  Rewards are ranks: the share of the trials of
the same fidelity that are worse.  So neither scale, nor sign, nor outliers of a loss matter (diverged networks reach
1e7), a failure is simply the worst, and the reward lies in [0, 1], as tree search and Q-values want it.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from typing import Any

import numpy as np

from autonas.core.trial import Proposal, Trial, config_key
from autonas.search_space.space import SearchSpace
from autonas.search_space.tokens import Decisions, Prefix
from autonas.strategies.base import Strategy
from autonas.strategies.random import draw

__all__ = ["Ranks", "Sequential"]

TRIES = 50
"""Walks before a configuration is drawn at random, because all walks ended at known ones."""


class Ranks:
    """Rewards in [0, 1] from losses, for each fidelity on its own."""

    def __init__(self) -> None:
        self._sorted: dict[float, list[float]] = {}

    def add(self, trial: Trial) -> None:
        """Count a trial."""
        insort(self._sorted.setdefault(trial.proposal.fidelity, []), trial.loss)

    def reward(self, trial: Trial) -> float:
        """The share of the counted trials that are worse, of equals one half; 0 for a failure."""
        if not trial.ok:
            return 0.0
        losses = self._sorted[trial.proposal.fidelity]
        return 1 - (bisect_left(losses, trial.loss) + bisect_right(losses, trial.loss)) / 2 / len(losses)


class Sequential(Strategy):
    """Walks through the decisions of a space; a child says how to walk, and what a trial teaches.

    A walk that ends at a known configuration is taken again, each time with more exploration, until it becomes a
    uniform one; then the rest of the space is drawn from as in random search.
    """

    name = "sequential"

    def __init__(
        self, space: SearchSpace, objectives: Sequence[str] = ("loss",), *, seed: int = 0, **options: Any
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self.decisions = Decisions(space)
        self.ranks = Ranks()
        self._known: set[str] = set()
        self._told: list[Trial] = []
        self._learned = 0

    @abstractmethod
    def walk(self, rng: np.random.Generator, exploration: float) -> Prefix:
        """A whole sequence of decisions.

        Parameters
        ----------
        rng : Generator
        exploration : float
            In [0, 1): 0 at the first try of an ask, and more at each further one.
        """

    @abstractmethod
    def learn(self, trial: Trial, prefix: Prefix) -> None:
        """What a trial teaches; its loss is already among the ranks."""

    def proposed(self, key: str, prefix: Prefix) -> None:
        """Called for every proposal, with the key of its configuration; a walk may want to avoid what is pending."""

    def ask(self) -> Proposal | None:
        for trial in self._told[self._learned :]:
            self.ranks.add(trial)
            self.learn(trial, self.decisions.prefix(trial.config))
        self._learned = len(self._told)
        key = (self.seed, len(self._known))
        rng = np.random.default_rng(key)
        for attempt in range(TRIES):
            prefix = self.walk(rng, attempt / TRIES)
            config = prefix.config(rng)
            if config_key(config) not in self._known:
                break
        else:
            drawn = draw(self.space, self._known, key)
            if drawn is None:
                return None
            config, prefix = drawn, self.decisions.prefix(drawn)
        self._known.add(config_key(config))
        self.proposed(config_key(config), prefix)
        return Proposal(config, origin=self.name)

    def tell(self, trial: Trial) -> None:
        self._known.add(trial.proposal.key)
        self._told.append(trial)
