"""Train on one fold first, and on the others only if the configuration may still win (racing).

The first fold of a configuration is compared, row by row, with what the best one so far predicts for the same rows: if
the paired difference of their losses is surely above zero, the other folds are not trained.  That is the first heat of
a race over folds (Maron and Moore 1994; Birattari et al 2002), with the paired t-test of the latter; a survivor trains
the first fold again, with all others.  What is given up counts as stopped, with the loss of the best plus what it was
worse by, and leaves no weights.  Left out: heats of two and more folds; promotions, low fidelities, and repeated folds,
where the best has an average over its repeats and one fit has not.  Each worker process knows what it has seen itself.
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
        self._sure = NormalDist().inv_cdf(confidence)
        self._best: tuple[float, np.ndarray] | None = None  # loss, and predictions of the rows of the first fold

    def prepare(self, space: SearchSpace, task: Task) -> None:
        self._heat = copy.deepcopy(self.inner)
        super().prepare(space, task)
        pairs = task.folds.pairs
        self._rows = pairs[0][1]
        self._races = len(pairs) > 1 and sum(len(valid) for _, valid in pairs) == len(task.folds.covered)
        self._heat.prepare(space, replace(task, folds=Folds(pairs[:1], task.n_rows)))

    def observe(self, trial: Trial) -> None:
        if trial.checkpoint is not None:
            self._learn(trial.proposal, trial.result, Path(trial.checkpoint))
        super().observe(trial)

    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None,
        workdir: Path,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """See :meth:`Evaluator.evaluate`; ``info`` says by how much the first fold was worse than the best one's."""
        clock = Clock(seconds)
        if self._best is not None and self._races and proposal.inherit != "resume" and proposal.fidelity == 1:
            lost = self._first_heat(proposal, parent, clock, *self._best)
            if lost is not None:
                return lost
        before = clock.elapsed()
        result = self.inner.evaluate(proposal, parent, workdir, report, None if seconds is None else clock.left())
        self._learn(proposal, result, workdir)
        return replace(result, cost_seconds=result.cost_seconds + before)

    def _first_heat(
        self, proposal: Proposal, parent: Path | None, clock: Clock, best: float, theirs: np.ndarray
    ) -> Result | None:
        """The result of a configuration that is given up; None if it goes on."""
        part = None if clock.seconds is None else clock.left() / len(self.task.folds)
        with tempfile.TemporaryDirectory() as folder:
            heat = self._heat.evaluate(proposal, parent, Path(folder), go_on, part)
            own = None if heat.status != "ok" else self._predicted(Path(folder))
        if own is None:
            return None
        worse = self._row_losses(own) - self._row_losses(theirs)
        mean, error = float(worse.mean()), float(worse.std(ddof=1)) / math.sqrt(len(worse))
        weight = None if self.task.weight is None else self.task.weight[self._rows]
        behind = heat.loss - self.metric.loss(self.task.y[self._rows], theirs, weight)
        # the test is of losses that every row has; the metric itself, which may have none, must agree
        if not (mean > self._sure * error and behind > 0):
            return None
        lost = {"given_up_after": 1, "worse": mean, "worse_error": error}
        return Result({self.metric.name: best + behind}, "stopped", heat.cost_seconds, info={**heat.info, **lost})

    def _learn(self, proposal: Proposal, result: Result, folder: Path) -> None:
        """Keep the best; telling twice changes nothing."""
        if result.status != "ok" or proposal.fidelity < 1 or not (folder / PREDICTIONS_FILE).exists():
            return
        if self._best is None or result.loss < self._best[0]:
            predicted = self._predicted(folder)
            if len(predicted) > 1 and np.isfinite(predicted).all():
                self._best = result.loss, predicted

    def _predicted(self, folder: Path) -> np.ndarray:
        """What a trial predicts for the rows of the first fold."""
        found: np.ndarray = np.load(folder / PREDICTIONS_FILE, allow_pickle=False)[self._rows]
        return found

    def _row_losses(self, predicted: np.ndarray) -> np.ndarray:
        """Log losses, or squared errors."""
        y = self.task.y[self._rows]
        if self.task.problem.kind == "classification":
            return -np.log(np.maximum(predicted[np.arange(len(y)), y].astype(float), FLOOR))
        return (predicted[:, 0].astype(float) - y) ** 2


EVALUATOR = Race
