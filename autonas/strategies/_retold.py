"""A sampler whose losses change afterwards: when they do, a fresh one is told all trials with their new losses.

Strategies rebuild themselves from trials, so this is exact, and it costs one tell a trial.  What a fresh sampler
cannot know are the proposals that are pending; those are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from autonas.core.trial import Proposal, Trial
from autonas.strategies._pending import Point, ask_other, point
from autonas.strategies.base import Strategy

__all__ = ["Retold", "Transform"]

Transform = Callable[[Trial], Trial]
"""The trial as the sampler is to see it."""


class Retold:
    """All trials so far, and the sampler that knows them as they are seen now.

    Parameters
    ----------
    make : callable
        Makes a fresh sampler, always the same.
    """

    def __init__(self, make: Callable[[], Strategy]) -> None:
        self.make = make
        self.trials: list[Trial] = []
        self.pending: set[Point] = set()
        self.sampler = make()
        self._told = 0
        self._version: Hashable = None

    def tell(self, trial: Trial) -> None:
        """Note a trial, as it is."""
        self.trials.append(trial)
        self.pending.discard(point(trial.proposal))

    def see(self, version: Hashable, transform: Transform) -> Strategy:
        """The sampler after it was told all trials.

        Parameters
        ----------
        version : hashable
            Changes whenever the transform gives an earlier trial other losses.
        transform : callable
        """
        if version != self._version:
            if self._told:
                self.sampler, self._told = self.make(), 0
            self._version = version
        for trial in self.trials[self._told :]:
            self.sampler.tell(transform(trial))
        self._told = len(self.trials)
        return self.sampler

    def ask(self, version: Hashable, transform: Transform) -> Proposal | None:
        """The sampler's next proposal that is not pending."""
        proposal = ask_other(self.see(version, transform), self.pending)
        if proposal is not None:
            self.pending.add(point(proposal))
        return proposal
