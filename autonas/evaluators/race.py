"""Train on a few folds first, and on all of them only if the configuration may still win (racing).

A race has heats: the first fold; where folds are repeated with other splits and seeds, the first repeat; everything.
After each, the losses of a configuration are compared row by row with those that the best one so far had in the same
heat, and if the paired difference is surely above zero, it is given up (Maron and Moore 1994; Birattari et al 2002,
with the paired t-test of the latter).  The probability of a wrong verdict is shared by the heats.  What is given up
counts as stopped, with the loss of the best plus what it was worse by, and leaves no weights.

A survivor trains with all folds anew, since folds that train together stop together, and its result is what it would
be without a race.  So a race pays where most configurations lose and folds do not train as cheaply together as one
alone: the first fold of five costs 20 %, of eight repeats of five 2.5 % and the first repeat 12.5 %.  Left out:
promotions and low fidelities, which do not race.  Each worker process knows what it has seen itself.
"""

from __future__ import annotations

import copy
import math
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np

from autonas.core.clock import Clock
from autonas.core.objective import Metric
from autonas.core.trial import Proposal, Result, Trial
from autonas.data.task import Folds, Task
from autonas.errors import OptionError
from autonas.evaluators.base import Evaluator, Wrapper
from autonas.evaluators.train import PREDICTIONS_FILE, Train
from autonas.search_space.space import SearchSpace
from autonas.training.learner import Report, go_on

__all__ = ["EVALUATOR", "Race"]

FLOOR = 1e-6  # of a probability


class Race(Wrapper):
    """Wraps an evaluator that trains on the folds of a task.

    Parameters
    ----------
    metric, seed, device
        See :class:`Evaluator`.
    inner : Evaluator, optional
        What trains; default: ``Train``.
    confidence : float
        In (0.5, 1): how sure it must be that the best is better on new rows, before a configuration is given up.
    """

    def __init__(
        self,
        metric: Metric,
        *,
        seed: int = 0,
        device: str = "cpu",
        inner: Evaluator | None = None,
        confidence: float = 0.95,
    ) -> None:
        super().__init__(metric, inner or Train(metric, seed=seed, device=device), seed=seed, device=device)
        if not 0.5 < confidence < 1:
            raise OptionError(f"confidence must be between 0.5 and 1. Given: {confidence!r}.")
        self._confidence = confidence
        self._best: tuple[float, Proposal] | None = None
        self._times: dict[int, tuple[Result, np.ndarray] | None] = {}  # how the best one did in each heat

    def prepare(self, space: SearchSpace, task: Task) -> None:
        runner = copy.deepcopy(self.inner)
        super().prepare(space, task)
        self._heats = []
        for size in _sizes(task.folds):
            heat = copy.deepcopy(runner)
            heat.prepare(space, replace(task, folds=Folds(task.folds.pairs[:size], task.n_rows)))
            self._heats.append(heat)
        self._sure = NormalDist().inv_cdf(1 - (1 - self._confidence) / max(1, len(self._heats)))

    def observe(self, trial: Trial) -> None:
        if trial.checkpoint is not None:
            self._learn(trial.proposal, trial.result, {})
        super().observe(trial)

    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None,
        workdir: Path,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """See :meth:`Evaluator.evaluate`; ``info`` says after how many fits it was given up, and by how much worse."""
        clock, times = Clock(seconds), dict[int, tuple[Result, np.ndarray] | None]()
        if self._best is not None and proposal.inherit != "resume" and proposal.fidelity == 1:
            for number, heat in enumerate(self._heats):
                theirs = self._time_of_best(number, clock)
                if theirs is None:
                    break
                own = times[number] = self._run(heat, proposal, parent, clock)
                if own is not None and (lost := self._lost(heat.task, own, theirs)) is not None:
                    return replace(lost, cost_seconds=clock.elapsed())
        before = clock.elapsed()
        result = self.inner.evaluate(proposal, parent, workdir, report, None if seconds is None else clock.left())
        self._learn(proposal, result, times)
        return replace(result, cost_seconds=result.cost_seconds + before)

    def _learn(self, proposal: Proposal, result: Result, times: dict[int, tuple[Result, np.ndarray] | None]) -> None:
        """Keep the best; telling twice changes nothing."""
        if result.status == "ok" and proposal.fidelity == 1 and (self._best is None or result.loss < self._best[0]):
            self._best, self._times = (result.loss, proposal), times

    def _time_of_best(self, number: int, clock: Clock) -> tuple[Result, np.ndarray] | None:
        """What the best one did in a heat, which it runs now if it has not; None if that cannot be said."""
        if number not in self._times:
            assert self._best is not None
            proposal = self._best[1]
            known = proposal.inherit not in ("copy", "morph")  # what it inherited is gone
            self._times[number] = self._run(self._heats[number], proposal, None, clock) if known else None
        return self._times[number]

    def _run(
        self, heat: Evaluator, proposal: Proposal, parent: Path | None, clock: Clock
    ) -> tuple[Result, np.ndarray] | None:
        """Result and predictions of a configuration in a heat; None if it failed."""
        share = len(heat.task.folds) / len(self.task.folds)
        with tempfile.TemporaryDirectory() as folder:
            part = None if clock.seconds is None else share * clock.left()
            result = heat.evaluate(proposal, parent, Path(folder), go_on, part)
            if result.status != "ok":
                return None
            predicted: np.ndarray = np.load(Path(folder) / PREDICTIONS_FILE, allow_pickle=False)
        return result, predicted

    def _lost(self, task: Task, own: tuple[Result, np.ndarray], theirs: tuple[Result, np.ndarray]) -> Result | None:
        """The result of a configuration that is given up; None if it goes on."""
        rows = np.flatnonzero(np.isfinite(own[1]).all(1) & np.isfinite(theirs[1]).all(1))
        if len(rows) < 2:
            return None
        worse = _row_losses(task, own[1], rows) - _row_losses(task, theirs[1], rows)
        mean, error = float(worse.mean()), float(worse.std(ddof=1)) / math.sqrt(len(worse))
        behind = own[0].loss - theirs[0].loss
        # the test is of losses that every row has; the metric itself, which may have none, must agree
        if self._best is None or not (mean > self._sure * error and behind > 0):
            return None
        lost = {"given_up_after": len(task.folds), "worse": mean, "worse_error": error}
        return Result({self.metric.name: self._best[0] + behind}, "stopped", info={**own[0].info, **lost})


def _sizes(folds: Folds) -> list[int]:
    """Pairs of folds in each heat before the last: one; the first repeat, where every row is validated once."""
    rows = len(folds.covered)
    sizes = [1, int(np.searchsorted(np.cumsum([len(valid) for _, valid in folds.pairs]), rows)) + 1]
    return [size for size in dict.fromkeys(sizes) if size < len(folds)]


def _row_losses(task: Task, predicted: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Log losses, or squared errors."""
    y = task.y[rows]
    if task.problem.kind == "classification":
        return -np.log(np.maximum(predicted[rows, y].astype(float), FLOOR))
    return (predicted[rows, 0].astype(float) - y) ** 2


EVALUATOR = Race
