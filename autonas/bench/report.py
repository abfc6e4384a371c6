"""What a comparison says: scores per benchmark, average ranks with bootstrap intervals, overhead; text and plots.

The rank of a strategy on a benchmark is that of its median score over the seeds.  Intervals resample the seeds, the
same ones for all strategies (paired): the benchmarks are a fixed suite, not a sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from autonas.bench.runs import Job, Run

__all__ = ["CHECKPOINTS", "Comparison", "plot"]

CHECKPOINTS = (25, 50, 100, 200, 500, 1000, 2000, 5000)
DRAWS = 2000  # of the bootstrap
FLOOR = 1e-4  # lowest score that a plot with a logarithmic axis shows


class Comparison:
    """Runs of several strategies on several benchmarks.

    Parameters
    ----------
    runs : iterable of Run
        Of jobs that differ in benchmark, strategy and seed only.
    evals : float
        Up to where they are compared.

    Attributes
    ----------
    checkpoints : list of float
        Numbers of evaluations at which scores are given.
    """

    def __init__(self, runs: Iterable[Run], evals: float) -> None:
        self.runs: dict[Job, Run] = {run.job: run for run in runs}
        self.evals = evals
        self.benchmarks = list(dict.fromkeys(job.benchmark for job in self.runs))
        self.strategies = list(dict.fromkeys(job.strategy for job in self.runs))
        self.like = next(iter(self.runs))  # objectives and the like are the same for all
        self.several = "+" in self.like.objectives
        self.checkpoints: list[float] = [n for n in CHECKPOINTS if n < evals] + [evals]
        self.seeds = sorted({job.seed for job in self.runs})

    def scores(self, benchmark: str, strategy: str, at: Sequence[float] | np.ndarray) -> np.ndarray:
        """(seeds, at) array; nan where a run is missing, broke off or does not reach so far."""
        rows = []
        for seed in self.seeds:
            run = self.runs.get(replace(self.like, benchmark=benchmark, strategy=strategy, seed=seed))
            rows.append([np.nan if run is None else run.at(n) for n in at])
        return np.array(rows)

    def ranks(self, at: float) -> tuple[list[str], np.ndarray, np.ndarray]:
        """Average ranks after ``at`` evaluations.

        Returns
        -------
        strategies : list of str
            Those with scores on all benchmarks.
        ranks : (strategies,) array
        draws : (draws, strategies) array
            The same for resampled seeds.
        """
        scores = np.stack(
            [np.stack([self.scores(b, s, [at])[:, 0] for s in self.strategies]) for b in self.benchmarks]
        )  # (benchmarks, strategies, seeds)
        complete = np.isfinite(scores).any(axis=2).all(axis=0)
        scores = scores[:, complete]
        # paired: only the seeds that all of them have
        scores = scores[:, :, np.isfinite(scores).all(axis=(0, 1))]
        names = [name for name, there in zip(self.strategies, complete, strict=True) if there]
        if scores.shape[2] == 0 or not names:
            return [], np.empty(0), np.empty((DRAWS, 0))
        picks = np.random.default_rng(0).integers(scores.shape[2], size=(DRAWS, scores.shape[2]))
        draws = np.stack([_average_ranks(np.median(scores[:, :, pick], axis=2)) for pick in picks])
        return names, _average_ranks(np.median(scores, axis=2)), draws

    def text(self) -> str:
        """The whole report."""
        parts = [self._table(benchmark) for benchmark in self.benchmarks]
        return "\n\n".join([*parts, self._ranking(), self._overhead(), *self._failures()])

    def _table(self, benchmark: str) -> str:
        what = "gap to the front" if self.several else "regret"
        lines = [f"{benchmark}: {what}, median (mean) over the seeds", self._head("seeds")]
        for strategy in self.strategies:
            scores = self.scores(benchmark, strategy, self.checkpoints)
            seeds = np.isfinite(scores).any(axis=1).sum()
            cells = [_median_and_mean(column[np.isfinite(column)]) for column in scores.T]
            lines.append(f"{strategy:{self._width}}{seeds:>6}" + "".join(f"{cell:>18}" for cell in cells))
        return "\n".join(lines)

    def _ranking(self) -> str:
        found = {n: self.ranks(n) for n in self.checkpoints}
        lines = ["Average rank of the medians [95% interval], and mean of the medians", self._head("")]
        last = found[self.checkpoints[-1]]
        order = [last[0][i] for i in np.argsort(last[1], kind="stable")]
        for strategy in order:
            line = f"{strategy:{self._width}}{'':>6}"
            for n, (names, ranks, draws) in found.items():
                if strategy not in names:
                    line += f"{'-':>26}"
                    continue
                i = names.index(strategy)
                low, high = np.quantile(draws[:, i], [0.025, 0.975])
                medians = [np.nanmedian(self.scores(b, strategy, [n])) for b in self.benchmarks]
                line += f"{f'{ranks[i]:.1f} [{low:.1f}, {high:.1f}] {np.mean(medians):.4f}':>26}"
            lines.append(line)
        lines[1] = f"{'':{self._width}}{'':>6}" + "".join(f"{f'@{n:g}':>26}" for n in self.checkpoints)
        for n, (names, ranks, draws) in found.items():
            if len(names) > 1:
                first, second = np.argsort(ranks, kind="stable")[:2]
                low, high = np.quantile(draws[:, second] - draws[:, first], [0.025, 0.975])
                lines.append(
                    f"@{n:g}: {names[first]} is ahead of {names[second]} by {ranks[second] - ranks[first]:.2f} ranks, "
                    f"95% interval [{low:.2f}, {high:.2f}]"
                )
        return "\n".join(lines)

    def _overhead(self) -> str:
        lines = [
            "CPU milliseconds per ask and tell: mean, and mean of the last tenth; share of different configurations"
        ]
        for strategy in self.strategies:
            mine = [run for job, run in self.runs.items() if job.strategy == strategy and not run.error]
            if mine:
                ms, end = np.mean([run.ms for run in mine]), np.mean([run.ms_end for run in mine])
                share = np.mean([run.unique / run.evals for run in mine])
                lines.append(f"{strategy:{self._width}}{ms:>12.3f}{end:>12.3f}{share:>8.2f}")
        return "\n".join(lines)

    def _failures(self) -> list[str]:
        lines = [
            f"{j.benchmark}, {j.strategy}, seed {j.seed}: {run.error}" for j, run in self.runs.items() if run.error
        ]
        return ["\n".join(["Broke off:", *lines])] if lines else []

    @property
    def _width(self) -> int:
        return max(map(len, self.strategies)) + 1

    def _head(self, first: str) -> str:
        return f"{'':{self._width}}{first:>6}" + "".join(f"{f'@{n:g}':>18}" for n in self.checkpoints)


def _median_and_mean(values: np.ndarray) -> str:
    return f"{np.median(values):.4f} ({values.mean():.4f})" if len(values) else "-"


def _average_ranks(medians: np.ndarray) -> np.ndarray:
    """(benchmarks, strategies) scores to (strategies,) ranks from 1, ties averaged within a benchmark."""
    lower = (medians[:, :, None] > medians[:, None, :]).sum(axis=2)
    ties = (medians[:, :, None] == medians[:, None, :]).sum(axis=2)
    return (lower + (ties + 1) / 2).mean(axis=0)


def plot(comparison: Comparison, path: Path) -> None:
    """Median score against the evaluations, one panel per benchmark, with its 95% bootstrap band over the seeds.

    Raises
    ------
    AutoNASError
        Without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        from autonas.errors import AutoNASError

        raise AutoNASError('A plot needs matplotlib. Run: pip install "autonas[bench]"') from None
    at = np.unique(np.geomspace(1, comparison.evals, 80).round())
    n = len(comparison.benchmarks)
    columns = min(n, 3)
    rows = -(-n // columns)
    figure = Figure(figsize=(5 * columns, 3.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    rng = np.random.default_rng(0)
    for axis, benchmark in zip(axes, comparison.benchmarks, strict=False):
        for strategy in comparison.strategies:
            scores = comparison.scores(benchmark, strategy, at)
            scores = np.maximum(scores[np.isfinite(scores).any(axis=1)], FLOOR)
            if len(scores) == 0:
                continue
            draws = np.median(scores[rng.integers(len(scores), size=(400, len(scores)))], axis=1)
            (line,) = axis.plot(at, np.median(scores, axis=0), label=strategy)
            axis.fill_between(at, *np.quantile(draws, [0.025, 0.975], axis=0), alpha=0.15, color=line.get_color())
        axis.set(title=benchmark, xscale="log", yscale="log", xlabel="evaluations")
        axis.set_ylabel("gap to the front" if comparison.several else "normalised regret")
        axis.grid(alpha=0.3)
    for axis in axes[n:]:
        axis.set_visible(False)
    axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=120)
