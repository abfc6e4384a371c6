"""Train the proposed model on every fold and score its out-of-fold predictions.

The plain estimator of the survey (section 4: full training, or "lower fidelity" when the proposal's
fidelity is below 1).  A promotion continues its parent exactly.  What it leaves in the trial's folder is
all that the ensemble and the final model need: the learner's state and its calibrated predictions.
"""

from __future__ import annotations

import time
import zlib
from pathlib import Path

import numpy as np

from autonas.core.clock import Clock
from autonas.core.state import load_state, save_state
from autonas.core.trial import Proposal, Result
from autonas.evaluators.base import Evaluator
from autonas.training.calibration import fit_temperature, softmax
from autonas.training.learner import Report, go_on

__all__ = ["Train", "LEARNER_FILE", "PREDICTIONS_FILE"]

LEARNER_FILE = "learner.safetensors"
PREDICTIONS_FILE = "predictions.npy"


class Train(Evaluator):
    """Trains on the task's folds; offers exact continuation across fidelities."""

    offers = frozenset({"fidelity", "resume", "curve"})

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
        space, task = self.space, self.task
        problem = task.problem
        # one seed per configuration, so that a promotion or a repetition trains the same networks
        seed = (self.seed * 1_000_003 + zlib.crc32(proposal.key.encode())) % 2**31
        device = _device(self.device) if space.kind_of(proposal.config) in space.networks else "cpu"
        learner = space.build(proposal.config, problem, seed=seed, device=device, genome=proposal.genome)
        if parent is not None and proposal.inherit == "resume":
            learner.restore(load_state(parent / LEARNER_FILE)["learner"])
        clock = Clock(seconds)
        stopped = False

        def watched(progress: float, values: dict[str, float]) -> bool:
            nonlocal stopped
            stopped = not report(progress, values)
            return not stopped

        learner.train(task, proposal.fidelity, clock, watched)  # type: ignore[arg-type]
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
        save_state(workdir / LEARNER_FILE, {"learner": learner.state(), "temperature": temperature})
        return Result(
            values={self.metric.name: float(loss)},
            status="stopped" if stopped else "ok",
            curve=tuple((float(z), float(v)) for z, v in learner.curve),
            info={**learner.info, "progress": learner.progress},
        )


def _device(device: str) -> str:
    """The device that "auto" stands for; asked only when a network is built, since it imports torch."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


EVALUATOR = Train
