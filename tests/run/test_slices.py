"""Time slices: what begins near a deadline, what fills the rest of it, and what is said beforehand."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace, Float

from autonas.core.clock import Clock
from autonas.core.goals import Goals
from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Result, Trial
from autonas.data.prepare import prepare
from autonas.ensemble import Ensemble
from autonas.evaluators.base import Evaluator
from autonas.leaderboard import leaderboard
from autonas.run.checkpoints import Checkpoints
from autonas.run.executors import InProcess
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.run.search import Limits, Search
from autonas.run.slices import ALONE_SHARE, SEARCH_SHARE, USEFUL, Slices
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.surrogates.cost import CostModel


class Scripted(Clock):
    """A clock that passes only while trials run."""

    now = 0.0

    def elapsed(self) -> float:
        return self.now


class Timed(Evaluator):
    """A trial wants as many seconds as its configuration says; the quick ones are the good ones."""

    clock: Scripted

    def evaluate(self, proposal: Proposal, parent: Path | None, workdir: Path, *args: Any, **options: Any) -> Result:
        wanted, slice_ = float(proposal.config["seconds"]), args[-1]
        taken = wanted if slice_ is None else min(wanted, slice_)
        self.clock.now += taken
        return Result({"log_loss": wanted}, cost_seconds=taken, info={"slice": slice_})


class Oracle(CostModel):
    """Knows what every trial wants."""

    def __init__(self) -> None: ...

    def tell(self, trials: Iterable[Trial]) -> None: ...

    def seconds(self, proposal: Proposal) -> tuple[float, float]:
        return float(proposal.config["seconds"]), 0.0


class Silent(Oracle):
    """Must not be asked."""

    def seconds(self, proposal: Proposal) -> tuple[float, float]:
        raise AssertionError("the cost was asked")


def make(folder: Path, clock: Scripted, journal: Journal, progress: Progress, cost: CostModel, seed: int = 0) -> Search:
    space = SearchSpace(ConfigurationSpace(space=[Float("seconds", (0.3, 20.0), log=True)]), build=lambda *_: None)
    task = prepare(np.arange(20.0)[:, None], np.arange(20) % 2, kind="classification", cv=2)
    metric = get_metric("log_loss", "classification")
    evaluator = Timed(metric)
    evaluator.clock = clock
    return Search(
        space,
        lambda: make_strategy("random", space, (metric.name,), seed),
        InProcess(evaluator, space, task),
        journal,
        Checkpoints(folder, 2**30),
        Limits(clock, None if clock.seconds else 5),
        progress,
        seed=seed,
        cost=cost,
    )


def search(folder: Path, seconds: float | None, cost: CostModel | None = None, seed: int = 0) -> Search:
    metric = get_metric("log_loss", "classification")
    with Journal.open_or_create(folder / "journal.db", {}) as journal, Progress(None, None, metric, 0) as progress:
        found = make(folder, Scripted(seconds), journal, progress, cost or Oracle(), seed)
        found.run()
        return found


@pytest.mark.parametrize("seed", range(5))
def test_no_trial_begins_that_cannot_be_of_use_and_the_rest_is_filled(tmp_path: Path, seed: int) -> None:
    limit = 60.0
    found = search(tmp_path, limit, seed=seed)
    assert 0.96 * limit < found.limits.clock.elapsed() <= limit
    for trial in found.trials:
        wanted, taken = trial.config["seconds"], trial.result.cost_seconds
        assert taken >= USEFUL * min(wanted, SEARCH_SHARE * limit) - 1e-9
        if trial.proposal.origin == "filler":
            assert taken == wanted
    assert len({t.proposal.key for t in found.trials}) == len(found.trials)


def test_what_no_longer_fits_comes_first_when_a_search_is_resumed(tmp_path: Path) -> None:
    for seed in range(20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        first = search(folder, 40.0, seed=seed)
        with Journal.read(folder / "journal.db") as journal:
            pending = journal.pending()
        if pending:
            break
    assert len(pending) == 1
    more = search(folder, 40.0, seed=seed).trials[len(first.trials) :]
    assert (more[0].id, more[0].proposal) == pending[0]


def test_without_a_time_limit_no_cost_is_asked(tmp_path: Path) -> None:
    found = search(tmp_path, None, Silent())
    assert len(found.trials) == 5
    assert all(t.result.info == {"slice": None} for t in found.trials)


def test_far_from_the_deadline_everything_fits_unasked() -> None:
    slices = Slices(Scripted(100.0), None, {}, Silent())
    assert slices.fits(Proposal({"seconds": 1e6}))


def test_slices_of_the_portfolio_of_a_strategy_and_of_one_that_is_alone() -> None:
    entry, other = Proposal({"seconds": 3.0}, origin="portfolio"), Proposal({"seconds": 4.0})
    clock = Scripted(100.0)
    slices = Slices(clock, None, {entry.key: 0.04}, Oracle())
    assert slices.seconds(entry) == pytest.approx(4)
    assert slices.seconds(other) == pytest.approx(100 * SEARCH_SHARE)
    assert slices.seconds(Proposal(other.config, fidelity=1 / 3)) == pytest.approx(100 * SEARCH_SHARE / 3)
    assert Slices(clock, None, {}, None).seconds(other) == pytest.approx(100 * ALONE_SHARE)
    assert Slices(clock, 2.0, {}, None).seconds(other) == 2
    assert slices.expected(other) == 4
    clock.now = 80.0  # after one more slice of 15 s the remaining 5 s would be too few for another one
    assert slices.seconds(other) == pytest.approx(0.98 * 20)
    clock.now = 97.0
    assert slices.fits(Proposal({"seconds": 5.8}))
    assert not slices.fits(Proposal({"seconds": 6.0}))  # half of it is more than 98% of what is left
    assert not slices.fits(Proposal({"seconds": 5.8}), share=1.0)


def test_whether_more_may_start_looks_at_no_earlier_trial(tmp_path: Path) -> None:
    class Unread(list):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            raise AssertionError("all trials were read")

        __getitem__ = __iter__

    metric = get_metric("log_loss", "classification")
    with Journal.open_or_create(tmp_path / "journal.db", {}) as journal, Progress(None, None, metric, 0) as progress:
        found = make(tmp_path, Scripted(60.0), journal, progress, Oracle())
        found.run()
        found.trials = Unread(found.trials)
        found.limits.clock.now = 0.0  # type: ignore[attr-defined]
        found._finished = False
        assert found._more()


def test_the_leaderboard_shows_what_was_expected_of_a_clock_only(tmp_path: Path) -> None:
    metric = get_metric("log_loss", "classification")
    goals = Goals((metric.name,), {metric.name: metric})
    boards = []
    for seconds in (60.0, None):
        found = search(tmp_path / str(seconds), seconds)
        members, n = found.trials, len(found.trials)
        ensemble = Ensemble("classification", [0], np.eye(n)[0], members[0].loss, np.ones(1))
        boards.append(leaderboard(members, members, ensemble, goals, found.space))
    timed, counted = boards
    assert np.isnan(timed["expected"][0])  # the ensemble
    np.testing.assert_allclose(timed["expected"][1:], timed["seconds"][1:], atol=0.01)  # an oracle, cut to the slices
    assert "expected" not in counted
