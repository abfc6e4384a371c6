"""How long a training will take: from the dry run, and from what was seen.

The logarithm of the seconds is a linear function of the logarithms of the work (multiply-accumulates, rows and epochs),
the steps and the parameters, with an intercept for each kind of model: ridge regression around a prior that says that
time is proportional to work.  A few trials find the machine's speed, more correct the rest.  Of a kind that is no
network only the kind and the fidelity are known.  Left out: that early stopping shortens some trainings.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from autonas.core.trial import Config, Trial
from autonas.data.task import Task
from autonas.errors import ArchitectureError
from autonas.search_space.space import SearchSpace

__all__ = ["CostModel"]

_SPEED = 3e9  # multiply-accumulates in a second, before anything was seen
_PASSES = 3  # one forward, two back
_EPOCHS, _BATCH = 40, 128  # of spaces that do not search them
_WORK, _STEPS, _PARAMETERS, _FIDELITY = range(1, 5)  # columns; 0 is the intercept, kinds come last
_SPEED_SD, _SLOPE_SD, _KIND_SD = 2.0, 0.5, 1.0
_NOISE, _NOISE_TRIALS = 0.3**2, 4.0  # prior variance of a residual, and the trials that it counts as
_SHORTEST = 1e-4  # seconds
_LONGEST = 20.0  # logarithm of seconds


class CostModel:
    """Seconds of configurations at fidelities.

    Parameters
    ----------
    space : SearchSpace
    task : Task
    """

    def __init__(self, space: SearchSpace, task: Task) -> None:
        self.space = space
        self.task = task
        self._rows = float(sum(len(train) for train, _ in task.folds.pairs))
        self._kinds = {kind: _FIDELITY + 1 + i for i, kind in enumerate(space.families or [space.name])}
        self._counts: dict[str, tuple[float, float]] = {}
        d = _FIDELITY + 1 + len(self._kinds)
        self._prior = np.zeros(d)
        self._prior[[_WORK, _FIDELITY]] = 1.0
        deviations = np.full(d, _KIND_SD)
        deviations[0], deviations[_WORK : _FIDELITY + 1] = _SPEED_SD, _SLOPE_SD
        self._ridge = np.diag(_NOISE / deviations**2)
        self._learn(np.zeros((0, d)), np.zeros(0))

    def fit(self, trials: Iterable[Trial]) -> None:
        """Learn from what trials took; those that failed or were stopped say nothing.

        A trial that continues another one counts for the part between the two fidelities.
        """
        trials = list(trials)
        reached = {trial.id: trial.proposal.fidelity for trial in trials}
        rows, logs = [], []
        for trial in trials:
            proposal = trial.proposal
            if not trial.ok or trial.result.status != "ok" or proposal.genome is not None:
                continue
            start = 0.0
            if proposal.inherit == "resume" and proposal.parent is not None:
                start = reached.get(proposal.parent, 0.0)
            if proposal.fidelity > start:
                rows.append(self._row(proposal.config, proposal.fidelity, start))
                logs.append(math.log(max(trial.result.cost_seconds, _SHORTEST)))
        self._learn(np.array(rows).reshape(len(rows), len(self._prior)), np.array(logs))

    def _learn(self, X: np.ndarray, y: np.ndarray) -> None:
        """Conjugate regression: the slopes are normal, the residuals' variance is what prior and trials say."""
        self._covariance = np.linalg.inv(X.T @ X + self._ridge)
        self._mean = self._prior + self._covariance @ X.T @ (y - X @ self._prior)
        residuals, moved = y - X @ self._mean, self._mean - self._prior
        squares = float(residuals @ residuals + moved @ self._ridge @ moved)
        self._noise = (_NOISE_TRIALS * _NOISE + squares) / (_NOISE_TRIALS + len(y))

    def predict(self, config: Config, fidelity: float = 1.0, start: float = 0.0) -> tuple[float, float]:
        """Expected seconds and their standard deviation.

        Parameters
        ----------
        config : mapping
        fidelity : float
            In (0, 1].
        start : float
            Fidelity from which a training goes on; less than ``fidelity``.
        """
        row = self._row(config, fidelity, start)
        variance = self._noise * (1 + float(row @ self._covariance @ row))
        mean = math.exp(min(float(row @ self._mean) + variance / 2, _LONGEST))  # of a logarithm that is normal
        return mean, mean * math.sqrt(math.expm1(variance))

    def _row(self, config: Config, fidelity: float, start: float) -> np.ndarray:
        row = np.zeros(len(self._prior))
        kind = self.space.kind_of(config)
        row[0] = row[self._kinds[kind]] = 1.0
        row[_FIDELITY] = math.log(fidelity - start)
        if kind in self.space.networks:
            options = self.space.options(config)
            epochs, batch = int(options.get("epochs", _EPOCHS)), int(options.get("batch_size", _BATCH))
            macs, parameters = self._count(config)
            row[_WORK] = math.log(_PASSES * macs * self._rows * epochs / _SPEED)
            row[_STEPS] = math.log(self._rows * epochs / batch)
            row[_PARAMETERS] = math.log(parameters) - math.log(1e4)
        return row

    def _count(self, config: Config) -> tuple[float, float]:
        """Multiply-accumulates and parameters of a network, at least 1."""
        from autonas.architectures.family import load_family

        key = self.space.key(config)
        if key not in self._counts:
            family = load_family(self.space.families[self.space.kind_of(config)])
            shape = self.task.view(family.view(self.space.options(config))).shape[1:]
            try:
                cost = self.space.dry_run(config, shape, self.task.problem.n_outputs)
                self._counts[key] = max(cost.macs, 1.0), max(cost.parameters, 1.0)
            except ArchitectureError:  # impossible for this data: it will fail at once
                self._counts[key] = 1.0, 1.0
        return self._counts[key]
