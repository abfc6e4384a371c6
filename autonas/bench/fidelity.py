"""How soon a search that also looks at low fidelities is as good as one that trains every network in full.

Both run the loop of a fit, without its portfolio and its ensemble, on the same folds.  A search is as good as its model
of the lowest validation loss, at whatever fidelity it was trained.  The cheap search has reached the full one when the
mean loss of its model exceeds that of the full search's last model by at most the standard error of the difference,
which is taken over the validation rows, pair by pair.  Time is CPU time, with all that the strategy thinks and all that
is read and written.  Left out: a test set.  Both searches choose on the rows that they are compared on.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autonas.core.clock import Clock
from autonas.core.fidelity import fidelity_plan
from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Trial
from autonas.data.check import infer_kind
from autonas.data.prepare import prepare
from autonas.data.read import read_table, split_target
from autonas.data.task import Task
from autonas.errors import DataError
from autonas.evaluators.train import PREDICTIONS_FILE, Train
from autonas.run._compose import taken
from autonas.run.checkpoints import Checkpoints
from autonas.run.executors import InProcess
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.run.search import Limits, Search
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy

__all__ = ["SPACES", "Model", "Race", "median_share", "race", "read_data", "row_losses"]

_DATA = Path(__file__).parent / "data"
SPACES = {"image": _DATA / "convolutional.yaml", "tabular": _DATA / "perceptrons.yaml"}
"""Networks that all train for the same number of epochs, by modality."""

_QUOTA_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Model:
    """What one trial of a search has left.

    Attributes
    ----------
    seconds : float
        Of the search until then.
    fidelity : float
    losses : (rows,) array
        Of every row; NaN where none validates it.
    """

    seconds: float
    fidelity: float
    losses: np.ndarray

    @property
    def loss(self) -> float:
        """Mean over the rows."""
        return float(np.nanmean(self.losses))

    def is_as_good_as(self, other: Model) -> bool:
        """Whether the mean loss is at most one standard error of the difference above the other one's."""
        gap = self.losses - other.losses
        gap = gap[np.isfinite(gap)]
        return bool(gap.mean() <= gap.std(ddof=1) / math.sqrt(len(gap)))


@dataclass(frozen=True)
class Race:
    """A search at full fidelity and a cheap one, of one seed.

    Attributes
    ----------
    seed : int
    full, cheap : list of Model
        In the order of the trials, failed ones left out; the cheap search ends when it has reached the full one, or has
        taken as long.
    seconds : float
        Of the whole search at full fidelity.
    """

    seed: int
    full: list[Model]
    cheap: list[Model]
    seconds: float

    @property
    def goal(self) -> Model:
        """The model that the full search ends with."""
        return min(self.full, key=lambda model: model.loss)

    @property
    def reached(self) -> float:
        """Seconds of the cheap search until it is as good; infinite if it never is."""
        return _reached(self.cheap, self.goal)

    @property
    def share(self) -> float:
        """Of the full search's time."""
        return self.reached / self.seconds

    @staticmethod
    def head() -> str:
        """Titles of the columns."""
        return (
            f"{'seed':>4} {'full trials':>11} {'s':>7} {'s each':>6} {'loss':>7} {'there at':>8}"
            f"   {'cheap trials':>12} {'in full':>7} {'loss':>7} {'there at':>8} {'share':>6}"
        )

    def line(self) -> str:
        """One row of the table; "there at" are the seconds after which each search had the final score."""
        goal, best = self.goal, min(self.cheap, key=lambda model: model.loss)
        in_full = sum(model.fidelity == 1 for model in self.cheap)
        return (
            f"{self.seed:4} {len(self.full):11} {self.seconds:7.1f} {self.seconds / len(self.full):6.2f} "
            f"{goal.loss:7.4f} {_reached(self.full, goal):8.1f}   {len(self.cheap):12} {in_full:7} {best.loss:7.4f} "
            f"{self.reached:8.1f} {self.share:6.2f}"
        )


def _reached(models: list[Model], goal: Model) -> float:
    """Seconds until the best model so far is as good as the goal."""
    best: Model | None = None
    for model in models:
        if best is None or model.loss < best.loss:
            best = model
            if model.is_as_good_as(goal):
                return model.seconds
    return math.inf


def median_share(races: list[Race]) -> float:
    """Median over the seeds of the share of the full search's time."""
    return float(np.median([one.share for one in races]))


def race(
    X: Any,
    y: Any,
    *,
    space: str | Path | None = None,
    strategy: str = "multifidelity",
    full: str = "auto",
    trials: int = 15,
    lowest: float = 1 / 27,
    cv: str | int = "holdout",
    seeds: int = 5,
) -> Iterator[Race]:
    """Let a search of several fidelities run against one at full fidelity, seed by seed.

    Parameters
    ----------
    X, y
        As in a fit.
    space : str, path or None
        Name of a packaged space or path of a file; None: that of the data's modality in :data:`SPACES`.
    strategy, full : str
        Of the two searches.
    trials : int
        Of the search at full fidelity.
    lowest : float
        Share of the epochs.
    cv : str or int
        As in a fit.
    seeds : int
    """
    kind = infer_kind(y)
    metric = get_metric(None, kind)
    for seed in range(seeds):
        task = prepare(X, y, kind=kind, cv=cv, seed=seed)
        chosen = load_space(space or _space_for(task), kind)
        whole, seconds = _search(chosen, task, full, metric, seed, lambda models, _: len(models) >= trials)
        goal = min(whole, key=lambda model: model.loss)
        several = chosen.with_fidelity(fidelity_plan({"epochs": [lowest, 1]}))

        def done(models: list[Model], spent: float, goal: Model = goal, limit: float = seconds) -> bool:
            return spent >= limit or math.isfinite(_reached(models, goal))

        cheap, _ = _search(several, task, strategy, metric, seed, done)
        yield Race(seed, whole, cheap, seconds)


class _Watched(Train):
    """Keeps what every trial has left."""

    def start(self) -> None:
        """The search begins now."""
        self.models: list[Model] = []
        self._start = time.process_time()

    @property
    def spent(self) -> float:
        """CPU seconds since then."""
        return time.process_time() - self._start

    def observe(self, trial: Trial) -> None:
        if trial.checkpoint is not None:
            predictions = np.load(Path(trial.checkpoint) / PREDICTIONS_FILE, allow_pickle=False)
            losses = row_losses(self.task, predictions)
            self.models.append(Model(self.spent, trial.proposal.fidelity, losses))


class _Until:
    """A strategy that has nothing more to ask once a search has gone far enough."""

    def __init__(self, inner: Any, enough: Callable[[], bool]) -> None:
        self._inner, self._enough = inner, enough
        self.tell, self.keep = inner.tell, inner.keep

    def ask(self) -> Proposal | None:
        return None if self._enough() else self._inner.ask()


def _search(
    space: SearchSpace,
    task: Task,
    strategy: str,
    metric: Any,
    seed: int,
    done: Callable[[list[Model], float], bool],
) -> tuple[list[Model], float]:
    """The models of a search, and the CPU seconds that it took."""
    evaluator = _Watched(metric, seed=seed)
    executor = InProcess(evaluator, space, task)
    lowest = space.fidelity.fidelity

    def make(min_fidelity: float = 0.0) -> Any:
        own = taken(strategy, space, min_fidelity=max(min_fidelity, lowest)) if lowest else {}
        inner = make_strategy(strategy, space, (metric.name,), seed, **own)
        return _Until(inner, lambda: done(evaluator.models, evaluator.spent))

    with (
        tempfile.TemporaryDirectory(prefix="autonas-") as folder,
        Journal.open_or_create(Path(folder) / "journal.db", {"space": space.hash}) as journal,
    ):
        search = Search(
            space,
            make,
            executor,
            journal,
            Checkpoints(folder, _QUOTA_BYTES),
            Limits(Clock(None)),
            Progress(None, None, metric, verbose=0),
            seed=seed,
            evaluator=evaluator,
        )
        evaluator.start()
        search.run()
        return evaluator.models, evaluator.spent


def row_losses(task: Task, predictions: np.ndarray) -> np.ndarray:
    """Log loss, or squared error, of every row.

    Parameters
    ----------
    task : Task
    predictions : (rows, outputs) array
        Probabilities, or values; NaN where no fold validates a row.

    Returns
    -------
    (rows,) array
    """
    if task.problem.kind == "regression":
        return (predictions[:, 0] - task.y) ** 2
    p = predictions[np.arange(len(task.y)), task.y.astype(np.int64)]
    return -np.log(np.clip(p, np.finfo(p.dtype).eps, 1.0))


def _space_for(task: Task) -> Path:
    modality = task.problem.modality
    if modality not in SPACES:
        raise DataError(f"There is no usual space for {modality} data here, only for {' and '.join(SPACES)}: name one.")
    return SPACES[modality]


def read_data(data: str, target: str | None = None) -> tuple[Any, np.ndarray]:
    """X and y of a set.

    Parameters
    ----------
    data : str
        ``digits`` (scikit-learn's images), the path of a table with a column ``target``, or that of an .npz file with
        the arrays ``X`` and ``y``.

    Raises
    ------
    DataError
        For anything else.
    """
    if data == "digits":
        from sklearn.datasets import load_digits

        found = load_digits()
        return found.images / 16, found.target
    if data.endswith(".npz"):
        try:
            with np.load(data, allow_pickle=False) as arrays:
                return arrays["X"], arrays["y"]
        except (OSError, KeyError, ValueError) as error:
            raise DataError(f"{data}: a file with the arrays X and y was required ({error}).") from error
    if target is None:
        raise DataError(f"{data}: digits, an .npz file, or a table with --target COLUMN was required.")
    return split_target(read_table(data), target)
