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
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autonas.architectures.family import PIXELS
from autonas.core.clock import Clock
from autonas.core.fidelity import Setting
from autonas.core.state import load_state, save_state
from autonas.core.trial import Proposal, Result
from autonas.errors import ArchitectureError
from autonas.evaluators._reduced import reduced_task, shrunk, slimmer
from autonas.evaluators.base import Evaluator, device_of
from autonas.search_space.dry_run import dry_run
from autonas.search_space.learners import make_learner
from autonas.training.calibration import fit_temperature, softmax
from autonas.training.learner import Report, go_on

__all__ = ["Train", "LEARNER_FILE", "PREDICTIONS_FILE"]

LEARNER_FILE = "learner.safetensors"
PREDICTIONS_FILE = "predictions.npy"
SHORTEST = 0.1  # seconds of training, however much of a plan's seconds the checkpoint has used
SHARE = 0.5  # of the memory that one step of training may take


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
        start = time.monotonic()
        try:
            result = self._train(proposal, parent, workdir, report, seconds)
        except Exception as error:  # noqa: BLE001 - a crashing model is a failed trial, whatever went wrong
            result = Result.failure(f"{type(error).__name__}: {error}")
        return Result(**{**result.__dict__, "cost_seconds": time.monotonic() - start})

    def _train(
        self, proposal: Proposal, parent: Path | None, workdir: Path, report: Report, seconds: float | None
    ) -> Result:
        space, setting = self.space, self.space.fidelity.at(proposal.fidelity)
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
        costs = self._costs(proposal, options, learner.view, device)
        # what a checkpoint must have in common with a training that goes on from it
        changed = {name: value for name, value in options.items() if whole.get(name) != value}
        shape = {"folds": len(task.folds), "data": setting.data, "options": changed}
        spent = 0.0
        if parent is not None and proposal.inherit == "resume":
            saved = load_state(parent / LEARNER_FILE)
            if saved["shape"] == shape:
                learner.restore(saved["learner"])
                spent = saved["seconds"]
        elif parent is not None and proposal.inherit is not None:
            saved = load_state(parent / LEARNER_FILE)
            if saved["kind"] == kind:
                learner.inherit(saved["learner"], saved["options"], proposal.inherit)  # type: ignore[arg-type]
        if setting.seconds is not None:
            seconds = min(math.inf if seconds is None else seconds, max(SHORTEST, setting.seconds - spent))
        clock = Clock(seconds)
        stopped = False

        def watched(progress: float, values: dict[str, float]) -> bool:
            nonlocal stopped
            stopped = not report(progress, values)
            return not stopped

        learner.train(task, setting.epochs, clock, watched)  # type: ignore[arg-type]
        scores = learner.out_of_fold()
        rows = np.flatnonzero(np.isfinite(scores).all(axis=1))
        if len(rows) == 0:
            raise FloatingPointError("no finite prediction: the training diverged or had no time for one fold")
        weight = None if task.weight is None else task.weight[rows]
        temperature = 1.0
        if problem.kind == "classification":
            temperature = fit_temperature(scores[rows], task.y[rows], weight)
            predictions = np.full(scores.shape, np.nan, dtype=np.float32)
            predictions[rows] = softmax(scores[rows] / temperature)
        else:
            predictions = scores.astype(np.float32)
        loss = self.metric.loss(task.y[rows], predictions[rows], weight)
        np.save(workdir / PREDICTIONS_FILE, predictions)
        kept = {"learner": learner.state(), "temperature": temperature}
        kept |= {"kind": kind, "options": options, "shape": shape, "seconds": spent + clock.elapsed()}
        save_state(workdir / LEARNER_FILE, kept)
        return Result(
            values={self.metric.name: float(loss)},
            status="stopped" if stopped else "ok",
            curve=tuple((float(z), float(v)) for z, v in learner.curve),
            info={**costs, **learner.info, "progress": learner.progress},
        )

    def _options(self, kind: str, whole: dict[str, Any], view: str, setting: Setting) -> dict[str, Any]:
        """What the family reads at a fidelity: a network may be slimmer, and see smaller images."""
        if kind not in self.space.networks:
            return whole
        options = slimmer(self.space.families[kind], whole, setting)
        if view == "image" and setting.resolution < 1:
            side = min(self.task.view(view).shape[2:])
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
        shape = self.task.view(view).shape[1:]
        run = dry_run(space.families[space.kind_of(proposal.config)], options, shape, problem.n_outputs)
        needed, memory = run.training_bytes(int(proposal.config.get("batch_size", 128))), _memory(device)
        if memory is not None and needed > SHARE * memory:
            raise ArchitectureError(
                f"one step of training needs {needed / 2**30:.1f} GiB, more than {SHARE:.0%} of the "
                f"{memory / 2**30:.1f} GiB of {device}"
            )
        return {"parameters": run.parameters, "macs": run.macs}


def _memory(device: str) -> int | None:
    """Bytes of memory of a device; None where the system does not say."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[1])
    names = getattr(os, "sysconf_names", {})
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in names else None


EVALUATOR = Train
