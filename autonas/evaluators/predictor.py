"""Answer without training, from what other architectures reached, and say how sure that is (Liu et al 2017).

It learns from every finished trial that the search tells it.  Alone it has nothing to learn from; in a ladder,
``["predictor", "train"]``, it spares the trainings that it expects to end badly.  Left out: losses of other fidelities,
which are another scale, and genomes of open spaces.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autonas.core.objective import Metric
from autonas.core.trial import Config, Proposal, Result, Trial
from autonas.errors import AutoNASError
from autonas.evaluators.base import Evaluator
from autonas.training.learner import Report, go_on

if TYPE_CHECKING:
    from autonas.surrogates.predictors import Predictor

__all__ = ["EVALUATOR", "FEWEST", "PredictorEvaluator"]

FEWEST = 10  # trained architectures before it answers
GROWTH = 1.1  # it learns anew when there are so many times as many


class PredictorEvaluator(Evaluator):
    """Predicts losses.

    Parameters
    ----------
    metric, seed, device
        See :class:`Evaluator`.
    model : {"forest", "gp", "mlp", "lstm"}
        See :func:`autonas.surrogates.predictors.make_predictor`.
    """

    def __init__(self, metric: Metric, *, seed: int = 0, device: str = "cpu", model: str = "forest") -> None:
        super().__init__(metric, seed=seed, device=device)
        self.model = model
        self._seen: dict[float, dict[str, tuple[Config, float]]] = {}  # by fidelity and key
        self._fitted: dict[float, tuple[int, Predictor]] = {}

    def observe(self, trial: Trial) -> None:
        proposal = trial.proposal
        if trial.ok and trial.result.status == "ok" and proposal.genome is None:
            self._seen.setdefault(proposal.fidelity, {})[proposal.key] = (proposal.config, trial.loss)

    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None = None,
        workdir: Path | None = None,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """See :meth:`Evaluator.evaluate`; ``info`` holds the standard deviation as ``predicted_sd``."""
        start = time.monotonic()
        known = len(self._seen.get(proposal.fidelity, ()))
        if proposal.genome is not None:
            return Result.failure("A predictor knows configurations only, and this architecture is a genome.")
        if known < FEWEST:
            return Result.failure(
                f"The predictor learns from {FEWEST} trained architectures at fidelity {proposal.fidelity:g}, and has "
                f"seen {known}. Put it into a ladder: ['predictor', 'train']."
            )
        try:
            (mean,), (sd,) = self._predictor(proposal.fidelity).predict([proposal.config])
        except (AutoNASError, ValueError) as error:
            return Result.failure(f"{type(error).__name__}: {error}", time.monotonic() - start)
        info: dict[str, Any] = {"predicted_sd": float(sd), "learned_from": known}
        return Result({self.metric.name: float(mean)}, cost_seconds=time.monotonic() - start, info=info)

    def _predictor(self, fidelity: float) -> Predictor:
        """The model for a fidelity, fitted anew if many trials have come."""
        from autonas.surrogates.features import Features, default_parts
        from autonas.surrogates.predictors import make_predictor

        seen = list(self._seen[fidelity].values())
        fitted, model = self._fitted.get(fidelity, (0, None))
        if model is None or len(seen) >= GROWTH * fitted:
            features = Features(self.space, default_parts(self.space), n_outputs=self.task.problem.n_outputs)
            model = make_predictor(self.model, self.space, features, seed=self.seed)
            model.fit([config for config, _ in seen], [loss for _, loss in seen])
            self._fitted[fidelity] = (len(seen), model)
        return model


EVALUATOR = PredictorEvaluator
