"""A ladder of evaluators: cheap ones decide what the last one need not train, as far as their ranks have proved right.

``["zerocost", "train"]`` scores every new proposal first.  Scores and final losses are compared as the search goes; the
lower confidence bound of Kendall's tau between them is the share of trust.  With full trust the worst four fifths of
all scores would be turned away, with none nothing is: a cheap rung that does not rank costs its own time only.  What is
turned away counts as stopped, with the loss that its rank suggests and never a good one, and leaves no weights.
The survey (section 4) asks for such care with low fidelities.  Left out: proposals that continue a training, which
have shown more than a score could say.  Each worker process trusts what it has seen itself.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autonas.core.audit import RankCorrelation, rank_correlation
from autonas.core.clock import Clock
from autonas.core.objective import Metric
from autonas.core.trial import Proposal, Result, Trial
from autonas.data.task import Task
from autonas.errors import OptionError
from autonas.evaluators.base import Evaluator, Wrapper
from autonas.search_space.space import SearchSpace
from autonas.training.learner import Report, go_on

__all__ = ["Ladder", "Rung"]

FEWEST = 10  # pairs of score and loss before anything is turned away
MOST = 0.8  # share of the proposals that full trust would turn away
CONFIDENCE = 0.9  # two-sided: the lower bound holds with 95%


class Rung:
    """A cheap evaluator and what is known of its scores at each fidelity of the last one.

    Parameters
    ----------
    name : str
        Under which its scores stand in ``Result.info``.
    evaluator : Evaluator
    """

    def __init__(self, name: str, evaluator: Evaluator) -> None:
        self.name = name
        self.evaluator = evaluator
        self._scores: dict[float, dict[str, float]] = {}  # of all proposals, by fidelity and key
        self._losses: dict[float, dict[str, float]] = {}  # of those that were trained

    def learn(self, proposal: Proposal, result: Result) -> None:
        """Note the score of a proposal, and its loss if the last evaluator has trained it to the end."""
        score = result.info.get(self.name)
        if not isinstance(score, int | float):
            return
        self._scores.setdefault(proposal.fidelity, {})[proposal.key] = float(score)
        if result.status == "ok" and math.isfinite(result.loss):
            self._losses.setdefault(proposal.fidelity, {})[proposal.key] = result.loss

    def trust(self, fidelity: float) -> RankCorrelation:
        """How scores rank with losses."""
        scores, losses = self._scores.get(fidelity, {}), self._losses.get(fidelity, {})
        if len(losses) < FEWEST:
            return RankCorrelation(0.0, -1.0, 1.0)
        return rank_correlation([(scores[key], loss) for key, loss in losses.items()], CONFIDENCE)

    def verdict(self, fidelity: float, score: float) -> tuple[float, RankCorrelation] | None:
        """None: go on.  Otherwise the loss to expect, and the correlation that says so."""
        trust = self.trust(fidelity)
        if trust.low <= 0:
            return None
        scores = np.array(list(self._scores[fidelity].values()))
        rank = float((scores < score).mean() + (scores == score).mean() / 2)  # 0 is the best
        if rank <= 1 - MOST * trust.low:
            return None
        losses = list(self._losses[fidelity].values())
        return float(np.quantile(losses, max(0.5, 0.5 + trust.tau * (rank - 0.5)))), trust


class Ladder(Wrapper):
    """Evaluators of rising cost.

    Parameters
    ----------
    metric, seed, device
        See :class:`Evaluator`.
    rungs : sequence of (str, Evaluator)
        Names and evaluators, the cheapest first; the last one trains.

    Raises
    ------
    OptionError
        For fewer than two, or a name that comes twice.
    """

    def __init__(
        self, metric: Metric, *, seed: int = 0, device: str = "cpu", rungs: Sequence[tuple[str, Evaluator]]
    ) -> None:
        names = [name for name, _ in rungs]
        if len(rungs) < 2 or len(set(names)) < len(names):
            raise OptionError(f'A ladder has at least two different evaluators: ["zerocost", "train"]. Given: {names}.')
        super().__init__(metric, rungs[-1][1], seed=seed, device=device)
        self.rungs = [Rung(name, evaluator) for name, evaluator in rungs[:-1]]
        self.shared_state = any(evaluator.shared_state for _, evaluator in rungs)  # type: ignore[misc]

    def prepare(self, space: SearchSpace, task: Task) -> None:
        super().prepare(space, task)
        for rung in self.rungs:
            rung.evaluator.prepare(space, task)

    def observe(self, trial: Trial) -> None:
        self._learn(trial)
        super().observe(trial)

    def evaluate(
        self,
        proposal: Proposal,
        parent: Path | None,
        workdir: Path,
        report: Report = go_on,
        seconds: float | None = None,
    ) -> Result:
        """See :meth:`Evaluator.evaluate`; ``info`` has every rung's score under its name."""
        clock = Clock(seconds)
        info: dict[str, Any] = {}
        cost = 0.0
        for rung in self.rungs if proposal.inherit != "resume" else ():
            with tempfile.TemporaryDirectory() as folder:
                cheap = rung.evaluator.evaluate(proposal, None, Path(folder), go_on, _left(clock))
            cost += cheap.cost_seconds
            if cheap.status == "failed" or not math.isfinite(cheap.loss):
                continue  # it has nothing to say of this proposal
            info[rung.name] = cheap.loss
            verdict = rung.verdict(proposal.fidelity, cheap.loss)
            if verdict is not None:
                loss, trust = verdict
                info |= {"turned_away_by": rung.name, "tau": trust.tau, "tau_low": trust.low}
                result = Result({self.metric.name: loss}, "stopped", cost, info=info)
                self._learn(Trial(-1, proposal, result))
                return result
        result = self.inner.evaluate(proposal, parent, workdir, report, _left(clock))
        result = Result(
            **{**result.__dict__, "cost_seconds": cost + result.cost_seconds, "info": {**result.info, **info}}
        )
        self._learn(Trial(-1, proposal, result))
        return result

    def _learn(self, trial: Trial) -> None:
        """What a trial says of the rungs; saying it twice changes nothing."""
        for rung in self.rungs:
            rung.learn(trial.proposal, trial.result)
            rung.evaluator.observe(trial)


def _left(clock: Clock) -> float | None:
    """Seconds that remain; None without a limit."""
    return None if clock.seconds is None else clock.left()
