"""A strategy whose search keeps the weights of the Pareto front, however many trials have a lower first loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from autonas.core.trial import Proposal, Trial
from autonas.run._history import History
from autonas.search_space.space import SearchSpace
from autonas.strategies.base import Strategy

__all__ = ["KeepsFront"]


class KeepsFront(Strategy):
    """Asks and tells its sampler.

    Parameters
    ----------
    sampler : callable
        ``sampler(space, objectives, seed=seed)`` makes the strategy that is told.
    """

    multi_objective = True

    def __init__(
        self, space: SearchSpace, objectives: Sequence[str], *, seed: int = 0, sampler: Callable[..., Strategy]
    ) -> None:
        super().__init__(space, objectives, seed=seed)
        self.sampler = sampler(space, objectives, seed=seed)
        self._history = History(objectives)

    def ask(self) -> Proposal | None:
        return self.sampler.ask()

    def tell(self, trial: Trial) -> None:
        self._history.add(trial)
        self.sampler.tell(trial)

    def keep(self) -> set[int]:
        return self.sampler.keep() | {trial.id for trial in self._history.pareto}
