"""The contract of everything that can be trained: one learner is one configuration on all folds.

A learner trains in slices that look at the clock, goes on exactly where it stopped when asked for
a higher fidelity, predicts every validation row with models that have not seen it, and saves
itself as plain arrays.  The model that a person gets is the bag of the learner's fold models.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import numpy as np

from autonas.core.clock import Clock
from autonas.core.trial import Value
from autonas.data.task import Problem, Task

__all__ = ["Learner", "Report", "go_on"]

Report = Callable[[float, Mapping[str, float]], bool]
"""``report(progress, values) -> go on?``, called from time to time while a learner trains."""


def go_on(progress: float, values: Mapping[str, float]) -> bool:
    """A report that never stops anything."""
    return True


class Learner(ABC):
    """One configuration, trained on every fold.

    Parameters
    ----------
    options : mapping of str to plain value
        The family's active hyperparameters, without their prefix.
    problem : Problem
    seed : int
    device : str
        "cpu", "cuda", ...; learners that cannot use it ignore it.

    Attributes
    ----------
    progress : float
        Fidelity that is reached, in [0, 1].
    curve : list of (progress, loss)
        Validation loss (log loss or mean squared error of the standardised target) as it went.
    info : dict
        Plain values that a person may want to see (best epoch, number of trees, ...).
    """

    fidelity: ClassVar[str] = ""  # what progress counts ("epochs", "trees"); "" if it is all or nothing

    def __init__(self, options: Mapping[str, Value], problem: Problem, seed: int = 0, device: str = "cpu") -> None:
        self.options = dict(options)
        self.problem = problem
        self.seed = seed
        self.device = device
        self.progress = 0.0
        self.curve: list[tuple[float, float]] = []
        self.info: dict[str, Any] = {}

    @property
    @abstractmethod
    def view(self) -> str:
        """Name of the view of the data that it reads."""

    @abstractmethod
    def train(self, task: Task, until: float = 1.0, clock: Clock | None = None, report: Report = go_on) -> None:
        """Train every fold from ``self.progress`` to ``until``.

        With a limited clock, training ends within it and still leaves complete out-of-fold
        predictions: the schedule is compressed (progress follows the clock), folds share the time.
        Without a limit nothing reads the time and the same seed gives the same models.
        """

    @abstractmethod
    def out_of_fold(self) -> np.ndarray:
        """(n_rows, n_outputs) float32 scores of rows by models that did not train on them.

        Classification: logits (softmax gives probabilities, up to a temperature that the evaluator
        fits).  Regression: the target's own units.  NaN in rows that no fold validates.
        """

    @abstractmethod
    def predict(self, view: Any) -> np.ndarray:
        """(rows, n_outputs) scores of new rows: the mean over the fold models.

        In classification, log of the mean of the fold models' probabilities.
        """

    def inherit(self, state: Mapping[str, Any], options: Mapping[str, Any], how: Literal["copy", "morph"]) -> None:
        """Start from the weights of another configuration of the same kind; a learner without weights does not.

        Parameters
        ----------
        state : mapping
            As that learner's :meth:`state` says.
        options : mapping
            What its family read.
        how : {"copy", "morph"}
            See ``architectures/morph``.
        """

    def for_all_rows(self) -> tuple[dict[str, Value], float] | None:
        """How to train one model on all rows for as long as the fold models were trained.

        Returns
        -------
        (options, until) or None
            Options of the learner to train and the progress to train it to; None if one model predicts already, or its
            own training is not all that it has learned from.
        """
        return dict(self.options), 1.0

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Everything needed to predict and to continue (see ``autonas.core.state``)."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`; ``train(task, until)`` then goes on exactly."""
