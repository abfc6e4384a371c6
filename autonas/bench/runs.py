"""Run strategies on benchmarks and keep one row per run in a CSV file, from which a comparison goes on.

A run is (benchmark, objectives, strategy, seed).  It counts evaluations in full ones: a trial at fidelity 1/9 counts
a ninth.  The overhead is the CPU time of ask and tell.
"""

from __future__ import annotations

import csv
import json
import math
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from autonas.bench.functions import Function
from autonas.bench.rows import append_rows
from autonas.bench.scores import make_score
from autonas.bench.suites import get_benchmark
from autonas.core.trial import config_key
from autonas.errors import OptionError
from autonas.evaluators.benchmarks import Table

__all__ = ["Job", "Run", "append_runs", "execute", "read_runs", "run", "split_specs"]


@dataclass(frozen=True)
class Job:
    """What identifies a run.

    Parameters
    ----------
    benchmark : str
    objectives : str
        Names with "+" between them.
    strategy : str
        Name of a strategy, with options in brackets: ``evolution[population=50,sample=10]``; or a reference
        (``optuna-nsga2``).
    seed : int
    pending : int
        Trials that are asked for before the oldest of them is told.
    failures : float
        Share of the trials that fail, at random.
    """

    benchmark: str
    objectives: str
    strategy: str
    seed: int
    pending: int = 1
    failures: float = 0.0


@dataclass(frozen=True)
class Run:
    """What came of a job.

    Parameters
    ----------
    job : Job
    evals : float
        Full evaluations that were asked for.
    ms, ms_end : float
        CPU milliseconds of ask and tell: mean of all trials, and of the last tenth.
    unique : int
        Different configurations.
    error : str
        Why it broke off; empty otherwise.
    curve : tuple of (evaluations, score)
        Wherever the score changed.
    """

    job: Job
    evals: float
    ms: float
    ms_end: float
    unique: int
    error: str
    curve: tuple[tuple[float, float], ...]

    def at(self, evaluations: float) -> float:
        """The score after that many evaluations; nan before the first, beyond the run, or if it broke off."""
        if self.error or evaluations > self.evals:
            return math.nan
        return next((score for n, score in reversed(self.curve) if n <= evaluations + 1e-9), math.nan)


def run(job: Job, evals: float) -> Run:
    """Carry out one job; what goes wrong inside a strategy is part of the answer."""
    objectives = job.objectives.split("+")
    benchmark = get_benchmark(job.benchmark)
    score = make_score(benchmark, objectives)
    function: Callable[..., Any] = benchmark.function(job.seed, *([objectives] if len(objectives) > 1 else []))
    chance = np.random.default_rng([job.seed, 5])
    waiting: deque[Any] = deque()
    costs: list[float] = []
    known: set[str] = set()
    curve: list[tuple[float, float]] = []
    asked, spent, error = 0.0, 0.0, ""
    try:
        optimizer = _optimizer(job, benchmark.space, objectives)
        while True:
            start = time.process_time()
            while len(waiting) < job.pending and asked < evals - 1e-9 and (trial := optimizer.ask()) is not None:
                waiting.append(trial)
                asked += trial.fidelity
            cost = time.process_time() - start
            if not waiting:  # all done, or a finite space is exhausted
                break
            trial = waiting.popleft()
            seen = function(trial.config) if trial.fidelity == 1 else _cheaply(benchmark, function, trial)
            fails = chance.random() < job.failures
            start = time.process_time()
            optimizer.tell(trial, None if fails else seen)
            costs.append(1e3 * (cost + time.process_time() - start))
            spent += trial.fidelity
            known.add(config_key(trial.config))
            if fails:
                continue
            now = score.update(trial.config, trial.fidelity, seen)
            if not curve or now != curve[-1][1]:
                curve.append((round(spent, 6), now))
    except Exception as problem:  # noqa: BLE001 - a strategy that breaks must not end the comparison
        error = f"{type(problem).__name__} after {len(costs)} trials: {problem}"[:300].replace("\n", " ")
    end = costs[-max(1, len(costs) // 10) :]
    return Run(job, evals, _mean(costs), _mean(end), len(known), error, tuple(curve))


def _cheaply(benchmark: Table | Function, function: Callable[..., Any], trial: Any) -> Any:
    if isinstance(benchmark, Table):
        raise OptionError(f"{benchmark.name} has no learning curves, and fidelity {trial.fidelity:.3g} was asked for.")
    return function(trial.config, trial.fidelity)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else math.nan


def _optimizer(job: Job, space: Any, objectives: Sequence[str]) -> Any:
    name, options = parse_spec(job.strategy)
    if name.startswith("optuna-"):
        from autonas.bench.references import OptunaReference

        return OptunaReference(space, name, seed=job.seed, objectives=objectives, **options)
    from autonas import Optimizer

    return Optimizer(space, strategy=name, seed=job.seed, objectives=objectives, **options)


def split_specs(text: str) -> list[str]:
    """A list with commas, where commas inside brackets do not count."""
    return [part.strip() for part in re.split(r",(?![^\[(]*[\])])", text) if part.strip()]


def parse_spec(spec: str) -> tuple[str, dict[str, Any]]:
    """``name[key=value,...]`` as the name and the options; a value is JSON, or else text.

    Raises
    ------
    OptionError
        If it is written otherwise.
    """
    match = re.fullmatch(r"([^\[\]]+)(?:\[(.*)\])?", spec)
    if match is None:
        raise OptionError(f"A strategy is NAME or NAME[option=value,...], not {spec!r}.")
    options = {}
    for part in filter(None, (match[2] or "").split(",")):
        name, sign, value = part.partition("=")
        if not sign:
            raise OptionError(f"An option is written name=value, not {part!r} (in {spec!r}).")
        try:
            options[name.strip()] = json.loads(value)
        except json.JSONDecodeError:
            options[name.strip()] = value.strip()
    return match[1], options


def execute(jobs: Iterable[Job], evals: float, n_jobs: int = 1) -> Iterator[Run]:
    """Carry out jobs, on several processes if wanted; runs come in the order in which they end."""
    if n_jobs == 1:
        yield from (run(job, evals) for job in jobs)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    # spawned: a forked copy of a process with threads of numerical libraries may hang
    with ProcessPoolExecutor(n_jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run, job, evals) for job in jobs]):
            yield future.result()


# --- the file --------------------------------------------------------------------------------------------------------

_JOB = [field.name for field in fields(Job)]
_COLUMNS = [*_JOB, *(field.name for field in fields(Run) if field.name != "job")]


def read_runs(path: Path) -> dict[Job, Run]:
    """The runs of a file; of several of one job the last.  Empty if there is no file."""
    runs: dict[Job, Run] = {}
    if not path.exists():
        return runs
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                curve = tuple((float(n), float(s)) for n, s in (p.split(":") for p in row["curve"].split()))
                job = Job(row["benchmark"], row["objectives"], row["strategy"], int(row["seed"]))
                job = replace(job, pending=int(row["pending"]), failures=float(row["failures"]))
                evals, ms, end, unique = (
                    float(row["evals"]),
                    float(row["ms"]),
                    float(row["ms_end"]),
                    int(row["unique"]),
                )
            except (KeyError, ValueError, TypeError, AttributeError):
                continue  # the line that a killed process was writing: its run is done again
            runs[job] = Run(job, evals, ms, end, unique, row["error"], curve)
    return runs


def append_runs(path: Path, runs: Iterable[Run]) -> Iterator[Run]:
    """Write each run to the file as it comes, and hand it on."""
    return append_rows(path, _COLUMNS, runs, _row)


def _row(run: Run) -> dict[str, Any]:
    row = asdict(run.job) | {name: getattr(run, name) for name in _COLUMNS if name not in _JOB}
    return row | {"curve": " ".join(f"{n:g}:{score:.6g}" for n, score in run.curve)}
