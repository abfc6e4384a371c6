"""Around an evaluator: what a model costs, as further values of its result, and the limits on that.

What the dry run knows (parameters, multiply-accumulates, memory) is compared with the limits first: a configuration
that exceeds one is rejected before it costs any training.  Latency is measured on the device with a few forward passes
of the trained networks, or predictions of other learners.  A result outside the limits is a failure that says why and
keeps its values, from which a strategy learns the way back.  Left out: energy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autonas.core.goals import BATCH, COSTS, Goals
from autonas.core.state import load_state, save_state
from autonas.core.trial import Proposal, Result
from autonas.errors import OptionError
from autonas.evaluators.base import Evaluator, Wrapper, device_of
from autonas.evaluators.train import LEARNER_FILE, PREDICTIONS_FILE
from autonas.search_space.learners import make_learner
from autonas.search_space.space import SearchSpace
from autonas.training.learner import Learner, Report, go_on

__all__ = ["Costed", "check_costs"]

COSTS_FILE = "costs.safetensors"
PASSES = 5  # of which the quickest counts: the others were disturbed
USUAL_BATCH = 128  # rows of a step, where no hyperparameter says


def check_costs(goals: Goals, space: SearchSpace) -> None:
    """Refuse costs that a kind of the space does not have.

    Raises
    ------
    OptionError
        If the dry run is asked for one, and the space has kinds that are no networks.
    """
    asked = [name for name in goals.costs if COSTS[name].before_training]
    others = sorted(set(space.families) - space.networks)
    if asked and (others or not space.networks):
        free = ", ".join(name for name, cost in COSTS.items() if not cost.before_training)
        raise OptionError(
            f"{asked[0]} is known of networks only, and the space {space.name!r} has "
            f"{', '.join(others) or 'learners of your own'} too. Choose a space of networks, or a cost that every "
            f"model has: {free}."
        )


class Costed(Wrapper):
    """Adds costs and further metrics to what an evaluator brings.

    Parameters
    ----------
    inner : Evaluator
    goals : Goals
    """

    def __init__(self, inner: Evaluator, goals: Goals) -> None:
        super().__init__(goals.metric, inner, seed=inner.seed, device=inner.device)
        self.goals = goals

    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None,
        workdir: Path,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """See :meth:`Evaluator.evaluate`; ``info["rejected"]`` marks what was refused before any training."""
        start = time.monotonic()
        try:
            values = self._dry(proposal)
        except Exception as error:  # noqa: BLE001 - a network that cannot be built cannot be trained
            return Result.failure(f"{type(error).__name__}: {error}", time.monotonic() - start)
        if exceeded := self.goals.exceeded(values):
            return Result(values, "failed", time.monotonic() - start, error=exceeded, info={"rejected": True})
        result = self.inner.evaluate(proposal, parent, workdir, report, seconds)
        if result.status == "failed" or not math.isfinite(result.loss):
            return result
        if (workdir / LEARNER_FILE).exists():
            values |= self._trained(proposal, parent, workdir, result)
        elif missing := set(self.goals.columns) - set(values):
            return replace(
                result, status="failed", error=f"judged without training, so no {', '.join(sorted(missing))}"
            )
        ordered = {**result.values, **{name: values[name] for name in self.goals.columns}}
        result = replace(result, values=ordered, cost_seconds=time.monotonic() - start)
        exceeded = self.goals.exceeded(ordered)
        return replace(result, status="failed", error=exceeded) if exceeded else result

    def _dry(self, proposal: Proposal) -> dict[str, float]:
        """What is known before training, of the whole model."""
        asked = [name for name in self.goals.costs if COSTS[name].before_training]
        if not asked:
            return {}
        space, task, genome = self.space, self.task, proposal.genome
        view = space.build(proposal.config, task.problem, genome=genome).view
        run = space.dry_run(proposal.config, task.view(view).shape[1:], task.problem.n_outputs, genome=genome)
        folds = len(task.folds)
        known = {
            "n_params": folds * run.parameters,
            "macs": folds * run.macs,
            "memory": run.training_bytes(int(proposal.config.get("batch_size", USUAL_BATCH))),
        }
        return {name: float(known[name]) for name in asked}

    def _trained(self, proposal: Proposal, parent: Path | None, workdir: Path, result: Result) -> dict[str, float]:
        """What training shows: further metrics of the validation, and costs of the models that it left."""
        asked, (_, *metrics) = self.goals.costs, self.goals.metrics.values()
        found = {metric.name: metric.loss(*self._validated(workdir)) for metric in metrics}
        if "disk_bytes" in asked:
            found["disk_bytes"] = float((workdir / LEARNER_FILE).stat().st_size)
        if "train_seconds" in asked:
            earlier = 0.0
            if parent is not None and proposal.inherit == "resume" and (parent / COSTS_FILE).exists():
                earlier = load_state(parent / COSTS_FILE)["train_seconds"]
            found["train_seconds"] = earlier + result.cost_seconds
            save_state(workdir / COSTS_FILE, {"train_seconds": found["train_seconds"]})
        sizes = {"latency": 1, "batch_latency": BATCH}
        if wanted := [name for name in sizes if name in asked]:
            learner = self._learner(proposal, workdir)
            view = self.task.view(learner.view)
            found |= {name: _seconds(learner, view[np.arange(sizes[name]) % len(self.task.y)]) for name in wanted}
        return found

    def _validated(self, workdir: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Targets, predictions and weights of the rows that were validated."""
        predictions = np.load(workdir / PREDICTIONS_FILE, allow_pickle=False)
        rows = np.flatnonzero(np.isfinite(predictions).all(axis=1))
        weight = None if self.task.weight is None else self.task.weight[rows]
        return self.task.y[rows], predictions[rows], weight

    def _learner(self, proposal: Proposal, workdir: Path) -> Learner:
        """The trained learner."""
        space, problem = self.space, self.task.problem
        saved = load_state(workdir / LEARNER_FILE)
        family = space.families.get(saved["kind"])
        device = device_of(self.device) if saved["kind"] in space.networks else "cpu"
        if family is None:
            learner = space.build(proposal.config, problem, device=device, genome=proposal.genome)
        else:
            learner = make_learner(family, saved["options"], problem, device=device)
        learner.restore(saved["learner"])
        return learner


def _seconds(learner: Learner, rows: Any) -> float:
    """How long the models of all folds take for some rows of their view."""
    forward = _forward(learner, rows)
    forward()  # warms up
    took = []
    for _ in range(PASSES):
        start = time.perf_counter()
        forward()
        took.append(time.perf_counter() - start)
    return min(took)


def _forward(learner: Learner, rows: Any) -> Callable[[], object]:
    networks = getattr(learner, "networks", None)
    if networks is None:
        return lambda: learner.predict(rows)
    import torch

    device = torch.device(learner.device)
    built = [network.to(device).eval() for network in networks()]
    X = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32)).to(device)

    def forward() -> None:
        with torch.no_grad():
            for network in built:
                network(X)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return forward
