"""Hyperband around any sampler: brackets that trade the number of trials for their fidelity (Li et al 2017).

Around random search this is Hyperband; around another sampler it is what BOHB does with a density estimate.
"""

from __future__ import annotations

import math

from autonas.strategies._bracket import Bracket
from autonas.strategies.halving import Halving

__all__ = ["STRATEGY", "Hyperband"]


class Hyperband(Halving):
    """Brackets ``s = s_max, ..., 0``, again and again.

    A bracket starts ``ceil((s_max + 1) * eta**s / (s + 1))`` configurations at fidelity ``eta**-s`` (the convention of
    the paper; others take the floor inside).  With ``eta = 3`` and ``min_fidelity = 1/27`` rungs hold
    [27, 9, 3, 1], [12, 4, 1], [6, 2] and [4].  Options as in :class:`~autonas.strategies.halving.Halving`.
    """

    name = "hyperband"

    @property
    def period(self) -> int:
        return len(self.fidelities)

    def plan(self, number: int) -> Bracket:
        top = len(self.fidelities) - 1
        s = top - number % (top + 1)
        first = math.ceil((top + 1) * self.eta**s / (s + 1) - 1e-9)
        sizes = [math.floor(first * self.eta**-rung + 1e-9) for rung in range(s + 1)]
        return Bracket(self.fidelities[top - s :], sizes)


STRATEGY = Hyperband
