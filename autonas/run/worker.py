"""A worker process of the pool (``python -m autonas.run.worker``).

Reads the task, then jobs, from its stdin; writes reports and results to its stdout.  It ends when
its stdin closes, so it never outlives its parent, even in the middle of a job.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any

from autonas.run.messages import Begun, Done, Job, Ready, Report, Stop, evaluate, read_frame, write_frame


def _private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """The pipes to the parent, moved away from what libraries print to or read from."""
    source = os.fdopen(os.dup(0), "rb")
    target = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # last words must not be lost
    return source, target


def main() -> None:
    """Serve one parent until it goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    source, target = _private_pipes()
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    stopped: set[int] = set()

    def listen() -> None:
        while (frame := read_frame(source)) is not None:
            match pickle.loads(frame):  # noqa: S301 - from our parent, over a private pipe
                case Stop(job_id):
                    stopped.add(job_id)
                case job:
                    jobs.put(job)
        os._exit(0)

    def say(message: Any) -> None:
        write_frame(target, pickle.dumps(message))

    task = read_frame(source)
    if task is None:
        return
    threading.Thread(target=listen, daemon=True).start()
    evaluator, space, data = pickle.loads(task)  # noqa: S301 - as above
    del task
    evaluator.prepare(space, data)
    say(Ready())
    while True:
        job = jobs.get()
        say(Begun(job.id))

        def report(progress: float, values: Mapping[str, float], job_id: int = job.id) -> bool:
            say(Report(job_id, progress, dict(values)))
            return job_id not in stopped

        say(Done(job.id, evaluate(evaluator, job, report)))


if __name__ == "__main__":
    main()
