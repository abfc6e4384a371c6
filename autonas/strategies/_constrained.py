"""Limits for strategies that know none: an infeasible trial looks worse than every feasible one (Deb 2000).

Its losses are the worst feasible ones plus a penalty that grows with the violation, in units of their spread; before
anything is feasible they are the violation alone, so that a search first finds its way in.  When the worst feasible
loss rises, earlier penalties are told again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from autonas.core.constraints import Constraint, violation
from autonas.core.trial import Proposal, Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies._retold import Retold
from autonas.strategies.base import Strategy

__all__ = ["Constrained"]

_GROWTH = 2  # the spread is measured again when the number of feasible trials has grown so many times


class Constrained(Strategy):
    """Tells its sampler a penalty for what is infeasible.

    Parameters
    ----------
    sampler : callable
        ``sampler(space, objectives, seed=seed)`` makes the strategy that is told.
    constraints : sequence of Constraint
    """

    name = "constrained"
    multi_objective: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        sampler: Callable[..., Strategy],
        constraints: Sequence[Constraint],
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self.constraints = tuple(constraints)
        self._retold = Retold(lambda: sampler(space, self.objectives, seed=seed))
        m = len(self.objectives)
        self._low, self._high = np.full(m, math.inf), np.full(m, -math.inf)  # of the feasible losses
        self._level, self._scale = np.zeros(m), np.ones(m)
        self._feasible = self._mark = self._version = 0
        self._penalised = False

    def ask(self) -> Proposal | None:
        return self._retold.ask(self._version, self._penalty)

    def tell(self, trial: Trial) -> None:
        self._retold.tell(trial)
        if violation(self.constraints, trial.result.values) > 0:
            self._penalised = True
        elif trial.ok:
            losses = np.array([trial.result.values[name] for name in self.objectives])
            self._low, self._high = np.minimum(self._low, losses), np.maximum(self._high, losses)
            self._feasible += 1
            if self._feasible >= self._mark or (losses > self._level).any():
                self._mark = _GROWTH * self._feasible
                self._level, spread = self._high, self._high - self._low
                self._scale = np.where(spread > 0, spread, np.maximum(1.0, abs(self._high)))
                self._version += self._penalised

    def keep(self) -> set[int]:
        return self._retold.see(self._version, self._penalty).keep()

    def _penalty(self, trial: Trial) -> Trial:
        excess = violation(self.constraints, trial.result.values)
        if excess == 0 or math.isinf(excess):
            return trial
        losses = self._level + self._scale * excess
        values = dict(zip(self.objectives, losses.tolist(), strict=True))
        return replace(trial, result=replace(trial.result, status="ok", values=values))
