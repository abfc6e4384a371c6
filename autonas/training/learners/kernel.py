"""Kernel ridge regression, on the targets themselves or on -1/+1 for every class.

Up to 5000 rows the kernel is exact and every fold's left-out predictions come from one factorisation; above, it is
seen through landmark rows (Nystroem; Williams and Seeger 2001).  ``scales: learned`` first learns how much each
column counts (Radhakrishnan et al 2024), inside every fold while that is affordable.  The penalty is chosen by
out-of-fold loss.  The final model is one fit on all rows that some fold trains on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from autonas.core.clock import Clock
from autonas.data.task import Task
from autonas.training.calibration import fit_temperature
from autonas.training.closed_form import KernelSystem, NormalEquations, kernel_ridge, row_penalties, training_rows
from autonas.training.kernels import Kernel, learned_scales, median_distance
from autonas.training.learner import Report, go_on
from autonas.training.matrix import MatrixLearner

__all__ = ["LEARNER", "KernelLearner"]

_EXACT_ROWS = 5000
_DOUBLE_ROWS = 2500  # up to here in double precision, which the smallest penalties need
_SCALES_PER_FOLD_ROWS = 4000
_SCALES_ROWS = 3000  # a sample of so many rows above
_SCALES_PENALTY = 0.1
_FEWEST = 50  # landmarks or rows, however short the time
_JITTER = 1e-5
_ENTRIES = 4_000_000  # of a kernel that is made at once in prediction

# likely ones first: the clock may allow only a few
_PENALTIES_SMALL = (0.1, 1.0, 0.01, 0.001, 10.0)
_PENALTIES_MIDDLE = (0.1, 0.01, 1.0, 0.001)
_PENALTIES_LARGE = (0.1, 0.01, 1.0)
_PENALTIES_LANDMARKS = (0.1, 0.02, 0.3, 0.003, 1.0)


class KernelLearner(MatrixLearner):
    """Options: ``features``, ``kernel`` (laplace, rbf), ``width``, ``scales`` (equal, learned)."""

    def train(self, task: Task, until: float = 1.0, clock: Clock | None = None, report: Report = go_on) -> None:
        """Fit all folds at once; there are no lower fidelities."""
        if self.progress >= 1:
            return
        self._fit_scale(task)
        clock, n = clock or Clock(), task.n_rows
        rows = training_rows(task.folds)
        raw = task.view(self.view)
        self.mean = raw[rows].mean(axis=0, dtype=np.float64).astype(np.float32)
        x = (raw - self.mean).astype(np.float64 if n <= _DOUBLE_ROWS else np.float32)
        self.scales = np.ones(x.shape[1], dtype=np.float32)
        self._best = np.inf
        cost = None if clock.seconds is None else _Cost(x, task)
        learned = self.options.get("scales", "equal") == "learned"
        if learned and n <= _SCALES_PER_FOLD_ROWS:
            self._scales_per_fold(x, task, clock, cost, report)
        else:
            if learned:
                self._scales_of_a_sample(x, task, clock, cost)
                x *= self.scales
            if n <= _EXACT_ROWS and (cost is None or cost.exact(n) < 0.8 * clock.left()):
                self._exact(x, task, clock)
            else:
                self._landmarks(x, task, clock, cost)
        self.progress = 1.0
        self.curve.append((1.0, self._loss(self.out_of_fold(), task.y, task.weight)))
        report(1.0, {"loss": self.curve[-1][1]})

    def _kernel(self, x: np.ndarray) -> Kernel:
        name = str(self.options.get("kernel", "laplace"))
        return Kernel(name, float(self.options.get("width", 0.7)), median_distance(x))

    def _target(self, task: Task) -> np.ndarray:
        if self.scale is not None:
            return self.scale.forward(task.y)[:, None]
        signs = 2.0 * (task.y[:, None] == np.arange(self.problem.n_outputs)) - 1
        return signs[:, 1:] if self.problem.n_outputs == 2 else signs

    def _exact(self, x: np.ndarray, task: Task, clock: Clock) -> None:
        kernel, n = self._kernel(x), task.n_rows
        system = KernelSystem(kernel(x, x), self._target(task), task.weight, task.folds)
        small = _PENALTIES_SMALL if n <= 1500 else _PENALTIES_MIDDLE if n <= _DOUBLE_ROWS else _PENALTIES_LARGE
        for penalty in _while_time(small, clock):
            try:
                parts, dual, intercept = system.solve(penalty)
            except np.linalg.LinAlgError:
                # single precision and very uneven weights: a small penalty may not make the kernel definite
                if penalty == small[0]:
                    raise
                continue
            if self._improves(parts, task, penalty):
                rows = training_rows(task.folds)
                self._keep(x[rows], dual[rows], intercept, kernel)

    def _landmarks(self, x: np.ndarray, task: Task, clock: Clock, cost: _Cost | None) -> None:
        x = x.astype(np.float32, copy=False)
        rows = training_rows(task.folds)
        count = min(len(rows), 2000 if task.n_rows <= 10_000 else 1500)
        while cost is not None and count > _FEWEST and cost.landmarks(count) > 0.8 * clock.left():
            count = max(_FEWEST, int(count * 0.8))
        centres = x[np.random.default_rng(self.seed).permutation(rows)[:count]]
        kernel = self._kernel(x[rows])
        equations = NormalEquations(lambda part: kernel(x[part], centres), self._target(task), task.weight, task.folds)
        double = centres.astype(np.float64)
        metric = kernel(double, double)
        # landmarks that nearly repeat each other must not make the metric singular
        metric[np.diag_indices_from(metric)] += _JITTER
        self.info["landmarks"] = count
        for penalty in _while_time(_PENALTIES_LANDMARKS, clock):
            fits, final = equations.solve(penalty, metric)
            parts = [
                _apply(x[valid], centres, kernel, fit) for (_, valid), fit in zip(task.folds.pairs, fits, strict=True)
            ]
            if self._improves(parts, task, penalty):
                self._keep(centres, final[:-1], final[-1], kernel)

    def _scales_of_a_sample(self, x: np.ndarray, task: Task, clock: Clock, cost: _Cost | None) -> None:
        """Column scales from two rounds on few rows: so few that left-out rows hardly shape them."""
        count = _SCALES_ROWS
        while cost is not None and count > _FEWEST and 2 * cost.gradient(count) > 0.25 * clock.left():
            count = max(_FEWEST, int(count * 0.8))
        rows = np.random.default_rng([self.seed, 1]).permutation(training_rows(task.folds))[:count]
        self.scales = self._learn(x[rows], self._target(task)[rows], task, rows, rounds=2).astype(np.float32)

    def _learn(self, x: np.ndarray, target: np.ndarray, task: Task, rows: np.ndarray, rounds: int = 1) -> np.ndarray:
        weight = None if task.weight is None else task.weight[rows]
        kernel = self._kernel(x)
        return learned_scales(x, target, weight, kernel.name, kernel.width, _SCALES_PENALTY, rounds)

    def _scales_per_fold(self, x: np.ndarray, task: Task, clock: Clock, cost: _Cost | None, report: Report) -> None:
        """Scales and fit from each fold's own training rows (a part of them if the clock is short)."""
        target, most = self._target(task), task.n_rows
        while cost is not None and most > _FEWEST and cost.learned(most) > 0.8 * clock.left():
            most = max(_FEWEST, int(most * 0.8))
        penalties = _PENALTIES_LARGE
        parts: list[list[np.ndarray]] = [[] for _ in penalties]
        for fold, (train, valid) in enumerate(task.folds.pairs):
            rows = self._at_most(train, most, fold)
            for i, (fit, kernel, scales) in enumerate(self._fits(x, target, rows, task, penalties)):
                parts[i].append(_apply(x[valid] * scales, x[rows] * scales, kernel, fit))
            report((fold + 1) / (len(task.folds) + 1), {"loss": self._part_loss(parts[0][-1], task, valid)})
        for penalty, part in zip(penalties, parts, strict=True):
            self._improves(part, task, penalty)
        rows = self._at_most(training_rows(task.folds), most, len(task.folds))
        fit, kernel, scales = next(self._fits(x, target, rows, task, (float(self.info["penalty"]),)))
        self.scales = scales.astype(np.float32)
        self._keep(x[rows] * scales, fit[:-1], fit[-1], kernel)

    def _fits(
        self, x: np.ndarray, target: np.ndarray, rows: np.ndarray, task: Task, penalties: tuple[float, ...]
    ) -> Iterator[tuple[np.ndarray, Kernel, np.ndarray]]:
        """(dual with the intercept below, kernel, scales) of the rows for each penalty."""
        scales = self._learn(x[rows], target[rows], task, rows)
        z = x[rows] * scales
        kernel = self._kernel(z)
        gram = kernel(z, z)
        diagonal = row_penalties(None if task.weight is None else task.weight[rows], len(rows))
        for penalty in penalties:
            dual, intercept = kernel_ridge(gram.copy(), target[rows].astype(x.dtype), penalty * diagonal)
            yield np.vstack([dual, intercept]), kernel, scales

    def _at_most(self, rows: np.ndarray, most: int, draw: int) -> np.ndarray:
        if len(rows) <= most:
            return rows
        return np.sort(np.random.default_rng([self.seed, 2, draw]).permutation(rows)[:most])

    def _part_loss(self, raw: np.ndarray, task: Task, valid: np.ndarray) -> float:
        scores, _ = self._finish(raw, task.y[valid], None)
        return self._loss(scores, task.y[valid], None)

    def _finish(self, raw: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, float]:
        """Scores, and the sharpness that turned regression outputs into logits (1 in regression)."""
        if self.scale is not None:
            return self.scale.inverse(raw), 1.0
        logits = _signs_to_logits(raw)
        sharpness = 1 / fit_temperature(logits, y, weight)
        return logits * sharpness, sharpness

    def _improves(self, parts: list[np.ndarray], task: Task, penalty: float) -> bool:
        """Keep the out-of-fold scores of a penalty if they are the best so far."""
        if self.scale is None:
            raw = task.folds.average(parts)
            scores, sharpness = self._finish(raw, task.y, task.weight)
        else:
            scores, sharpness = task.folds.average([self.scale.inverse(part) for part in parts]), 1.0
        loss = self._loss(scores, task.y, task.weight)
        if not loss < self._best:
            return False
        self._best, self._scores, self.sharpness = loss, scores.astype(np.float32), sharpness
        self.info["penalty"] = penalty
        return True

    def _keep(self, centres: np.ndarray, dual: np.ndarray, intercept: np.ndarray, kernel: Kernel) -> None:
        self.centres = centres.astype(np.float32)
        self.dual = np.vstack([dual, intercept]).astype(np.float32)
        self.unit = kernel.unit

    def predict(self, view: Any) -> np.ndarray:
        """(rows, n_outputs) scores of the final model."""
        kernel = Kernel(str(self.options.get("kernel", "laplace")), float(self.options.get("width", 0.7)), self.unit)
        # in double precision: the distance of a row to itself is then 0 whatever rows it is predicted with
        rows = (view - self.mean).astype(np.float64) * self.scales
        raw = _apply(rows, self.centres.astype(np.float64), kernel, self.dual)
        scores = _signs_to_logits(raw) * self.sharpness if self.scale is None else self.scale.inverse(raw)
        return np.asarray(scores)

    def for_all_rows(self) -> None:
        """The final model has seen all rows that some fold trains on."""

    def state(self) -> dict[str, Any]:
        """Everything needed to predict."""
        names = ("mean", "scales", "centres", "dual", "unit", "sharpness")
        return {**super().state(), **{name: getattr(self, name) for name in names}}

    def restore(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        super().restore(state)
        self.mean, self.scales = state["mean"], state["scales"]
        self.centres, self.dual = state["centres"], state["dual"]
        self.unit, self.sharpness = float(state["unit"]), float(state["sharpness"])


class _Cost:
    """Seconds that the parts of a fit will take, from a tiny trial of each on this data and this machine."""

    def __init__(self, x: np.ndarray, task: Task) -> None:
        from scipy.linalg import cholesky

        self.rows, self.fits = task.n_rows, len(task.folds)
        few = x[:512].astype(np.float32)
        kernel, system = Kernel("rbf", 1.0, 1.0), np.eye(800) + 0.1
        for _ in range(2):  # the first time warms up
            start = time.perf_counter()
            kernel(few, few)
            middle = time.perf_counter()
            cholesky(system, check_finite=False)
            end = time.perf_counter()
        self._entry = (middle - start) / len(few) ** 2
        self._cube = (end - middle) / len(system) ** 3  # a factorisation of n rows takes n^3 of these

    def exact(self, n: int) -> float:
        """One penalty on n rows: factorise, invert, solve the folds."""
        single = 1 if n <= _DOUBLE_ROWS else 0.5
        return 2 * n**2 * self._entry + 4 * single * n**3 * self._cube

    def landmarks(self, count: int) -> float:
        """One penalty with so many landmarks."""
        work = 3 * self.rows * count**2 + (self.fits + 1) * count**3
        return 2 * self.rows * count * self._entry + work * self._cube

    def gradient(self, n: int) -> float:
        """One round of learning scales from n rows."""
        return 3 * n**2 * self._entry + n**3 * self._cube

    def learned(self, n: int) -> float:
        """All folds of n training rows with scales of their own."""
        solves = len(_PENALTIES_LARGE) * (n**2 * self._entry + n**3 * self._cube)
        return (self.fits + 1) * (self.gradient(n) + solves)


def _while_time(penalties: tuple[float, ...], clock: Clock) -> Iterator[float]:
    """The penalties, as long as there is time for another one like the last."""
    for penalty in penalties:
        start = clock.elapsed()
        yield penalty
        if clock.left() < 1.3 * (clock.elapsed() - start):
            break


def _apply(x: np.ndarray, centres: np.ndarray, kernel: Kernel, fit: np.ndarray) -> np.ndarray:
    """Outputs of a fit, (centres + 1, outputs) with the intercept last, for rows on the scale of the centres."""
    step = max(1, _ENTRIES // len(centres))
    fit = fit.astype(x.dtype, copy=False)
    starts = range(0, len(x), step)
    return np.concatenate([kernel(x[i : i + step], centres) @ fit[:-1] + fit[-1] for i in starts])


def _signs_to_logits(raw: np.ndarray) -> np.ndarray:
    return np.hstack([-raw, raw]) if raw.shape[1] == 1 else raw


LEARNER = KernelLearner
