"""A search stops using fidelities that mislead it, and a resumed one knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autonas.core.audit import audit, lowest_trusted
from autonas.core.clock import Clock
from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Result
from autonas.data.prepare import prepare
from autonas.evaluators.base import Evaluator
from autonas.run._compose import taken
from autonas.run.checkpoints import Checkpoints
from autonas.run.executors import InProcess
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.run.search import Limits, Search
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy


class Misleading(Evaluator):
    """The lower a loss at full fidelity, the higher below."""

    def evaluate(self, proposal: Proposal, parent: Path | None, workdir: Path, *args, **options) -> Result:
        value = float(proposal.config["x"])
        return Result({"log_loss": value if proposal.fidelity >= self.honest else -value})

    honest = 1.0


class Honest(Misleading):
    honest = 0.0


def run(folder: Path, n_trials: int, evaluator: type[Evaluator], strategy: str, n_jobs: int = 1) -> list:
    from ConfigSpace import ConfigurationSpace, Float

    space = SearchSpace(ConfigurationSpace(space=[Float("x", (0.0, 1.0))]), build=lambda *_: None)
    task = prepare(np.arange(20.0)[:, None], np.arange(20) % 2, kind="classification", cv=2)
    metric = get_metric("log_loss", "classification")

    def make(min_fidelity: float = 1 / 9):
        return make_strategy(strategy, space, (metric.name,), 0, **taken(strategy, space, min_fidelity=min_fidelity))

    with (
        Journal.open_or_create(folder / "journal.db", {"space": "x"}) as journal,
        Progress(None, None, metric, 0) as progress,
    ):
        executor = InProcess(evaluator(metric), space, task)
        limits = Limits(Clock(None), n_trials)
        return Search(space, make, executor, journal, Checkpoints(folder, 2**30), limits, progress).run()


@pytest.mark.parametrize("strategy", ["hyperband(random)", "asha(random)", "halving(random)"])
def test_misleading_fidelities_are_given_up(tmp_path, strategy):
    trials = run(tmp_path, 120, Misleading, strategy)
    told = next(n for n in range(120) if lowest_trusted(audit(trials[:n])) == 1)
    assert told < 100
    assert {t.proposal.fidelity for t in trials[:told]} > {1.0}
    assert {t.proposal.fidelity for t in trials[told:]} == {1.0}


def test_honest_fidelities_are_used_to_the_end(tmp_path):
    trials = run(tmp_path, 80, Honest, "hyperband(random)")
    assert lowest_trusted(audit(trials)) == 0
    assert min(t.proposal.fidelity for t in trials[60:]) < 0.2


@pytest.mark.parametrize("cut", [30, 70, 100])
def test_a_resumed_search_gives_up_the_same(tmp_path, cut):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = run(tmp_path / "whole", 120, Misleading, "hyperband(random)")
    run(tmp_path / "parts", cut, Misleading, "hyperband(random)")
    parts = run(tmp_path / "parts", 120, Misleading, "hyperband(random)")
    assert [t.proposal for t in whole] == [t.proposal for t in parts]
