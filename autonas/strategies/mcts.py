"""Upper confidence bounds over the tree of decisions (UCT): Negrinho & Gordon 2017, Wistuba 2017.

Every trial adds its path to the tree; a walk follows the best bound where all choices were tried, and else takes an
untried one.  Options are DeepArchitect's bisection, where an ordered decision becomes a binary tree of intervals, so
that near values share statistics, and Wistuba's sharing between branches, in the form of all-moves-as-first (AMAF)
statistics.  Left out: his second form of sharing, a regression over partial architectures.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from autonas.core.trial import Trial, config_key
from autonas.search_space.space import SearchSpace
from autonas.search_space.tokens import Prefix
from autonas.strategies._sequential import Sequential

__all__ = ["STRATEGY", "Mcts", "amaf_weight"]

K = 30.0
"""Visits up to which what other branches say of a choice counts more than what the branch itself does."""


def amaf_weight(visits: float) -> float:
    """Weight of the shared statistics: ``sqrt(k / (3 n + k))`` with k = 30; it vanishes as visits grow."""
    return math.sqrt(K / (3 * visits + K))


class _Means:
    """Visits and mean rewards by number; the rewards, being ranks, change with every trial."""

    def __init__(self) -> None:
        self._places = array("q")  # one entry for every place that a trial passed
        self._trials = array("q")
        self.visits = np.zeros(0, dtype=np.int64)
        self.means = np.zeros(0)

    def add(self, places: Sequence[int], trial: int) -> None:
        self._places.extend(places)
        self._trials.extend([trial] * len(places))

    def update(self, rewards: np.ndarray) -> None:
        places = np.frombuffer(self._places, dtype=np.int64)
        self.visits = np.bincount(places)
        sums = np.bincount(places, weights=rewards[np.frombuffer(self._trials, dtype=np.int64)])
        self.means = sums / np.maximum(self.visits, 1)

    def of(self, place: int) -> tuple[int, float]:
        """Visits and mean reward; no visits where only pending trials passed, or nobody."""
        if 0 <= place < len(self.visits) and (n := int(self.visits[place])):
            return n, float(self.means[place])
        return 0, 0.5


class _Node:
    """A choice between arms, at a prefix and, with bisection, within an interval of its actions."""

    __slots__ = ("arms", "children", "numbers", "open", "parent", "prefix", "shared")

    def __init__(self, prefix: Prefix, arms: list[tuple[int, int]], parent: tuple[_Node, int] | None) -> None:
        self.prefix = prefix
        self.arms = arms  # each the actions from `low` to before `high`
        self.parent = parent
        self.children: list[_Node | None] = [None] * len(arms)
        self.open = [True] * len(arms)  # False: all configurations behind the arm are known
        self.numbers = [-1] * len(arms)  # -1: nobody passed
        self.shared: list[int] = []

    def close(self, arm: int) -> None:
        """All configurations behind an arm are known."""
        node = self
        node.open[arm] = False
        while not any(node.open) and node.parent is not None:
            node, arm = node.parent
            node.open[arm] = False


class Mcts(Sequential):
    """UCT.  A pending trial counts as a visit, not as a reward.

    Parameters
    ----------
    c : float
        Weight of the exploration term ``c sqrt(2 ln n / n_i)``, for rewards in [0, 1].
    sharing : bool
        Mix an arm's mean with that of all trials that made the same decision anywhere in the tree.
    bisection : bool
        Split ordered decisions (whole numbers, ordinals, bins of floats) in halves.
    """

    name = "mcts"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        c: float = 0.1,
        sharing: bool = False,
        bisection: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self.c = c
        self.sharing = sharing
        self.bisection = bisection
        self._trials: list[Trial] = []
        self._own, self._everywhere = _Means(), _Means()
        self._n_arms = 0
        self._numbers: dict[tuple[int, int, int], int] = {}  # of the arms of the same decision, for the sharing
        self._waiting: dict[int, int] = {}  # pending trials by arm
        self._pending: dict[str, list[int]] = {}  # arms by the key of the configuration
        self._root = self._node(self.decisions.start(), None)
        self._stale = True

    def walk(self, rng: np.random.Generator, exploration: float) -> Prefix:
        if self._stale:
            rewards = np.array([self.ranks.reward(trial) for trial in self._trials])
            self._own.update(rewards)
            self._everywhere.update(rewards)
            self._stale = False
        node = self._root
        if not any(node.open) or rng.random() < exploration:
            return node.prefix.roll_out(rng)
        arm = self._choose(node, rng)
        while (child := node.children[arm]) is not None:
            node = child
            arm = self._choose(node, rng)
        low, high = node.arms[arm]
        actions = low + np.flatnonzero(node.prefix.legal[low:high])
        return node.prefix.take(int(rng.choice(actions))).roll_out(rng)

    def _choose(self, node: _Node, rng: np.random.Generator) -> int:
        """The open arm with the highest bound; untried arms come first."""
        known = [self._own.of(number) for number in node.numbers]
        tries = [n + self._waiting.get(number, 0) for (n, _), number in zip(known, node.numbers, strict=True)]
        total = max(sum(tries), 1)
        scores = []
        for arm, ((n, mean), tried) in enumerate(zip(known, tries, strict=True)):
            if not node.open[arm]:
                scores.append(-math.inf)
                continue
            if self.sharing:
                weight = amaf_weight(n)
                mean = (1 - weight) * mean + weight * self._everywhere.of(node.shared[arm])[1]  # noqa: PLW2901
            # the untried keep their order
            scores.append(mean + (self.c * math.sqrt(2 * math.log(total) / tried) if tried else 1e6))
        best = max(scores)
        ties = [arm for arm, score in enumerate(scores) if score == best]
        return ties[0] if len(ties) == 1 else int(rng.choice(ties))

    def learn(self, trial: Trial, prefix: Prefix) -> None:
        for number in self._pending.pop(trial.proposal.key, ()):
            self._waiting[number] -= 1
        own, shared = self._path(prefix)
        self._own.add(own, len(self._trials))
        self._everywhere.add(shared, len(self._trials))
        self._trials.append(trial)
        self._stale = True

    def proposed(self, key: str, prefix: Prefix) -> None:
        own, _ = self._path(prefix)
        self._pending[key] = own
        for number in own:
            self._waiting[number] = self._waiting.get(number, 0) + 1

    def _path(self, whole: Prefix) -> tuple[list[int], list[int]]:
        """Numbers of the arms that lead to a whole sequence, which becomes part of the tree."""
        own, shared = [], []
        node = self._root
        while node.arms:
            action = whole.actions[node.prefix.index]
            arm, (low, high) = next((i, arm) for i, arm in enumerate(node.arms) if arm[0] <= action < arm[1])
            if node.numbers[arm] < 0:
                node.numbers[arm] = self._n_arms
                self._n_arms += 1
            own.append(node.numbers[arm])
            shared.append(node.shared[arm])
            child = node.children[arm]
            if child is None:
                if high - low > 1:
                    child = self._node(node.prefix, (node, arm), low, high)
                else:
                    child = self._node(node.prefix.take(action), (node, arm))
                if child.arms:
                    node.children[arm] = child
                elif whole.is_single and config_key(whole.config()) in self._known:
                    node.close(arm)
            node = child
        return own, shared

    def _node(self, prefix: Prefix, parent: tuple[_Node, int] | None, low: int = 0, high: int | None = None) -> _Node:
        if prefix.name is None:
            return _Node(prefix, [], parent)
        high = prefix.n_actions if high is None else high
        if self.bisection and prefix.axis.ordered:
            middle = (low + high) // 2
            arms = [(low, middle), (middle, high)]
        else:
            arms = [(action, action + 1) for action in range(low, high)]
        legal = prefix.legal
        node = _Node(prefix, [arm for arm in arms if legal[slice(*arm)].any()], parent)
        node.shared = [self._numbers.setdefault((prefix.index, *arm), len(self._numbers)) for arm in node.arms]
        return node


STRATEGY = Mcts
