"""Progressive search: what each level frees, growth by size, and the counts of PNAS."""

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, Float, GreaterThanCondition, Integer

from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.testing.strategy_cases import CASES, conditional_space, run


def blocks(n=3, values="abcd"):
    """A cell of up to ``n`` blocks, each with two decisions that are active from its size on."""
    space = ConfigurationSpace(space=[Integer("size", (1, n))])
    for i in range(1, n + 1):
        parts = [Categorical(f"{part}{i}", list(values)) for part in ("input", "op")]
        space.add(parts)
        if i > 1:
            space.add([GreaterThanCondition(part, space["size"], i - 1) for part in parts])
    return SearchSpace(space)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_conformance_by_size(case):
    def make(space, seed=0):
        options = {"conditional": "depth", "finite": "units"}.get(space.name)
        return make_strategy("pnas", space, seed=seed, beam=5, size=options)

    case(make)


def test_configurations_grow():
    space = blocks()
    trials = run(make_strategy("pnas", space, beam=16, size="size"), 48, lambda c: -sum(v == "c" for v in c.values()))
    assert [t.config["size"] for t in trials] == [1] * 16 + [2] * 16 + [3] * 16
    first = {(t.config["input1"], t.config["op1"]) for t in trials[:16]}
    assert len(first) == 16, "all cells of one block are tried"
    # what grows is a beam of parents: the first block of the best comes back
    assert [t.config["op1"] for t in trials[16:]].count("c") > 12
    assert min(t.loss for t in trials[:32]) == -4
    assert min(t.loss for t in trials) == -6


def test_every_parent_is_expanded_by_every_block():
    space = blocks()
    strategy = make_strategy("pnas", space, beam=16, size="size", width=10**6)
    run(strategy, 16, lambda c: -sum(v == "c" for v in c.values()))
    strategy.ask()
    assert len(strategy._queue) == 16 * 4 * 4
    assert all(prefix.config()["size"] == 2 for prefix in strategy._queue)


def test_a_level_frees_some_decisions_and_keeps_the_rest():
    space = SearchSpace(ConfigurationSpace({f"t{i}": list("abc") for i in range(6)}))
    strategy = make_strategy("pnas", space, beam=5, levels=3)
    trials = run(strategy, 5, lambda c: -sum(v == "b" for v in c.values()))
    strategy.ask()
    ends = {tuple(t.config[f"t{i}"] for i in (0, 1, 4, 5)) for t in trials}
    for prefix in strategy._queue:
        config = prefix.config()
        assert tuple(config[f"t{i}"] for i in (0, 1, 4, 5)) in ends, "only t2 and t3 are free in the second level"
    assert len({(p.config()["t2"], p.config()["t3"]) for p in strategy._queue}) == 9


def test_wide_spaces_are_cut_by_the_model():
    space = SearchSpace(ConfigurationSpace(space=[Float(f"x{i}", (0.0, 1.0)) for i in range(8)]))
    strategy = make_strategy("pnas", space, beam=20)
    trials = run(strategy, 100, lambda c: sum((v - 0.3) ** 2 for v in c.values()))
    losses = [t.loss for t in trials]
    assert np.mean(losses[-20:]) < 0.8 * np.mean(losses[:20])
    assert len(strategy._queue) <= 100


def test_a_level_depends_on_what_was_told_before_it():
    # trials that come in while a level lasts do not change its candidates
    space = conditional_space()
    strategy = make_strategy("pnas", space, beam=10)
    run(strategy, 12, len)
    queue = strategy._queue
    strategy.tell(Trial(99, Proposal(space.sample(1, 5)[0]), Result({"loss": -100.0})))
    strategy.ask()
    assert strategy._queue is queue


def test_wrong_size():
    for size in ("nothing", "model"):
        with pytest.raises(OptionError, match="The size must be"):
            make_strategy("pnas", conditional_space(), size=size)
