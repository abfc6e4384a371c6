"""The contract of a search strategy: ask for a proposal, be told of a trial.

A strategy sees a space and losses, never data or weights.  The run loop calls ``ask`` whenever a
worker is free and ``tell`` once for every finished trial, failed ones too; several asks may be
pending.  A strategy that is replayed (the same tells in the same order) must propose the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from autonas.core.pareto import non_dominated
from autonas.core.trial import Proposal, Trial
from autonas.search_space.space import SearchSpace

__all__ = ["Strategy"]


class Strategy(ABC):
    """Proposes configurations of a space.

    Parameters
    ----------
    space : SearchSpace
    objectives : sequence of str
        Names of the losses to minimise; the first is the main one.
    seed : int
        All randomness is keyed by it and by the number of the ask.

    Attributes
    ----------
    multi_objective : bool
        Whether the strategy minimises all objectives (``trial.result.values[name]``) or the first one only
        (``trial.loss``); ``parego`` wraps those that know one.
    uses_fidelity : bool
        Whether the strategy, as the sampler of brackets, is told trials at the fidelities that they had; others are
        told all as if they were full.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    multi_objective: ClassVar[bool] = False
    uses_fidelity: ClassVar[bool] = False

    def __init__(
        self, space: SearchSpace, objectives: Sequence[str] = ("loss",), *, seed: int = 0, **options: Any
    ) -> None:
        self.space = space
        self.objectives = tuple(objectives)
        self.seed = seed
        if options:
            raise TypeError(f"{type(self).__name__} has no option {', '.join(map(repr, options))}")

    @abstractmethod
    def ask(self) -> Proposal | None:
        """Next proposal.

        None means "waiting for results" while trials are pending, "finished" when none is.
        """

    @abstractmethod
    def tell(self, trial: Trial) -> None:
        """Learn from a finished trial (also from trials that this strategy did not propose)."""

    def recommend(self, trials: Sequence[Trial]) -> list[Proposal]:
        """The best proposal of the trials at the highest fidelity seen; the Pareto front of several objectives."""
        done = [t for t in trials if t.ok]
        if not done:
            return []
        top = max(t.proposal.fidelity for t in done)
        done = sorted((t for t in done if t.proposal.fidelity == top), key=lambda t: t.loss)
        if len(self.objectives) == 1:
            return [done[0].proposal]
        values = np.array([[t.result.values[name] for name in self.objectives] for t in done])
        return [t.proposal for t, best in zip(done, non_dominated(values), strict=True) if best]

    def keep(self) -> set[int]:
        """Trials whose checkpoints may still be wanted (promotions, inheritance)."""
        return set()
