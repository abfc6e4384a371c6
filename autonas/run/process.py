"""The parent's side of one worker process: its pipes, its threads, its time, its death.

Three threads serve a process, so that the parent never waits for it: one writes to its stdin, one
puts what it says into a queue, one keeps the last lines of its stderr for when it dies.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from autonas.core.clock import Clock
from autonas.run.messages import Job, Stop, read_frame, write_frame

__all__ = ["WorkerProcess", "hard_limit", "worker_environment"]

_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class WorkerProcess:
    """One worker process, the threads that serve its pipes, and the job that it has."""

    def __init__(self, task: bytes, environment: dict[str, str], inbox: queue.SimpleQueue[Any]) -> None:
        self.job: Job | None = None
        self.ready = False
        self.begun = False
        self.clock = Clock(None)  # the job's hard limit, which does not run while the worker loads the task
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._outbox.put(task)
        self._tail = b""
        # a process group of its own: Ctrl-C in a terminal is the parent's business
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "autonas.run.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            process_group=0,
        )
        self._threads = [
            threading.Thread(target=target, args=args, daemon=True)
            for target, *args in ((self._write,), (self._read, inbox), (self._keep_tail,))
        ]
        for thread in self._threads:
            thread.start()

    def begin(self, job: Job) -> None:
        """Give it a job, which waits there until the worker is ready."""
        self.job, self.begun = job, False
        self.clock = Clock(None)
        if self.ready:
            self._tail = b""  # what earlier jobs said explains nothing
            self.start_clock()
        self.post(job)

    def start_clock(self) -> None:
        """The time of its job runs from now."""
        seconds = None if self.job is None else self.job.seconds
        self.clock = Clock(None if seconds is None else hard_limit(seconds))

    def post(self, message: Job | Stop) -> None:
        """Send a message without waiting."""
        self._outbox.put(pickle.dumps(message))

    def _write(self) -> None:
        assert self.process.stdin is not None
        with contextlib.suppress(OSError), self.process.stdin as pipe:  # a death is reported by the reading thread
            while (frame := self._outbox.get()) is not None:
                write_frame(pipe, frame)

    def _read(self, inbox: queue.SimpleQueue[Any]) -> None:
        assert self.process.stdout is not None
        try:
            with self.process.stdout as pipe:
                while (frame := read_frame(pipe)) is not None:
                    inbox.put((self, pickle.loads(frame)))  # noqa: S301 - from our own child, over a private pipe
        finally:
            inbox.put((self, None))

    def _keep_tail(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as pipe:
            while chunk := os.read(pipe.fileno(), 1 << 16):
                self._tail = (self._tail + chunk)[-4096:]

    def end(self) -> None:
        """Kill it, and whatever it has started."""
        if sys.platform == "win32":
            self.process.kill()
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # all gone already
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._outbox.put(None)
        for thread in self._threads:
            thread.join(timeout=1.0)  # a process that left the group may still hold a pipe

    def last_words(self) -> str:
        """How it died, and the last lines of its stderr."""
        with contextlib.suppress(subprocess.TimeoutExpired):  # its pipe is closed, it should be about to end
            self.process.wait(timeout=2.0)
        self.end()
        code = self.process.returncode
        how = f"exit code {code}"
        if code < 0:
            name = signal.Signals(-code).name
            how = f"signal {name}, perhaps for lack of memory" if name == "SIGKILL" else f"signal {name}"
        lines = self._tail.decode(errors="replace").strip().splitlines()[-3:]
        return f"{how}: {' | '.join(line.strip()[:300] for line in lines)}" if lines else how


def hard_limit(seconds: float) -> float:
    """After how many seconds a job with a slice of ``seconds`` is killed."""
    return 1.5 * seconds + 5.0


def worker_environment(n_workers: int) -> dict[str, str]:
    """Environment of the workers: the parent's sys.path, and a fair share of the cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(str(Path(folder).absolute()) for folder in sys.path)
    share = max(1, cores // n_workers)
    for name in _THREAD_LIMITS:  # OpenMP's comes first: where it is smaller it holds for all
        own = environment.get(name, "")
        limit = min(share, int(own)) if own.isdecimal() and int(own) > 0 else share
        environment[name] = str(limit)
        share = limit if name == "OMP_NUM_THREADS" else share
    return environment
