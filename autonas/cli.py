"""The command `autonas`: fit, use, inspect and continue models from a terminal.

Only typer is imported at the start, so that `--help` answers at once; every command imports what it
needs.  A folder made by `autonas fit` holds the saved model, ``fit.json`` (what was fitted on which
data, so that `resume` can check and repeat it) and ``search/`` (the journal and the checkpoints).
"""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from autonas.bench.cli import app as bench
from autonas.errors import AutoNASError, DataError, ModelError, OptionError
from autonas.search_space.cli import Json
from autonas.search_space.cli import app as spaces

if TYPE_CHECKING:
    import pandas as pd

    from autonas import AutoNASClassifier, AutoNASRegressor

__all__ = ["app", "main"]

app = typer.Typer(
    name="autonas",
    help="Search architectures and hyperparameters together; get an ensembled, saved model within your time limit.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: rich would double the time that it takes
    pretty_exceptions_enable=False,
)

app.add_typer(bench, name="bench")
app.add_typer(spaces, name="spaces")

_RECORD, _SEARCH = "fit.json", "search"
_SHOWN = 10  # rows of the leaderboard after a fit

Data = Annotated[
    Path, typer.Argument(metavar="DATA", help="CSV or Parquet file, or a folder of images.", show_default=False)
]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a saved model.", show_default=False)]
TimeLimit = Annotated[float | None, typer.Option(help="Wall-clock seconds of the whole fit.", show_default=False)]
Trials = Annotated[int | None, typer.Option(help="Number of trials in all.", show_default=False)]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print errors only.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; an error of AutoNAS is one line on the standard error and exit status 2."""
    try:
        app(args=None if arguments is None else list(arguments), prog_name="autonas")
    except AutoNASError as error:
        typer.echo(f"Error: {error}", err=True)
        raise SystemExit(2) from None


def _version(wanted: bool) -> None:
    if wanted:
        import autonas

        typer.echo(f"autonas {autonas.__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None: ...


@app.command()
def fit(
    data: Data,
    target: Annotated[
        str | None, typer.Option(help="Column to predict; none for images in class folders.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the model.")] = Path("model"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a model that is in the folder.")] = False,
    kind: Annotated[
        Literal["classification", "regression"] | None,
        typer.Option(help="Default: inferred from the target.", show_default=False),
    ] = None,
    modality: Annotated[
        Literal["tabular", "image", "series", "text"] | None,
        typer.Option(help="How the table is read; text: one column of texts.", show_default=False),
    ] = None,
    time_limit: TimeLimit = None,
    n_trials: Trials = None,
    trial_time_limit: Annotated[float | None, typer.Option(help="Seconds per trial.", show_default=False)] = None,
    metric: Annotated[
        str | None, typer.Option(help="What to optimise; default: by the kind of task.", show_default=False)
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Name (see `autonas spaces`) or YAML file.", show_default=False)
    ] = None,
    strategy: Annotated[str | None, typer.Option(help="See `autonas strategies`.", show_default=False)] = None,
    evaluator: Annotated[
        list[str] | None,
        typer.Option(help="See `autonas evaluators`; several, the cheapest first, are a ladder.", show_default=False),
    ] = None,
    objectives: Annotated[
        list[str] | None,
        typer.Option(help='Metric, cost, or a limit such as "n_params < 1e6"; may be repeated.', show_default=False),
    ] = None,
    fidelity: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=LOW[:HIGH]", help="Look cheaply first, as epochs=0.1; may be repeated.", show_default=False
        ),
    ] = None,
    cv: Annotated[str | None, typer.Option(help="auto, or the number of folds.", show_default=False)] = None,
    ensemble_size: Annotated[
        int | None, typer.Option(help="Largest number of models; 1: the single best.", show_default=False)
    ] = None,
    refit: Annotated[
        str | None,
        typer.Option(help="one: a single learner, trained on all rows, in place of an ensemble.", show_default=False),
    ] = None,
    n_jobs: Annotated[int | None, typer.Option(help="Trials that run at once.", show_default=False)] = None,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, ...", show_default=False)] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search, ensemble and save a model of a table, or of images in class folders.  Ctrl-C saves the best so far."""
    from autonas.data.check import infer_kind

    _check_out(out, overwrite=overwrite)
    X, y = _read(data, target)
    options = {
        "modality": modality,
        "time_limit": time_limit,
        "n_trials": n_trials,
        "trial_time_limit": trial_time_limit,
        "metric": metric,
        "space": space,
        "strategy": strategy,
        "evaluator": evaluator[0] if evaluator and len(evaluator) == 1 else evaluator or None,
        "objectives": objectives or None,
        "fidelity": _ranges(fidelity or ()) or None,
        "cv": int(cv) if cv is not None and cv.isdigit() else cv,
        "ensemble_size": ensemble_size,
        "refit": refit,
        "n_jobs": n_jobs,
        "random_state": seed,
        "device": device,
    }
    record = {
        "data": str(data.resolve()),
        "sha256": _hash(data),
        "target": target,
        "kind": kind or ("classification" if y is None else infer_kind(y)),
        "options": {name: value for name, value in options.items() if value is not None},
    }
    _fit(out, record, X, y, anew=True, as_json=as_json, quiet=quiet)


@app.command()
def resume(
    model: Model,
    time_limit: TimeLimit = None,
    n_trials: Trials = None,
    data: Annotated[
        Path | None, typer.Option(help="The data, if they have moved since the fit.", show_default=False)
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Continue the search of a model on the same data, also one that was killed."""
    record = _record(model)
    path = data or Path(record["data"])
    if _hash(path) != record["sha256"]:
        raise DataError(
            f"{path} does not hold the data that {model} was fitted on (its SHA-256 differs). "
            "Give those with --data, or fit a new model of these."
        )
    X, y = _read(path, record["target"])
    record["data"] = str(path.resolve())
    if time_limit is not None or n_trials is not None:
        limits = {"time_limit": time_limit, "n_trials": n_trials}
        others = {name: value for name, value in record["options"].items() if name not in limits}
        record["options"] = others | {name: value for name, value in limits.items() if value is not None}
    _fit(model, record, X, y, anew=False, as_json=as_json, quiet=quiet)


def _ranges(given: Sequence[str]) -> dict[str, list[float]]:
    """``epochs=0.1`` as ``{"epochs": [0.1, 1]}``."""
    ranges = {}
    for text in given:
        name, _, ends = text.partition("=")
        low, _, high = ends.partition(":")
        try:
            ranges[name.strip()] = [float(low), float(high or 1)]
        except ValueError:
            raise OptionError(
                f"--fidelity must be NAME=LOW or NAME=LOW:HIGH, such as epochs=0.1 or seconds=5:60. Given: {text!r}."
            ) from None
    return ranges


def _read(data: Path, target: str | None) -> tuple[pd.DataFrame | Path, pd.Series | None]:
    """X and y of a table; a folder of images, which is X as it is, says its classes itself."""
    from autonas.data.read import read_table, split_target

    if target is not None:
        return split_target(read_table(data), target)
    if not data.is_dir():
        columns = ", ".join(map(str, read_table(data).columns[:10]))
        raise OptionError(f"--target must name the column of {data} to predict. Its columns: {columns}.")
    return data, None


def _hash(data: Path) -> str:
    from autonas.data.images import folder_hash
    from autonas.data.read import table_hash

    return folder_hash(data) if data.is_dir() else table_hash(data)


def _fit(
    out: Path,
    record: Mapping[str, Any],
    X: pd.DataFrame | Path,
    y: pd.Series | None,
    *,
    anew: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run the search that a record describes, save the model, and say what came of it."""
    from autonas import AutoNASClassifier, AutoNASRegressor

    kind = {"classification": AutoNASClassifier, "regression": AutoNASRegressor}[record["kind"]]
    model = kind(**record["options"], workdir=str(out / _SEARCH), verbose=0 if quiet else 1)
    display = contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext()
    with _recorded(out, record, anew=anew), display:
        model.fit(X, y)
    model.save(out)
    if as_json:
        typer.echo(json.dumps({"model": str(out), "kind": record["kind"], "leaderboard": _rows(model.leaderboard_)}))
    elif not quiet:
        _print_table(model.leaderboard_.head(_SHOWN))
        typer.echo(f"\nModel saved in {out}.  Use it:  autonas predict {out} DATA --out FILE")


@contextlib.contextmanager
def _recorded(out: Path, record: Mapping[str, Any], *, anew: bool) -> Iterator[None]:
    """Keep the record beside the search; a fit that is refused before its search leaves the folder as it was.

    ``anew`` sets an earlier search aside, to be dropped when the new one has ended.
    """
    path, search, aside = out / _RECORD, out / _SEARCH, out / f"{_SEARCH}.replaced"
    created = not out.exists()
    before = path.read_text() if path.exists() else None
    out.mkdir(parents=True, exist_ok=True)
    if anew and search.exists():
        shutil.rmtree(aside, ignore_errors=True)
        search.rename(aside)
    continues = search.exists()
    path.write_text(json.dumps(record, indent=2) + "\n")
    try:
        yield
    except AutoNASError:
        if continues or not search.exists():
            path.unlink() if before is None else path.write_text(before)
            if aside.exists():
                aside.rename(search)
            if created:
                out.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


@app.command()
def predict(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option(help="CSV or Parquet file to write.", show_default=False)],
    proba: Annotated[bool, typer.Option("--proba", help="Add a column of probabilities for every class.")] = False,
) -> None:
    """Predict the rows of a table, or the images in a folder."""
    from autonas.data.images import find_images
    from autonas.data.read import read_table

    if not out.name.lower().endswith((".csv", ".csv.gz", ".parquet")):
        raise OptionError(f"--out must end in .csv, .csv.gz or .parquet, not {out.name!r}.")
    import pandas as pd

    fitted = _load(model)
    X: Any = data if data.is_dir() else read_table(data)
    target = (_record(model)["target"] if (model / _RECORD).exists() else None) or "prediction"
    columns: dict[str, Any] = {}
    if data.is_dir():
        columns["file"] = [path.relative_to(data).as_posix() for path in find_images(data)]
    columns[target] = fitted.predict(X)
    if proba:
        if not hasattr(fitted, "predict_proba"):
            raise OptionError(f"--proba needs a classifier, but {model} is a regressor. Leave it out.")
        probabilities = fitted.predict_proba(X)
        columns |= {f"P({label})": probabilities[:, i] for i, label in enumerate(fitted.classes_)}
    frame = pd.DataFrame(columns)
    if out.suffix == ".parquet":
        frame.to_parquet(out, index=False)
    else:
        frame.to_csv(out, index=False)
    typer.echo(f"{len(frame)} predictions in {out}")


@app.command()
def leaderboard(model: Model, as_json: Json = False) -> None:
    """Show the trials of a model, best first."""
    board = _load(model).leaderboard_
    typer.echo(json.dumps(_rows(board))) if as_json else _print_table(board)


@app.command()
def strategies(as_json: Json = False) -> None:
    """List the search strategies."""
    from autonas.strategies import list_strategies

    _print_names([{"name": name, "title": title} for name, title in list_strategies()], as_json=as_json)


@app.command()
def evaluators(as_json: Json = False) -> None:
    """List the evaluators."""
    from autonas.evaluators import list_evaluators

    _print_names([{"name": name, "title": title} for name, title in list_evaluators()], as_json=as_json)


def _check_out(out: Path, *, overwrite: bool) -> None:
    if out.is_file():
        raise OptionError(f"--out must name a folder, but {out} is a file.")
    if not out.exists() or not any(out.iterdir()):
        return
    if not (out / _RECORD).exists():
        raise OptionError(f"--out must name a new or empty folder, but {out} has other files in it.")
    if not overwrite:
        raise OptionError(
            f"{out} holds a model already. Give another --out, --overwrite to replace it, "
            f"or go on with it: autonas resume {out}"
        )


def _load(model: Path) -> AutoNASClassifier | AutoNASRegressor:
    import autonas

    if (model / _RECORD).exists() and not (model / "model.json").exists():
        raise ModelError(f"The fit in {model} did not come to its end. Go on with it: autonas resume {model}")
    return autonas.load(model)


def _record(model: Path) -> dict[str, Any]:
    path = model / _RECORD
    try:
        record = json.loads(path.read_text())
        missing = {"data", "sha256", "target", "kind", "options"} - set(record)
    except FileNotFoundError:
        raise ModelError(f"{path} is missing: {model} was not made by `autonas fit`.") from None
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{path} is damaged ({error}). Fit the model again.") from error
    if missing:
        raise ModelError(f"{path} lacks {', '.join(sorted(missing))}. Fit the model again.")
    return record


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return json.loads(table.to_json(orient="records"))


def _print_table(table: pd.DataFrame) -> None:
    table = table.loc[:, (table.astype(str) != "").any()]  # no column of errors where there are none
    typer.echo(table.to_string(index=False, float_format="{:.4g}".format))


def _print_names(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(rows))
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        typer.echo(f"{row['name']:{width}}  {row['title']}")


if __name__ == "__main__":
    main()
