"""Q-learning: the update on toys that can be solved by hand, the schedule of the paper."""

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies.qlearning import QTable, epsilon
from autonas.testing.strategy_cases import goes_on_after_a_replay, run


def steps(path):
    """Four binary decisions; the state is all that was decided."""
    return [(tuple(path[:t]), action, None) for t, action in enumerate(path)]


def table(alpha, first=0.5, shaping=False, length=4):
    made = QTable(alpha, first, shaping)
    for number in range(2 ** (length + 1)):
        for t in range(length):
            made.row(tuple((number >> i) & 1 for i in range(t)), 2)
    return made


def test_the_greedy_path_converges_to_the_reward():
    q, rng = table(0.1), np.random.default_rng(0)
    rewards = {path: rng.random() for path in np.ndindex(2, 2, 2, 2)}
    for _ in range(3000):
        path = tuple(rng.integers(2, size=4).tolist())
        q.update(steps(path), rewards[path])
    best = max(rewards, key=rewards.get)
    path = ()
    while len(path) < 4:
        row = q.row(path, 2)
        assert max(row) == pytest.approx(rewards[best], abs=1e-3)
        path = (*path, int(np.argmax(row)))
    assert path == best


def test_backwards_a_reward_reaches_the_first_decision_in_one_sweep():
    path = (1, 0, 1, 1)
    backwards, forwards = table(1.0, first=0.0), table(1.0, first=0.0)
    backwards.update(steps(path), 1.0)
    assert backwards.row((), 2) == [0, 1]
    for sweep in range(1, 5):
        forwards.update(steps(path), 1.0, reverse=False)
        assert forwards.row((), 2)[1] == (1 if sweep == 4 else 0)


def test_one_update_by_hand():
    q = table(0.25, first=0.5, length=2)
    q.update(steps((1, 0)), 0.9)
    assert q.row((1,), 2) == pytest.approx([0.5 + 0.25 * 0.4, 0.5])
    assert q.row((), 2) == pytest.approx([0.5, 0.5 + 0.25 * 0.1])


def test_only_legal_actions_count_for_the_next_value():
    q = QTable(1.0, first=0.5)
    q.row((), 2)
    q.row((0,), 3)[:] = [9.0, 0.2, 0.3]
    q.update([((), 0, None), ((0,), 1, (1, 2))], 0.1)
    assert q.row((), 2)[0] == pytest.approx(0.3)


def test_shaping_changes_the_best_policy_only_where_lengths_differ():
    def learned(paths, shaping):
        q = QTable(0.1, first=0.0, shaping=shaping)
        for path, reward in paths * 300:
            for t in range(len(path)):
                q.row(path[:t], 2)
            q.update(steps(path), reward)
        return int(np.argmax(q.row((), 2)))

    equal = [((0, 0, 0), 0.6), ((1, 0, 0), 0.9)]
    assert learned(equal, shaping=False) == learned(equal, shaping=True) == 1
    # the first decision 0 is paid for the short sequence and leads to the long one: 0.25 + 3 * 0.2 > 0.82
    unequal = [((0, 0), 0.60), ((0, 1, 0, 0), 0.80), ((1, 0), 0.82)]
    assert learned(unequal, shaping=False) == 1
    assert learned(unequal, shaping=True) == 0


def test_the_schedule_of_the_paper():
    counts = {}
    for number in range(2700):
        value = epsilon(number, 2700)
        counts[value] = counts.get(value, 0) + 1
    expected = {1.0: 1500, 0.9: 100, 0.8: 100, 0.7: 100, 0.6: 150, 0.5: 150, 0.4: 150, 0.3: 150, 0.2: 150, 0.1: 150}
    assert counts == expected
    assert [epsilon(n, 300) for n in (0, 166, 167, 299, 10_000)] == [1.0, 1.0, 0.9, 0.1, 0.1]


@pytest.mark.parametrize("options", [{"shaping": True}, {"memory": 3, "replay": 5}, {"horizon": 1}])
def test_replay(options):
    goes_on_after_a_replay(lambda space, seed=0: make_strategy("qlearning", space, seed=seed, **options))


def test_it_exploits_in_the_end():
    space = SearchSpace(ConfigurationSpace({f"t{i}": list("abcd") for i in range(6)}))
    strategy = make_strategy("qlearning", space, horizon=200)
    trials = run(strategy, 250, lambda config: -sum(v == "c" for v in config.values()))
    assert np.mean([t.loss for t in trials[-50:]]) < np.mean([t.loss for t in trials[:100]]) - 1
