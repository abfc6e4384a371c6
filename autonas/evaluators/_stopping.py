"""Stop a training whose learning curve will hardly end below the best one: what all curve evaluators share.

The wrapped evaluator trains, in whatever process; the decision is made in the main process, where all curves are known
(:meth:`~autonas.evaluators.base.Evaluator.judge`).  Curves are those of the best loss so far, because these weights are
what a training leaves, and they are compared with complete curves of the same search, not with the metric.  A stopped
trial keeps the loss that it has: its weights and predictions are real ones, and later stages use them.  The loss that
was predicted (which Domhan et al 2015 tell the strategy instead) is in ``Result.info``.  Left out: stopping learners
other than networks, because what they report may be progress over folds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from autonas.core.objective import Metric
from autonas.core.trial import Config, Proposal, Trial
from autonas.data.task import Task
from autonas.errors import OptionError
from autonas.evaluators.base import Evaluator, Wrapper
from autonas.evaluators.train import Train
from autonas.search_space.encode import VectorEncoding
from autonas.search_space.space import SearchSpace
from autonas.surrogates.curves import Curve, CurveModel, make_curve_model
from autonas.surrogates.curves.base import best_so_far

__all__ = ["CurveStopping"]

FEWEST = 3  # complete curves before anything is stopped
POINTS = 2  # of a curve before it is judged
GROWTH = 1.3  # the model learns anew when there are so many times as many complete curves
_INACTIVE = -1.0


class CurveStopping(Wrapper):
    """Wraps an evaluator that trains.

    Parameters
    ----------
    metric, seed, device
        See :class:`Evaluator`.
    inner : Evaluator, optional
        What trains; default: ``Train``.
    delta : float
        In [0, 1]: a training is stopped when the probability that it will end below the best complete one is smaller.
        0 stops nothing.
    """

    model: ClassVar[str]

    def __init__(
        self,
        metric: Metric,
        *,
        seed: int = 0,
        device: str = "cpu",
        inner: Evaluator | None = None,
        delta: float = 0.05,
    ) -> None:
        super().__init__(metric, inner or Train(metric, seed=seed, device=device), seed=seed, device=device)
        if not 0 <= delta <= 1:
            raise OptionError(f"delta is a probability, in [0, 1]. Given: {delta!r}.")
        self.delta = delta
        self._best = math.inf  # final loss of any complete curve
        self._complete: list[tuple[Curve, Config]] = []
        self._curves: dict[int, list[tuple[float, float]]] = {}  # of all trials: a promotion goes on with its parent's
        self._curve_model: CurveModel | None = None
        self._learned = 0

    def prepare(self, space: SearchSpace, task: Task) -> None:
        super().prepare(space, task)
        self._encoding = VectorEncoding(space, one_hot=True, inactive=_INACTIVE)

    def observe(self, trial: Trial) -> None:
        super().observe(trial)
        curve = [(z, loss) for z, loss in trial.result.curve if 0 < z <= 1 and math.isfinite(loss)]
        self._curves[trial.id] = curve
        if not curve or trial.result.status != "ok" or trial.proposal.fidelity < 1:
            return
        curve = best_so_far(curve)
        self._best = min(self._best, curve[-1][1])
        if self._learns(trial.config) and len(curve) >= POINTS:
            self._complete.append((curve, trial.config))

    def judge(
        self, trial_id: int, proposal: Proposal, progress: float, values: Mapping[str, float]
    ) -> dict[str, Any] | None:
        verdict = self.inner.judge(trial_id, proposal, progress, values)
        if verdict is not None or not self._learns(proposal.config):
            return verdict
        if trial_id not in self._curves:
            resumed = proposal.inherit == "resume" and proposal.parent is not None
            self._curves[trial_id] = list(self._curves.get(proposal.parent or 0, ())) if resumed else []
        curve, loss = self._curves[trial_id], next(iter(values.values()))
        if not math.isfinite(loss) or loss < 0 or (curve and progress <= curve[-1][0]):
            return None
        curve.append((progress, loss))
        if len(curve) < POINTS or progress >= 1 or len(self._complete) < FEWEST:
            return None
        model, config, seen = self._trained(), self._encoded([proposal.config])[0], best_so_far(curve)
        if model.chance(seen, self._best, config) >= self.delta:
            return None
        mean, sd = model.predict(seen, 1.0, config)
        return {"stopped_at": progress, "predicted": mean, "predicted_sd": sd, "to_beat": self._best}

    def _learns(self, config: Config) -> bool:
        """Whether the curve of a configuration is one of training by epochs."""
        return not self.space.families or self.space.kind_of(config) in self.space.networks

    def _trained(self) -> CurveModel:
        """The curve model; how many curves it has learned from follows from how many there are, also after a resume."""
        if self._curve_model is None:
            self._curve_model = make_curve_model(self.model, self.seed)
        enough = FEWEST
        while math.ceil(GROWTH * enough) <= len(self._complete):
            enough = math.ceil(GROWTH * enough)
        if enough > self._learned:
            self._learned = enough
            curves, configs = zip(*self._complete[:enough], strict=True)
            self._curve_model.fit(curves, list(self._encoded(configs)))
        return self._curve_model

    def _encoded(self, configs: Sequence[Config]) -> np.ndarray:
        return self._encoding.encode(list(configs))
