"""Q-learning over the decisions of a configuration, as MetaQNN (Baker et al 2017a) and BlockQNN (Zhong et al 2018).

A table holds the value of every action after the decision before it; epsilon-greedy walks propose, epsilon falls with
the number of trials as in MetaQNN's schedule, and after every trial earlier ones are replayed backwards, which carries
a reward to the first decision in one sweep.  Left out: the accuracy as reward (ranks instead), BlockQNN's FLOPs term
(an objective of its own here).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autonas.core.trial import Trial
from autonas.search_space.space import SearchSpace
from autonas.search_space.tokens import Prefix
from autonas.strategies._sequential import Sequential

__all__ = ["STRATEGY", "QLearning", "QTable", "epsilon"]

# MetaQNN's epsilons and the share of the models that each has
_SCHEDULE = ((1.0, 1500), *((e, 100) for e in (0.9, 0.8, 0.7)), *((e, 150) for e in (0.6, 0.5, 0.4, 0.3, 0.2, 0.1)))
_MODELS = sum(n for _, n in _SCHEDULE)

State = tuple[int, ...]
Step = tuple[State, int, tuple[int, ...] | None]
"""A state, the action taken in it, and the legal actions (None: all)."""


def epsilon(number: int, horizon: int) -> float:
    """Share of random decisions in trial ``number``; MetaQNN's schedule, shrunk to ``horizon`` trials."""
    end = 0
    for value, n in _SCHEDULE:
        end += n
        if number * _MODELS < end * horizon:
            return value
    return _SCHEDULE[-1][0]


class QTable:
    """``Q(s, u) <- (1 - alpha) Q(s, u) + alpha (r + gamma max Q(s', .))``, with gamma = 1.

    Parameters
    ----------
    alpha : float
        Learning rate.
    first : float
        Value of what was never updated.
    shaping : bool
        Every step gets an equal part of the reward (BlockQNN), instead of the last one all of it.  With sequences of
        unequal length this changes which policy is best.
    """

    def __init__(self, alpha: float, first: float = 0.5, shaping: bool = False) -> None:
        self.alpha = alpha
        self.first = first
        self.shaping = shaping
        self._rows: dict[State, list[float]] = {}

    def row(self, state: State, n_actions: int) -> list[float]:
        """The values of a state's actions."""
        row = self._rows.get(state)
        if row is None:
            row = self._rows[state] = [self.first] * n_actions
        return row

    def update(self, steps: Sequence[Step], reward: float, reverse: bool = True) -> None:
        """One sweep over the steps of a trial, whose states have rows already."""
        alpha, rows = self.alpha, self._rows
        share = reward / len(steps) if self.shaping and steps else 0.0
        last = len(steps) - 1
        for t in range(last, -1, -1) if reverse else range(last + 1):
            state, action, _ = steps[t]
            if t == last:
                target = share if self.shaping else reward
            else:
                after, _, legal = steps[t + 1]
                values = rows[after]
                target = share + (max(values) if legal is None else max([values[a] for a in legal]))
            row = rows[state]
            row[action] += alpha * (target - row[action])


class QLearning(Sequential):
    """Tabular Q-learning.

    Parameters
    ----------
    horizon : int
        Trials until epsilon has come down to 0.1, where it stays.
    alpha : float
        Learning rate.  The papers' 0.01 is for thousands of trials.
    replay : int
        Earlier trials that are replayed after each one.
    memory : int
        Number of decisions before the next one that make the state, beside which decision is next.
    shaping : bool
        As in BlockQNN: every decision gets an equal part of the reward.
    """

    name = "qlearning"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        horizon: int = 300,
        alpha: float = 0.1,
        replay: int = 100,
        memory: int = 1,
        shaping: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self.horizon = horizon
        self.replay = replay
        self.memory = memory
        self.table = QTable(alpha, shaping=shaping)
        self._episodes: list[tuple[Trial, list[Step]]] = []

    def walk(self, rng: np.random.Generator, exploration: float) -> Prefix:
        share = epsilon(len(self._known), self.horizon)
        share += (1 - share) * exploration
        prefix = self.decisions.start()
        taken: list[int] = []
        while prefix.name is not None:
            legal = np.flatnonzero(prefix.legal)
            if rng.random() < share:
                action = int(rng.choice(legal))
            else:
                row = self.table.row(self._state(prefix.index, taken), prefix.n_actions)
                values = np.array(row)[legal]
                action = int(rng.choice(legal[values == values.max()]))
            taken.append(self.decisions.offsets[prefix.index] + action)
            prefix = prefix.take(action)
        return prefix

    def learn(self, trial: Trial, prefix: Prefix) -> None:
        steps = self._steps(prefix)
        self._episodes.append((trial, steps))
        self.table.update(steps, self.ranks.reward(trial))
        rng = np.random.default_rng((self.seed, len(self._episodes), 1))
        for number in rng.integers(len(self._episodes), size=self.replay):
            earlier, steps = self._episodes[number]
            self.table.update(steps, self.ranks.reward(earlier))

    def _steps(self, whole: Prefix) -> list[Step]:
        steps: list[Step] = []
        taken: list[int] = []
        prefix = self.decisions.start()
        while prefix.name is not None:
            state, action = self._state(prefix.index, taken), whole.actions[prefix.index]
            self.table.row(state, prefix.n_actions)
            legal = None if prefix.legal.all() else tuple(np.flatnonzero(prefix.legal).tolist())
            steps.append((state, action, legal))
            taken.append(self.decisions.offsets[prefix.index] + action)
            prefix = prefix.take(action)
        return steps

    def _state(self, index: int, taken: Sequence[int]) -> State:
        return (index, *taken[max(len(taken) - self.memory, 0) :])


STRATEGY = QLearning
