"""What the search adds to a fit: the portfolio alone, and strategies after it, in the same seconds on the same rows.

Every fit is that of a person, with all that comes before and after the search, in a process of its own, and is judged
by its loss on a quarter of the rows that it never saw.  Arms are compared in pairs: on the same set with the same seed,
which also draws the split.  Intervals resample the sets, and within each its seeds.  An arm is what a person gets who
names that strategy; ``"auto"``, the default, ends early on a table of few rows, so as not to overfit them.
"""

from __future__ import annotations

import csv
import math
import multiprocessing
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from autonas.bench.rows import append_rows
from autonas.core.trial import Proposal, Trial
from autonas.strategies.base import Strategy

__all__ = ["PORTFOLIO", "Alone", "Job", "Run", "append_runs", "execute", "log_ratio", "read_runs", "report"]

PORTFOLIO = "portfolio"
"""The arm without any strategy."""

TEST_SHARE = 0.25
DRAWS = 2000  # of the bootstrap
FLOOR = 1e-6  # a loss below it is none


class Alone(Strategy):
    """Proposes nothing: a fit with it ends with the portfolio."""

    name = PORTFOLIO

    def ask(self) -> Proposal | None:
        return None

    def tell(self, trial: Trial) -> None:
        pass


@dataclass(frozen=True)
class Job:
    """One fit: a set (a path or ``PATH[target=COLUMN]``), an arm, seconds, a seed."""

    data: str
    arm: str
    seconds: float
    seed: int


@dataclass(frozen=True)
class Run:
    """What came of a job: the loss on the test rows by the metric that the fit optimised, or why there is none."""

    job: Job
    metric: str = ""
    loss: float = math.nan
    fit_seconds: float = math.nan
    trials: int = 0
    error: str = ""


def execute(jobs: Iterable[Job]) -> Iterator[Run]:
    """Carry out jobs one after the other, each in a process of its own."""
    spawned = multiprocessing.get_context("spawn")  # a forked process would share imports and threads
    for job in jobs:
        with ProcessPoolExecutor(1, mp_context=spawned) as alone:
            try:
                run = alone.submit(_run, job).result()
            except Exception as problem:  # noqa: BLE001 - a fit that breaks must not end the comparison
                run = Run(job, error=f"{type(problem).__name__}: {problem}"[:300].replace("\n", " "))
        yield run


def _run(job: Job) -> Run:
    """Fit, and score on the rows that were kept apart."""
    from sklearn.model_selection import train_test_split

    from autonas.bench.fidelity import read_data
    from autonas.bench.runs import parse_spec
    from autonas.core.objective import get_metric
    from autonas.data.check import infer_kind
    from autonas.estimators import AutoNASClassifier, AutoNASRegressor

    path, options = parse_spec(job.data)
    X, y = read_data(path, **options)
    kind = infer_kind(y)
    classifies = kind == "classification"
    labels = y if classifies and np.unique(y, return_counts=True)[1].min() > 1 else None
    X, X_test, y, y_test = train_test_split(
        X, np.asarray(y), test_size=TEST_SHARE, random_state=job.seed, stratify=labels
    )
    strategy: Any = Alone if job.arm == PORTFOLIO else job.arm
    make = AutoNASClassifier if classifies else AutoNASRegressor
    start = time.perf_counter()
    estimator = make(strategy=strategy, time_limit=job.seconds, random_state=job.seed, verbose=0).fit(X, y)
    seconds = time.perf_counter() - start
    metric = get_metric(None, kind)
    if classifies:
        known = np.isin(y_test, estimator.classes_)  # of a class with a single row the fit may have seen none
        codes = np.searchsorted(estimator.classes_, y_test[known])
        loss = metric.loss(codes, estimator.predict_proba(X_test)[known])
    else:
        loss = metric.loss(y_test, estimator.predict(X_test))
    return Run(job, metric.name, loss, seconds, sum(trial.ok for trial in estimator.trials_))


# --- the table -------------------------------------------------------------------------------------------------------


def log_ratio(pairs: Sequence[np.ndarray], rng: np.random.Generator) -> tuple[float, float, float]:
    """Mean logarithm of the ratio of two arms' losses, every set counting alike, and its 95% interval.

    Parameters
    ----------
    pairs : sequence of (seeds, 2) arrays
        Losses of both arms on each set.
    rng : Generator
        Resamples the sets, and within each the seeds.
    """
    logs = [np.diff(np.log(np.maximum(losses, FLOOR)), axis=1)[:, 0] for losses in pairs]
    draws = []
    for _ in range(DRAWS):
        sets = [logs[i] for i in rng.integers(len(logs), size=len(logs))]
        draws.append(np.mean([rng.choice(values, len(values)).mean() for values in sets]))
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(np.mean([values.mean() for values in logs])), float(low), float(high)


def report(runs: Iterable[Run]) -> str:
    """Losses by set and arm, and for every two arms how they differ."""
    found = {run.job: run for run in runs}
    arms, sets = (list(dict.fromkeys(getattr(job, name) for job in found)) for name in ("arm", "data"))
    seeds = sorted({job.seed for job in found})
    width = max(map(len, [*arms, "arm"])) + 2
    parts = []
    for seconds in sorted({job.seconds for job in found}):
        mine = [run for job, run in found.items() if job.seconds == seconds]
        losses = {(r.job.data, r.job.arm, r.job.seed): r.loss for r in mine if math.isfinite(r.loss)}
        lines = [f"{seconds:g} s: loss on the test rows, mean of the seeds; seconds of the fits (most), trained models"]
        for data in sets:
            metric = next((r.metric for r in mine if r.job.data == data and r.metric), "no run")
            lines.append(f"  {Path(data).name} ({metric})")
            for arm in arms:
                got = [r for r in mine if (r.job.data, r.job.arm) == (data, arm) and math.isfinite(r.loss)]
                if got:
                    mean, took = np.mean([r.loss for r in got]), max(r.fit_seconds for r in got)
                    trials = np.mean([r.trials for r in got])
                    lines.append(f"    {arm:{width}}{mean:12.5g}  {took:8.1f}  {trials:6.0f}")
        for first, second in combinations(arms, 2):
            pairs = {}
            for data in sets:
                both = [(losses.get((data, first, s)), losses.get((data, second, s))) for s in seeds]
                if complete := [pair for pair in both if None not in pair]:
                    pairs[data] = np.array(complete, dtype=np.float64)
            if not pairs:
                continue
            ratio, low, high = log_ratio(list(pairs.values()), np.random.default_rng(0))
            n = sum(map(len, pairs.values()))
            lines.append(
                f"  {second} against {first}: ln of the ratio of losses {ratio:+.4f} [{low:+.4f}, {high:+.4f}] "
                f"({n} pairs on {len(pairs)} sets; below 0: {second} is better)"
            )
            for data, values in pairs.items():
                gaps = np.diff(values, axis=1)[:, 0]
                lines.append(
                    f"    {gaps.mean():+12.5g}  {Path(data).name}  ({', '.join(f'{gap:+.4g}' for gap in gaps)})"
                )
        parts.append("\n".join(lines))
    if failed := [run for run in found.values() if run.error]:
        jobs = (f"{r.job.data}, {r.job.arm}, {r.job.seconds:g} s, seed {r.job.seed}: {r.error}" for r in failed)
        parts.append("\n".join(["Failed:", *jobs]))
    return "\n\n".join(parts)


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
                job = Job(row["data"], row["arm"], float(row["seconds"]), int(row["seed"]))
                loss, seconds, trials = float(row["loss"]), float(row["fit_seconds"]), int(row["trials"])
            except (KeyError, ValueError, TypeError):
                continue  # the line that a killed process was writing: its run is done again
            runs[job] = Run(job, row["metric"], loss, seconds, trials, row["error"] or "")
    return runs


def append_runs(path: Path, runs: Iterable[Run]) -> Iterator[Run]:
    """Write each run to the file as it comes, and hand it on."""
    return append_rows(
        path, _COLUMNS, runs, lambda run: asdict(run.job) | {n: getattr(run, n) for n in _COLUMNS if n not in _JOB}
    )
