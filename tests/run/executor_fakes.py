"""Evaluators that behave well and badly, importable by worker processes."""

# ruff: noqa: T201 - what they print must not disturb the pool

import os
import signal
import sys
import time
from pathlib import Path

from autonas.core.trial import Result


class Fake:
    """Does what ``proposal.config["do"]`` says."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def prepare(self, space, task):
        self.space, self.task = space, task
        self.prepared_in = os.getpid()

    def evaluate(self, proposal, parent, workdir, report, seconds=None):
        return getattr(self, proposal.config["do"])(proposal.config, parent, workdir, report)

    def add(self, config, parent, workdir, report):
        x = config["x"]
        report(0.5, {"loss": x})
        Path(workdir, "weights").write_text(f"{x} {parent}")
        return Result({"loss": self.scale * (x + self.task["offset"])}, info={"pid": os.getpid()})

    def boom(self, config, parent, workdir, report):
        raise ValueError("boom")

    def starve(self, config, parent, workdir, report):
        raise MemoryError("no more")

    def leave(self, config, parent, workdir, report):
        print("about to leave", file=sys.stderr, flush=True)
        os._exit(3)

    def crash(self, config, parent, workdir, report):
        print("last line on stdout")
        os.kill(os.getpid(), getattr(signal, config["signal"]))
        time.sleep(60)

    def interrupt(self, config, parent, workdir, report):
        os.kill(os.getpid(), signal.SIGINT)
        return Result({"loss": 0.0})

    def loop(self, config, parent, workdir, report):
        """Runs until it is told to stop."""
        rounds = 0
        while report(0.0, {"loss": float(rounds)}):
            rounds += 1
            time.sleep(0.005)
        return Result({"loss": 1.0}, status="stopped")

    def deaf(self, config, parent, workdir, report):
        report(0.0, {"pid": float(os.getpid())})
        while True:
            pass

    def shout(self, config, parent, workdir, report):
        for _ in range(200):
            print("x" * 10_000)
        os.write(1, b"y" * 100_000)
        sys.stdin.read()
        return Result({"loss": 0.0})

    def environment(self, config, parent, workdir, report):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        return Result(
            {"loss": 0.0}, info={name: os.environ[name] for name in names} | {"torch": "torch" in sys.modules}
        )

    def parenthood(self, config, parent, workdir, report):
        """Has a child of its own, that must not survive it."""
        import subprocess

        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        report(0.0, {"pid": float(child.pid)})
        while True:
            time.sleep(0.01)


class Unprepared(Fake):
    def prepare(self, space, task):
        raise ValueError("no such space")
