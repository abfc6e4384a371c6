"""Progressive surrogate search: configurations grow, and a model picks which to try (PNAS: Liu et al 2017).

A level makes some decisions free.  The best configurations so far are expanded by all values of these decisions, a
forest predicts how good the expansions are, and the ``beam`` best are tried before the next level begins.  In PNAS a
level adds a block to a cell (option ``size``); in general it frees the next decisions of the space, and those that
are not yet free stand at the default, or at values that were drawn at first, because a default such as "no operation"
may hide whatever else is decided.  After the last level the best are revised group by group in the same way.
Left out: the recurrent predictor (a forest ranks as well from tens of trials, and is fitted in a moment).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autonas.core.trial import Trial
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.search_space.tokens import Decisions, Prefix
from autonas.strategies._sequential import Ranks, Sequential

__all__ = ["STRATEGY", "Forest", "Pnas"]

TREES = 50
ROWS = 1000
"""Trials that each tree is fitted to, at most."""
OPTIMISM = 0.5
"""Weight of the trees' standard deviation beside their mean; PNAS takes the mean alone, which is greedier."""


class Pnas(Sequential):
    """Beam search by levels.

    A level lasts for ``beam`` trials, also those of others, and what it proposes follows from the trials that were
    told before it began.

    Parameters
    ----------
    beam : int
        Trials for one level, and the number of configurations that are expanded.
    levels : int
        Number of groups into which the decisions are split.
    size : str or None
        A hyperparameter whose values are the levels instead (number of blocks, layers): a configuration of the next
        size keeps what its parent has, and only what becomes active is free.
    width : int
        Unfinished expansions that are kept while a level's decisions are made one by one.
    """

    name = "pnas"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        beam: int = 20,
        levels: int = 3,
        size: str | None = None,
        width: int = 100,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self.beam = beam
        self.width = width
        choices = [i for i, (_, n) in enumerate(self.decisions.vocabulary) if n > 1]
        self._groups = [set(group.tolist()) for group in np.array_split(choices, min(levels, len(choices) or 1))]
        self._size: int | None = None
        if size is not None:
            names = [axis.name for axis in self.decisions.axes]
            if size not in names or not self.decisions.axes[names.index(size)].ordered:
                raise OptionError(f"The size must be a number or an ordinal of the space. Given: {size!r}.")
            self._size = names.index(size)
        self._defaults = [axis.action(axis.default) for axis in self.decisions.axes]
        self._seen: set[tuple[int, ...]] = set()
        self._prefixes: list[Prefix] = []
        self._level = -1
        self._queue: list[Prefix] = []

    def walk(self, rng: np.random.Generator, exploration: float) -> Prefix:
        level = len(self._prefixes) // self.beam
        if level != self._level:
            self._level, self._queue = level, self._candidates(level)
        for prefix in self._queue:
            if prefix.actions not in self._seen:
                self._seen.add(prefix.actions)  # a try that ends at a known configuration is not repeated
                return prefix
        return self.decisions.start().roll_out(rng)

    def learn(self, trial: Trial, prefix: Prefix) -> None:
        self._seen.add(prefix.actions)
        self._prefixes.append(prefix)

    def _candidates(self, level: int) -> list[Prefix]:
        """Whole sequences for a level, the most promising first."""
        n = level * self.beam
        known, trials = self._prefixes[:n], self._told[:n]
        rng = np.random.default_rng((self.seed, level, 1))
        if not level:
            start = self.decisions.start()
            others = [] if self._grows(level) else [start.roll_out(rng) for _ in range(self.beam)]
            found = self._expand([self.decisions.prefix(self.space.default()), *others], level, None, rng)
            return [found[i] for i in rng.permutation(len(found))]
        ranks = Ranks()
        for trial in trials:
            ranks.add(trial)
        rewards = np.array([ranks.reward(trial) for trial in trials])
        model = Forest(self.decisions, known, rewards, int(rng.integers(2**31)))
        best = [known[i] for i in np.argsort(-rewards, kind="stable")]
        if self._grows(level):
            assert self._size is not None
            best = [prefix for prefix in best if prefix.actions[self._size] == level - 1] or best
        found = self._expand(best[: self.beam], level, model, rng)
        return [found[i] for i in np.argsort(-model.predict(found), kind="stable")]

    def _grows(self, level: int) -> bool:
        """Whether a level adds the next size."""
        return self._size is not None and level < self.decisions.vocabulary[self._size][1]

    def _choice(self, prefix: Prefix, parent: Prefix, level: int) -> list[int]:
        """The actions to try next for a child of ``parent``."""
        index, legal = prefix.index, prefix.legal
        own = parent.actions[index]
        if self._grows(level):
            if index == self._size:
                own = level
            elif own < 0 or level == 0:
                return np.flatnonzero(legal).tolist()
        elif index in self._groups[level % len(self._groups)]:
            return np.flatnonzero(legal).tolist()
        return [self._nearest(prefix, own)]

    def _nearest(self, prefix: Prefix, action: int) -> int:
        """The legal action nearest to the one of the parent, or, where that has none, to the default."""
        legal = np.flatnonzero(prefix.legal)
        return int(legal[np.argmin(np.abs(legal - (action if action >= 0 else self._defaults[prefix.index])))])

    def _expand(
        self, parents: Sequence[Prefix], level: int, model: Forest | None, rng: np.random.Generator
    ) -> list[Prefix]:
        """Whole sequences: every value of the decisions that are free, and elsewhere what the parent has.

        More than ``width`` are cut down to the best of the model, or to some at random.
        """
        growing = [(self.decisions.start(), parent) for parent in parents]
        while any(prefix.name is not None for prefix, _ in growing):
            grown: dict[tuple[tuple[int, ...], int], tuple[Prefix, Prefix]] = {}
            for prefix, parent in growing:
                for child in self._branch(prefix, parent, level):
                    grown[child.actions, id(parent)] = child, parent
            growing = list(grown.values())
            if len(growing) > self.width:
                if model is None:
                    order = rng.permutation(len(growing))
                else:
                    finished = [self._complete(prefix, parent) for prefix, parent in growing]
                    order = np.argsort(-model.predict(finished), kind="stable")
                growing = [growing[i] for i in order[: self.width]]
        return list({prefix.actions: prefix for prefix, _ in growing}.values())

    def _branch(self, prefix: Prefix, parent: Prefix, level: int) -> list[Prefix]:
        """The children at the next decision that is free, or the whole sequence if none is."""
        while prefix.name is not None:
            actions = self._choice(prefix, parent, level)
            if len(actions) > 1:
                return [prefix.take(action) for action in actions]
            prefix = prefix.take(actions[0])
        return [prefix]

    def _complete(self, prefix: Prefix, parent: Prefix) -> Prefix:
        while prefix.name is not None:
            prefix = prefix.take(self._nearest(prefix, parent.actions[prefix.index]))
        return prefix


class Forest:
    """Reward of whole sequences, by an ensemble of trees."""

    def __init__(self, decisions: Decisions, wholes: Sequence[Prefix], rewards: np.ndarray, seed: int) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        self._sizes = [0 if axis.ordered else len(axis.values) for axis in decisions.axes]
        n = min(len(wholes), ROWS)
        self._model = ExtraTreesRegressor(TREES, bootstrap=True, max_samples=n, max_features=0.5, random_state=seed)
        self._model.fit(self._features(wholes), rewards)

    def predict(self, wholes: Sequence[Prefix]) -> np.ndarray:
        """(n,) array."""
        if not wholes:
            return np.zeros(0)
        features = self._features(wholes)
        trees = np.array([tree.predict(features) for tree in self._model.estimators_])
        return trees.mean(axis=0) + OPTIMISM * trees.std(axis=0)

    def _features(self, wholes: Sequence[Prefix]) -> np.ndarray:
        """Positions of ordered values, indicators of others; -1 or all 0 where a hyperparameter is inactive."""
        actions = np.array([whole.actions for whole in wholes])
        columns = [
            actions[:, i, None] == np.arange(size) if size else actions[:, i, None]
            for i, size in enumerate(self._sizes)
        ]
        return np.concatenate(columns, axis=1).astype(np.float32)


STRATEGY = Pnas
