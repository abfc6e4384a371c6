"""What an executor and its jobs say to each other, and how it travels through a pipe.

Messages are pickles between a process and the workers that it has started itself, over private
pipes; nothing of this is ever stored.
"""

from __future__ import annotations

import struct
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from autonas.core.clock import Clock
from autonas.core.trial import Proposal, Result

if TYPE_CHECKING:
    from autonas.evaluators.base import Evaluator

__all__ = [
    "Job", "Report", "Done", "Event", "Stop", "Ready", "Begun", "evaluate", "evaluate_together", "read_frame",
    "write_frame",
]  # fmt: skip

_SIZE = struct.Struct(">Q")


@dataclass(frozen=True)
class Job:
    """One evaluation to do.

    Parameters
    ----------
    id : int
        The trial's number.
    proposal : Proposal
    parent : str or None
        Checkpoint folder of the parent trial.
    workdir : str
        Existing empty folder for the trial's checkpoint.
    seconds : float or None
        Time slice of the evaluation; None means no limit.
    """

    id: int
    proposal: Proposal
    parent: str | None
    workdir: str
    seconds: float | None = None


@dataclass(frozen=True)
class Report:
    """A running job's progress, in [0, 1], and its losses so far."""

    id: int
    progress: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Done:
    """The end of a job; deaths, timeouts and exceptions are failed results."""

    id: int
    result: Result


Event = Report | Done


@dataclass(frozen=True)
class Stop:
    """To a worker: the report of this job shall answer False from now on."""

    id: int


@dataclass(frozen=True)
class Ready:
    """From a worker: it has loaded the task."""


@dataclass(frozen=True)
class Begun:
    """From a worker: it has taken the job."""

    id: int


def write_frame(pipe: IO[bytes], frame: bytes) -> None:
    """Write one message, its length first."""
    pipe.write(_SIZE.pack(len(frame)))
    pipe.write(frame)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> bytes | None:
    """Read one message; None when the other side has gone."""
    head = pipe.read(_SIZE.size)
    if len(head) < _SIZE.size:
        return None
    (size,) = _SIZE.unpack(head)
    frame = pipe.read(size)
    return frame if len(frame) == size else None


def evaluate(evaluator: Evaluator, job: Job, report: Callable[[float, Mapping[str, float]], bool]) -> Result:
    """Do a job; an exception becomes a failed result, its traceback an entry of ``info``."""
    clock = Clock(job.seconds)
    try:
        parent = None if job.parent is None else Path(job.parent)
        return evaluator.evaluate(job.proposal, parent, Path(job.workdir), report, job.seconds)
    except Exception as error:  # noqa: BLE001 - a failing model is a failed trial, never the end of a search
        return _failed(error, clock.elapsed())


def evaluate_together(
    evaluator: Evaluator, jobs: Sequence[Job], report: Callable[[int, float, Mapping[str, float]], bool]
) -> list[Result]:
    """Do jobs of one kinship together; ``report`` is also given the job's id."""
    from autonas.evaluators.base import Evaluation

    clock = Clock(None)
    evaluations = [
        Evaluation(
            job.proposal,
            None if job.parent is None else Path(job.parent),
            Path(job.workdir),
            partial(report, job.id),
            job.seconds,
        )
        for job in jobs
    ]
    try:
        return evaluator.evaluate_together(evaluations)
    except Exception as error:  # noqa: BLE001 - as above
        return [_failed(error, clock.elapsed() / len(jobs)) for _ in jobs]


def _failed(error: Exception, seconds: float) -> Result:
    """The result of a job that has raised the error that is being handled."""
    info = {"traceback": traceback.format_exc(limit=-5)}
    return Result(status="failed", error=f"{type(error).__name__}: {error}", cost_seconds=seconds, info=info)
