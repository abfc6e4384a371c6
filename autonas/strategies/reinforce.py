"""A policy over the decisions that learns by REINFORCE with a moving baseline (NAS-RL: Zoph & Le 2017).

The policy is an LSTM that reads the decisions so far, or one softmax for every hyperparameter; options are the
entropy term, ENAS's bounded logits and rate of skip connections (Pham et al 2018), transformed rewards, and features
of the task as a context (survey, section 5).  Left out: many controllers that share parameters.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from autonas.core.trial import Trial
from autonas.errors import unknown
from autonas.search_space.space import SearchSpace
from autonas.search_space.tokens import Prefix
from autonas.strategies._sequential import Sequential

__all__ = ["STRATEGY", "TRANSFORMS", "Baseline", "Reinforce"]

TRANSFORMS: dict[str, Callable[[float], float]] = {
    "none": lambda reward: reward,
    "cube": lambda reward: reward**3,  # NAS-RL
    "tan": lambda reward: math.tan(min(reward, 0.99) * math.pi / 2),  # EAS (Cai et al 2018a)
}
LEARNING_RATES = {"tabular": 0.1, "lstm": 0.01}
"""For hundreds of trials; the papers' rates (3.5e-4 to 6e-4) are for ten thousand and more."""


class Baseline:
    """Moving average of the rewards; it starts at the first.

    Parameters
    ----------
    decay : float
        ``b <- decay b + (1 - decay) R``; EAS tracks fast, with 0.05.
    first : bool
        Whether a reward moves the baseline before its advantage is formed (ENAS), and not after it.
    """

    def __init__(self, decay: float, first: bool) -> None:
        self.decay = decay
        self.first = first
        self.value: float | None = None

    def advantage(self, reward: float) -> float:
        """The reward less the baseline, which moves."""
        before = reward if self.value is None else self.value
        self.value = self.decay * before + (1 - self.decay) * reward
        return reward - (self.value if self.first else before)


class Reinforce(Sequential):
    """Policy gradients.

    Parameters
    ----------
    policy : {"lstm", "tabular"}
        The table costs a third of the time and learns as much where decisions do not depend on each other.
    learning_rate : float or None
        Of Adam; None: 0.1 for the table, 0.01 for the LSTM.
    batch : int or None
        Trials for one update; None: 1, and 20 for PPO.
    clip : float or None
        PPO's; None: no clipping, and 0.2 for PPO.
    epochs : int or None
        Steps on one batch; None: 1, and 4 for PPO.
    baseline : float
        Decay of the moving average of rewards.
    baseline_first : bool
        Whether a reward moves the baseline before its own advantage is formed.
    entropy : float
        Weight of the policy's entropy.
    transform : {"none", "cube", "tan"}
        Of the rewards, which are ranks in [0, 1].
    units, layers : int
        Of the LSTM.
    bound : float or None
        Of the LSTM's logits (ENAS: 2.5).
    skip : str or None
        Regular expression for the hyperparameters that stand for a skip connection, of which the second value says
        that there is one; their rate is drawn to ``skip_rate`` by a divergence of weight ``skip_weight``.
    skip_rate, skip_weight : float
        ENAS's 0.4 and 0.8.
    task_features : sequence of float
        What is known of the task; the policy sees it at every decision.
    weights : mapping of str to array or None
        Attribute ``weights`` of a strategy that searched before, in the same space and with as many features: a
        contextual policy carries over what it learned on other tasks.
    """

    name = "reinforce"
    defaults: ClassVar[Mapping[str, Any]] = {"batch": 1, "clip": None, "epochs": 1}

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        policy: str = "lstm",
        learning_rate: float | None = None,
        batch: int | None = None,
        clip: float | None = None,
        epochs: int | None = None,
        baseline: float = 0.95,
        baseline_first: bool = False,
        entropy: float = 0.0,
        transform: str = "none",
        units: int = 35,
        layers: int = 2,
        bound: float | None = None,
        skip: str | None = None,
        skip_rate: float = 0.4,
        skip_weight: float = 0.8,
        task_features: Sequence[float] = (),
        weights: Mapping[str, np.ndarray] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        if policy not in LEARNING_RATES:
            raise unknown("policy", policy, LEARNING_RATES)
        if transform not in TRANSFORMS:
            raise unknown("transform of the reward", transform, TRANSFORMS)
        from autonas.surrogates.policy import Updater, make_policy

        self.batch = self.defaults["batch"] if batch is None else batch
        self._transform = TRANSFORMS[transform]
        self._baseline = Baseline(baseline, baseline_first)
        self._waiting: list[tuple[Prefix, float]] = []
        self._policy = make_policy(
            self.decisions, policy, task_features, seed=seed, units=units, layers=layers, bound=bound, weights=weights
        )
        self._updater = Updater(
            self._policy,
            LEARNING_RATES[policy] if learning_rate is None else learning_rate,
            clip=self.defaults["clip"] if clip is None else clip,
            epochs=self.defaults["epochs"] if epochs is None else epochs,
            entropy=entropy,
            skips=[name for name, _ in self.decisions.vocabulary if skip is not None and re.fullmatch(skip, name)],
            skip_rate=skip_rate,
            skip_weight=skip_weight,
        )

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The policy's parameters, for a search on another task to start from."""
        return self._policy.weights()

    def walk(self, rng: np.random.Generator, exploration: float) -> Prefix:
        return self._policy.sample(rng, exploration)

    def learn(self, trial: Trial, prefix: Prefix) -> None:
        advantage = self._baseline.advantage(self._transform(self.ranks.reward(trial)))
        self._waiting.append((prefix, advantage))
        if len(self._waiting) == self.batch:
            self._updater.update(*zip(*self._waiting, strict=True))
            self._waiting = []


STRATEGY = Reinforce
