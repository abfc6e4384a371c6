"""A network on every fold: the learner that trains with torch.

All folds of a perceptron train as one batched network; convolutional networks take turns.  The
schedule follows progress, which is the larger of the share of the planned steps and the share of
the clock.  Validation looks at all folds together and keeps one snapshot for all, since early
stopping of each fold by itself is more optimistic.  A slice that ends before the end of the
schedule is scored on averaged weights, because its learning rate has not come down (Izmailov et al
2018), and goes on from the raw ones.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from autonas.core.clock import Clock
from autonas.core.trial import Value
from autonas.data.task import Folds, Problem, Task
from autonas.training.device import bfloat16_is_faster, place
from autonas.training.distil import SHARE, distil
from autonas.training.heritage import Heritage
from autonas.training.learner import Learner, Report, go_on
from autonas.training.loop import Data, Trainer, private_randomness, score
from autonas.training.pace import Pace
from autonas.training.probe import FEWEST_FOLDS, affordable_folds, measure, multiply_accumulates
from autonas.training.section import Section
from autonas.training.snapshot import Snapshot, take_snapshot
from autonas.training.stack import Stack
from autonas.training.target import TargetScale

__all__ = ["Family", "NetworkLearner", "MILESTONES"]

MILESTONES = tuple(k / 20 for k in range(3, 21))
"""Progress at which validation looks."""
_WORSE = 1.25  # a validation loss so many times the best one counts as overfitting
_AVERAGED = 0.25  # share of a slice's end whose weights are averaged
_FEWEST_EPOCHS = 15  # train fewer folds rather than fewer epochs of a convolutional network
_VALIDATING = 0.15  # share of the time that validation on the way may take
_MARGIN = 1.3  # on what a validation took, for the next one
_HEAVY = 1e7  # multiply-accumulates of a batch from which networks for tables are 10-40 % faster in bfloat16
_PRECISE = 0.002  # squared error, in variances of the target, below which the rounding of bfloat16 would matter


class Family(Protocol):
    """What a module in ``autonas.architectures`` offers."""

    BATCHED: bool

    def view(self, options: Mapping[str, Value]) -> str:
        """Name of the view that the network reads."""

    def build(
        self, options: Mapping[str, Value], shape: Sequence[int], n_outputs: int, n_numeric: int = 0
    ) -> nn.Module:
        """A new network."""


class NetworkLearner(Learner):
    """One configuration of a network, trained on every fold.

    Parameters
    ----------
    family : module of ``autonas.architectures``
        Builds the network.
    options : mapping of str to plain value
        The family's hyperparameters and those of ``spaces/training.yaml``.
    problem, seed, device
        See :class:`~autonas.training.learner.Learner`.
    """

    fidelity = "epochs"

    def __init__(
        self, family: Any, options: Mapping[str, Value], problem: Problem, seed: int = 0, device: str = "cpu"
    ) -> None:
        super().__init__(options, problem, seed, device)
        self.family: Family = family
        self._early = self.options.get("early_stopping", "yes") == "yes"
        self._patience = float(self.options.get("patience", 0.3))
        self._trainers: list[Trainer] = []
        self._heritage: Heritage | None = None  # what the first weights are made of
        self._saved: dict[str, Any] | None = None  # state of the trainers, until a task is there to train on
        self._final: Snapshot | None = None  # what predicts
        self._best: Snapshot | None = None
        self._worse_since: float | None = None
        self._stopped = False  # training has ended before the end of the schedule, for good
        self._scale: TargetScale | None = None
        self._shape: tuple[int, ...] = ()
        self._n_numeric = self._n_folds = 0
        self._exact = True  # whether all folds compute what the network did whose weights they inherit

    @property
    def view(self) -> str:
        return self.family.view(self.options)

    def train(self, task: Task, until: float = 1.0, clock: Clock | None = None, report: Report = go_on) -> None:
        """Train every fold from ``self.progress`` to ``until`` (see the base class).

        Raises
        ------
        FloatingPointError
            If the training loss is no longer finite.
        """
        with private_randomness(self.device):
            for section in self.sections(task, until, clock, report):
                section.run()

    def sections(
        self, task: Task, until: float = 1.0, clock: Clock | None = None, report: Report = go_on
    ) -> Iterator[Section]:
        """The same training section by section, for whoever takes the steps of each, in private randomness."""
        if until <= self.progress:
            return
        reached = until
        if not self._stopped:
            reached = yield from self._fit(task, until, clock or Clock(), report)
        self.progress = reached
        if self._stopped or self.progress >= 1:
            self._trainers, self._best = [], None

    # -- training ------------------------------------------------------------------------------

    def _build(self) -> nn.Module:
        return self.family.build(self.options, self._shape, self.problem.n_outputs, self._n_numeric)

    def _groups(self) -> list[list[int]]:
        """Folds that train together."""
        folds = list(range(self._n_folds))
        return [folds] if self.family.BATCHED else [[fold] for fold in folds]

    def _prepare(self, task: Task, pace: Pace) -> None:
        """Place the data, decide how many folds to train, make the trainers (or restore them)."""
        X = place(task.view(self.view), self.view, self.device)
        self._shape, self._n_numeric = tuple(X.shape[1:]), getattr(task.preprocessor, "n_numeric", 0)
        if self.problem.kind == "classification":
            y = torch.from_numpy(task.y.astype(np.int64))
        else:
            self._scale = self._scale or TargetScale(task.y)
            y = torch.from_numpy(self._scale.forward(task.y).astype(np.float32))
        weight = None if task.weight is None else torch.from_numpy(task.weight.astype(np.float32)).to(self.device)
        data = Data(X, y.to(self.device), weight, task.folds)
        macs = 0.0  # of a pass forward of a batch
        if pace.timed and self.family.BATCHED:
            macs = multiply_accumulates(self._build, X) * min(int(self.options.get("batch_size", 128)), task.n_rows)
        heavy = X.ndim == 4 or (X.ndim == 2 and macs > _HEAVY)
        half = self.device != "cpu" or (pace.timed and heavy and bfloat16_is_faster())
        self._n_folds = self._n_folds or len(task.folds)

        def trainer(folds: list[int]) -> Trainer:
            batched = self.family.BATCHED
            return Trainer(self._build, data, folds, self.options, self.seed, self.device, half, fusable=batched)

        inherits = self._heritage is not None and self._saved is None
        if pace.timed and self.family.BATCHED and self._saved is None:
            self._n_folds = affordable_folds(macs, lambda: trainer([0]), task.folds, self._n_folds, pace)
        first, *others = self._groups()
        self._trainers = [self._started(trainer(first), 0)]
        if pace.timed:
            self._plan(self._trainers[0], pace)
            others = self._groups()[1:]
        for number, folds in enumerate(others, 1):
            self._trainers.append(self._started(trainer(folds), number))
        self._saved = None
        if inherits:
            self.info.update(inherited=True, exact=self._exact)
            if not self._exact:
                self._distil(pace)

    def _started(self, trainer: Trainer, number: int) -> Trainer:
        """A trainer where its state, or what it inherits, says."""
        if self._saved is not None:
            if number < len(self._saved["trainers"]):
                trainer.restore(self._saved["trainers"][number])
        elif self._heritage is not None:
            family = getattr(self.family, "module", None)
            self._exact &= self._heritage.give(trainer, family, self.options, self.problem.n_outputs)
        return trainer

    def _distil(self, pace: Pace) -> None:
        """Come closer to what the networks do whose weights were inherited, for a small part of the slice."""
        assert self._heritage is not None
        share = min(SHARE, pace.until / 2)
        for trainer in self._trainers:
            teacher = self._heritage.teacher(
                lambda options: self.family.build(options, self._shape, self.problem.n_outputs, self._n_numeric),
                trainer.folds, self._shape, self.device,
            )  # fmt: skip
            if teacher is not None:
                steps = distil(trainer, teacher, pace.clock.part(share / len(self._trainers)), share)
                self.info["distilled"] = round(steps / trainer.batches.steps, 1)

    def _plan(self, first: Trainer, pace: Pace) -> None:
        """By what the first steps took: how many folds to train, and what to keep for the last validation."""
        scoring = measure(first, pace, self._chunk, self.family.BATCHED)
        if self.progress == 0 and not self.family.BATCHED:
            epochs = min(_FEWEST_EPOCHS, int(self.options.get("epochs", 40))) * (pace.until - pace.start)
            affordable = int(pace.left() / max(1e-9, epochs * first.batches.steps * pace.step + scoring))
            self._n_folds = min(self._n_folds, max(FEWEST_FOLDS, affordable))
        pace.reserve = _MARGIN * scoring * len(self._groups()) + 0.01

    def _fit(self, task: Task, until: float, clock: Clock, report: Report) -> Generator[Section, None, float]:
        """Train to ``until``, or less if told to stop; returns the progress that was reached."""
        pace = Pace(clock, self.progress, until)
        if not self._trainers:
            self._prepare(task, pace)
            pace.began = clock.elapsed()  # the schedule spans the time that is left for steps
        average_from = max(self.progress, until * (1 - _AVERAGED)) if until < 1 else math.inf
        reached, validating, current = self.progress, 0.0, None
        while reached < until:
            behind = max(reached, pace.now())
            goal = until if pace.is_over else min(until, next((m for m in MILESTONES if m > behind), until))
            section = Section(self._trainers, reached, goal, pace, average_from, goal in MILESTONES)
            yield section
            reached = goal
            if goal < until and pace.is_over:
                continue  # what remains is the last look
            before = clock.elapsed()
            expected = validating + pace.reserve / _MARGIN
            if not section.looks or (goal < until and expected > _VALIDATING * (before - pace.began)):
                continue
            current = self._snapshot(section.scores)
            spent = clock.elapsed() - before
            validating, pace.reserve = validating + spent, max(pace.reserve, _MARGIN * spent)
            self._judge(goal, current)
            if self._stopped or not report(goal, {"loss": current.loss}):
                break
        self._final = self._choose(reached, until, current)
        self.info.update(
            best_epoch=round(self._final.epochs, 1),
            epochs=round(self._epochs(), 1),
            parameters=self._trainers[0].stack.n_parameters,
            folds=self._n_folds,
        )
        return until if self._stopped else reached

    def _epochs(self) -> float:
        return float(np.mean([trainer.step / trainer.batches.steps for trainer in self._trainers]))

    @property
    def _chunk(self) -> int:
        """Rows that are scored at once."""
        return max(32, 8192 // self._n_folds) if self.family.BATCHED else 256

    def _snapshot(self, scores: list[Tensor] | None = None) -> Snapshot:
        return take_snapshot(self._trainers, self._folds, self._chunk, self._scale, scores)

    @property
    def _folds(self) -> Folds:
        folds = self._trainers[0].data.folds
        return Folds(folds.pairs[: self._n_folds], folds.n_rows)

    def _judge(self, progress: float, current: Snapshot) -> None:
        """Record a validation, keep the best snapshot, and stop when it has been much better for long."""
        self.curve.append((progress, current.loss))
        if self._scale is not None and current.loss < _PRECISE:
            for trainer in self._trainers:
                trainer.half = False
        if not self._early:
            return
        if self._best is None or current.loss < self._best.loss:
            self._best = current
        if current.loss <= _WORSE * self._best.loss:
            self._worse_since = None
        elif self._worse_since is None:
            self._worse_since = progress
        elif progress - self._worse_since >= self._patience - 1e-9:
            self._stopped = True

    def _choose(self, reached: float, until: float, current: Snapshot | None) -> Snapshot:
        """The weights that predict after this slice."""
        if reached == until < 1 and not self._stopped:
            raw = [trainer.stack.copy() for trainer in self._trainers]
            for trainer in self._trainers:
                if trainer.average is not None:
                    trainer.stack.load(trainer.average)
                    trainer.drop_average()
            current = self._snapshot()
            for trainer, weights in zip(self._trainers, raw, strict=True):
                trainer.stack.load(weights)
            self.curve.append((until, current.loss))
        if self._best is not None and (current is None or self._best.loss <= current.loss):
            return self._best
        assert current is not None  # a slice ends at a milestone, at a stop or with averaged weights
        return current

    # -- prediction and state --------------------------------------------------------------------

    def _trained(self) -> Snapshot:
        if self._final is None:
            raise RuntimeError("The network has not been trained: call train() first.")
        return self._final

    def out_of_fold(self) -> np.ndarray:
        return self._trained().scores

    def predict(self, view: Any) -> np.ndarray:
        weights = self._trained().weights
        X = torch.from_numpy(np.ascontiguousarray(view, dtype=np.float32)).to(self.device)
        parts = []
        for folds in self._groups():
            with private_randomness(self.device):
                stack = Stack(self._build, folds, self.device)
            stack.load({name: tensor[folds] for name, tensor in weights.items()})

            def rows(part: slice, size: int = len(folds)) -> Tensor:
                return X[part].expand(size, *X[part].shape)

            parts.append(score(stack, rows, len(X), self._chunk, self._scale is None))
        scores = torch.cat(parts)
        if self._scale is not None:
            return self._scale.inverse(scores.numpy()).mean(0).astype(np.float32)
        return (scores.logsumexp(0) - math.log(len(scores))).numpy()

    def networks(self) -> list[nn.Module]:
        """The trained network of each fold, on the CPU, ready to predict."""
        found = []
        for fold in range(self._n_folds):
            with private_randomness(self.device):
                network = self._build()
            network.load_state_dict({name: tensor[fold].cpu() for name, tensor in self._trained().weights.items()})
            found.append(network.eval())
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return self._shape

    @property
    def scale(self) -> TargetScale | None:
        """Scale of the target in regression."""
        return self._scale

    def for_all_rows(self) -> tuple[dict[str, Value], float] | None:
        """A whole schedule of as many epochs as the snapshot has seen that predicts; None if it began with a parent."""
        if self.info.get("inherited"):
            return None
        return {**self.options, "epochs": max(1, round(self._trained().epochs)), "early_stopping": "no"}, 1.0

    def inherit(self, state: Mapping[str, Any], options: Mapping[str, Any], how: Literal["copy", "morph"]) -> None:
        moments = [trainer["optimizer"] for trainer in (state["training"] or {"trainers": ()})["trainers"]]
        self._heritage = Heritage(state["final"]["weights"], options, tuple(state["shape"]), how, moments)

    def state(self) -> dict[str, Any]:
        training: dict[str, Any] | None = self._saved
        if self._trainers:
            best = None if self._best is None or self._best is self._final else self._best.state()
            training = {"best": best, "best_is_final": self._best is not None and best is None}
            training["trainers"] = [trainer.state() for trainer in self._trainers]
        return {
            "progress": self.progress,
            "curve": [list(point) for point in self.curve],
            "info": dict(self.info),
            "shape": list(self._shape),
            "n_numeric": self._n_numeric,
            "folds": self._n_folds,
            "scale": None if self._scale is None else self._scale.state(),
            "stopped": self._stopped,
            "worse_since": self._worse_since,
            "final": self._trained().state(),
            "training": training,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.progress, self.info = state["progress"], dict(state["info"])
        self.curve = [(p, loss) for p, loss in state["curve"]]
        self._shape, self._n_numeric, self._n_folds = tuple(state["shape"]), state["n_numeric"], state["folds"]
        self._scale = None if state["scale"] is None else TargetScale.from_state(state["scale"])
        self._stopped, self._worse_since = state["stopped"], state["worse_since"]
        self._final = Snapshot.from_state(state["final"], self.device)
        self._trainers, self._best, self._saved = [], None, state["training"]
        if self._saved is not None:
            best = self._saved["best"]
            self._best = (
                self._final if self._saved["best_is_final"] else best and Snapshot.from_state(best, self.device)
            )
