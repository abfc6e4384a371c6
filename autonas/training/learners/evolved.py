"""Networks whose weights are a part of their genome: nothing is trained, they only predict.

All folds have the same network, so that out-of-fold predictions are those of one network.  What overfits is the
search, which sees the rows that it is scored on.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from autonas.architectures.family import compile_graph
from autonas.core.clock import Clock
from autonas.data.task import Task
from autonas.training.learner import Report, go_on
from autonas.training.matrix import MatrixLearner

__all__ = ["EvolvedLearner"]

_CHUNK = 4096  # rows at once


class EvolvedLearner(MatrixLearner):
    """Predicts by the network of a genome.

    Attributes
    ----------
    family : str
        The module of ``autonas.architectures`` that constructs the network.
    """

    family: ClassVar[str]
    shape: tuple[int, ...] = ()

    @property
    def view(self) -> str:
        """Name of the view of the data that it reads."""
        return str(import_module(f"autonas.architectures.{self.family}").view(self.options))

    def train(self, task: Task, until: float = 1.0, clock: Clock | None = None, report: Report = go_on) -> None:
        """Predict all rows; there are no lower fidelities."""
        if self.progress >= 1:
            return
        self._fit_scale(task)
        x = task.view(self.view)
        self.shape = tuple(int(size) for size in x.shape[1:])
        graph = self._graph()
        self.info["parameters"] = graph.account.parameters
        scores = np.full((len(x), self.problem.n_outputs), np.nan, dtype=np.float32)
        covered = task.folds.covered
        scores[covered] = self.predict(x[covered])
        self._scores = scores
        self.progress = 1.0
        loss = self._loss(scores[covered], task.y[covered], None if task.weight is None else task.weight[covered])
        self.curve.append((1.0, loss))
        report(1.0, {"loss": loss})

    def _graph(self) -> Any:
        module = import_module(f"autonas.architectures.{self.family}")
        return compile_graph(module, self.options, self.shape, self.problem.n_outputs)

    def predict(self, view: Any) -> np.ndarray:
        """(rows, n_outputs) float32 scores of the network."""
        import torch

        network = self._graph().network().eval()
        parts = []
        with torch.no_grad():
            for first in range(0, len(view), _CHUNK):
                rows = np.ascontiguousarray(view[first : first + _CHUNK], dtype=np.float32)
                parts.append(network(torch.from_numpy(rows)).numpy())
        scores = np.concatenate(parts)
        return scores if self.scale is None else self.scale.inverse(scores).astype(np.float32)

    def for_all_rows(self) -> None:
        """There is one network."""

    def state(self) -> dict[str, Any]:
        """Everything needed to predict."""
        return {**super().state(), "shape": list(self.shape)}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        super().restore(state)
        self.shape = tuple(state["shape"])
