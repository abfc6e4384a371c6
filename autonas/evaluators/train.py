"""Train the proposed model on every fold and score its out-of-fold predictions.

The plain estimator of the survey (section 4: full training, or "lower fidelity" when the proposal's
fidelity is below 1).  A promotion continues its parent exactly.  What it leaves in the trial's folder is
all that the ensemble and the final model need: the learner's state and its calibrated predictions.
"""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path

import numpy as np

from autonas.core.clock import Clock
from autonas.core.state import load_state, save_state
from autonas.core.trial import Proposal, Result
from autonas.errors import ArchitectureError
from autonas.evaluators.base import Evaluator
from autonas.training.calibration import fit_temperature, softmax
from autonas.training.learner import Report, go_on

__all__ = ["Train", "LEARNER_FILE", "PREDICTIONS_FILE"]

LEARNER_FILE = "learner.safetensors"
PREDICTIONS_FILE = "predictions.npy"
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
        space, task = self.space, self.task
        problem = task.problem
        # one seed per configuration, so that a promotion or a repetition trains the same networks
        seed = (self.seed * 1_000_003 + zlib.crc32(proposal.key.encode())) % 2**31
        device = _device(self.device) if space.kind_of(proposal.config) in space.networks else "cpu"
        learner = space.build(proposal.config, problem, seed=seed, device=device, genome=proposal.genome)
        costs = self._costs(proposal, learner.view, device)
        if parent is not None and proposal.inherit == "resume":
            learner.restore(load_state(parent / LEARNER_FILE)["learner"])
        elif parent is not None and proposal.inherit is not None:
            saved = load_state(parent / LEARNER_FILE)
            if saved["kind"] == space.kind_of(proposal.config):
                learner.inherit(saved["learner"], saved["options"], proposal.inherit)  # type: ignore[arg-type]
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
        kept = {"learner": learner.state(), "temperature": temperature}
        kept |= {"kind": space.kind_of(proposal.config), "options": space.options(proposal.config, proposal.genome)}
        save_state(workdir / LEARNER_FILE, kept)
        return Result(
            values={self.metric.name: float(loss)},
            status="stopped" if stopped else "ok",
            curve=tuple((float(z), float(v)) for z, v in learner.curve),
            info={**costs, **learner.info, "progress": learner.progress},
        )

    def _costs(self, proposal: Proposal, view: str, device: str) -> dict[str, int]:
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
        run = space.dry_run(proposal.config, shape, problem.n_outputs, genome=proposal.genome)
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


def _device(device: str) -> str:
    """The device that "auto" stands for; asked only when a network is built, since it imports torch."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


EVALUATOR = Train
