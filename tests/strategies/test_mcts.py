"""Tree search: a tree that is solved by hand, sharing that fades, bisection that generalises."""

from itertools import pairwise

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Integer

from autonas.core.trial import Proposal, Result, Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies.mcts import amaf_weight
from autonas.testing.strategy_cases import CASES, run

VARIANTS = [{"sharing": True}, {"bisection": True}, {"sharing": True, "bisection": True}]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_conformance(options, case):
    case(lambda space, seed=0: make_strategy("mcts", space, seed=seed, **options))


def tree(depth=3, arity=4):
    return SearchSpace(ConfigurationSpace({f"t{i}": [str(a) for a in range(arity)] for i in range(depth)}))


def tell(strategy, space, losses):
    for number, (config, loss) in enumerate(losses):
        strategy.tell(Trial(number, Proposal(space.validate(config)), Result({"loss": loss})))


def test_regret_decreases_on_a_tree_with_a_known_best_leaf():
    # early decisions cost most, each its distance from the best choice
    space, early, late = tree(depth=5), [], []
    for seed in range(5):
        best = np.random.default_rng(seed).integers(4, size=5)

        def loss(config, best=best):
            return float(sum(abs(int(v) - best[i]) / 2**i for i, v in enumerate(config.values())))

        losses = [t.loss for t in run(make_strategy("mcts", space, seed=seed), 70, loss)]
        assert min(losses) == 0, "the best of 1,024 leaves"
        early.append(np.mean(losses[:20]))
        late.append(np.mean(losses[20:50]))  # then the best branch of 64 leaves is nearly used up
    assert np.mean(late) < 0.7 * np.mean(early)


def test_untried_choices_come_first_and_then_the_best():
    space = tree(depth=2)
    strategy = make_strategy("mcts", space, c=0.01)
    trials = run(strategy, 4, lambda config: float(config["t0"] != "2"))
    assert {t.config["t0"] for t in trials} == set("0123")
    more = run(strategy, 3, lambda config: float(config["t0"] != "2"), first_id=4)
    assert {t.config["t0"] for t in more} == {"2"}


def test_a_large_c_explores():
    counts = []
    for c in (0.01, 10.0):
        trials = run(make_strategy("mcts", tree(depth=4), c=c), 60, lambda config: float(config["t0"] != "2"))
        counts.append(sum(t.config["t0"] == "2" for t in trials))
    assert counts[0] > 40
    assert counts[1] < 20


def test_pending_trials_spread_the_walks():
    strategy = make_strategy("mcts", tree())
    assert {strategy.ask().config["t0"] for _ in range(4)} == set("0123")


def test_sharing_fades_with_visits():
    weights = [amaf_weight(n) for n in (0, 1, 30, 1e3, 1e8)]
    assert weights[0] == 1
    assert weights[2] == pytest.approx(0.5)  # k / (3 k + k) = 1/4
    assert all(a > b for a, b in pairwise(weights))
    assert weights[-1] < 1e-3


def test_sharing_carries_a_decision_to_other_branches():
    # under every first decision but "3", the second decision "1" was good; "3" has not seen any second decision
    space = tree(depth=2)
    losses = [({"t0": a, "t1": b}, float(b != "1")) for a in "012" for b in "0123"]
    second = set()
    for seed in range(5):
        strategy = make_strategy("mcts", space, seed=seed, sharing=True)
        tell(strategy, space, [*losses, ({"t0": "3", "t1": "0"}, 0.5)])
        second.add(strategy.ask().config["t1"])
    assert second == {"1"}


def test_bisection_spreads_an_observation_to_near_values():
    # 8 of 1..16 was good and 16 bad; what a value inherits is the mean of every half that it shares with them
    space = SearchSpace(ConfigurationSpace(space=[Integer("n", (1, 16)), Categorical("x", ["0", "1"])]))
    strategy = make_strategy("mcts", space, bisection=True)
    tell(strategy, space, [({"n": 8, "x": "0"}, 0.0), ({"n": 16, "x": "0"}, 1.0)])
    strategy.ask()
    score = {}
    for n in range(1, 17):
        node, found = strategy._root, 0.0
        while node is not None and node.prefix.name == "n":
            arm = next(i for i, (low, high) in enumerate(node.arms) if low < n <= high)
            number, node = node.numbers[arm], node.children[arm]
            visits, mean = strategy._own.of(number)
            found += mean if visits else 0
        score[n] = found
    assert strategy._root.arms == [(0, 8), (8, 16)]
    assert score[8] > score[7] > score[5] > score[1] > score[9] >= score[16] - 1


def test_bisection_leaves_categories_alone():
    strategy = make_strategy("mcts", tree(depth=1), bisection=True)
    assert strategy._root.arms == [(0, 1), (1, 2), (2, 3), (3, 4)]
