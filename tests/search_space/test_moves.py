"""Neighbours, mutation and crossover: valid, one edit, everything reachable; the judge is `SearchSpace.validate`."""

import time

import numpy as np
import pytest
from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    ForbiddenGreaterThanRelation,
    ForbiddenLessThanRelation,
    Integer,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from autonas.core.trial import config_key
from autonas.search_space.moves import crossover, mutate, neighbours
from autonas.search_space.space import SearchSpace
from autonas.testing.random_spaces import random_space
from autonas.testing.strategy_cases import finite_space

SEEDS = st.integers(0, 10**6)


def _is_valid(space, config):
    return space.validate(config) == config and list(space.validate(config)) == list(config)


def _all_keys(space):
    return {config_key(config) for config in space.grid()}


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_neighbours_are_valid_and_one_edit_away(seed):
    space = random_space(seed)
    (config,) = space.sample(1, seed=seed)
    found = list(neighbours(space, config, np.random.default_rng(seed)))
    for neighbour in found:
        assert _is_valid(space, neighbour)
        changed = [name for name in config if name in neighbour and neighbour[name] != config[name]]
        appeared = set(neighbour).symmetric_difference(config)
        assert len(changed) == 1
        assert appeared <= set(space.table.dependents[changed[0]])
    assert config not in found


@given(seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_all_one_edit_neighbours_of_a_finite_space(seed):
    space = random_space(seed, finite=True)
    rng = np.random.default_rng(seed)
    (config,) = space.sample(1, seed=seed)
    found = {(n, v) for c in neighbours(space, config, rng) for n, v in c.items() if n in config and v != config[n]}
    expected = set()
    for other in space.grid():
        changed = [n for n in config if n in other and other[n] != config[n]]
        if len(changed) == 1 and set(other).symmetric_difference(config) <= set(space.table.dependents[changed[0]]):
            expected.add((changed[0], other[changed[0]]))
    assert found == expected


@given(seed=SEEDS, n=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_mutations_and_crossovers_are_valid(seed, n):
    space = random_space(seed)
    rng = np.random.default_rng(seed)
    a, b = space.sample(2, seed=seed)
    for child in (mutate(space, a, rng, n=n), mutate(space, a, rng, rate=0.3), crossover(space, a, b, rng)):
        assert _is_valid(space, child)
    child = crossover(space, a, b, rng)
    taken = [name for name in child if child[name] in (a.get(name), b.get(name))]
    assert all(name in taken or (name not in a and name not in b) for name in child)
    assert crossover(space, a, a, rng) == a


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_edits_reach_everything_where_nothing_is_forbidden(seed):
    space = random_space(seed, finite=True, forbidden=False)
    rng = np.random.default_rng(seed)
    start = space.default()
    reached = {config_key(start): start}
    waiting = [start]
    while waiting:
        config = waiting.pop()
        for _ in range(4):  # children that become active are drawn: several draws find all their values
            for neighbour in neighbours(space, config, rng):
                if config_key(neighbour) not in reached:
                    reached[config_key(neighbour)] = neighbour
                    waiting.append(neighbour)
    assert reached.keys() == _all_keys(space)


def test_mutation_reaches_everything_and_never_stays():
    space = finite_space()
    rng = np.random.default_rng(0)
    config, seen = space.default(), set()
    for _ in range(500):
        child = mutate(space, config, rng)
        assert child != config
        config = child
        seen.add(config_key(config))
    assert seen == _all_keys(space)


def test_mutation_crosses_what_clauses_forbid_to_change_alone():
    configspace = ConfigurationSpace({"a": (1, 4), "b": (1, 4), "free": ["x", "y"]})
    a, b = configspace["a"], configspace["b"]
    configspace.add(ForbiddenLessThanRelation(a, b), ForbiddenGreaterThanRelation(a, b))  # a = b
    space = SearchSpace(configspace)
    rng = np.random.default_rng(0)
    config, seen = space.default(), set()
    for _ in range(200):
        config = mutate(space, config, rng)
        assert _is_valid(space, config)
        seen.add(config_key(config))
    assert len(seen) == 8
    assert {n["free"] for n in neighbours(space, config, rng)} == {"x", "y"} - {config["free"]}


def test_what_cannot_change_stays():
    space = SearchSpace(ConfigurationSpace(space=[Constant("a", 1), Categorical("b", ["only"])]))
    config, rng = space.default(), np.random.default_rng(0)
    assert list(neighbours(space, config, rng)) == []
    assert mutate(space, config, rng) == config


def test_mutation_is_uniform_over_what_can_change_and_over_the_other_values():
    space = SearchSpace(
        ConfigurationSpace(space=[Categorical("a", list("wxyz")), Categorical("b", ["u", "v"]), Constant("c", 1)])
    )
    rng = np.random.default_rng(0)
    config = space.default()
    counts = {}
    for _ in range(6000):
        key = config_key(mutate(space, config, rng))
        counts[key] = counts.get(key, 0) + 1
    expected = [1000, 1000, 1000, 3000]
    chi = sum((n - e) ** 2 / e for n, e in zip(sorted(counts.values()), expected, strict=True))
    assert chi < 16.3  # 3 degrees of freedom, p = 0.001


def test_steps_of_numbers_are_gaussian_after_the_logarithm():
    space = SearchSpace(
        ConfigurationSpace(space=[Float("x", (1e-4, 1.0), log=True), Integer("n", (1, 1024), log=True)])
    )
    rng = np.random.default_rng(0)
    config = {"n": 32, "x": 1e-2}
    children = [mutate(space, config, rng) for _ in range(4000)]
    steps = [(np.log10(c["x"]) + 2) / 4 for c in children if c["n"] == 32]
    halves = [np.log2(c["n"] / 32) / 10 for c in children if c["n"] != 32]
    for sample in (steps, halves):  # standard deviation 0.2, cut at +-0.5: 0.1909
        assert np.mean(sample) == pytest.approx(0, abs=0.02)
        assert np.std(sample) == pytest.approx(0.1909, abs=0.012)


def test_a_rate_edits_so_many_on_average_and_at_least_one():
    space = SearchSpace(ConfigurationSpace({f"b{i:02}": ["0", "1"] for i in range(40)}))
    rng = np.random.default_rng(0)
    config = space.default()
    edits = [
        sum(child[n] != config[n] for n in config)
        for child in (mutate(space, config, rng, rate=0.05) for _ in range(1000))
    ]
    # binomial (40, 0.05), zeros replaced by one
    assert np.mean(edits) == pytest.approx(2 + 0.95**40, abs=0.15)
    assert min(edits) == 1


def test_crossover_takes_half_of_each_and_children_with_their_parents():
    configspace = ConfigurationSpace({"model": ["a", "b"], "x": (0, 1000), "y": (0, 1000)})
    configspace.add(EqualsCondition(configspace["x"], configspace["model"], "a"))
    configspace.add(EqualsCondition(configspace["y"], configspace["model"], "b"))
    space = SearchSpace(configspace)
    a, b = {"model": "a", "x": 7}, {"model": "b", "y": 9}
    rng = np.random.default_rng(0)
    children = [crossover(space, a, b, rng) for _ in range(1000)]
    assert all(child in (a, b) for child in children)
    assert 430 < sum(child == a for child in children) < 570


def test_equal_seeds_give_equal_moves():
    space = random_space(4)
    a, b = space.sample(2, seed=0)
    for move in (
        lambda r: list(neighbours(space, a, r)),
        lambda r: mutate(space, a, r, n=2),
        lambda r: crossover(space, a, b, r),
    ):
        assert move(np.random.default_rng(5)) == move(np.random.default_rng(5))


def test_a_mutation_is_quick():
    space = SearchSpace(ConfigurationSpace({f"c{i:02}": list("vwxyz") for i in range(40)}))
    rng = np.random.default_rng(0)
    config = mutate(space, space.default(), rng)
    start = time.process_time()
    for _ in range(300):
        config = mutate(space, config, rng)
    assert (time.process_time() - start) / 300 < 0.3e-3
