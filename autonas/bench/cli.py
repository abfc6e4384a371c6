"""The commands `autonas bench ...`: compare strategies on tables and functions, sweep the spaces.

Like the main command it imports only typer at the start.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

SHOWN = 20  # faults

app = typer.Typer(help="Compare strategies on tables with known optima; check the spaces.", no_args_is_help=True)


@app.command()
def search(
    tasks: Annotated[
        str, typer.Option(help="Benchmarks and suites, with commas: core, nb201, fcnet-naval, conditional, ...")
    ] = "core",
    strategies: Annotated[
        str, typer.Option(help="With commas; options in brackets: random,evolution[population=50],optuna-tpe.")
    ] = "auto,random",
    evals: Annotated[float, typer.Option(help="Evaluations per run.")] = 100,
    seeds: Annotated[int, typer.Option(help="Seeds 0, 1, ..., SEEDS - 1.")] = 20,
    objectives: Annotated[str, typer.Option(help="With commas; several: gap to the true front.")] = "loss",
    pending: Annotated[int, typer.Option(help="Trials asked for before the oldest is told.")] = 1,
    failures: Annotated[float, typer.Option(help="Share of the trials that fail at random.")] = 0.0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for runs.csv, report.txt and scores.png.", show_default=False)
    ] = None,
    n_jobs: Annotated[int, typer.Option(help="Runs at once.")] = 1,
) -> None:
    """Run search strategies on benchmarks with known optima.

    Scores: normalised regret of the configuration that looked best (0 the optimum, 1 a median configuration).  With
    --out a comparison that was cut off goes on where it was, and new strategies are added to it.
    """
    _one_thread()
    from autonas.bench.report import Comparison, plot
    from autonas.bench.runs import Job, append_runs, execute, read_runs, split_specs
    from autonas.bench.suites import expand
    from autonas.errors import OptionError

    if min(evals, seeds, pending, n_jobs) < 1 or not 0 <= failures < 1:
        raise OptionError(
            "--evals, --seeds, --pending and --n-jobs must be at least 1, and --failures in [0, 1), "
            f"not {evals:g}, {seeds}, {pending}, {n_jobs} and {failures:g}."
        )
    names = "+".join(split_specs(objectives))
    specs, benchmarks = split_specs(strategies), expand(split_specs(tasks))
    # seed by seed, so that a comparison which is cut off covers all benchmarks alike
    jobs = [Job(b, names, s, seed, pending, failures) for seed in range(seeds) for b in benchmarks for s in specs]
    path = None if out is None else out / "runs.csv"
    runs = {} if path is None else read_runs(path)
    todo = [job for job in jobs if job not in runs or runs[job].evals < evals or runs[job].error]
    fresh = execute(todo, evals, n_jobs)
    done = fresh if path is None else append_runs(path, fresh)
    with typer.progressbar(done, length=len(todo), label="runs", file=sys.stderr) as bar:
        for run in bar:
            runs[run.job] = run
    comparison = Comparison([runs[job] for job in jobs], evals)
    text = comparison.text()
    typer.echo(text)
    if out is not None:
        (out / "report.txt").write_text(text + "\n", encoding="utf-8")
        plot(comparison, out / "scores.png")
        typer.echo(f"\nRuns, report and plot in {out}")


@app.command()
def spaces(
    names: Annotated[str, typer.Option(help="Spaces, with commas; all: every packaged one.")] = "all",
    sample: Annotated[int, typer.Option(help="Random configurations of each space.")] = 500,
    cells: Annotated[
        int | None, typer.Option(help="Configurations of each table; default: all.", show_default=False)
    ] = None,
) -> None:
    """Check counts of parameters against the tables, and build random configurations of every space."""
    _one_thread()
    from autonas.bench.runs import split_specs
    from autonas.bench.spaces import Sweep, count_mismatches, parameter_checks, sweep
    from autonas.search_space.load import list_spaces

    wanted = [space.name for space in list_spaces()] if names == "all" else split_specs(names)
    faults: list[str] = []
    for space, table in parameter_checks():
        if space in wanted:
            checked, wrong = count_mismatches(space, table, cells)
            typer.echo(f"{space}: parameters of {checked - len(wrong)} of {checked} networks as in {table}")
            faults += wrong
    typer.echo(Sweep.head())
    for name in wanted:
        found = sweep(name, sample)
        typer.echo(found.line())
        faults += found.failures
    for fault in faults[:SHOWN]:
        typer.echo(fault, err=True)
    if faults:
        typer.echo(f"{len(faults)} faults", err=True)
        raise typer.Exit(1)


@app.command()
def predictors(
    names: Annotated[
        str, typer.Option(help="Predictors, with commas; all: every one, zero-cost scores included.")
    ] = "all",
    trained: Annotated[str, typer.Option(help="Cells that they learn from, with commas.")] = "100,400",
    seeds: Annotated[int, typer.Option(help="Seeds 0, 1, ..., SEEDS - 1.")] = 5,
    unseen: Annotated[int, typer.Option(help="Cells that they rank.")] = 1000,
    table: Annotated[str, typer.Option(help="A table of NAS-Bench-201.")] = "nb201-cifar10",
) -> None:
    """Let predictors rank cells of NAS-Bench-201 that they have not seen: Kendall's tau, coverage, seconds."""
    _one_thread()
    from autonas.bench.predictors import CONTENDERS, ZERO_COST, Score, compare
    from autonas.bench.runs import split_specs

    wanted = [*CONTENDERS, *ZERO_COST] if names == "all" else split_specs(names)
    typer.echo(Score.head())
    for score in compare(wanted, [int(n) for n in split_specs(trained)], seeds, unseen, table):
        typer.echo(score.line())


@app.command()
def curves(
    record: Annotated[
        Path | None, typer.Option(help="Train anew, and write the learning curves to this file.", show_default=False)
    ] = None,
    per_task: Annotated[int, typer.Option(help="Trainings of each task, with --record.")] = 60,
    seen: Annotated[float, typer.Option(help="Share of each curve that is shown to the models.")] = 0.25,
    raw: Annotated[bool, typer.Option("--raw", help="Predict the last loss instead of the best one.")] = False,
) -> None:
    """Predict how recorded learning curves end, by every curve model, and compare with how they did."""
    _one_thread()
    from autonas.bench.curves import CURVES, read_curves, report, write_curves
    from autonas.bench.curves import record as train
    from autonas.errors import OptionError

    if per_task < 1 or not 0 < seen < 1:
        raise OptionError(f"--per-task must be at least 1 and --seen in (0, 1), not {per_task} and {seen:g}.")
    if record is not None:
        with typer.progressbar(train(per_task=per_task), label="trainings", file=sys.stderr) as bar:
            write_curves(list(bar), record)
    found = read_curves(record or CURVES)
    typer.echo(f"{len(found)} curves of {len({one.task for one in found})} tasks, seen up to {seen:g}")
    typer.echo(report(found, seen=seen, raw=raw))


@app.command()
def fidelity(
    data: Annotated[
        str, typer.Option(help="digits; an .npz file with arrays X and y; or a table (CSV, Parquet) with --target.")
    ] = "digits",
    target: Annotated[str | None, typer.Option(help="Column of a table to predict.", show_default=False)] = None,
    space: Annotated[
        str | None,
        typer.Option(help="Name or path; default: networks that all train for as many epochs.", show_default=False),
    ] = None,
    strategy: Annotated[str, typer.Option(help="Search that uses several fidelities.")] = "multifidelity",
    full: Annotated[str, typer.Option(help="Search that trains every network in full.")] = "auto",
    trials: Annotated[int, typer.Option(help="Trials of the search in full.")] = 15,
    lowest: Annotated[float, typer.Option(help="Lowest share of the epochs.")] = 1 / 27,
    cv: Annotated[str, typer.Option(help="holdout, auto, or the number of folds.")] = "holdout",
    seeds: Annotated[int, typer.Option(help="Seeds 0, 1, ..., SEEDS - 1.")] = 5,
) -> None:
    """Measure how soon a search of several fidelities is as good as one that trains every network in full."""
    _one_thread()
    from autonas.bench.fidelity import Race, median_share, race, read_data
    from autonas.errors import OptionError

    if min(trials, seeds) < 1 or not 0 < lowest < 1:
        raise OptionError(
            f"--trials and --seeds must be at least 1 and --lowest in (0, 1), not {trials}, {seeds} and {lowest:g}."
        )
    X, y = read_data(data, target)
    races: list[Race] = []
    typer.echo(Race.head())
    folds = int(cv) if cv.isdigit() else cv
    for one in race(
        X, y, space=space, strategy=strategy, full=full, trials=trials, lowest=lowest, cv=folds, seeds=seeds
    ):
        typer.echo(one.line())
        races.append(one)
    typer.echo(f"{strategy} needs {median_share(races):.2f} of the time of {full} (median of {seeds} seeds)")


@app.command()
def ablation(
    data: Annotated[
        str, typer.Option(help="Sets, with commas: digits, an .npz file with X and y, or TABLE[target=COLUMN].")
    ],
    arms: Annotated[
        str, typer.Option(help="portfolio and strategies after it, with commas.")
    ] = "portfolio,random,auto",
    seconds: Annotated[str, typer.Option(help="Time limits of the fits, with commas.")] = "60",
    seeds: Annotated[int, typer.Option(help="Seeds 0, 1, ..., SEEDS - 1.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder for runs.csv and report.txt.")] = Path("ablation"),
) -> None:
    """Measure what the search adds to the portfolio alone, by the loss on rows that no fit has seen.

    A comparison that was cut off goes on where it was.
    """
    _one_thread()
    from autonas.bench.ablation import PORTFOLIO, Job, append_runs, execute, read_runs, report
    from autonas.bench.runs import split_specs
    from autonas.errors import OptionError
    from autonas.search_space.load import load_space
    from autonas.strategies import make_strategy

    names, limits = split_specs(arms), [float(limit) for limit in split_specs(seconds)]
    if seeds < 1 or not all(limit > 0 for limit in limits):
        raise OptionError(f"--seeds must be at least 1 and --seconds positive, not {seeds} and {seconds}.")
    for name in names:
        if name != PORTFOLIO:
            make_strategy(name, load_space("tabular", "regression"))  # an unknown one ends here
    # seed by seed and short fits first, so that a comparison which is cut off covers all sets alike
    jobs = [
        Job(d, a, limit, seed) for limit in limits for seed in range(seeds) for d in split_specs(data) for a in names
    ]
    runs = read_runs(out / "runs.csv")
    todo = [job for job in jobs if job not in runs or runs[job].error]
    with typer.progressbar(append_runs(out / "runs.csv", execute(todo)), length=len(todo), file=sys.stderr) as bar:
        for run in bar:
            runs[run.job] = run
    text = report(runs[job] for job in jobs)
    (out / "report.txt").write_text(text + "\n", encoding="utf-8")
    typer.echo(text)


@app.command()
def fused(
    widths: Annotated[str, typer.Option(help="Widths of the networks, with commas.")] = "32,128,512",
    networks: Annotated[int, typer.Option(help="Configurations that train together.")] = 16,
    folds: Annotated[int, typer.Option(help="Networks of each configuration; 1: a holdout.")] = 1,
    kind: Annotated[str, typer.Option(help="mlp, resmlp or tabm.")] = "mlp",
) -> None:
    """Time small networks that train as one batched network, and one after the other."""
    _one_thread()
    from autonas.bench.fused import Comparison, compare
    from autonas.bench.runs import split_specs

    typer.echo(Comparison.head())
    for one in compare([int(width) for width in split_specs(widths)], networks, folds, kind):
        typer.echo(one.line())


@app.command()
def tasks() -> None:
    """List the benchmarks and the suites."""
    from autonas.bench.functions import FUNCTIONS
    from autonas.bench.suites import SUITES
    from autonas.evaluators.benchmarks import TABLES

    for name, members in SUITES.items():
        typer.echo(f"{name:12} {' '.join(members)}")
    typer.echo(f"\nSingle ones: {' '.join([*TABLES, *FUNCTIONS])}")


def _one_thread() -> None:
    """CPU times are compared: numerical libraries, imported from here on, must not use other cores."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
