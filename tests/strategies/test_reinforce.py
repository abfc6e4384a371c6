"""REINFORCE and PPO as strategies: rewards, baselines, batches, replay with an LSTM."""

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace

from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies._sequential import Ranks
from autonas.strategies.reinforce import TRANSFORMS, Baseline
from autonas.testing.strategy_cases import conditional_space, goes_on_after_a_replay, run, same_seed_same_proposals

VARIANTS = [
    {"policy": "lstm", "units": 8, "layers": 1, "batch": 3, "entropy": 0.01, "bound": 2.5, "transform": "tan"},
    {"policy": "lstm", "units": 8, "task_features": (0.5, -1.0), "skip": "bias", "baseline_first": True},
    {"policy": "tabular", "batch": 4, "transform": "cube", "task_features": (1.0,)},
]


@pytest.mark.parametrize("case", [goes_on_after_a_replay, same_seed_same_proposals], ids=lambda case: case.__name__)
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_conformance(options, case):
    case(lambda space, seed=0: make_strategy("reinforce", space, seed=seed, **options))


def test_the_baseline_moves_after_or_before():
    after, before = Baseline(0.9, first=False), Baseline(0.9, first=True)
    assert [after.advantage(r) for r in (1.0, 2.0, 2.0)] == pytest.approx([0, 1, 0.9])
    assert [before.advantage(r) for r in (1.0, 2.0, 2.0)] == pytest.approx([0, 0.9, 0.81])
    # EAS moves by 95% of the gap each time
    fast = Baseline(0.05, first=False)
    assert [fast.advantage(r) for r in (1.0, 2.0, 2.0)] == pytest.approx([0, 1, 0.05])


def test_transforms_of_the_papers():
    assert TRANSFORMS["cube"](0.5) == 0.125
    assert TRANSFORMS["tan"](0.5) == pytest.approx(1)
    assert np.isfinite(TRANSFORMS["tan"](1.0))


def trial(loss, fidelity=1.0):
    result = Result({"loss": loss}) if np.isfinite(loss) else Result.failure("failed on purpose")
    return Trial(0, Proposal({}, fidelity=fidelity), result)


def test_rewards_are_ranks():
    ranks, losses = Ranks(), [3.0, -1.0, 1e7, 0.5, np.inf]
    for loss in losses:
        ranks.add(trial(loss))
    assert [ranks.reward(trial(loss)) for loss in losses] == pytest.approx([0.5, 0.9, 0.3, 0.7, 0])
    ranks.add(trial(3.0))
    assert ranks.reward(trial(3.0)) == pytest.approx(0.5)
    ranks.add(trial(100.0, fidelity=0.1))
    assert ranks.reward(trial(100.0, fidelity=0.1)) == 0.5, "nothing to compare with"
    assert ranks.reward(trial(3.0)) == pytest.approx(0.5), "other fidelities do not count"


@pytest.mark.parametrize("name", ["reinforce", "ppo"])
def test_a_monotone_change_of_the_loss_changes_nothing(name):
    found = []
    for change in (lambda x: x, lambda x: -1e6 + np.exp(20 * x)):
        strategy = make_strategy(name, conditional_space(), seed=1, policy="tabular")
        trials = run(strategy, 45, lambda config: change(len(str(config)) / 100))  # noqa: B023
        found.append([t.proposal.key for t in trials])
    assert found[0] == found[1]


def test_many_trials_are_replayed_quickly_and_lazily():
    space = conditional_space()
    strategy = make_strategy("reinforce", space, units=8, batch=10)
    for number, config in enumerate(space.sample(300, seed=1)):
        strategy.tell(Trial(number, Proposal(config), Result({"loss": float(number % 7)})))
    assert strategy._learned == 0
    assert strategy.ask() is not None
    assert strategy._learned == 300


def test_the_policy_moves_to_what_is_good():
    space = SearchSpace(ConfigurationSpace({f"t{i}": list("abcd") for i in range(8)}))
    for name in ("reinforce", "ppo"):
        trials = run(
            make_strategy(name, space, seed=0, policy="tabular"),
            300,
            lambda config: -sum(v == "c" for v in config.values()),
        )
        losses = [t.loss for t in trials]
        assert np.mean(losses[:20]) > -3  # 8 / 4 by chance
        assert np.mean(losses[-50:]) < -5


def test_what_was_learned_on_one_task_helps_on_the_next():
    space = SearchSpace(ConfigurationSpace(space=[Categorical(f"t{i}", list("abcd")) for i in range(6)]))

    def loss(config):
        return -sum(v == "c" for v in config.values())

    first = make_strategy("reinforce", space, policy="tabular", task_features=[1.0])
    run(first, 150, loss)
    second = make_strategy("reinforce", space, seed=1, policy="tabular", task_features=[0.8], weights=first.weights)
    cold = make_strategy("reinforce", space, seed=1, policy="tabular", task_features=[0.8])
    assert np.mean([t.loss for t in run(second, 20, loss)]) < np.mean([t.loss for t in run(cold, 20, loss)]) - 1


def test_wrong_options():
    with pytest.raises(OptionError, match="Did you mean 'lstm'"):
        make_strategy("ppo", conditional_space(), policy="lsmt")
    with pytest.raises(OptionError, match="Unknown transform"):
        make_strategy("reinforce", conditional_space(), transform="square")
    with pytest.raises(OptionError, match="width has not"):
        make_strategy("reinforce", conditional_space(), skip="width|bias")
