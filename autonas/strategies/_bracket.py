"""One bracket of successive halving: rungs of rising fidelity, and who goes on from one to the next.

Synchronous: a rung is cut when all its trials are told.  Every operation costs the logarithm of a rung's size, or the
size of the part that goes on, so a search that replays ten thousand trials does so in a second.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from autonas.core.trial import Config, Proposal, Trial

__all__ = ["Bracket", "Order", "Run", "Rung"]

Order = Callable[[Sequence[Config]], np.ndarray]
"""Predicted losses of configurations."""


@dataclass(eq=False)
class Run:
    """One proposal of ours: pending until its trial is told; and its place, once it has one."""

    proposal: Proposal
    trial: Trial | None = None
    bracket: Bracket | None = None
    rung: int = 0


@dataclass
class Rung:
    """The runs of one fidelity.

    Attributes
    ----------
    fidelity : float
    size : float
        How many runs there are to be; infinite without brackets.
    started, told : int
    ranking : list of Trial
        Those that did not fail, the best first, ties by age.
    promoted, finished : set of int
        Trials that were promoted, and those whose promotion is told too.
    """

    fidelity: float
    size: float
    started: int = 0
    told: int = 0
    ranking: list[Trial] = field(default_factory=list)
    promoted: set[int] = field(default_factory=set)
    finished: set[int] = field(default_factory=set)


class Bracket:
    """One halving: ``sizes[i]`` configurations at ``fidelities[i]``.

    Parameters
    ----------
    fidelities : list of float
        Rising, the last is 1.
    sizes : list of float
        Falling.
    """

    def __init__(self, fidelities: Sequence[float], sizes: Sequence[float]) -> None:
        self.rungs = [Rung(fidelity, size) for fidelity, size in zip(fidelities, sizes, strict=True)]

    @property
    def fidelities(self) -> list[float]:
        """Of the rungs, rising."""
        return [rung.fidelity for rung in self.rungs]

    @property
    def sizes(self) -> list[float]:
        """Of the rungs, falling."""
        return [rung.size for rung in self.rungs]

    @property
    def has_room(self) -> bool:
        """Whether the first rung wants another configuration."""
        return self.rungs[0].started < self.rungs[0].size

    @property
    def waits(self) -> bool:
        """Whether a run is not told yet."""
        return any(rung.told < rung.started for rung in self.rungs)

    def start(self, run: Run, rung: int) -> None:
        """A run begins; those of higher rungs name the trial that was promoted."""
        run.bracket, run.rung = self, rung
        self.rungs[rung].started += 1
        if rung and run.proposal.parent is not None:
            self.rungs[rung - 1].promoted.add(run.proposal.parent)
        if run.trial is not None:
            self.finish(run, run.trial)

    def finish(self, run: Run, trial: Trial) -> None:
        """A run is told."""
        rung = self.rungs[run.rung]
        rung.told += 1
        if trial.ok:
            insort(rung.ranking, trial, key=lambda t: (t.loss, t.id))
        if run.rung and trial.proposal.parent is not None:
            self.rungs[run.rung - 1].finished.add(trial.proposal.parent)

    def quota(self, rung: int, short: bool) -> int:
        """How many of a rung's trials may be promoted now, in all.

        Parameters
        ----------
        rung : int
        short : bool
            The first rung gets no more configurations than it has.
        """
        lower = self.rungs[: rung + 1]
        cut = (short or not self.has_room) and not any(r.told < r.started for r in lower)
        return int(self.rungs[rung + 1].size) if cut else 0

    def promotion(self, order: Order | None = None, short: bool = False) -> tuple[int, Trial] | None:
        """The next trial to promote, and the rung that it goes to.

        Parameters
        ----------
        order : callable, optional
            Predicted losses decide, not those that the rung brought.
        short : bool
            See :meth:`quota`.
        """
        for number in self._promotable():
            rung, quota = self.rungs[number], self.quota(number, short)
            if order is None:
                chosen = next((trial for trial in rung.ranking[:quota] if trial.id not in rung.promoted), None)
            else:
                chosen = self._most_promising(rung, quota, order)
            if chosen is not None:
                return number + 1, chosen
        return None

    def _promotable(self) -> Iterator[int]:
        """Rungs with one above them, in the order in which promotions are looked for."""
        yield from range(len(self.rungs) - 1)

    def _most_promising(self, rung: Rung, quota: int, order: Order) -> Trial | None:
        waiting = [trial for trial in rung.ranking if trial.id not in rung.promoted]
        if len(rung.promoted) >= quota or not waiting:
            return None
        return waiting[int(np.argmin(order([trial.config for trial in waiting])))]

    def candidates(self, in_order: bool = True) -> Iterator[Trial]:
        """Trials that may still be promoted, or whose promotion is not told yet.

        Parameters
        ----------
        in_order : bool
            The best are promoted first; else any may be.
        """
        for rung, above in zip(self.rungs, self.rungs[1:], strict=False):
            if in_order:
                may_go_on = rung.ranking[: int(min(above.size, len(rung.ranking)))]
            elif len(rung.promoted) < above.size:
                may_go_on = rung.ranking
            else:
                may_go_on = [trial for trial in rung.ranking if trial.id in rung.promoted]
            yield from (trial for trial in may_go_on if trial.id not in rung.finished)
