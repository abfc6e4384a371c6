"""Score the untrained network in milliseconds: synflow, jacob_cov, grad_norm, counts (Abdelfattah et al 2021).

The loss is the score with its sign turned, so its scale is not that of the metric: it ranks networks and says no more.
Use it below ``train`` in a ladder, which measures how far the ranks can be trusted.  Nothing is left for a model; all
is computed on the CPU.
"""

from __future__ import annotations

import time
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autonas.core.objective import Metric
from autonas.core.trial import Proposal, Result
from autonas.errors import AutoNASError, SpaceError, unknown
from autonas.evaluators.base import Evaluator
from autonas.training.learner import Report, go_on
from autonas.training.target import TargetScale

if TYPE_CHECKING:
    from autonas.training.network import NetworkLearner

__all__ = ["EVALUATOR", "SCORES", "ZeroCost"]

SCORES = ("synflow", "jacob_cov", "grad_norm", "params", "macs")
ROWS = 64


class ZeroCost(Evaluator):
    """Scores networks before training.

    Parameters
    ----------
    metric, seed, device
        See :class:`Evaluator`.
    score : {"synflow", "jacob_cov", "grad_norm", "params", "macs"}
        ``params`` and ``macs`` take a larger network for the better one.

    Raises
    ------
    OptionError
        For a score that does not exist.
    """

    def __init__(self, metric: Metric, *, seed: int = 0, device: str = "cpu", score: str = "synflow") -> None:
        if score not in SCORES:
            raise unknown("zero-cost score", score, SCORES)
        super().__init__(metric, seed=seed, device=device)
        self.score = score

    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None = None,
        workdir: Path | None = None,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """See :meth:`Evaluator.evaluate`; nothing is written, and the fidelity makes no difference."""
        start = time.monotonic()
        try:
            score = self.measure(proposal)
        except (AutoNASError, RuntimeError, ValueError) as error:  # a network that torch cannot run
            return Result.failure(f"{type(error).__name__}: {error}", time.monotonic() - start)
        if not np.isfinite(score):
            return Result.failure(f"{self.score} is not finite for this network.", time.monotonic() - start)
        cost = time.monotonic() - start
        return Result(values={self.metric.name: -score}, cost_seconds=cost, info={self.score: score})

    def measure(self, proposal: Proposal) -> float:
        """The score: the higher, the better the network should be.

        Raises
        ------
        SpaceError
            If the proposal is no network, or the data are texts and the score needs gradients of the input.
        """
        from autonas.training.network import NetworkLearner

        space, task = self.space, self.task
        # one seed per configuration, as where it is trained
        seed = (self.seed * 1_000_003 + zlib.crc32(proposal.key.encode())) % 2**31
        learner = space.build(proposal.config, task.problem, seed=seed, genome=proposal.genome)
        if not isinstance(learner, NetworkLearner):
            raise SpaceError(
                f"{space.kind_of(proposal.config)!r} is no network, and zero-cost scores are of networks only. "
                f"Networks of this space: {', '.join(sorted(space.networks)) or 'none'}."
            )
        view = task.view(learner.view)
        if self.score in ("params", "macs"):
            cost = space.dry_run(proposal.config, view.shape[1:], task.problem.n_outputs, genome=proposal.genome)
            return float(cost.parameters if self.score == "params" else cost.macs)
        return self._untrained(learner, view, seed)

    def _untrained(self, learner: NetworkLearner, view: np.ndarray, seed: int) -> float:
        """Build the network and let it see the minibatch."""
        import torch

        from autonas.training.loop import private_randomness
        from autonas.training.zero_cost import grad_norm, jacob_cov, synflow

        problem = self.task.problem
        with private_randomness("cpu"):
            torch.manual_seed(seed)  # of the weights, and of dropout
            n_numeric = getattr(self.task.preprocessor, "n_numeric", 0)
            network = learner.family.build(learner.options, view.shape[1:], problem.n_outputs, n_numeric)
            if self.score == "synflow":
                return synflow(network, view.shape[1:])
            rows = self._rows()
            X = torch.from_numpy(np.ascontiguousarray(view[rows], dtype=np.float32))
            if self.score == "grad_norm":
                return grad_norm(network, X, torch.from_numpy(self._targets(rows)))
            if problem.modality == "text":
                raise SpaceError("jacob_cov needs gradients of the input, which texts have not. Use grad_norm.")
            return jacob_cov(network, X[: max(2, X[0].numel() // 2)])  # as many as may be uncorrelated

    def _rows(self) -> np.ndarray:
        """The minibatch, the same for all networks: training rows of the first fold."""
        train = self.task.folds.pairs[0][0]
        return np.random.default_rng(self.seed).permutation(train)[:ROWS]

    def _targets(self, rows: np.ndarray) -> np.ndarray:
        if self.task.problem.kind == "classification":
            return self.task.y[rows].astype(np.int64)
        return TargetScale(self.task.y).forward(self.task.y[rows]).astype(np.float32)


EVALUATOR = ZeroCost
