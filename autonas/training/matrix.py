"""What the learners that are not networks share: they read one matrix and score rows in one place.

They need numpy, scipy, scikit-learn or LightGBM, never torch.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from autonas.data.task import Task
from autonas.training.calibration import log_loss, weighted_mean
from autonas.training.closed_form import training_rows
from autonas.training.learner import Learner
from autonas.training.target import TargetScale

__all__ = ["MatrixLearner", "binary_logits"]


def binary_logits(logits: np.ndarray) -> np.ndarray:
    """Two columns from the one log odds of a binary classifier; more columns stay as they are."""
    return np.hstack([np.zeros_like(logits), logits]) if logits.shape[1] == 1 else logits


class MatrixLearner(Learner):
    """A learner whose view (option ``features``) is a matrix.

    Attributes
    ----------
    scale : TargetScale or None
        How a regression target is fitted; None in classification.
    """

    default_view: ClassVar[str] = "dense"
    scale: TargetScale | None = None
    _scores: np.ndarray | None = None

    @property
    def view(self) -> str:
        """Name of the view of the data that it reads."""
        return str(self.options.get("features", self.default_view))

    def out_of_fold(self) -> np.ndarray:
        """(n_rows, n_outputs) float32 scores of rows by models that did not train on them, NaN elsewhere."""
        if self._scores is None:
            raise RuntimeError(f"{type(self).__name__} has no out-of-fold predictions yet: call train first.")
        return self._scores

    def _fit_scale(self, task: Task) -> None:
        if self.problem.kind == "regression" and self.scale is None:
            self.scale = TargetScale(task.y[training_rows(task.folds)], str(self.options.get("target", "auto")))

    def _loss(self, scores: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> float:
        """Log loss, or mean squared error on the scale of the fitted target, over the rows that have scores."""
        if self.scale is None:
            return log_loss(scores, y, weight)
        rows = np.flatnonzero(np.isfinite(scores[:, 0]))
        errors = (self.scale.forward(scores[rows, 0]) - self.scale.forward(y[rows])) ** 2
        return weighted_mean(errors, None if weight is None else weight[rows])

    def state(self) -> dict[str, Any]:
        """Everything needed to predict and to continue."""
        return {
            "progress": self.progress,
            "curve": [list(point) for point in self.curve],
            "info": self.info,
            "scale": None if self.scale is None else self.scale.state(),
            "scores": self._scores,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        self.progress = float(state["progress"])
        self.curve = [(float(z), float(loss)) for z, loss in state["curve"]]
        self.info = dict(state["info"])
        self.scale = None if state["scale"] is None else TargetScale.from_state(state["scale"])
        self._scores = state["scores"]
