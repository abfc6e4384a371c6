"""Asynchronous successive halving around any sampler: promote whatever can be promoted (Li et al 2018).

There are no brackets and no cuts: a configuration goes on as soon as it is among the best third of those that its rung
has seen, the highest rung first, and where nothing can go on a new configuration starts at the bottom.  No worker ever
waits, and some configurations go on too early.  Left out: the variant that may stop a trial while it runs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from autonas.strategies._bracket import Bracket
from autonas.strategies.halving import Halving

__all__ = ["STRATEGY", "Asha"]


class Endless(Bracket):
    """Rungs without a size, from which the best ``1/eta`` of what was told so far may be promoted at any time.

    Parameters
    ----------
    fidelities : list of float
        Rising, the last is 1.
    eta : float
    """

    def __init__(self, fidelities: Sequence[float], eta: float) -> None:
        super().__init__(fidelities, [math.inf] * len(fidelities))
        self.eta = eta

    def quota(self, rung: int, short: bool) -> int:
        told = self.rungs[rung].told
        return math.ceil(told / self.eta) if short and not self.waits else int(told / self.eta + 1e-9)

    def _promotable(self) -> Iterator[int]:
        yield from reversed(range(len(self.rungs) - 1))


class Asha(Halving):
    """One endless bracket; when a finite space has no new configuration, rungs round their thirds up.

    Options as in :class:`~autonas.strategies.halving.Halving`.
    """

    name = "asha"

    def plan(self, number: int) -> Bracket:
        return Endless(self.fidelities, self.eta)


STRATEGY = Asha
