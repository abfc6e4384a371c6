"""Ask and tell for a person's own function, on any space of ConfigSpace; ``minimize`` runs it all.

The same strategies and the same journal as everywhere else in the package.  Left out: weights and checkpoints, which
belong to whoever evaluates.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from autonas.core.constraints import parse_objectives
from autonas.core.trial import Config, Proposal, Result, Trial
from autonas.errors import OptionError, SpaceError
from autonas.run._compose import composed, taken, transferred
from autonas.run._history import History
from autonas.run.journal import Journal
from autonas.search_space.space import SearchSpace
from autonas.strategies._pending import Point, ask_other, point
from autonas.strategies.base import Strategy

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

    from autonas.strategies._beliefs import Belief

__all__ = ["JOURNAL", "Check", "Optimizer", "Pending"]

JOURNAL = "journal.db"
PATIENCE = 1000  # proposals that a check may reject in a row

Check = Callable[[dict[str, Any]], Mapping[str, float]]
"""``check(config)`` gives values that need no evaluation, by name."""


@dataclass(frozen=True)
class Pending:
    """What :meth:`Optimizer.ask` wants evaluated, to be handed back to :meth:`Optimizer.tell`."""

    id: int
    proposal: Proposal

    @property
    def config(self) -> Config:
        """Active hyperparameters only, plain values."""
        return self.proposal.config

    @property
    def fidelity(self) -> float:
        """In (0, 1]; below 1 a cheaper approximation is enough."""
        return self.proposal.fidelity

    @property
    def parent(self) -> int | None:
        """Earlier trial of the same configuration at a lower fidelity, from which the evaluation may go on."""
        return self.proposal.parent


class Optimizer:
    """Ask for configurations, tell their losses.

    Parameters
    ----------
    space : ConfigurationSpace, SearchSpace, or str or path
        The name of a packaged space or the path of a YAML file.
    strategy : str or class
        "auto", a name, or a name around a name such as "hyperband(kde)".
    seed : int
    objectives : str or sequence of str
        Names of the losses to minimise, the main one first, and limits on named values (``"n_params < 1e6"``).  A
        strategy that knows one loss only is wrapped by ParEGO if there are more.
    check : callable, optional
        ``check(config) -> {name: value}``: values that need no evaluation.  A configuration that exceeds a limit on
        one of them is not proposed, nor one for which this raises; the values count as told otherwise.
    initial : sequence of mapping
        Configurations to try first; what is missing takes its default.
    prior : mapping of str to belief, optional
        What good configurations probably look like, by hyperparameter: a value (so a default configuration will do),
        ``{value: weight}`` of a list, or ``(number, deviation)`` of a range, with the deviation as a share of it.  A
        prior that is wrong is soon ignored.
    confidence : float
        In (0, 1): share of the first proposals that the prior makes, and how narrow it is around stated values.
    warm_start : iterable of Trial
        Trials of an earlier search, on another task or with other limits (a :class:`History` will do).  Losses of
        different tasks cannot be compared, so only which configurations were best counts: those five are a prior.
    min_fidelity : float
        Lowest fidelity, for the strategies that use several.
    eta : float
        Factor between fidelities, for the same.
    workdir : str or path, optional
        Folder of the journal.  A search that it holds is resumed; its pending trials are asked for again.
    function : str
        Name of what is minimised: the folder of another function's search is refused.
    **options
        Of the strategy (``population=50`` of "evolution").

    Attributes
    ----------
    history : History
        What ``trials``, ``best`` and ``pareto`` read.

    Raises
    ------
    OptionError, SpaceError
        For an argument that is not one of those above.
    JournalError
        If the folder holds another search.
    """

    def __init__(
        self,
        space: ConfigurationSpace | SearchSpace | str | os.PathLike[str],
        strategy: str | type[Strategy] = "auto",
        seed: int = 0,
        *,
        objectives: str | Sequence[str] = ("loss",),
        check: Check | None = None,
        initial: Sequence[Mapping[str, Any]] = (),
        prior: Mapping[str, Belief] | None = None,
        confidence: float = 0.75,
        warm_start: Iterable[Trial] = (),
        min_fidelity: float = 1 / 27,
        eta: float = 3,
        workdir: str | os.PathLike[str] | None = None,
        function: str = "",
        **options: Any,
    ) -> None:
        self.space = _space(space)
        self.objectives, self.constraints = parse_objectives(objectives)
        self.check = check
        self.history = History(self.objectives, self.constraints)
        first = [Proposal(self.space.complete(config), origin="initial") for config in initial]
        beliefs = [*([] if prior is None else [prior]), *transferred(warm_start, self.space)]
        options = {**taken(strategy, self.space, min_fidelity=min_fidelity, eta=eta), **options}
        make = composed(strategy, options, self.space, self.objectives, self.constraints, beliefs, confidence)
        self._strategy = make(self.space, self.objectives, seed=seed)
        self._pending: dict[int, tuple[Proposal, dict[str, float]]] = {}
        self._foreign: set[Point] = set()  # pending without the strategy's knowledge
        self._next = 0
        self._journal: Journal | None = None
        self._again: list[tuple[int, Proposal]] = []
        known: set[str] = set()
        if workdir is not None:
            meta = {
                "function": function,
                "space": self.space.source,
                "strategy": strategy if isinstance(strategy, str) else strategy.__qualname__,
                "seed": seed,
                "objectives": [*self.objectives, *map(str, self.constraints)],
                "options": options,
            }
            self._journal = Journal.open_or_create(Path(workdir) / JOURNAL, meta)
            for trial in self._journal.trials():
                self._learn(trial)
                known.add(trial.proposal.key)
            self._again = self._journal.pending()
            known |= {proposal.key for _, proposal in self._again}
            self._next = self._journal.next_id()
        self._first = [proposal for proposal in first if proposal.key not in known]

    # --- ask and tell ------------------------------------------------------------------------------------------------

    def ask(self) -> Pending | None:
        """What to evaluate next; several may be pending.

        Returns
        -------
        Pending or None
            None where there is nothing to do before a pending trial is told, and, with none pending, at the end: the
            space is exhausted.

        Raises
        ------
        OptionError
            If a thousand proposals in a row exceed the limits.
        """
        for _ in range(PATIENCE):
            if (following := self._following()) is None:
                return None
            number, proposal = following
            values, error = self._checked(proposal)
            if not error:
                self._pending[number] = (proposal, values)
                return Pending(number, proposal)
            result = Result(values, "failed", error=error, info={"rejected": True})
            self._finish(Trial(number, proposal, result))
        raise OptionError(
            f"{PATIENCE} proposals in a row were rejected before evaluation. The last: {error}. "
            "Loosen the limits, or give a feasible configuration as `initial`."
        )

    def tell(
        self, trial: Pending, value: float | Mapping[str, float] | None, *, error: str = "", cost_seconds: float = 0.0
    ) -> Trial:
        """Say what an evaluation brought.

        Parameters
        ----------
        trial : Pending
            From :meth:`ask`.
        value : float, mapping of str to float, or None
            The loss; several objectives, and values with limits, by name.  None or NaN: it failed.
        error : str
            Why it failed.
        cost_seconds : float
            What it took.

        Raises
        ------
        OptionError
            If the trial is not pending, or an objective is missing.
        """
        proposal, values = self._pending.get(trial.id, (None, {}))
        if proposal != trial.proposal:
            raise OptionError(f"Trial {trial.id} is not pending: it was told already, or another optimizer asked.")
        result = self._result(value, values, error, cost_seconds)
        del self._pending[trial.id]
        return self._finish(Trial(trial.id, trial.proposal, result))

    def _following(self) -> tuple[int, Proposal] | None:
        """What was pending when an earlier session ended, then initial configurations, then the strategy's."""
        if self._again:
            self._foreign.add(point(self._again[0][1]))
            return self._again.pop(0)
        if self._first:
            proposal = self._first.pop(0)
            self._foreign.add(point(proposal))
        elif (asked := ask_other(self._strategy, self._foreign)) is not None:
            proposal = asked
        else:
            return None
        number = self._next
        self._next += 1
        if self._journal is not None:
            self._journal.asked(number, proposal)
        return number, proposal

    def _checked(self, proposal: Proposal) -> tuple[dict[str, float], str]:
        """The values that need no evaluation, and why they forbid one."""
        if self.check is None:
            return {}, ""
        try:
            values = {str(name): float(value) for name, value in self.check(dict(proposal.config)).items()}
        except Exception as error:  # noqa: BLE001 - what cannot be checked (an impossible network) cannot be evaluated
            return {}, f"{type(error).__name__}: {error}"
        exceeded = [c for c in self.constraints if c.name in values and not c.holds(values[c.name])]
        return values, "; ".join(f"{c.name} = {values[c.name]:g} violates {c}" for c in exceeded)

    def _result(
        self, value: float | Mapping[str, float] | None, known: dict[str, float], error: str, cost_seconds: float
    ) -> Result:
        if value is None:
            return Result.failure(error or "no value", cost_seconds)
        if not isinstance(value, Mapping):
            value = {self.objectives[0]: value}
        values = known | {str(name): float(number) for name, number in value.items()}
        needed = dict.fromkeys([*self.objectives, *(c.name for c in self.constraints)])
        if missing := [name for name in needed if name not in values]:
            raise OptionError(f"A trial needs values of {', '.join(needed)}. Missing: {', '.join(missing)}.")
        if bad := [name for name in needed if not math.isfinite(values[name])]:
            return Result.failure(error or f"{bad[0]} is {values[bad[0]]}", cost_seconds)
        ordered = {name: values.pop(name) for name in self.objectives}
        return Result({**ordered, **values}, cost_seconds=cost_seconds)

    def _finish(self, trial: Trial) -> Trial:
        if self._journal is not None:
            self._journal.told(trial)
        self._learn(trial)
        return trial

    def _learn(self, trial: Trial) -> None:
        self._foreign.discard(point(trial.proposal))
        self._strategy.tell(trial)
        if not trial.result.info.get("rejected"):
            self.history.add(trial)

    def close(self) -> None:
        """Let other processes write to the journal; nothing else needs it."""
        if self._journal is not None:
            self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    # --- results -----------------------------------------------------------------------------------------------------

    @property
    def trials(self) -> list[Trial]:
        """Finished trials in the order in which they were told."""
        return self.history.trials

    @property
    def best(self) -> Trial | None:
        """The feasible trial of the lowest first loss at the highest fidelity so far; None before there is one."""
        return self.history.best

    @property
    def pareto(self) -> list[Trial]:
        """The feasible trials at the highest fidelity that no other dominates, by the first loss."""
        return self.history.pareto

    def __repr__(self) -> str:
        return f"Optimizer({self.space.name!r}, {self.history!r})"


def _space(space: ConfigurationSpace | SearchSpace | str | os.PathLike[str]) -> SearchSpace:
    if isinstance(space, SearchSpace):
        return space
    if isinstance(space, str | os.PathLike):
        from autonas.search_space.load import load_space

        return load_space(space)
    from ConfigSpace import ConfigurationSpace

    if not isinstance(space, ConfigurationSpace):
        raise SpaceError(
            f"A space is a ConfigSpace.ConfigurationSpace, a SearchSpace, or the name or path of a file. "
            f"Given: {type(space).__name__}."
        )
    return SearchSpace(space, name=space.name or "space")
