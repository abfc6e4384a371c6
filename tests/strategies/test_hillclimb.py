"""Hill climbing: from the default, over the best child of each step."""

import numpy as np

from autonas.evaluators.benchmarks import read_table
from autonas.strategies import make_strategy
from autonas.testing.strategy_cases import conditional_space, run


def test_the_default_comes_first_and_the_best_of_each_step_is_the_next_parent():
    space = conditional_space()
    strategy = make_strategy("hillclimb", space, children=3, mutations=1)
    losses = iter([5.0, 6.0, 4.0, 7.0, 8.0, 8.0, 8.0])
    trials = run(strategy, 7, lambda config: next(losses))
    assert trials[0].config == space.default()
    assert [member.trial for member in strategy.members] == [2]  # trials 1 to 3 are its step, 4 to 6 the next

    def edits(parent, child):
        both = [name for name in child if name in parent]
        return sum(parent[name] != child[name] for name in both)

    assert [edits(trials[0].config, trial.config) for trial in trials[1:4]] == [1, 1, 1]
    assert [edits(trials[2].config, trial.config) for trial in trials[4:]] == [1, 1, 1]


def test_accuracy_on_nas_bench_201():
    # Elsken et al 2017 without weights: 8 children of 1 mutation, 300 evaluations >= 90.9 in all of 40 seeds
    table = read_table("nb201-cifar10")
    found = []
    for seed in range(4):
        trials = run(make_strategy("hillclimb", table.space, seed=seed, mutations=1), 300, table.function(seed))
        found.append(100 - 100 * table.mean_loss(min(trials, key=lambda trial: trial.loss).config))
    assert min(found) >= 90.9
    assert np.mean(found) >= 91.3
