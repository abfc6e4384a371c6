"""A linear model on the features of fixed filter banks (Bergstra et al 2013; see ``architectures/filterbank.py``).

Filters are taken from the training images without their labels, layer by layer, once for all folds; the linear model
is that of ``linear.py`` on every fold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from autonas.architectures.family import compile_graph
from autonas.core.clock import Clock
from autonas.data.task import Task
from autonas.training.closed_form import training_rows
from autonas.training.learner import Report, go_on
from autonas.training.learners.linear import LinearLearner

__all__ = ["LEARNER", "FilterBankLearner"]

_SAMPLE = 300  # images from which filters are taken
_PROBE = 8  # images whose features are timed before anything else
_NUMBERS = 5_000_000  # of the largest map that is made at once


class FilterBankLearner(LinearLearner):
    """Options: those of the family ``filterbank``, among them ``strength`` (see ``linear.py``)."""

    default_view = "image"

    def train(self, task: Task, until: float = 1.0, clock: Clock | None = None, report: Report = go_on) -> None:
        """Fit filters, make features, and fit all folds; there are no lower fidelities.

        Raises
        ------
        TimeoutError
            If the features take longer than the clock allows.
        """
        if self.progress >= 1:
            return
        clock = clock or Clock()
        images = task.view(self.view)
        rows = training_rows(task.folds)
        self.shape = tuple(int(side) for side in images.shape[1:])
        self._make()
        self._check_time(images, clock)
        self._fit_filters(images[np.random.default_rng(self.seed).permutation(rows)[:_SAMPLE]])
        features = self._raw_features(images)
        self.mean = features[rows].mean(0)
        deviation = features[rows].std(0)
        if self.options.get("standardise", "yes") != "yes":
            deviation[:] = features[rows].std()
        self.deviation = np.where(deviation > 1e-6, deviation, 1).astype(np.float32)
        self.info["features"] = features.shape[1]
        scaled = replace(task, _views={self.view: (features - self.mean) / self.deviation})
        super().train(scaled, until, clock, report)

    def predict(self, view: Any) -> np.ndarray:
        """(rows, n_outputs) scores: the mean over the fold models."""
        return super().predict((self._raw_features(view) - self.mean) / self.deviation)

    def _make(self) -> None:
        """The pipeline; its filters are to be fitted or restored."""
        from autonas.architectures import filterbank

        options = {**filterbank.SETTINGS, **self.options}
        graph = compile_graph(filterbank, options, self.shape, self.problem.n_outputs)
        self._chunk = max(8, _NUMBERS // max(prod(node.shape) for node in graph.nodes))
        self._steps = list(graph.network().eval().children())[:-1]  # all but the linear layer

    def _banks(self) -> Iterator[Any]:
        from autonas.architectures.filters import FilterBank

        return (module for step in self._steps for module in step.modules() if isinstance(module, FilterBank))

    def _fit_filters(self, images: np.ndarray) -> None:
        import torch

        from autonas.architectures.filters import FilterBank

        generator = torch.Generator().manual_seed(self.seed)
        x = torch.from_numpy(np.ascontiguousarray(images))
        with torch.no_grad():
            for step in self._steps:
                if isinstance(step, FilterBank):
                    step.fit(x, generator)
                x = step(x)

    def _check_time(self, images: np.ndarray, clock: Clock) -> None:
        """Refuse what the clock does not allow, by the time of a few images with any filters."""
        if clock.seconds is None:
            return
        self._raw_features(images[:_PROBE])  # the first are slower
        start = clock.elapsed()
        self._raw_features(images[:_PROBE])
        needed = (clock.elapsed() - start) * (len(images) + _SAMPLE) / len(images[:_PROBE])
        if needed > clock.left():
            raise TimeoutError(f"the features of {len(images)} images need {needed:.1f} seconds")

    def _raw_features(self, images: np.ndarray) -> np.ndarray:
        """(rows, features) before they are scaled."""
        import torch

        parts = []
        with torch.no_grad():
            for first in range(0, len(images), self._chunk):
                x = torch.from_numpy(np.ascontiguousarray(images[first : first + self._chunk], dtype=np.float32))
                for step in self._steps:
                    x = step(x)
                parts.append(x.numpy())
        return np.concatenate(parts)

    def state(self) -> dict[str, Any]:
        """Everything needed to predict."""
        filters = [{"weight": bank.weight.numpy(), "scale": bank.scale.numpy()} for bank in self._banks()]
        scaling = {"mean": self.mean, "deviation": self.deviation}
        return {**super().state(), **scaling, "shape": list(self.shape), "filters": filters}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        import torch

        super().restore(state)
        self.mean, self.deviation, self.shape = state["mean"], state["deviation"], tuple(state["shape"])
        self._make()
        for bank, saved in zip(self._banks(), state["filters"], strict=True):
            bank.weight = torch.from_numpy(np.array(saved["weight"]))
            bank.scale = torch.from_numpy(np.array(saved["scale"]))


LEARNER = FilterBankLearner
