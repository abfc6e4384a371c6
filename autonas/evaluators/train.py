"""Train the proposed model on every fold and score its out-of-fold predictions.

The plain estimator of the survey (section 4: full training, or "lower fidelity" when the proposal's
fidelity is below 1, as the space's plan says).  A promotion continues its parent exactly, or trains anew
where its fidelity has changed the problem.  What it leaves in the trial's folder is all that the ensemble
and the final model need: the learner's state and its calibrated predictions.
"""

from __future__ import annotations

import math
import os
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from autonas.architectures.family import PIXELS, load_family
from autonas.core.clock import Clock
from autonas.core.fidelity import Setting
from autonas.core.state import load_state, save_state
from autonas.core.trial import Proposal, Result
from autonas.data.task import Folds, Task
from autonas.errors import ArchitectureError
from autonas.evaluators._reduced import affordable, reduced_task, shrunk, slimmer
from autonas.evaluators.base import Evaluation, Evaluator, device_of
from autonas.search_space.dry_run import dry_run
from autonas.search_space.learners import make_learner
from autonas.training.calibration import fit_temperature, softmax
from autonas.training.learner import Learner, Report, go_on

__all__ = ["Train", "LEARNER_FILE", "PREDICTIONS_FILE"]

LEARNER_FILE = "learner.safetensors"
PREDICTIONS_FILE = "predictions.npy"
SHORTEST = 0.1  # seconds of training, however much of a plan's seconds the checkpoint has used
ALIKE = 4  # configurations that must train as one, on average, for a strategy to wait for all of them
SHARE = 0.5  # of the memory that one step of training may take


@dataclass
class _Run:
    """One evaluation on its way: what was made for it, what it has cost, and why it failed if it did."""

    evaluation: Evaluation
    seconds: float = 0.0  # its own, and its share of what it had in common with others
    error: str | None = None
    stopped: bool = False
    spent: float = 0.0  # seconds of training of the checkpoint
    until: float = 1.0
    costs: dict[str, int] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    learner: Learner = field(init=False)
    task: Task = field(init=False)
    rows: np.ndarray = field(init=False)  # numbers of the task's rows in the whole one
    clock: Clock = field(init=False)

    def watched(self, progress: float, values: Mapping[str, float]) -> bool:
        """Report, and remember whether it is to stop."""
        self.stopped = not self.evaluation.report(progress, values)
        return not self.stopped

    def fail(self, error: Exception) -> None:
        """It has failed, for this reason."""
        self.error = f"{type(error).__name__}: {error}"

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Count the time that is spent inside; an exception is a failure of this evaluation."""
        start = time.monotonic()
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a crashing model is a failed trial, whatever went wrong
            self.fail(error)
        self.seconds += time.monotonic() - start


class Train(Evaluator):
    """Trains on the task's folds; offers exact continuation across fidelities, and inherited weights."""

    offers = frozenset({"fidelity", "resume", "inherit", "curve"})

    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None,
        workdir: Path,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """See :meth:`Evaluator.evaluate`."""
        return self.evaluate_together([Evaluation(proposal, parent, workdir, report, seconds)])[0]

    def at_once(self, most: int) -> int:
        """``most`` in a space of small networks that are so much alike that four of so many train as one; else 1."""
        space = self.space
        if not space.families or not set(space.families) <= space.networks or device_of(self.device) != "cpu":
            return 1
        runs = [_Run(Evaluation(Proposal(config), None, Path())) for config in space.sample(most, self.seed)]
        if any(self.kinship(run.evaluation.proposal) is None for run in runs):
            return 1
        for run in runs:
            with run.guard():
                self._begin(run)
        ready = [run for run in runs if run.error is None]
        return most if ready and _groups(ready) <= most / ALIKE else 1

    def kinship(self, proposal: Proposal) -> str | None:
        """The kind of a network whose folds train as one."""
        kind = self.space.kind_of(proposal.config)
        family = self.space.families.get(kind)
        batched = kind in self.space.networks and family is not None and load_family(family).BATCHED
        return kind if batched else None

    def evaluate_together(self, evaluations: Sequence[Evaluation]) -> list[Result]:
        """See :meth:`Evaluator.evaluate_together`: networks that fit together train fused."""
        runs = [_Run(evaluation) for evaluation in evaluations]
        for run in runs:
            with run.guard():
                self._begin(run)
        ready = [run for run in runs if run.error is None]
        if len(ready) > 1 and all(hasattr(run.learner, "sections") for run in ready):
            _train_together(ready)
        else:
            for run in ready:
                with run.guard():
                    run.learner.train(run.task, run.until, run.clock, run.watched)
        return [self._result(run) for run in runs]

    def _begin(self, run: _Run) -> None:
        """Make the learner, as far as its checkpoint has got."""
        evaluation, space = run.evaluation, self.space
        proposal, parent, seconds = evaluation.proposal, evaluation.parent, evaluation.seconds
        setting = space.fidelity.at(proposal.fidelity)
        task = reduced_task(self.task, setting, self.seed)
        problem, kind = task.problem, space.kind_of(proposal.config)
        # one seed per configuration, so that a promotion or a repetition trains the same networks
        seed = (self.seed * 1_000_003 + zlib.crc32(proposal.key.encode())) % 2**31
        device = device_of(self.device) if kind in space.networks else "cpu"
        learner = space.build(proposal.config, problem, seed=seed, device=device, genome=proposal.genome)
        whole = space.options(proposal.config, proposal.genome)
        options = self._options(kind, whole, learner.view, setting)
        if options != whole:
            learner = make_learner(space.families[kind], options, problem, seed, device)
        run.costs = self._costs(proposal, options, learner.view, device)
        whole_time = Clock(seconds)
        task, run.rows, share = affordable(task, learner, seconds, self.seed)
        seconds = None if seconds is None else whole_time.left()
        # what a checkpoint must have in common with a training that goes on from it
        changed = {name: value for name, value in options.items() if whole.get(name) != value}
        shape = {"folds": len(task.folds), "data": share * setting.data, "options": changed}
        if parent is not None and proposal.inherit == "resume":
            saved = load_state(parent / LEARNER_FILE)
            if saved["shape"] == shape:
                learner.restore(saved["learner"])
                run.spent = saved["seconds"]
        elif parent is not None and (how := proposal.inherit) in ("copy", "morph"):
            saved = load_state(parent / LEARNER_FILE)
            if saved["kind"] == kind:
                learner.inherit(saved["learner"], saved["options"], how)
        if setting.seconds is not None:
            seconds = min(math.inf if seconds is None else seconds, max(SHORTEST, setting.seconds - run.spent))
        run.learner, run.task, run.until, run.clock = learner, task, setting.epochs, Clock(seconds)
        run.kept = {"kind": kind, "options": options, "shape": shape}

    def _result(self, run: _Run) -> Result:
        """What a training has brought; its learner and its predictions are saved."""
        result = Result.failure("")
        if run.error is None:
            with run.guard():
                result = self._finish(run)
        if run.error is not None:
            result = Result.failure(run.error)
        return replace(result, cost_seconds=run.seconds)

    def _finish(self, run: _Run) -> Result:
        task, learner, workdir = run.task, run.learner, run.evaluation.workdir
        scores = learner.out_of_fold()
        rows = np.flatnonzero(np.isfinite(scores).all(axis=1))
        if len(rows) == 0:
            raise FloatingPointError("no finite prediction: the training diverged or had no time for one fold")
        weight = None if task.weight is None else task.weight[rows]
        temperature = 1.0
        if task.problem.kind == "classification":
            temperature = fit_temperature(scores[rows], task.y[rows], weight)
            predictions = np.full(scores.shape, np.nan, dtype=np.float32)
            predictions[rows] = softmax(scores[rows] / temperature)
        else:
            predictions = scores.astype(np.float32)
        loss = self.metric.loss(task.y[rows], predictions[rows], weight)
        everywhere = np.full((self.task.n_rows, task.problem.n_outputs), np.nan, dtype=np.float32)
        everywhere[run.rows] = predictions
        np.save(workdir / PREDICTIONS_FILE, everywhere)
        kept = {"learner": learner.state(), "temperature": temperature, **run.kept}
        save_state(workdir / LEARNER_FILE, {**kept, "seconds": run.spent + run.clock.elapsed()})
        return Result(
            values={self.metric.name: float(loss)},
            status="stopped" if run.stopped else "ok",
            curve=tuple((float(z), float(v)) for z, v in learner.curve),
            info={**run.costs, **learner.info, "progress": learner.progress, "rows": len(run.rows)},
        )

    def _options(self, kind: str, whole: dict[str, Any], view: str, setting: Setting) -> dict[str, Any]:
        """What the family reads at a fidelity: a network may be slimmer, and see smaller images."""
        if kind not in self.space.networks:
            return whole
        options = slimmer(self.space.families[kind], whole, setting)
        if view == "image" and setting.resolution < 1:
            side = min(self.task.shape(view)[1:])
            pixels = shrunk(side, setting.resolution)
            if pixels < side:
                options[PIXELS] = pixels
        return options

    def _costs(self, proposal: Proposal, options: Mapping[str, Any], view: str, device: str) -> dict[str, int]:
        """What a network of a graph costs, for a person to read; refuses one before it costs anything.

        Raises
        ------
        ArchitectureError
            If it cannot be built for the data, or one step of its training does not fit into memory.
        """
        space, problem = self.space, self.task.problem
        if not space.has_graph(proposal.config):
            return {}
        shape = self.task.shape(view)
        run = dry_run(space.families[space.kind_of(proposal.config)], options, shape, problem.n_outputs)
        needed, memory = run.training_bytes(int(proposal.config.get("batch_size", 128))), _memory(device)
        if memory is not None and needed > SHARE * memory:
            raise ArchitectureError(
                f"one step of training needs {needed / 2**30:.1f} GiB, more than {SHARE:.0%} of the "
                f"{memory / 2**30:.1f} GiB of {device}"
            )
        return {"parameters": run.parameters, "macs": run.macs}


def _train_together(runs: Sequence[_Run]) -> None:
    """Train learners of networks, fused where they fit together; each is charged an equal part of the time."""
    from autonas.training.fused import train_together
    from autonas.training.loop import private_randomness

    start = time.monotonic()
    with private_randomness(runs[0].learner.device):
        trainings = [run.learner.sections(run.task, run.until, run.clock, run.watched) for run in runs]  # type: ignore[attr-defined]
        errors = train_together(trainings)
    for run, error in zip(runs, errors, strict=True):
        run.seconds += (time.monotonic() - start) / len(runs)
        if error is not None:
            run.fail(error)


def _groups(runs: Sequence[_Run]) -> int:
    """Into how many trainings networks would be fused, which are made of one fold each to see that."""
    from autonas.training.fused import alike
    from autonas.training.loop import private_randomness

    with private_randomness("cpu"):
        trainers = []
        for run in runs:
            folds = run.task.folds
            first = replace(run.task, folds=Folds(folds.pairs[:1], folds.n_rows))
            with run.guard():
                section = next(run.learner.sections(first))  # type: ignore[attr-defined]
                trainers.append(section.trainers[0])
        return len(alike(trainers, len(folds))) + sum(run.error is not None for run in runs)


def _memory(device: str) -> int | None:
    """Bytes of memory of a device; None where the system does not say."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[1])
    names = getattr(os, "sysconf_names", {})
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in names else None


EVALUATOR = Train
