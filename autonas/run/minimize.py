"""Minimise a person's own function: the loop around :class:`~autonas.run.optimize.Optimizer`.

One evaluation at a time in this process, or several in worker processes, which a function from a script or a notebook
reaches by value.  Left out: limits on the time of one evaluation.
"""

from __future__ import annotations

import contextlib
import inspect
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autonas.core.clock import Clock
from autonas.core.objective import Metric
from autonas.core.trial import Proposal, Result
from autonas.errors import OptionError
from autonas.evaluators.base import Evaluator
from autonas.run._history import History
from autonas.run.executors import Done, Executor, InProcess, Job, Pool
from autonas.run.optimize import Optimizer, Pending
from autonas.search_space.space import SearchSpace
from autonas.strategies.base import Strategy
from autonas.training.learner import Report, go_on

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

__all__ = ["minimize"]


def minimize(
    function: Callable[..., float | Mapping[str, float]],
    space: ConfigurationSpace | SearchSpace | str | os.PathLike[str],
    n_trials: int | None = 100,
    strategy: str | type[Strategy] = "auto",
    seed: int = 0,
    *,
    time_limit: float | None = None,
    n_jobs: int = 1,
    workdir: str | os.PathLike[str] | None = None,
    **options: Any,
) -> History:
    """Search a space for the configuration of the lowest loss.

    Parameters
    ----------
    function : callable
        ``function(config)`` or ``function(config, fidelity)``, with a dict of plain values and a number in (0, 1].  It
        returns the loss, or a mapping with every objective by name.  If it raises or returns NaN, the trial failed
        and the search goes on.
    space : ConfigurationSpace, SearchSpace, or str or path
        The name of a packaged space or the path of a YAML file.
    n_trials : int or None
        Evaluations, those of an earlier session in the same folder included; None for no limit but time.
    strategy : str or class
        "auto", a name, or a name around a name such as "hyperband(kde)".
    seed : int
        Equal seeds give equal trials, if one is evaluated at a time.
    time_limit : float or None
        Seconds.  Nothing starts afterwards, and what runs in worker processes is ended.
    n_jobs : int
        Evaluations at once.  More than 1 run in processes of their own.
    workdir : str or path, optional
        Folder of the journal: the same call goes on where an earlier one ended or was killed.
    **options
        Of :class:`Optimizer`: ``objectives``, ``check``, ``initial``, ``min_fidelity``, ...

    Returns
    -------
    History
        With ``best`` (its ``config`` and ``loss``), ``trials``, ``pareto`` and ``to_frame()``.  Ctrl-C ends the
        search early and returns what was found.

    Raises
    ------
    OptionError, SpaceError
        For an argument that is not one of those above, or a mapping that lacks an objective.
    JournalError
        If the folder holds another search.
    """
    if n_trials is None and time_limit is None:
        raise OptionError("n_trials or time_limit was required, given neither: the search would never end.")
    if n_jobs < 1:
        raise OptionError(f"n_jobs >= 1 was required, given {n_jobs}.")
    clock = Clock(time_limit)
    name = f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    with contextlib.ExitStack() as stack:
        optimizer = stack.enter_context(Optimizer(space, strategy, seed, workdir=workdir, function=name, **options))
        evaluator = _Function(function, optimizer.objectives[0])
        data: Any = None  # a function needs none
        executor: Executor
        if n_jobs > 1:
            executor = Pool(evaluator, optimizer.space, data, n_jobs)
        else:
            executor = InProcess(evaluator, optimizer.space, data)
        stack.callback(executor.close)
        with contextlib.suppress(KeyboardInterrupt):  # what was found is kept
            _run(optimizer, executor, clock, math.inf if n_trials is None else n_trials, evaluator.takes_fidelity)
    return optimizer.history


def _run(optimizer: Optimizer, executor: Executor, clock: Clock, n_trials: float, takes_fidelity: bool) -> None:
    running: dict[int, Pending] = {}
    while True:
        while executor.free and not clock.over() and len(optimizer.trials) + len(running) < n_trials:
            pending = optimizer.ask()
            if pending is None:
                break
            if pending.fidelity < 1 and not takes_fidelity:
                raise OptionError(
                    "The strategy evaluates at low fidelities too: it needs a function(config, fidelity)."
                )
            running[pending.id] = pending
            executor.submit(Job(pending.id, pending.proposal, None, os.curdir))
        if not running:
            return
        for event in executor.events(None if clock.seconds is None else clock.left()):
            if isinstance(event, Done):
                result = event.result
                values = None if result.status == "failed" else result.values
                optimizer.tell(running.pop(event.id), values, error=result.error, cost_seconds=result.cost_seconds)
        if clock.over() and not isinstance(executor, InProcess):
            return


class _Function(Evaluator):
    """Calls the function; see :func:`minimize`."""

    def __init__(self, function: Callable[..., float | Mapping[str, float]], objective: str) -> None:
        super().__init__(Metric(objective, "regression"))
        self.function = function
        self._named, self.takes_fidelity = _parameters(function)

    def prepare(self, space: SearchSpace, task: object) -> None:
        """Nothing to prepare."""

    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None = None,
        workdir: Path | None = None,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """See :meth:`Evaluator.evaluate`."""
        start = time.perf_counter()
        value = self._call(dict(proposal.config), proposal.fidelity)
        values = value if isinstance(value, Mapping) else {self.metric.name: value}
        return Result(
            {str(name): float(loss) for name, loss in values.items()}, cost_seconds=time.perf_counter() - start
        )

    def _call(self, config: dict[str, Any], fidelity: float) -> float | Mapping[str, float]:
        if self._named:
            return self.function(config, fidelity=fidelity)
        return self.function(config, fidelity) if self.takes_fidelity else self.function(config)


def _parameters(function: Callable[..., Any]) -> tuple[bool, bool]:
    """Whether the function has a parameter ``fidelity``, and whether it has that or a second one that must be given."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function in C that does not say
        return False, False
    positional = [p for p in parameters.values() if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    named = "fidelity" in parameters
    return named, named or len([p for p in positional if p.default is p.empty]) > 1
