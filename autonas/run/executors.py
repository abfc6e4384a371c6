"""Where evaluations run: in this process, or in a pool of worker processes that can be killed.

The run loop submits jobs and reads a stream of events.  A worker gets the task once, never imports
the user's ``__main__`` (a script without a main guard works) and is never forked (safe with torch
and OpenMP).  What it leaves out: other machines, and moving a job from one worker to another.
"""

from __future__ import annotations

import math
import pickle
import queue
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from autonas.core.clock import Clock
from autonas.core.trial import Result
from autonas.errors import AutoNASError, OptionError
from autonas.run.messages import Begun, Done, Event, Job, Ready, Report, Stop, evaluate, evaluate_together
from autonas.run.process import WorkerProcess, hard_limit, worker_environment

if TYPE_CHECKING:
    from autonas.data.task import Task
    from autonas.evaluators.base import Evaluator
    from autonas.search_space.space import SearchSpace

__all__ = ["Job", "Report", "Done", "Event", "Executor", "InProcess", "Pool"]


class Executor(ABC):
    """Runs jobs, at most ``slots`` at a time, and tells what becomes of them.

    Every submitted job ends with exactly one :class:`Done`.  One thread uses an executor.
    """

    slots: int

    @property
    @abstractmethod
    def free(self) -> int:
        """How many jobs may be submitted now."""

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Begin a job, in the background where there is one.

        Raises
        ------
        RuntimeError
            If no slot is free.
        """

    @abstractmethod
    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """What happened: waits for the first event, then gives all that are there, and ends.

        Parameters
        ----------
        timeout : float or None
            Seconds to wait for the first one; None waits as long as jobs run.
        """

    @abstractmethod
    def stop(self, job_id: int) -> None:
        """Ask a job to end soon, with a result; nothing happens if it has ended."""

    @abstractmethod
    def kill(self, job_id: int, reason: str = "killed") -> None:
        """End a job now, as a failed one; nothing happens if it has ended."""

    @abstractmethod
    def close(self) -> None:
        """End all jobs without further events."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class InProcess(Executor):
    """Jobs in the caller's thread, inside :meth:`events`: one, or all that the evaluator does sooner together.

    What has begun cannot be killed: ``kill`` then asks it to stop.  KeyboardInterrupt passes through.

    Parameters
    ----------
    evaluator : Evaluator
        Prepared here.
    space : SearchSpace
    task : Task
    on_report : callable or None
        ``on_report(job id, progress, values) -> go on?``, called while a job runs.
    most : int
        So many jobs at once, at most, if the evaluator does so many sooner together.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        space: SearchSpace,
        task: Task,
        on_report: Callable[[int, float, dict[str, float]], bool] | None = None,
        most: int = 1,
    ) -> None:
        self.evaluator = evaluator
        self.on_report = on_report
        self._jobs: dict[int, Job] = {}
        self._stopped: set[int] = set()
        self._killed: dict[int, str] = {}
        evaluator.prepare(space, task)
        self.slots = evaluator.at_once(most) if most > 1 else 1

    @property
    def free(self) -> int:
        return self.slots - len(self._jobs)

    def submit(self, job: Job) -> None:
        if not self.free:
            raise _no_slot(job, self.slots)
        self._jobs[job.id] = job

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        if not self._jobs:
            return
        jobs = self._next()
        try:
            results = self._evaluate(jobs)
        finally:
            for job in jobs:
                self._jobs.pop(job.id, None)
                self._stopped.discard(job.id)
                self._killed.pop(job.id, None)
        for job, result in zip(jobs, results, strict=True):
            yield Done(job.id, result)

    def _next(self) -> list[Job]:
        """The oldest job, and all of its kinship; or those that were killed before they began."""
        if self._killed:
            return [self._jobs[number] for number in self._killed]
        first, *others = self._jobs.values()
        if not others or (kinship := self.evaluator.kinship(first.proposal)) is None:
            return [first]
        return [first, *(job for job in others if self.evaluator.kinship(job.proposal) == kinship)]

    def _evaluate(self, jobs: list[Job]) -> list[Result]:
        if self._killed:
            return [Result.failure(self._killed[job.id]) for job in jobs]
        if len(jobs) == 1:
            return [evaluate(self.evaluator, jobs[0], partial(self._report, jobs[0].id))]
        return evaluate_together(self.evaluator, jobs, self._report)

    def _report(self, job_id: int, progress: float, values: Mapping[str, float]) -> bool:
        wanted = self.on_report is None or self.on_report(job_id, progress, dict(values))
        return wanted and job_id not in self._stopped

    def stop(self, job_id: int) -> None:
        if job_id in self._jobs:
            self._stopped.add(job_id)

    def kill(self, job_id: int, reason: str = "killed") -> None:
        if job_id in self._jobs:
            self._stopped.add(job_id)
            self._killed[job_id] = reason

    def close(self) -> None:
        self._jobs = {}


class Pool(Executor):
    """Worker processes on this machine, each doing one job at a time.

    A worker that dies, or takes longer than 1.5 times its slice plus 5 s, gives a failed result;
    the next job that needs its place starts a new one.  Workers start in the background, share the
    cores evenly, and end when the pool is closed or its process dies, however it dies.

    Parameters
    ----------
    evaluator : Evaluator
        Sent to every worker and prepared there.
    space : SearchSpace
    task : Task
    n_workers : int

    Raises
    ------
    OptionError
        If evaluator, space or task cannot be pickled.
    """

    def __init__(self, evaluator: Evaluator, space: SearchSpace, task: Task, n_workers: int) -> None:
        import cloudpickle  # what the user's script or notebook defines (a metric, say) travels by value

        try:
            self._task: bytes = cloudpickle.dumps((evaluator, space, task))
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise OptionError(
                f"With more than one job the evaluator, space and task are sent to worker processes, and one of "
                f"them cannot be pickled: {error}. Define what it holds in an importable module, or use one job."
            ) from error
        self._environment = worker_environment(n_workers)
        self._inbox: queue.SimpleQueue[tuple[WorkerProcess | None, Any]] = queue.SimpleQueue()
        self._started = False
        self.slots = n_workers
        self._workers: list[WorkerProcess | None] = [self._worker() for _ in range(n_workers)]

    def _worker(self) -> WorkerProcess:
        return WorkerProcess(self._task, self._environment, self._inbox)

    @property
    def _busy(self) -> list[tuple[Job, WorkerProcess]]:
        return [(worker.job, worker) for worker in self._workers if worker is not None and worker.job is not None]

    @property
    def free(self) -> int:
        return len(self._workers) - len(self._busy)

    def submit(self, job: Job) -> None:
        # a ready worker first, then one that is starting, then an empty place
        places = [place for place, worker in enumerate(self._workers) if worker is None or worker.job is None]
        if not places:
            raise _no_slot(job, self.slots)
        place = max(places, key=lambda place: self._rank(self._workers[place]))
        worker = self._workers[place]
        if worker is None or worker.process.poll() is not None:  # empty, or died without a job
            if worker is not None:
                worker.end()
            worker = self._workers[place] = self._worker()
        worker.begin(job)

    @staticmethod
    def _rank(worker: WorkerProcess | None) -> int:
        return 0 if worker is None else 2 if worker.ready else 1

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        clock = Clock(timeout)
        event = self._next(clock)
        while event is None and self._busy and not clock.over():
            event = self._next(clock)
        if event is not None:
            yield event
        for _ in range(self._inbox.qsize()):
            if (event := self._next(Clock(0.0))) is not None:
                yield event

    def _next(self, clock: Clock) -> Event | None:
        """Handle the next message, if one comes in time."""
        for job, worker in self._busy:
            if worker.clock.over():
                assert job.seconds is not None
                self.kill(job.id, f"took longer than {hard_limit(job.seconds):.0f} s, was to take {job.seconds:.0f} s")
        wait = min([clock.left(), *(worker.clock.left() for _, worker in self._busy)]) if self._busy else 0.0
        try:
            sender, message = self._inbox.get(timeout=None if math.isinf(wait) else wait)
        except queue.Empty:
            return None
        if sender is None:  # the pool itself, which has killed a job
            return message
        if sender not in self._workers:  # what a killed worker still said
            return None
        match message:
            case None:
                return self._lost(sender)
            case Ready():
                self._started = sender.ready = True
                return None
            case Begun():
                sender.begun = True
                sender.start_clock()
                return None
            case Done():
                sender.job = None
        return message

    def _lost(self, worker: WorkerProcess) -> Event | None:
        """A worker has died by itself."""
        job, seconds, words = worker.job, worker.clock.elapsed(), worker.last_words()
        place = self._workers.index(worker)
        self._workers[place] = None
        if not self._started and worker.process.returncode > 0:  # an exception, which the next worker would repeat
            raise AutoNASError(
                f"A worker process could not load the task ({words}). What the evaluator, space and task are made "
                "of must be importable from sys.path; define it in a module, or use one job."
            )
        if job is None:
            return None
        if worker.ready and not worker.begun:  # it died idle, just before: the job is not to blame
            heir = self._workers[place] = self._worker()
            heir.begin(job)
            return None
        return Done(job.id, Result.failure(f"The worker died ({words})", seconds))

    def stop(self, job_id: int) -> None:
        for job, worker in self._busy:
            if job.id == job_id:
                worker.post(Stop(job_id))

    def kill(self, job_id: int, reason: str = "killed") -> None:
        for job, worker in self._busy:
            if job.id == job_id:
                self._workers[self._workers.index(worker)] = None
                worker.end()
                self._inbox.put((None, Done(job_id, Result.failure(reason, worker.clock.elapsed()))))

    def close(self) -> None:
        workers, self._workers = self._workers, []
        for worker in workers:
            if worker is not None:
                worker.end()


def _no_slot(job: Job, slots: int) -> RuntimeError:
    return RuntimeError(f"Job {job.id} needs a free slot and all {slots} are taken: take a Done from events() first.")
