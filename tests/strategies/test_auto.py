"""Auto: its design, what it finds, and that a replay of any length goes on as the search would have."""

import itertools
import math

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float, Integer

from autonas.core.trial import Proposal, Result, Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies._climb import Moves, climb
from autonas.strategies.auto import Auto, initial_design
from autonas.surrogates.codes import Codes
from autonas.surrogates.encoding import Encoding
from autonas.testing.strategy_cases import conditional_space, run, smooth_loss


def floats(n=6):
    return SearchSpace(ConfigurationSpace(space=[Float(f"x{i}", (0.0, 1.0)) for i in range(n)]))


def cells():
    return SearchSpace(ConfigurationSpace(space=[Categorical(f"op{i}", list("abcde")) for i in range(6)]))


def count_loss(config):
    """Best with four times "c" and a "b" at the front; the median of all is near 5."""
    ops = list(config.values())
    return abs(ops.count("c") - 4) + (ops[0] != "b") + 2 * ops.count("e")


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


def test_the_initial_design_is_a_latin_hypercube():
    codes = Codes(floats(3))
    rows = initial_design(codes, Encoding(codes), 6, np.random.default_rng(0))
    for column in rows.T:
        assert sorted(np.floor(column * 6)) == list(range(6))


def test_neighbours_differ_in_one_value_and_their_children():
    space = conditional_space()
    codes = Codes(space)
    rng = np.random.default_rng(0)
    rows = codes.sample(20, rng)
    found, origin = Moves(codes).around(rows, rng)
    for row, start in zip(found, rows[origin], strict=True):
        config = codes.decode(row)
        assert space.validate(config) == config
        changed = [codes.parameters[j].name for j in np.flatnonzero(row != start)]
        assert len(changed) == 1 or changed[0] in ("model", "optimizer")
    listed = [sorted({tuple(row) for row in found[origin == i]}) for i in range(20)]
    assert all(len(rows) >= 5 for rows in listed)


def test_a_climb_ends_where_no_neighbour_is_better():
    codes = Codes(SearchSpace(ConfigurationSpace(space=[Integer("i", (0, 20)), Integer("j", (0, 2000))])))

    def height(rows):
        return -abs(rows[:, 0] - 14) - 10 * abs(rows[:, 1] - 0.3)

    rng = np.random.default_rng(0)
    starts = codes.sample(4, rng)
    ends, tops = climb(height, starts, height(starts), Moves(codes), rng, 30)
    assert tops == pytest.approx(height(ends))
    best = codes.decode(ends[tops.argmax()])
    assert best["i"] == 14
    assert abs(best["j"] - 600) < 40


def test_it_solves_hartmann6_where_random_search_does_not():
    bests = [min(t.loss for t in run(Auto(floats(), seed=s), 50, hartmann6)) for s in range(3)]
    assert np.median(bests) < -3.1  # the best of 50 random ones is near -2


def test_it_learns_what_an_architecture_is_made_of():
    # one configuration in about a thousand is optimal
    first = [next(n for n, t in enumerate(run(Auto(cells(), seed=s), 60, count_loss)) if t.loss <= 1) for s in range(3)]
    assert np.median(first) < 40


def test_it_finds_the_good_branch_of_a_conditional_space():
    trials = run(Auto(conditional_space(), seed=1), 50)
    assert min(t.loss for t in trials) < 0.02
    assert np.mean([t.config["model"] == "net" for t in trials[20:]]) > 0.7
    assert any(t.config["model"] == "linear" for t in trials)


def test_failures_are_avoided_where_they_belong_to_a_region():
    def loss(config):
        return math.nan if config["model"] == "linear" else smooth_loss(config)

    trials = run(Auto(conditional_space(), seed=2), 40, loss)
    assert sum(not t.ok for t in trials[20:]) <= 5
    assert min(t.loss for t in trials) < 0.05


def test_pending_proposals_spread_out():
    strategy = Auto(floats(2), seed=0)
    run(strategy, 12, lambda c: (c["x0"] - 0.3) ** 2 + (c["x1"] - 0.7) ** 2)
    points = np.array([list(strategy.ask().config.values()) for _ in range(6)])
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(points, 2)) > 1e-4


@pytest.mark.parametrize("n", [5, 6, 7, 31, 52])
def test_a_replay_of_any_length_goes_on_the_same(n):
    space = cells()
    first, second = Auto(space, seed=7), Auto(space, seed=7)
    trials = run(first, n, count_loss, at_once=3)
    for trial in trials:
        second.tell(trial)
    assert [first.ask().key for _ in range(3)] == [second.ask().key for _ in range(3)]


def test_the_latest_word_about_a_configuration_counts():
    space = cells()
    configs = space.sample(12, seed=1)
    once, twice = Auto(space, seed=0), Auto(space, seed=0)
    for number, config in enumerate(configs):
        final = Trial(number, Proposal(config), Result({"loss": count_loss(config)}))
        once.tell(final)
        if number == 3:
            twice.tell(Trial(number, Proposal(config), Result({"loss": 100.0})))
        twice.tell(final)
    assert once.ask() == twice.ask()


def told_of_two_fidelities(n_floats, n_full, loss):
    """A strategy that knows ``n_full`` full trials and 34 cheap ones, and the best loss of the full ones."""
    space = floats(n_floats)
    strategy = Auto(space, seed=0)
    configs = space.sample(n_full + 34, seed=3)
    for number, config in enumerate(configs):
        fidelity = 1.0 if number < n_full else 1 / 9
        strategy.tell(Trial(number, Proposal(config, fidelity), Result({"loss": loss(config, fidelity)})))
    return strategy, min(loss(config, 1.0) for config in configs[:n_full])


def test_low_fidelities_help_while_there_are_few_full_ones():
    def loss(config, fidelity):
        return sum((value - 0.6) ** 2 for value in config.values()) + (1 - fidelity)

    strategy, best = told_of_two_fidelities(8, 6, loss)
    proposed = [loss(strategy.ask().config, 1.0) for _ in range(6)]
    assert min(proposed) < best


def test_misleading_low_fidelities_are_outvoted_by_enough_full_ones():
    def loss(config, fidelity):
        return sum((value - (0.7 if fidelity == 1 else 0.1)) ** 2 for value in config.values())

    strategy, best = told_of_two_fidelities(2, 16, loss)
    proposed = [loss(strategy.ask().config, 1.0) for _ in range(6)]
    assert min(proposed) < best


def test_several_objectives_are_weighed_anew_each_time():
    pytest.importorskip("autonas.core.pareto")
    space = floats(2)
    strategy = Auto(space, ("a", "b"), seed=0)
    found = []
    for number in range(40):
        config = strategy.ask()
        a, b = config.config["x0"] ** 2 + config.config["x1"], (1 - config.config["x0"]) ** 2 + config.config["x1"]
        strategy.tell(Trial(number, config, Result({"a": a, "b": b})))
        found.append((a, b, config.config["x0"]))
    late = np.array(found[15:])
    near = late[late[:, 0] + late[:, 1] < 1.1]  # the front: x1 = 0, any x0
    assert len(near) > 12
    assert near[:, 2].min() < 0.25
    assert near[:, 2].max() > 0.75
