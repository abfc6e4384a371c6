"""TPE: as good as Optuna's own, on conditional spaces too, repeatable, and silent."""

import math

import numpy as np
import optuna
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, Integer, OrdinalHyperparameter

from autonas.core.trial import Proposal, Result, Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies.tpe import Tpe
from autonas.testing.strategy_cases import conditional_space, run, smooth_loss


def make(seed=0, **options):
    return make_strategy("tpe", conditional_space(), seed=seed, **options)


def test_blocks_are_the_branches_of_the_space():
    blocks = [set(block) for block in make()._blocks]
    assert sorted(map(sorted, blocks)) == [
        ["bias", "model", "version"],
        ["depth", "optimizer", "width"],
        ["momentum"],
        ["strength"],
    ]


def test_codes_are_decoded_again():
    strategy = make()
    for config in conditional_space().sample(100, seed=1):
        codes = strategy._encode(config)
        distributions = {name: block[name] for block in strategy._blocks for name in block if name in codes}
        assert all(d._contains(d.to_internal_repr(codes[name])) for name, d in distributions.items())
    space = SearchSpace(ConfigurationSpace(space=[Float("x", (1e-4, 1.0), log=True), Integer("i", (1, 9), log=True)]))
    strategy = make_strategy("tpe", space)
    trials = run(strategy, 30, lambda config: abs(math.log10(config["x"]) + 2) + abs(config["i"] - 3))
    assert min(t.loss for t in trials) < 0.5


def sphere(config):
    return sum((config[f"x{i}"] - 0.3) ** 2 for i in range(4)) + (config["c"] != "b")


def test_not_worse_than_optuna():
    space = SearchSpace(
        ConfigurationSpace(space=[*(Float(f"x{i}", (0.0, 1.0)) for i in range(4)), Categorical("c", ["a", "b", "c"])])
    )

    def bare(seed):
        def objective(trial):
            config = {f"x{i}": trial.suggest_float(f"x{i}", 0, 1) for i in range(4)}
            return sphere({**config, "c": trial.suggest_categorical("c", ["a", "b", "c"])})

        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
        study.optimize(objective, n_trials=50)
        return study.best_value

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ours = [min(t.loss for t in run(make_strategy("tpe", space, seed=s), 50, sphere)) for s in range(5)]
    assert np.median(ours) < 1.5 * np.median([bare(seed) for seed in range(5)])


def test_a_branch_is_learnt_from_its_own_trials():
    # x decides under "good" only; where it exists its best value differs from what is seen of y
    space = ConfigurationSpace(
        space=[Categorical("kind", ["good", "bad"]), Float("x", (0.0, 1.0)), Float("y", (0.0, 1.0))]
    )
    space.add(EqualsCondition(space["x"], space["kind"], "good"), EqualsCondition(space["y"], space["kind"], "bad"))

    def loss(config):
        return abs(config["x"] - 0.9) if config["kind"] == "good" else 2 + abs(config["y"] - 0.1)

    late = run(make_strategy("tpe", SearchSpace(space), seed=0), 60, loss)[30:]
    assert sum(t.config["kind"] == "good" for t in late) > 20
    assert np.median([t.config["x"] for t in late if t.config["kind"] == "good"]) == pytest.approx(0.9, abs=0.05)


def test_failures_are_avoided():
    def loss(config):
        return math.nan if config["model"] == "linear" else smooth_loss(config)

    trials = run(make(seed=2), 40, loss)
    assert sum(not t.ok for t in trials[20:]) <= 3


def test_order_of_an_ordinal_is_used():
    space = SearchSpace(
        ConfigurationSpace(space=[OrdinalHyperparameter("o", list("abcdefghijklmnopqrst")), Float("x", (0.0, 1.0))])
    )
    trials = run(make_strategy("tpe", space, seed=1), 50, lambda c: abs("abcdefghijklmnopqrst".index(c["o"]) - 14))
    assert np.mean([abs("abcdefghijklmnopqrst".index(t.config["o"]) - 14) for t in trials[30:]]) < 4  # 6 at random


def test_told_again_the_last_loss_counts():
    first, second = make(seed=1), make(seed=1)
    trials = run(make(seed=9), 30)
    for trial in trials:
        first.tell(Trial(trial.id, trial.proposal, Result({"loss": 5.0 - trial.loss})))
    first._opened()  # the study knows them
    for trial in trials:
        first.tell(trial)
        second.tell(trial)
    assert [first.ask() for _ in range(4)] == [second.ask() for _ in range(4)]


def test_pending_proposals_differ():
    strategy = make(seed=3)
    run(strategy, 20)
    asked = [strategy.ask() for _ in range(8)]
    assert len({p.key for p in asked}) == 8


def test_it_says_nothing(capfd):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    run(make(), 15)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    assert capfd.readouterr() == ("", "")


def test_it_is_optuna_that_samples(monkeypatch):
    asked = []
    original = optuna.samplers.TPESampler.sample_relative

    def sample_relative(self, study, trial, search_space):
        asked.append(set(search_space))
        return original(self, study, trial, search_space)

    monkeypatch.setattr(optuna.samplers.TPESampler, "sample_relative", sample_relative)
    strategy = Tpe(conditional_space(), initial=2)
    for number, config in enumerate(conditional_space().sample(4, seed=0)):
        strategy.tell(Trial(number, Proposal(config, origin="portfolio"), Result({"loss": smooth_loss(config)})))
    strategy.ask()
    assert {"model", "bias"} in asked, "constants are not sampled"
