"""The contract of an evaluator: estimate how good a proposal is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from autonas.core.objective import Metric
from autonas.core.trial import Proposal, Result, Trial
from autonas.data.task import Task
from autonas.search_space.space import SearchSpace
from autonas.training.learner import Report, go_on

__all__ = ["Evaluation", "Evaluator", "Wrapper", "device_of"]


@dataclass(frozen=True)
class Evaluation:
    """What :meth:`Evaluator.evaluate` is given."""

    proposal: Proposal
    parent: Path | None
    workdir: Path
    report: Report = go_on
    seconds: float | None = None


class Evaluator(ABC):
    """Estimates the performance of proposals on a task.

    Parameters
    ----------
    metric : Metric
        What ``Result.values`` holds the loss of.
    seed : int
    device : str
    """

    offers: ClassVar[frozenset[str]] = frozenset()
    shared_state: ClassVar[bool] = False

    def __init__(self, metric: Metric, *, seed: int = 0, device: str = "cpu") -> None:
        self.metric = metric
        self.seed = seed
        self.device = device

    def prepare(self, space: SearchSpace, task: Task) -> None:
        """Called once in each process before the first evaluation."""
        self.space, self.task = space, task

    def observe(self, trial: Trial) -> None:
        """Called in the main process with every finished trial."""

    def judge(
        self, trial_id: int, proposal: Proposal, progress: float, values: Mapping[str, float]
    ) -> dict[str, Any] | None:
        """Called in the main process with every report of a running trial.

        Returns
        -------
        dict or None
            None: it may go on.  Otherwise it is stopped, and these plain values say why in ``Result.info``.
        """
        return None

    @abstractmethod
    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None,
        workdir: Path,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """Evaluate one proposal.

        Parameters
        ----------
        proposal : Proposal
        parent : path or None
            Checkpoint folder of the parent trial, if the proposal names one.
        workdir : path
            Existing empty folder; what is left in it is the trial's checkpoint.
        report : callable
            ``report(progress, values) -> go on?``
        seconds : float or None
            Time slice: schedules end with it.  None: nothing reads a clock.

        Returns
        -------
        Result; a failure of the model is a result with its reason, never an exception.
        """

    def at_once(self, most: int) -> int:
        """How many evaluations to begin at once where one process does them all: 1 unless they share their cost.

        Parameters
        ----------
        most : int
            More than this would take too much from the strategy, which learns nothing between them.
        """
        return 1

    def kinship(self, proposal: Proposal) -> Hashable | None:
        """Equal for proposals that :meth:`evaluate_together` may evaluate at less than their sum; None: alone."""
        return None

    def evaluate_together(self, evaluations: Sequence[Evaluation]) -> list[Result]:
        """Evaluate several proposals of one kinship; results are those of each alone up to the error of floats."""
        return [self.evaluate(e.proposal, e.parent, e.workdir, e.report, e.seconds) for e in evaluations]


class Wrapper(Evaluator):
    """An evaluator around another one, which does all that is not said otherwise.

    Parameters
    ----------
    metric : Metric
    inner : Evaluator
    seed, device
        See :class:`Evaluator`.
    """

    def __init__(self, metric: Metric, inner: Evaluator, *, seed: int = 0, device: str = "cpu") -> None:
        super().__init__(metric, seed=seed, device=device)
        self.inner = inner
        self.offers = inner.offers  # type: ignore[misc]  # of this instance
        self.shared_state = inner.shared_state  # type: ignore[misc]

    def prepare(self, space: SearchSpace, task: Task) -> None:
        super().prepare(space, task)
        self.inner.prepare(space, task)

    def observe(self, trial: Trial) -> None:
        self.inner.observe(trial)

    def judge(
        self, trial_id: int, proposal: Proposal, progress: float, values: Mapping[str, float]
    ) -> dict[str, Any] | None:
        return self.inner.judge(trial_id, proposal, progress, values)

    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None,
        workdir: Path,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """As the inner evaluator."""
        return self.inner.evaluate(proposal, parent, workdir, report, seconds)


def device_of(device: str) -> str:
    """The device that "auto" stands for; asked only where a network is built, since it imports torch."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
