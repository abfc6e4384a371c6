"""Prior beliefs of a person around any sampler, believed as long as they are right.

Some proposals are drawn from the prior, the others are the sampler's, and the sampler learns from all of them; that
mixture is PriorBand's (Mallik et al 2023), which compares where the best trials lie, and the decay with the number of
trials piBO's (Hvarfner et al 2022).  Here the shares are those of a bandit of two arms: trials that are likelier under
the prior than under uniform draws, and all others; each wins with trials that are among the best so far.  Left out:
weighting the sampler's own acquisition function by the prior, which needs a sampler that has one.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autonas.core.trial import Proposal, Trial, config_key
from autonas.search_space.space import SearchSpace
from autonas.strategies._beliefs import Belief, Beliefs
from autonas.strategies._pending import Point, ask_other, point
from autonas.strategies.base import Strategy

__all__ = ["STRATEGY", "Prior"]

_PATIENCE = 20  # trials after which the prior counts half
_PULLS = 4.0  # imaginary trials of each arm, which hold the confidence
_BEST = 0.25  # share of the trials so far that a winner must be among
_TRIES = 8


class Prior(Strategy):
    """Mixes draws from a prior into a sampler's proposals.

    The most likely configuration comes first.  Without a prior that is the default configuration of the space.

    Parameters
    ----------
    sampler : str or class
        What proposes otherwise.
    prior : mapping, or sequence of mappings, optional
        By hyperparameter a value, ``{value: weight}`` of a list, or ``(number, deviation)`` of a range, with the
        deviation as a share of the range (after the logarithm where it has one); several make a mixture, the most
        likely first.
    confidence : float
        In (0, 1): the share of the first proposals that the prior makes, and how narrow it is around stated values.
    """

    name = "prior"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        sampler: str | type[Strategy] | Callable[..., Strategy] = "random",
        prior: Mapping[str, Belief] | Sequence[Mapping[str, Belief]] | None = None,
        confidence: float = 0.75,
        **options: Any,
    ) -> None:
        from autonas.strategies import make_strategy

        super().__init__(space, objectives, seed=seed, **options)
        if prior is None:
            prior = space.default()
        components = [prior] if isinstance(prior, Mapping) else list(prior)
        self.sampler = make_strategy(sampler, space, objectives, seed)  # type: ignore[arg-type]
        # what the sampler is told and proposes is not changed
        self.multi_objective = self.sampler.multi_objective  # type: ignore[misc]  # of this instance
        self.uses_fidelity = self.sampler.uses_fidelity  # type: ignore[misc]
        self.beliefs = Beliefs(space, components, confidence)
        self._modes = self.beliefs.modes()
        self._known: set[str] = set()
        self._pending: set[Point] = set()  # draws that the sampler need not know yet
        self._losses: dict[float, list[float]] = {}  # by fidelity, sorted, infinite for a failure
        self._told = 0
        # by arm (sampler, prior): trials that won, and all, with the imaginary ones
        self._wins = _PULLS * np.array([1 - confidence, confidence])
        self._pulls = np.array([_PULLS, _PULLS])

    @property
    def share(self) -> float:
        """Probability that the next proposal is drawn from the prior."""
        rates = self._wins / self._pulls
        return float(rates[1] / rates.sum() * _PATIENCE / (_PATIENCE + self._told))

    def ask(self) -> Proposal | None:
        rng = np.random.default_rng((self.seed, len(self._known), 4))
        config = next((mode for mode in self._modes if config_key(mode) not in self._known), None)
        if config is None and rng.random() < self.share:
            drawn = (self.beliefs.draw(rng) for _ in range(_TRIES))
            config = next((c for c in drawn if c is not None and config_key(c) not in self._known), None)
        proposal: Proposal | None
        if config is not None:
            proposal = Proposal(config, origin=self.name)
            self._pending.add(point(proposal))
        else:
            proposal = ask_other(self.sampler, self._pending)
        if proposal is not None:
            self._known.add(proposal.key)
        return proposal

    def tell(self, trial: Trial) -> None:
        self._known.add(trial.proposal.key)
        self._pending.discard(point(trial.proposal))
        self.sampler.tell(trial)
        losses = self._losses.setdefault(trial.proposal.fidelity, [])
        loss = trial.loss if trial.ok else np.inf
        place = bisect.bisect_left(losses, loss)
        if losses:
            arm = int(self.beliefs.log_ratio(trial.config) > 0)
            self._pulls[arm] += 1
            self._wins[arm] += trial.ok and place <= _BEST * len(losses)
        losses.insert(place, loss)
        self._told += 1

    def recommend(self, trials: Sequence[Trial]) -> list[Proposal]:
        return self.sampler.recommend(trials)

    def keep(self) -> set[int]:
        return self.sampler.keep()


STRATEGY = Prior
