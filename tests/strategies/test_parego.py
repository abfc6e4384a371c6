import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from autonas.core.pareto import hypervolume
from autonas.core.trial import Proposal, Result, Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies.base import Strategy
from autonas.strategies.parego import Parego
from autonas.strategies.random import Random
from autonas.testing.strategy_cases import CASES


def square():
    return SearchSpace(ConfigurationSpace({"x": (0.0, 1.0), "y": (0.0, 1.0)}))


def two(config):
    """The front is y = 0.5, x in [0.2, 0.8]."""
    off = (config["y"] - 0.5) ** 2
    return {"a": (config["x"] - 0.2) ** 2 + off, "b": 1000 * ((config["x"] - 0.8) ** 2 + off)}


def run(strategy, n, values=two, at_once=1):
    trials, pending = [], []
    while len(trials) < n:
        while len(pending) < at_once:
            pending.append(strategy.ask())
        proposal = pending.pop()
        trials.append(Trial(len(trials), proposal, Result(values(proposal.config))))
        strategy.tell(trials[-1])
    return trials


class Spy(Random):
    """Random search that remembers the losses it was told last, by key."""

    made = 0

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        Spy.made += 1
        Spy.told = {}

    def tell(self, trial):
        super().tell(trial)
        Spy.told[trial.proposal.key] = trial.loss


def spread(trials):
    values = np.array([[t.result.values["a"], t.result.values["b"] / 1000] for t in trials])
    return hypervolume(values, np.array([0.5, 0.5]))


def test_a_model_that_knows_one_objective_finds_a_better_front_than_random_search():
    found = {
        sampler: np.mean(
            [spread(run(Parego(square(), ("a", "b"), seed=seed, sampler=sampler), 40)) for seed in range(3)]
        )
        for sampler in ("random", "tpe")
    }
    x = np.linspace(0.2, 0.8, 500)
    ideal = hypervolume(np.column_stack([(x - 0.2) ** 2, (x - 0.8) ** 2]), np.array([0.5, 0.5]))
    assert ideal - found["tpe"] < 0.6 * (ideal - found["random"])


def test_the_sampler_sees_the_same_weights_for_all_trials():
    strategy = Parego(square(), ("a", "b"), sampler=Spy)
    trials = run(strategy, 30)
    strategy.ask()
    told = Spy.told
    assert len(told) == 30
    # under the weights w, losses are (max(w a, (1 - w) b) + 0.05 (w a + (1 - w) b)) after normalisation
    losses = [told[t.proposal.key] for t in trials]
    a, b = strategy._bounds
    values = (np.array([list(t.result.values.values()) for t in trials]) - a) / (b - a) * strategy._weights
    assert losses == pytest.approx((values.max(1) + 0.05 * values.sum(1)).tolist())


def test_weights_change_all_the_time_at_a_cost_that_stays_bounded():
    Spy.made = 0
    run(Parego(square(), ("a", "b"), sampler=Spy), 20)
    assert Spy.made >= 18, "at first for every proposal"
    Spy.made = 0
    strategy = Parego(square(), ("a", "b"), sampler=Spy)
    run(strategy, 600)
    assert Spy.made * 600 / 2 / 600 < 60, "trials that are told again for each proposal"


@pytest.mark.parametrize("at_once", [1, 4])
@pytest.mark.parametrize("sampler", ["random", "hyperband"])
def test_a_replay_goes_on_alike(sampler, at_once):
    first, second = (Parego(square(), ("a", "b"), seed=1, sampler=sampler) for _ in range(2))
    trials = run(first, 30, at_once=at_once)
    if at_once > 1:  # the three that are pending
        trials = []
        first = Parego(square(), ("a", "b"), seed=1, sampler=sampler)
        for start in range(0, 28, 4):
            asked = [first.ask() for _ in range(4)]
            for i, proposal in enumerate(asked):
                trials.append(Trial(start + i, proposal, Result(two(proposal.config))))
            for trial in trials[start:]:
                first.tell(trial)
    for trial in trials:
        second.tell(trial)
    assert [first.ask() for _ in range(5)] == [second.ask() for _ in range(5)]
    assert first.keep() == second.keep()


def test_pending_proposals_are_not_repeated_when_the_sampler_is_made_anew():
    trials = run(Parego(square(), ("a", "b")), 60, at_once=8)
    assert len({t.proposal.key for t in trials}) == 60


def test_failures_stay_failures_and_incomplete_values_are_failures():
    strategy = Parego(square(), ("a", "b"), sampler=Spy)
    for i, result in enumerate([Result.failure("no"), Result({"a": 1.0}), Result({"a": 1.0, "b": np.inf})]):
        strategy.tell(Trial(i, Proposal({"x": i / 10, "y": 0.5}), result))
    strategy.ask()
    assert list(Spy.told.values()) == [np.inf] * 3


def test_one_objective_passes_through():
    plain, wrapped = make_strategy("tpe", square()), make_strategy("parego(tpe)", square())

    def one(config):
        return {"loss": two(config)["a"]}

    assert [t.proposal for t in run(plain, 15, one)] == [t.proposal for t in run(wrapped, 15, one)]


def test_strategies_say_whether_they_know_several_objectives():
    assert not Strategy.multi_objective
    assert Parego.multi_objective
    trials = run(Parego(square(), ("a", "b")), 40)
    front = Random(square(), ("a", "b")).recommend(trials)
    losses = [two(p.config) for p in front]
    assert len(front) > 1
    assert [v["a"] for v in losses] == sorted(v["a"] for v in losses)
    assert [v["b"] for v in losses] == sorted((v["b"] for v in losses), reverse=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("name", ["parego(tpe)", "parego(asha)"])
def test_conformance(name, case):
    case(lambda space, seed=0: make_strategy(name, space, seed=seed))
