"""The loop: what it asks first, what it survives, what it repeats, and what it refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from autonas.core.clock import Clock
from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Result, Trial
from autonas.data.prepare import data_hash, prepare
from autonas.data.task import Problem, Task
from autonas.errors import JournalError
from autonas.evaluators.train import LEARNER_FILE, Train
from autonas.run.checkpoints import Checkpoints
from autonas.run.executors import InProcess
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.run.search import Limits, Search
from autonas.search_space.learners import make_learner
from autonas.search_space.load import load_space
from autonas.search_space.portfolio import PortfolioEntry
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.training.learner import Learner

LINEAR = """
name: small
title: One linear model
modality: tabular
kinds:
  linear:
    hyperparameters:
      - {name: strength, type: uniform_float, lower: 0.001, upper: 100.0, log: true, default_value: 0.2}
"""

TREES = """
name: forests
title: Extra trees, which have lower fidelities
modality: tabular
kinds:
  trees:
    hyperparameters:
      - {name: trees, type: uniform_int, lower: 20, upper: 40, default_value: 30}
      - {name: min_rows, type: uniform_int, lower: 1, upper: 20, log: true, default_value: 2}
"""


def space_of(text: str, folder: Path) -> SearchSpace:
    path = folder / "space.yaml"
    path.write_text(text)
    return load_space(path, "classification")


def small_task(seed: int = 0) -> Task:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(100, 4))
    y = (X[:, 0] + X[:, 1] ** 2 + rng.normal(size=100) > 1).astype(int)
    return prepare(X, y, kind="classification", cv=2)


def search(
    folder: Path,
    space: SearchSpace,
    n_trials: int,
    *,
    strategy: str = "random",
    seed: int = 0,
    task: Task | None = None,
    journal: type[Journal] = Journal,
    evaluator: type[Train] = Train,
    seconds: float | None = None,
    first_thought: float = 0.0,
) -> list[Trial]:
    """A search of a number of trials in this process, resumed if the folder has one."""
    task = task or small_task()
    metric = get_metric(None, "classification", task.classes)
    facts = {"rows": task.n_rows, "columns": task.n_features, "kind": "classification"}
    identity = {"space": space.hash, "data": data_hash(task), "seed": seed}
    with journal.open_or_create(folder / "journal.db", identity) as record, Progress(None, None, metric, 0) as progress:
        return Search(
            space,
            lambda: make_strategy(strategy, space, (metric.name,), seed),
            InProcess(evaluator(metric, seed=seed), space, task),
            record,
            Checkpoints(folder, 2**30),
            Limits(Clock(seconds), n_trials),
            progress,
            facts=facts,
            seed=seed,
            first_thought=first_thought,
        ).run()


def told(folder: Path) -> list[Trial]:
    with Journal.read(folder / "journal.db") as journal:
        return journal.trials()


def outcomes(trials: list[Trial]) -> list[tuple[int, Proposal, dict[str, float]]]:
    """Everything of trials that may not depend on the clock."""
    return [(t.id, t.proposal, dict(t.result.values)) for t in trials]


# --- kill -9 ---------------------------------------------------------------------------------------------------------

_SCRIPT = """
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
import test_search as here
from autonas.run.journal import Journal

class Announced(Journal):
    def told(self, trial):
        super().told(trial)
        print(trial.id, flush=True)

folder = Path(sys.argv[2])
here.search(folder, here.space_of(here.LINEAR, folder), 120, journal=Announced)
print("end", flush=True)
"""


def run_and_kill(folder: Path, after: int | None) -> list[str]:
    """Runs the search in a process of its own, which ``kill -9`` ends after so many told trials; what it printed."""
    command = [sys.executable, "-c", _SCRIPT, str(Path(__file__).parent), str(folder)]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            if after is not None and len(lines) == after:
                process.kill()
    assert process.returncode == (0 if after is None else -9)
    return lines


@pytest.mark.slow
def test_a_search_of_120_trials_killed_three_times_loses_no_finished_trial(tmp_path: Path) -> None:
    finished: list[Trial] = []
    for after in (1, 30, 43):
        announced = {int(line) for line in run_and_kill(tmp_path, after)}
        now = told(tmp_path)
        assert [t.result for t in now[: len(finished)]] == [t.result for t in finished]
        assert announced <= {t.id for t in now[len(finished) :]}
        finished = now
    assert 74 <= len(finished) < 120
    assert run_and_kill(tmp_path, None)[-1] == "end"
    trials = told(tmp_path)
    assert [t.result for t in trials[: len(finished)]] == [t.result for t in finished]
    assert sorted(t.id for t in trials) == list(range(120))
    assert all(t.ok for t in trials)
    whole = tmp_path / "whole"
    whole.mkdir()
    uninterrupted = search(whole, space_of(LINEAR, tmp_path), 120)
    assert outcomes(trials) == outcomes(uninterrupted)
    # the folders on disk are those that the journal names
    on_disk = {p.name for p in (tmp_path / "trials").iterdir()}
    assert on_disk == {str(t.id) for t in trials if t.checkpoint is not None}


def test_what_was_asked_and_not_told_comes_first_under_its_old_number(tmp_path: Path) -> None:
    space = space_of(LINEAR, tmp_path)
    pending = Proposal(space.complete({"linear:strength": 3.0}), origin="random")
    identity = {"space": space.hash, "data": data_hash(small_task()), "seed": 0}
    with Journal.open_or_create(tmp_path / "journal.db", identity) as journal:
        journal.asked(0, pending)
    trials = search(tmp_path, space, 3)
    assert [t.id for t in trials] == [0, 1, 2]
    assert trials[0].proposal == pending


# --- portfolio, repetition, resuming ---------------------------------------------------------------------------------


def test_the_portfolio_comes_first_cheapest_first(tmp_path: Path) -> None:
    space = space_of(LINEAR, tmp_path)
    strengths = (1.0, 0.01, 50.0)
    configs = [space.complete({"linear:strength": s}) for s in strengths]
    space.portfolio_entries = (
        PortfolioEntry(configs[0], 0.05),
        PortfolioEntry(configs[1], 0.1),
        PortfolioEntry(space.complete({"linear:strength": 7.0}), 0.1, {"min_rows": 101}),  # the data have 100
        PortfolioEntry(configs[2], 0.2),
    )
    trials = search(tmp_path, space, 5)
    assert [t.config for t in trials[:3]] == configs
    assert [t.proposal.origin for t in trials] == ["portfolio"] * 3 + ["random"] * 2


@pytest.mark.parametrize(("first_thought", "origin"), [(0.0, "local"), (1e6, "random")])
def test_a_strategy_speaks_as_soon_as_it_may(tmp_path: Path, first_thought: float, origin: str) -> None:
    space = space_of(LINEAR, tmp_path)
    (trial,) = search(tmp_path, space, 1, strategy="local", seconds=600.0, first_thought=first_thought)
    assert trial.proposal.origin == origin


@pytest.mark.parametrize("rows", [300, 1000, 8000, 50_000])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_the_packaged_portfolio_begins_with_its_cheapest_entry(rows: int, kind: Any) -> None:
    facts = {"rows": rows, "columns": 20, "kind": kind, "text": False, "categories": False}
    portfolio = load_space("tabular", kind).portfolio(facts)
    assert portfolio[0][1] == min(share for _, share in portfolio)
    assert len(portfolio) > 5


@pytest.mark.parametrize("strategy", ["random", "hyperband(random)"])
def test_a_number_of_trials_reads_no_clock_and_repeats_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    class NoTime:
        @staticmethod
        def monotonic() -> float:
            raise AssertionError("the time was asked")

    monkeypatch.setattr("autonas.core.clock.time", NoTime)
    monkeypatch.setattr("autonas.run.search.time", NoTime)
    runs = []
    for number, seed in enumerate((5, 5, 6)):
        folder = tmp_path / str(number)
        folder.mkdir()
        runs.append(search(folder, space_of(TREES, folder), 6, seed=seed, strategy=strategy))
    first, second, other = map(outcomes, runs)
    assert all(t.ok for t in runs[0])
    assert first == second
    assert first != other


def test_a_finished_search_does_nothing_and_a_larger_number_goes_on(tmp_path: Path) -> None:
    space = space_of(LINEAR, tmp_path)
    first = search(tmp_path, space, 3)
    assert search(tmp_path, space, 3) == first
    more = search(tmp_path, space, 5)
    assert more[:3] == first
    assert [t.id for t in more] == [0, 1, 2, 3, 4]


def test_resuming_with_other_data_or_another_space_names_what_differs(tmp_path: Path) -> None:
    space = space_of(LINEAR, tmp_path)
    search(tmp_path, space, 1)
    with pytest.raises(JournalError, match=r"\bdata was"):
        search(tmp_path, space, 2, task=small_task(seed=1))
    with pytest.raises(JournalError, match=r"\bspace was"):
        search(tmp_path, space_of(TREES, tmp_path), 2)
    with pytest.raises(JournalError, match=r"\bseed was 0, is 1"):
        search(tmp_path, space, 2, seed=1)


def test_a_checkpoint_that_was_deleted_just_before_a_kill_is_not_offered_after_it(tmp_path: Path) -> None:
    space = space_of(LINEAR, tmp_path)
    trials = search(tmp_path, space, 3)
    shutil.rmtree(str(trials[1].checkpoint))  # the process died before the journal knew
    resumed = search(tmp_path, space, 3)
    assert [t.checkpoint is None for t in resumed] == [False, True, False]


# --- failures --------------------------------------------------------------------------------------------------------


class _Diverged:
    """A linear learner whose predictions became NaN."""

    def __init__(self, learner: Learner) -> None:
        self._learner = learner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learner, name)

    def out_of_fold(self) -> np.ndarray:
        return np.full_like(self._learner.out_of_fold(), np.nan)


def _moody(config: dict[str, Any], problem: Problem, seed: int, device: str) -> Any:
    """The learner does what its configuration says."""
    learner = make_learner("linear", {"strength": config["strength"]}, problem, seed, device)
    match config["mood"]:
        case "crashes":
            raise RuntimeError("no such luck")
        case "starves":
            raise MemoryError("no more")
        case "diverges":
            return _Diverged(learner)
    return learner


def moody_space(build: Callable[..., Any] = _moody) -> SearchSpace:
    moods = ["crashes", "works", "diverges", "starves"]
    space = SearchSpace(ConfigurationSpace({"mood": moods, "strength": (0.01, 1.0)}, seed=0), build)
    space.portfolio_entries = tuple(PortfolioEntry(space.complete({"mood": mood}), 0.1) for mood in moods)
    return space


def test_a_model_that_crashes_or_diverges_is_a_failed_trial_and_the_search_goes_on(tmp_path: Path) -> None:
    trials = search(tmp_path, moody_space(), 8)
    assert len(trials) == 8
    by_mood = {t.config["mood"]: t for t in trials[:4]}
    assert by_mood["works"].result.status == "ok"
    assert by_mood["crashes"].result.error == "RuntimeError: no such luck"
    assert by_mood["starves"].result.error == "MemoryError: no more"
    assert "no finite prediction" in by_mood["diverges"].result.error
    for trial in trials:
        works = trial.config["mood"] == "works"
        assert trial.ok == works
        assert (trial.checkpoint is not None) == works
    assert outcomes(told(tmp_path)) == outcomes(trials)  # the reasons are in the journal
    assert [t.result.error for t in told(tmp_path)] == [t.result.error for t in trials]
    assert {p.name for p in (tmp_path / "trials").iterdir()} == {str(t.id) for t in trials if t.ok}


def test_an_interrupt_ends_the_search_with_what_is_finished(tmp_path: Path) -> None:
    calls = []

    def interrupted(config: dict[str, Any], problem: Problem, seed: int, device: str) -> Learner:
        calls.append(config)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return make_learner("linear", {"strength": 0.1}, problem, seed, device)

    trials = search(tmp_path, moody_space(interrupted), 8)
    assert [t.id for t in trials] == [0, 1]
    resumed = search(tmp_path, moody_space(), 4)  # trial 2 was asked: it comes first
    assert [t.id for t in resumed] == [0, 1, 2, 3]
    assert resumed[2].config == calls[2]


# --- promotions ------------------------------------------------------------------------------------------------------


class _Recording(Train):
    """Remembers the checkpoint that every evaluation was given."""

    given: list[tuple[Proposal, Path | None]]

    def evaluate(self, proposal: Proposal, parent: Path | None, *args: Any, **options: Any) -> Result:
        assert parent is None or (parent / LEARNER_FILE).exists()
        type(self).given.append((proposal, parent))
        return super().evaluate(proposal, parent, *args, **options)


def test_hyperband_promotes_by_resuming_from_the_parents_checkpoint(tmp_path: Path) -> None:
    _Recording.given = []
    space = space_of(TREES, tmp_path)
    trials = search(tmp_path, space, 13, strategy="hyperband(random)", evaluator=_Recording)
    # the first bracket of Li et al 2017, table 1, for R = 9 and eta = 3: 9 at 1/9, 3 at 1/3, 1 at 1
    assert [round(1 / t.proposal.fidelity) for t in trials] == [9] * 9 + [3] * 3 + [1]
    by_id = {t.id: t for t in trials}
    for trial, (proposal, parent) in zip(trials, _Recording.given, strict=True):
        assert trial.proposal == proposal
        if proposal.fidelity < 1 / 3:
            assert proposal.parent is None
            continue
        assert proposal.parent is not None
        assert proposal.inherit == "resume"
        assert parent == tmp_path / "trials" / str(proposal.parent)
        assert by_id[proposal.parent].config == trial.config
        assert by_id[proposal.parent].proposal.fidelity < proposal.fidelity
    best = sorted(trials[:9], key=lambda t: (t.loss, t.id))[:3]
    assert {t.proposal.parent for t in trials[9:12]} == {t.id for t in best}
    # three slices end where one run would have: the same trees, the same loss
    last = trials[-1]
    whole = tmp_path / "whole"
    whole.mkdir()
    space.portfolio_entries = (PortfolioEntry(last.config, 1.0),)
    assert search(whole, space, 1)[0].loss == pytest.approx(last.loss, abs=1e-6)
