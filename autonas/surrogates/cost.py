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

from autonas.core.trial import Config, Proposal, Trial
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
    with_torch : bool
        Whether to build the networks that are not made of graphs, to count their work; else only their kind is known,
        and a process that trains nothing itself need not import torch.
    """

    def __init__(self, space: SearchSpace, task: Task, with_torch: bool = True) -> None:
        self.space = space
        self.task = task
        self.with_torch = with_torch
        self._rows = float(sum(len(train) for train, _ in task.folds.pairs))
        self._kinds = {kind: _FIDELITY + 1 + i for i, kind in enumerate(space.families or [space.name])}
        self._counts: dict[str, tuple[float, float]] = {}
        self._reached: dict[int, float] = {}  # fidelity of every trial that was told
        d = _FIDELITY + 1 + len(self._kinds)
        self._prior = np.zeros(d)
        self._prior[[_WORK, _FIDELITY]] = 1.0
        deviations = np.full(d, _KIND_SD)
        deviations[0], deviations[_WORK : _FIDELITY + 1] = _SPEED_SD, _SLOPE_SD
        self._ridge = np.diag(_NOISE / deviations**2)
        # of what was seen, less what the prior says: rows' products with each other and with the residuals
        self._n, self._gram, self._moment, self._squares = 0, np.zeros((d, d)), np.zeros(d), 0.0
        self._learn()

    def tell(self, trials: Iterable[Trial]) -> None:
        """Learn also from what these trials took; those that failed or were stopped say nothing.

        A trial that continues another one counts for the part between the two fidelities.
        """
        for trial in trials:
            proposal = trial.proposal
            self._reached[trial.id] = proposal.fidelity
            start = self._start(proposal)
            if not trial.ok or trial.result.status != "ok" or proposal.genome is not None or proposal.fidelity <= start:
                continue
            row = self._row(proposal.config, proposal.fidelity, start)
            residual = math.log(max(trial.result.cost_seconds, _SHORTEST)) - float(row @ self._prior)
            self._n += 1
            self._gram += np.outer(row, row)
            self._moment += row * residual
            self._squares += residual**2
        self._learn()

    def _start(self, proposal: Proposal) -> float:
        """Fidelity from which a trial goes on."""
        if proposal.inherit != "resume" or proposal.parent is None:
            return 0.0
        return self._reached.get(proposal.parent, 0.0)

    def _learn(self) -> None:
        """Conjugate regression: the slopes are normal, the residuals' variance is what prior and trials say."""
        self._covariance = np.linalg.inv(self._gram + self._ridge)
        moved = self._covariance @ self._moment
        self._mean = self._prior + moved
        # squared residuals, and how far the slopes have moved from the prior
        squares = max(0.0, self._squares - float(self._moment @ moved))
        self._noise = (_NOISE_TRIALS * _NOISE + squares) / (_NOISE_TRIALS + self._n)

    def seconds(self, proposal: Proposal) -> tuple[float, float] | None:
        """As :meth:`predict`, of a proposal; None of a genome, which no configuration describes."""
        start = self._start(proposal)
        if proposal.genome is not None or proposal.fidelity <= start:
            return None
        return self.predict(proposal.config, proposal.fidelity, start)

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
        if kind in self.space.networks and (self.with_torch or self.space.has_graph(config)):
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
            X = self.task.X
            row = X.iloc[:1] if hasattr(X, "iloc") else X[:1]  # not all: where workers train, no view is needed here
            shape = self.task.preprocessor.view(family.view(self.space.options(config)), row).shape[1:]
            try:
                cost = self.space.dry_run(config, shape, self.task.problem.n_outputs)
                self._counts[key] = max(cost.macs, 1.0), max(cost.parameters, 1.0)
            except ArchitectureError:  # impossible for this data: it will fail at once
                self._counts[key] = 1.0, 1.0
        return self._counts[key]
