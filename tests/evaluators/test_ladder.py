"""The ladder: a cheap rung turns proposals away as far as its ranks have proved right, and not further."""

from __future__ import annotations

import numpy as np
import pytest

from autonas.core.clock import Clock
from autonas.core.objective import Metric
from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError
from autonas.evaluators import check_evaluator, make_evaluator
from autonas.evaluators.base import Evaluator
from autonas.evaluators.benchmarks import read_table
from autonas.evaluators.ladder import FEWEST, Ladder
from autonas.evaluators.table import TableLookup
from autonas.run.checkpoints import Checkpoints
from autonas.run.executors import InProcess
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.run.search import Limits, Search
from autonas.strategies import make_strategy

METRIC = Metric("loss", "regression")


class Parameters(Evaluator):
    """A free score with some sense: larger cells are better."""

    def evaluate(self, proposal, parent=None, workdir=None, report=None, seconds=None):
        values = read_table(self.space.name).values(proposal.config)
        return Result({self.metric.name: -values["n_params"]}, cost_seconds=1.0)


class Noise(Evaluator):
    """A free score without sense."""

    def evaluate(self, proposal, parent=None, workdir=None, report=None, seconds=None):
        return Result({self.metric.name: float(np.random.default_rng(list(proposal.key.encode())).random())})


class Oracle(Evaluator):
    """The loss itself."""

    def evaluate(self, proposal, parent=None, workdir=None, report=None, seconds=None):
        return Result({self.metric.name: read_table(self.space.name).mean_loss(proposal.config)})


class Silent(Evaluator):
    """Never has anything to say."""

    def evaluate(self, proposal, parent=None, workdir=None, report=None, seconds=None):
        return Result.failure("no opinion")


def ladder(cheap, table="nb201-cifar10"):
    made = make_evaluator([cheap, TableLookup], METRIC, seed=0, device="cpu")
    made.prepare(read_table(table).space, None)
    return made


def climbed(evaluator, n, seed=0):
    space = evaluator.space
    return [(c, evaluator.evaluate(Proposal(c), None, None)) for c in space.sample(n, seed)]


def test_a_list_is_a_ladder():
    made = make_evaluator(["zerocost", "median(train)"], METRIC, seed=0, device="cpu")
    assert isinstance(made, Ladder)
    assert [rung.name for rung in made.rungs] == ["zerocost"]
    assert made.offers == made.inner.offers
    check_evaluator(["zerocost", "train"])
    with pytest.raises(OptionError, match="Did you mean 'zerocost'"):
        check_evaluator(["zerocoast", "train"])
    for spec in (["train"], ["train", "train"]):
        with pytest.raises(OptionError, match="at least two different"):
            make_evaluator(spec, METRIC, seed=0, device="cpu")


def test_a_score_without_sense_turns_hardly_anything_away():
    results = [result for _, result in climbed(ladder(Noise), 150)]
    assert sum(result.status == "stopped" for result in results) <= 0.05 * 150


def test_a_perfect_score_turns_most_away_and_never_the_best():
    found = climbed(ladder(Oracle), 200)
    stopped = [config for config, result in found if result.status == "stopped"]
    assert 0.6 < len(stopped) / 200 < 0.8
    table = read_table("nb201-cifar10")
    assert min(map(table.mean_loss, stopped)) > np.quantile([table.mean_loss(c) for c, _ in found], 0.2)


def test_a_fair_score_is_trusted_as_far_as_it_deserves():
    found = climbed(ladder(Parameters), 200)
    share = np.mean([result.status == "stopped" for _, result in found])
    assert 0.15 < share < 0.6
    table = read_table("nb201-cifar10")
    kept = [table.mean_loss(c) for c, result in found if result.status == "ok"]
    lost = [table.mean_loss(c) for c, result in found if result.status == "stopped"]
    assert np.median(kept) < np.median(lost)


def test_what_is_turned_away_is_never_told_as_good():
    evaluator = ladder(Oracle)
    results = [result for _, result in climbed(evaluator, 100)]
    trained: list[float] = []
    for result in results:
        if result.status == "stopped":
            assert result.loss >= np.median(trained) - 1e-12
            assert result.info["turned_away_by"] == "Oracle"
            assert result.info["tau_low"] > 0
        else:
            trained.append(result.loss)
    assert "turned_away_by" not in results[FEWEST - 1].info


def test_costs_add_up_and_a_silent_rung_costs_nothing():
    evaluator, alone = ladder(Parameters), TableLookup(METRIC)
    alone.prepare(evaluator.space)
    (config,) = evaluator.space.sample(1, 3)
    result, plain = evaluator.evaluate(Proposal(config), None, None), alone.evaluate(Proposal(config))
    assert result.cost_seconds == pytest.approx(1 + plain.cost_seconds)
    assert result.values == plain.values
    silent = climbed(ladder(Silent), 60)
    assert all(result.status == "ok" and "Silent" not in result.info for _, result in silent)


def test_a_promotion_is_not_asked_again():
    evaluator = ladder(Oracle)
    climbed(evaluator, 50)
    worst = max(evaluator.space.sample(50, 9), key=read_table("nb201-cifar10").mean_loss)
    assert evaluator.evaluate(Proposal(worst), None, None).status == "stopped"
    assert evaluator.evaluate(Proposal(worst, parent=3, inherit="resume"), None, None).status == "ok"


def test_what_others_observed_counts_as_its_own():
    first, second = ladder(Parameters), ladder(Parameters)
    for number, (config, result) in enumerate(climbed(first, 60)):
        trial = Trial(number, Proposal(config), result)
        first.observe(trial)  # the loop tells it again
        second.observe(trial)
    assert [r.to_json() for _, r in climbed(first, 30, 5)] == [r.to_json() for _, r in climbed(second, 30, 5)]


class Learns(Evaluator):
    """Notes what it was told."""

    def __init__(self, metric, **options):
        super().__init__(metric, **options)
        self.keys = set()

    def observe(self, trial):
        self.keys.add(trial.proposal.key)

    def evaluate(self, proposal, parent=None, workdir=None, report=None, seconds=None):
        return Result.failure("nothing")


def test_a_rung_that_learns_is_told():
    evaluator = ladder(Learns)
    configs = [config for config, _ in climbed(evaluator, 5)]
    assert evaluator.rungs[0].evaluator.keys == {Proposal(config).key for config in configs}


def searched(folder, evaluator_spec, n):
    table = read_table("nb201-cifar10")
    evaluator = make_evaluator(evaluator_spec, METRIC, seed=0, device="cpu")
    with Journal.open_or_create(folder / "journal.db", {"space": table.space.hash}) as journal:
        search = Search(
            table.space,
            lambda: make_strategy("random", table.space, ("loss",), 0),
            InProcess(evaluator, table.space, None),
            journal,
            Checkpoints(folder, 2**20),
            Limits(Clock(None), n_trials=n),
            Progress(None, n, METRIC, verbose=0),
            seed=0,
            evaluator=evaluator,
        )
        return search.run()


def test_the_loop_and_the_strategy_know_nothing_of_it(tmp_path):
    """The same proposals as alone; those that were turned away took less than a tenth of the time."""
    (tmp_path / "ladder").mkdir(), (tmp_path / "alone").mkdir()
    trials = searched(tmp_path / "ladder", [Parameters, TableLookup], 120)
    alone = searched(tmp_path / "alone", TableLookup, 120)
    assert [t.proposal.key for t in trials] == [t.proposal.key for t in alone]
    stopped = [t for t in trials if t.result.status == "stopped"]
    assert len(stopped) > 10
    assert all(t.result.cost_seconds == 1 for t in stopped)
    best, best_alone = (min(t.loss for t in ts if t.result.status == "ok") for ts in (trials, alone))
    assert best == best_alone
    assert sum(t.result.cost_seconds for t in trials) < 0.9 * sum(t.result.cost_seconds for t in alone)


def test_a_search_goes_on_as_if_it_had_not_been_cut(tmp_path):
    (tmp_path / "whole").mkdir(), (tmp_path / "parts").mkdir()
    whole = searched(tmp_path / "whole", [Parameters, TableLookup], 60)
    searched(tmp_path / "parts", [Parameters, TableLookup], 35)
    parts = searched(tmp_path / "parts", [Parameters, TableLookup], 60)
    assert [t.result.to_json() for t in parts] == [t.result.to_json() for t in whole]
