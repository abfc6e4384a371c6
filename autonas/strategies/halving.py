"""Successive halving around any sampler: many cheap trials, few dear ones (Jamieson & Talwalkar 2016).

A bracket tries many configurations at a low fidelity and goes on with the best third of them at the next.
Synchronous: a rung is cut when all its trials are told; an ask that would have to wait for a straggler starts the next
bracket instead.  Nothing is remembered but the trials: brackets are laid out anew from them at every ask, so that a
search which is replayed goes on as it would have.  Proposals that were pending when a search was cut off are unknown
to the replay and may be asked for again.  Left out: asynchronous promotion (ASHA).
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autonas.core.trial import Proposal, Trial
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies.base import Strategy

__all__ = ["STRATEGY", "Bracket", "Halving", "rungs"]


def rungs(eta: float, min_fidelity: float) -> list[float]:
    """Fidelities ``eta**-s, ..., 1/eta, 1``, none below ``min_fidelity``.

    The tolerance keeps a rung whose logarithm rounds down: (3, 1/243) has six, not five.
    """
    last = math.floor(math.log(1 / min_fidelity) / math.log(eta) + 1e-9)
    return [float(eta) ** -s for s in range(last, -1, -1)]


@dataclass
class _Run:
    """One proposal of ours: pending until its trial is told."""

    proposal: Proposal
    trial: Trial | None = None


class Bracket:
    """One halving: ``sizes[i]`` configurations at ``fidelities[i]``.

    Parameters
    ----------
    fidelities : list of float
        Rising, the last is 1.
    sizes : list of int
        Falling.
    """

    def __init__(self, fidelities: Sequence[float], sizes: Sequence[int]) -> None:
        self.fidelities = list(fidelities)
        self.sizes = list(sizes)
        self.runs: list[list[_Run]] = [[] for _ in sizes]

    @property
    def has_room(self) -> bool:
        """Whether the first rung wants another configuration."""
        return len(self.runs[0]) < self.sizes[0]

    def best(self, rung: int) -> list[Trial]:
        """Trials of a rung that would go on if it were cut now: never a failed one, ties by age."""
        done = [run.trial for run in self.runs[rung] if run.trial is not None and run.trial.ok]
        following = self.sizes[rung + 1] if rung + 1 < len(self.sizes) else 0
        return sorted(done, key=lambda trial: (trial.loss, trial.id))[:following]

    def candidates(self) -> Iterator[tuple[int, Trial]]:
        """Trials that may still be promoted, or whose promotion is not told yet, with their rung."""
        for rung in range(len(self.sizes) - 1):
            told = {run.proposal.parent for run in self.runs[rung + 1] if run.trial is not None}
            yield from ((rung, trial) for trial in self.best(rung) if trial.id not in told)

    def promotion(self, short: bool = False) -> Proposal | None:
        """The next promotion out of a rung that is complete.

        Parameters
        ----------
        short : bool
            The first rung gets no more configurations than it has.
        """
        complete = short or not self.has_room
        for rung in range(len(self.sizes) - 1):
            if not complete or any(run.trial is None for run in self.runs[rung]):
                return None
            promoted = {run.proposal.parent for run in self.runs[rung + 1]}
            for trial in self.best(rung):
                if trial.id not in promoted:
                    fidelity = self.fidelities[rung + 1]
                    return replace(trial.proposal, fidelity=fidelity, parent=trial.id, inherit="resume")
        return None


class Halving(Strategy):
    """Brackets of successive halving, one after the other.

    The sampler is told every trial at once as if its fidelity were full, and again when the same configuration comes
    back from a higher rung: in the end it knows each at the highest fidelity that it reached.  Trials from
    elsewhere (a portfolio) go to the sampler too.

    Parameters
    ----------
    sampler : str, class or Strategy
        What proposes configurations; it knows nothing of fidelities.
    eta : float
        One in ``eta`` configurations is promoted, at ``eta`` times the fidelity.
    min_fidelity : float
        In (0, 1].
    """

    name = "halving"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        sampler: str | type[Strategy] = "random",
        eta: float = 3,
        min_fidelity: float = 1 / 9,
        **options: Any,
    ) -> None:
        from autonas.strategies import make_strategy

        super().__init__(space, objectives, seed=seed, **options)
        if not eta > 1:
            raise OptionError(f"eta > 1 was required, given {eta}.")
        if not 0 < min_fidelity <= 1:
            raise OptionError(f"min_fidelity in (0, 1] was required, given {min_fidelity}.")
        self.sampler = make_strategy(sampler, space, objectives, seed)
        if isinstance(self.sampler, Halving):
            raise OptionError(f"{self.name} wraps a sampler of configurations; {sampler!r} has brackets of its own.")
        self.eta = eta
        self.fidelities = rungs(eta, min_fidelity)
        self.origin = f"{self.name}({getattr(self.sampler, 'name', type(self.sampler).__name__)})"
        self._runs: list[_Run] = []  # in the order of the asks

    def plan(self, number: int) -> Bracket:
        """The bracket with this number, empty."""
        last = len(self.fidelities) - 1
        return Bracket(self.fidelities, [math.floor(self.eta ** (last - rung) + 1e-9) for rung in range(last + 1)])

    @property
    def period(self) -> int:
        """Number of brackets after which the plan repeats."""
        return 1

    def brackets(self) -> list[Bracket]:
        """All brackets so far with their runs; the last one has room."""
        waiting: dict[float, deque[_Run]] = defaultdict(deque)
        children: dict[int, list[_Run]] = defaultdict(list)
        for run in self._runs:
            if run.proposal.parent is None:
                waiting[run.proposal.fidelity].append(run)
            else:
                children[run.proposal.parent].append(run)
        starts = {self.plan(number).fidelities[0] for number in range(self.period)}
        laid: list[Bracket] = []
        while not laid or not laid[-1].has_room or any(waiting[start] for start in starts):
            bracket = self.plan(len(laid))
            queue = waiting[bracket.fidelities[0]]
            while queue and bracket.has_room:
                bracket.runs[0].append(queue.popleft())
            for lower, upper in zip(bracket.runs, bracket.runs[1:], strict=False):
                for run in lower:
                    upper.extend(children[run.trial.id] if run.trial is not None else ())
            laid.append(bracket)
        return laid

    def ask(self) -> Proposal | None:
        brackets = self.brackets()
        for bracket in brackets:
            if proposal := bracket.promotion():
                return self._start(proposal)
            if bracket.has_room:
                drawn = self.sampler.ask()
                if drawn is not None:
                    return self._start(Proposal(drawn.config, bracket.fidelities[0], origin=self.origin))
                break
        # the sampler has nothing more: brackets go on with what they have
        promotions = (bracket.promotion(short=True) for bracket in brackets)
        proposal = next((p for p in promotions if p is not None), None)
        return self._start(proposal) if proposal is not None else None

    def _start(self, proposal: Proposal) -> Proposal:
        self._runs.append(_Run(proposal))
        return proposal

    def tell(self, trial: Trial) -> None:
        if trial.proposal.origin == self.origin:
            for run in self._runs:
                if run.trial is None and run.proposal == trial.proposal:
                    run.trial = trial
                    break
            else:  # a replay: trials are numbered in the order of the asks
                later = (n for n, run in enumerate(self._runs) if run.trial is None or run.trial.id > trial.id)
                self._runs.insert(next(later, len(self._runs)), _Run(trial.proposal, trial))
        self.sampler.tell(replace(trial, proposal=Proposal(trial.config, origin=trial.proposal.origin)))

    def keep(self) -> set[int]:
        return {trial.id for bracket in self.brackets() for _, trial in bracket.candidates()}


STRATEGY = Halving
