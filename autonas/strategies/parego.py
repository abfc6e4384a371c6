"""ParEGO: several objectives for a sampler that knows one (Knowles 2006).

The sampler minimises a weighted augmented Tchebycheff function of the objectives, under weights that change all the
time, so that it works on one part of the Pareto front after the other.  New weights mean new losses for all earlier
trials; the sampler is told them again, which costs too much to do for every proposal of a long search: weights stay for
a block of proposals that grows with the number of trials.  Left out: the paper's own model and initial design, which
are the sampler's.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from autonas.core.pareto import front_bounds, scalarise
from autonas.core.trial import Proposal, Result, Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies._pending import Point, point
from autonas.strategies._retold import Retold, Transform
from autonas.strategies.base import Strategy

__all__ = ["STRATEGY", "Parego"]

_LOSS = "scalarised"
_GROWTH = 20  # a block lasts a twentieth of the trials before it: about 20 tells again for each proposal


class Parego(Strategy):
    """Scalarises with weights that are drawn anew for every block of proposals.

    With one objective it is the sampler itself.  All objectives are normalised by the front of the trials so far.

    Parameters
    ----------
    sampler : str or class
        What minimises the one loss.
    """

    name = "parego"
    multi_objective: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        sampler: str | type[Strategy] | Callable[..., Strategy] = "random",
        **options: Any,
    ) -> None:
        from autonas.strategies import make_strategy

        super().__init__(space, objectives, seed=seed, **options)
        names = self.objectives if len(self.objectives) == 1 else (_LOSS,)
        self._retold = Retold(lambda: make_strategy(sampler, space, names, seed))  # type: ignore[arg-type]
        self.uses_fidelity = self._retold.sampler.uses_fidelity  # type: ignore[misc]  # of this instance
        self._known: set[Point] = set()  # told or pending
        self._values: list[list[float]] = []  # of the trials that did not fail
        self._block = self._mark = 0  # when the weights were drawn, when the bounds were taken
        self._weights = self._draw()
        self._bounds: tuple[np.ndarray, np.ndarray] | None = None

    def ask(self) -> Proposal | None:
        while len(self._known) >= _next(self._block):
            self._block = _next(self._block)
            self._weights = self._draw()
        proposal = self._retold.ask(*self._view())
        if proposal is not None:
            self._known.add(point(proposal))
        return proposal

    def tell(self, trial: Trial) -> None:
        self._known.add(point(trial.proposal))
        self._retold.tell(trial)
        values = self._losses(trial)
        if values is not None and len(values) > 1:
            self._values.append(values)
            if len(self._values) >= _next(self._mark):
                self._bounds = front_bounds(np.array(self._values))
                self._mark = len(self._values)

    def keep(self) -> set[int]:
        return self._retold.see(*self._view()).keep()

    def _view(self) -> tuple[Hashable, Transform]:
        """How the sampler sees the trials now."""
        if len(self.objectives) == 1:
            return None, lambda trial: trial
        return (self._block, self._mark), self._scalarised

    def _draw(self) -> np.ndarray:
        return np.random.default_rng((self.seed, self._block, 3)).dirichlet(np.ones(len(self.objectives)))

    def _losses(self, trial: Trial) -> list[float] | None:
        values = [trial.result.values.get(name, np.inf) for name in self.objectives]
        return values if trial.ok and np.isfinite(values).all() else None

    def _scalarised(self, trial: Trial) -> Trial:
        values = self._losses(trial)
        if values is None:
            return replace(trial, result=Result.failure(trial.result.error))
        loss = float(scalarise(np.array([values]), self._weights, self._bounds)[0])
        return replace(trial, result=replace(trial.result, values={_LOSS: loss}))


def _next(mark: int) -> int:
    return mark + max(1, mark // _GROWTH)


STRATEGY = Parego
