"""Successive halving around any sampler: many cheap trials, few dear ones (Jamieson & Talwalkar 2016).

A bracket tries many configurations at a low fidelity and goes on with the best third of them at the next.  An ask that
would have to wait for a straggler starts the next bracket instead.  Nothing is remembered but the trials: from those of
an earlier search brackets are laid out as they were, so that a search which is replayed goes on as it would have.
Proposals that were pending when a search was cut off are unknown to the replay and may be asked for again.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

from autonas.core.trial import Proposal, Trial
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies._bracket import Bracket, Order, Run
from autonas.strategies.base import Strategy
from autonas.strategies.inherit import Inherit

__all__ = ["STRATEGY", "Halving", "rungs"]


def rungs(eta: float, min_fidelity: float) -> list[float]:
    """Fidelities ``eta**-s, ..., 1/eta, 1``, none below ``min_fidelity``.

    The tolerance keeps a rung whose logarithm rounds down: (3, 1/243) has six, not five.
    """
    last = math.floor(math.log(1 / min_fidelity) / math.log(eta) + 1e-9)
    return [float(eta) ** -s for s in range(last, -1, -1)]


class Halving(Strategy):
    """Brackets of successive halving, one after the other.

    A sampler that says ``uses_fidelity`` is told the trials as they are.  Any other is told every trial at once as if
    its fidelity were full, and again when the same configuration comes back from a higher rung: in the end it knows
    each at the highest fidelity that it reached.  Trials from elsewhere (a portfolio) go to the sampler too.

    Parameters
    ----------
    sampler : str, class or callable
        What proposes configurations, at no particular fidelity.
    eta : float
        One in ``eta`` configurations is promoted, at ``eta`` times the fidelity.
    min_fidelity : float
        In (0, 1].
    promote : {"best", "promising"}
        Whether the lowest losses so far are promoted, or the lowest losses at full fidelity as the sampler predicts
        them; such a sampler has a method ``predict(configs)``.
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
        promote: Literal["best", "promising"] = "best",
        **options: Any,
    ) -> None:
        from autonas.strategies import make_strategy

        super().__init__(space, objectives, seed=seed, **options)
        if not eta > 1:
            raise OptionError(f"eta > 1 was required, given {eta}.")
        if not 0 < min_fidelity <= 1:
            raise OptionError(f"min_fidelity in (0, 1] was required, given {min_fidelity}.")
        if promote not in ("best", "promising"):
            raise OptionError(f'promote "best" or "promising" was required, given {promote!r}.')
        self.sampler = make_strategy(sampler, space, objectives, seed)
        if isinstance(self.sampler, Inherit):
            raise OptionError(f"{self.name} gives no parents: inheritance goes around it, 'inherit({self.name})'.")
        if isinstance(self.sampler, Halving):
            raise OptionError(f"{self.name} wraps a sampler of configurations; {sampler!r} has brackets of its own.")
        self.eta = eta
        self.fidelities = rungs(eta, min_fidelity)
        sampler_name = getattr(self.sampler, "name", type(self.sampler).__name__)
        self.origin = f"{self.name}({sampler_name})"
        self._order: Order | None = getattr(self.sampler, "predict", None) if promote == "promising" else None
        if promote == "promising" and self._order is None:
            raise OptionError(f'promote="promising" needs a sampler that predicts, which {sampler_name} does not.')
        self._runs: list[Run] = []  # in the order of the asks
        self._pending: dict[tuple, Run] = {}
        self._open: list[Bracket] | None = None  # brackets that may still ask for something; None: to be laid out
        self._number = 0  # of brackets so far

    def plan(self, number: int) -> Bracket:
        """The bracket with this number, empty."""
        last = len(self.fidelities) - 1
        return Bracket(self.fidelities, [math.floor(self.eta ** (last - rung) + 1e-9) for rung in range(last + 1)])

    @property
    def period(self) -> int:
        """Number of brackets after which the plan repeats."""
        return 1

    def ask(self) -> Proposal | None:
        for bracket in list(self._brackets()):
            if found := bracket.promotion(self._order):
                return self._promote(bracket, *found)
            if bracket.has_room:
                drawn = self.sampler.ask()
                if drawn is not None:
                    fidelity = bracket.fidelities[0]
                    drawn = replace(drawn, fidelity=fidelity, parent=None, inherit=None, origin=self.origin)
                    return self._start(drawn, bracket, 0)
                break
            if not bracket.waits:
                self._brackets().remove(bracket)
        # the sampler has nothing more: brackets go on with what they have
        for bracket in self._brackets():
            if found := bracket.promotion(self._order, short=True):
                return self._promote(bracket, *found)
        return None

    def tell(self, trial: Trial) -> None:
        proposal = trial.proposal
        if proposal.origin == self.origin:
            run = self._pending.pop(_identity(proposal), None)
            if run is not None:
                run.trial = trial
                if run.bracket is not None:
                    run.bracket.finish(run, trial)
            else:  # a replay: trials are numbered in the order of the asks
                place = len(self._runs)
                while place and not _before(self._runs[place - 1], trial):
                    place -= 1
                self._runs.insert(place, Run(proposal, trial))
                self._open = None
        if not self.sampler.uses_fidelity:
            trial = replace(trial, proposal=replace(proposal, fidelity=1.0, parent=None, inherit=None))
        self.sampler.tell(trial)

    def keep(self) -> set[int]:
        in_order = self._order is None
        return {trial.id for bracket in self._brackets() for trial in bracket.candidates(in_order)}

    def _promote(self, bracket: Bracket, rung: int, trial: Trial) -> Proposal:
        fidelity = bracket.fidelities[rung]
        proposal = replace(trial.proposal, fidelity=fidelity, parent=trial.id, inherit="resume")
        return self._start(proposal, bracket, rung)

    def _start(self, proposal: Proposal, bracket: Bracket, rung: int) -> Proposal:
        run = Run(proposal)
        self._runs.append(run)
        self._pending[_identity(proposal)] = run
        bracket.start(run, rung)
        if not any(bracket.has_room for bracket in self._brackets()):
            self._next()
        return proposal

    def _next(self) -> Bracket:
        bracket = self.plan(self._number)
        self._number += 1
        self._brackets().append(bracket)
        return bracket

    def _brackets(self) -> list[Bracket]:
        """All brackets that are not finished; the last one has room."""
        if self._open is None:
            self._open, self._number = [], 0
            self._lay()
        return self._open

    def _lay(self) -> None:
        """Give every run its place: new configurations fill brackets in their order, promotions follow parents."""
        waiting: dict[float, deque[Run]] = defaultdict(deque)
        children: dict[int, list[Run]] = defaultdict(list)
        for run in self._runs:
            if run.proposal.parent is None:
                waiting[run.proposal.fidelity].append(run)
            else:
                children[run.proposal.parent].append(run)
        starts = {self.plan(number).fidelities[0] for number in range(self.period)}

        def place(run: Run, bracket: Bracket, rung: int) -> None:
            bracket.start(run, rung)
            for child in children.pop(run.trial.id, ()) if run.trial is not None else ():
                if child.proposal.fidelity in bracket.fidelities[rung + 1 : rung + 2]:  # else of other rungs than ours
                    place(child, bracket, rung + 1)

        while True:
            bracket = self._next()
            queue = waiting[bracket.fidelities[0]]
            while queue and bracket.has_room:
                place(queue.popleft(), bracket, 0)
            if bracket.has_room and not any(waiting[start] for start in starts):
                return


def _identity(proposal: Proposal) -> tuple[str, float, int | None]:
    return proposal.key, proposal.fidelity, proposal.parent


def _before(run: Run, trial: Trial) -> bool:
    return run.trial is not None and run.trial.id < trial.id


STRATEGY = Halving
