"""SMAC: its parts against closed forms, and that it searches better than chance, repeatably and quietly."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace, Float, Integer
from scipy.stats import norm

from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies.smac import climb, configurations, neighbours, normal_scores
from autonas.testing.strategy_cases import conditional_space, run, smooth_loss


def test_normal_scores():
    scores = normal_scores(np.array([3.0, 1.0, math.inf, 2.0, math.nan]))
    assert scores == pytest.approx([norm.ppf(q) for q in (5 / 8, 1 / 8, 7 / 8, 3 / 8)] + [0])
    assert normal_scores(np.array([1.0, 1.0])) == pytest.approx([0, 0])
    assert normal_scores(np.array([math.inf, 0.0, math.inf])) == pytest.approx(norm.ppf([2 / 3, 1 / 6, 2 / 3]))


def test_climb_reaches_the_top_of_a_hill():
    space = SearchSpace(ConfigurationSpace(space=[Integer("i", (0, 200)), Float("x", (-1.0, 1.0))]))

    def height(configurations):
        return np.array([[-abs(c["i"] - 140) / 20 - abs(c["x"] - 0.5)] for c in configurations])

    ends = climb(space, height, space.sample_configurations(4, seed=1), np.random.default_rng(0))
    heights = height(ends).ravel()
    assert list(heights) == sorted(heights, reverse=True)
    assert heights[0] > -0.1
    assert heights[0] > height(space.sample_configurations(4, seed=1)).max()


def test_neighbours_differ_in_one_decision():
    space = conditional_space()
    rng = np.random.default_rng(0)
    for configuration in space.sample_configurations(30, seed=2):
        config = space.from_configuration(configuration)
        found = neighbours(space, configuration, rng)
        assert len(found) >= len(config) - 1  # but for the constant, whatever is forbidden
        for neighbour in found:
            assert space.validate(neighbour) == neighbour
            changed = [name for name in config if name in neighbour and neighbour[name] != config[name]]
            assert len(changed) == 1


def test_short_ranges_have_neighbours():
    # ConfigSpace's own generator gives up on these
    space = SearchSpace(ConfigurationSpace({f"i{k}": (0, 5) for k in range(6)}))
    for seed in range(20):
        (start,) = space.sample_configurations(1, seed)
        assert len(neighbours(space, start, np.random.default_rng(seed))) == 30


def test_configurations_at_once():
    space = conditional_space()
    configs = space.sample(50, seed=3)
    for config, configuration in zip(configs, configurations(space, configs), strict=True):
        assert configuration.get_array() == pytest.approx(space.to_configuration(config).get_array(), nan_ok=True)
        assert space.from_configuration(configuration) == config


def hartmann6(config):
    """The usual six-dimensional test function; minimum -3.32237."""
    a = np.array(
        [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
    )
    p = 1e-4 * np.array(
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ]
    )
    x = np.array([config[f"x{i}"] for i in range(6)])
    return float(-np.array([1, 1.2, 3, 3.2]) @ np.exp(-(a * (x - p) ** 2).sum(1)))


def test_smac_beats_random_search_on_hartmann6():
    space = SearchSpace(ConfigurationSpace(space=[Float(f"x{i}", (0.0, 1.0)) for i in range(6)]))

    def best(name, seeds, n=70):
        return np.mean([min(t.loss for t in run(make_strategy(name, space, seed=s), n, hartmann6)) for s in seeds])

    assert best("smac", range(2)) < min(best("random", range(10)) - 0.4, -2.8)


def test_smac_finds_the_good_branch_of_a_conditional_space():
    # the optimum: a network of depth 3 with momentum 0.8, whose momentum exists only under one optimizer
    runs = [run(make_strategy("smac", conditional_space(), seed=seed), 60) for seed in range(3)]
    late = [t for trials in runs for t in trials[30:]]
    assert np.mean([t.config["model"] == "net" for t in late]) > 0.7
    # the best of 60 random ones: 0.013 in one of twenty runs, 0.048 in the median
    assert np.median([min(t.loss for t in trials) for trials in runs]) < 0.02
    assert np.mean([t.loss for t in late]) < 0.6 * np.mean([smooth_loss(c) for c in conditional_space().sample(200)])


def test_a_failing_region_is_avoided():
    def loss(config):
        return math.nan if config["model"] == "linear" else smooth_loss(config)

    trials = run(make_strategy("smac", conditional_space(), seed=2), 40, loss)
    assert sum(not t.ok for t in trials[20:]) <= 5  # one in five is drawn at random, half of these fail


def test_the_default_comes_first():
    assert make_strategy("smac", conditional_space(), seed=5).ask().config == conditional_space().default()


def test_it_predicts_what_it_was_told():
    strategy = make_strategy("smac", conditional_space(), seed=0)
    trials = run(strategy, 40)
    predicted = strategy.predict([t.config for t in trials])
    assert np.corrcoef(predicted, normal_scores(np.array([t.loss for t in trials])))[0, 1] > 0.9
    assert list(predicted) == list(strategy.predict([t.config for t in trials]))


CODE = """
from autonas.strategies import make_strategy
from autonas.testing.strategy_cases import conditional_space, run
print([t.proposal.key for t in run(make_strategy("smac", conditional_space(), seed=1), 14)])
"""


def test_every_process_proposes_the_same_and_leaves_nothing_behind(tmp_path):
    printed = set()
    for salt in ("1", "2"):  # Python's hashes of texts differ, the search must not
        done = subprocess.run(
            [sys.executable, "-c", CODE],
            env={**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": os.pathsep.join(sys.path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        printed.add(done.stdout)
    assert len(printed) == 1
    assert list(tmp_path.iterdir()) == []
