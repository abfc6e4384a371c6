"""Decision sequences: round trips, and masks that never lead into a dead end, over random conditional spaces."""

import time

import numpy as np
import pytest
from ConfigSpace import (
    AndConjunction,
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenInClause,
    ForbiddenLessThanRelation,
    GreaterThanCondition,
    InCondition,
    Integer,
    OrConjunction,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from autonas.core.trial import config_key
from autonas.errors import SpaceError
from autonas.search_space.space import SearchSpace
from autonas.search_space.tokens import Decisions
from autonas.testing.strategy_cases import conditional_space, finite_space


@st.composite
def spaces(draw, continuous=True):
    """Up to six hyperparameters of any type, conditions (with "and", "or", thresholds), and forbidden clauses."""
    kinds = ["categorical", "ordinal", "integer", "constant", *(["float", "large"] if continuous else [])]
    space, made = ConfigurationSpace(), []
    made.extend(_hyperparameter(draw, f"h{i}", draw(st.sampled_from(kinds))) for i in range(draw(st.integers(1, 6))))
    space.add(made)
    for i, child in enumerate(made[1:], 1):
        leaves = [_condition(draw, child, parent) for parent in draw(st.lists(st.sampled_from(made[:i]), max_size=2))]
        if len(leaves) == 2 and leaves[0].parent.name != leaves[1].parent.name:
            space.add(draw(st.sampled_from([AndConjunction, OrConjunction]))(*leaves))
        elif leaves:
            space.add(leaves[0])
    for _ in range(draw(st.integers(0, 5))):
        parts = draw(st.lists(st.sampled_from(made), min_size=1, max_size=3, unique_by=lambda h: h.name))
        literals = [_literal(draw, part) for part in parts]
        clause = ForbiddenAndConjunction(*literals) if len(literals) > 1 else literals[0]
        if not clause.is_forbidden_value(dict(space.get_default_configuration())):
            space.add(clause)
    return SearchSpace(space)


def _decisions(space):
    try:
        return Decisions(space)
    except SpaceError:  # every point of the grid of a float is forbidden
        return assume(False)


def _hyperparameter(draw, name, kind):
    match kind:
        case "categorical":
            return Categorical(name, ["a", "b", "c"][: draw(st.integers(1, 3))])
        case "ordinal":
            return Categorical(name, [1, 4, 9], ordered=True)
        case "integer":
            return Integer(name, (1, draw(st.integers(2, 4))))
        case "float":
            return Float(name, (1e-3, 1.0), log=draw(st.booleans()))
        case "large":
            return Integer(name, (1, 1000), log=draw(st.booleans()))
        case _:
            return Constant(name, 7)


def _values(hyperparameter):
    return Decisions(SearchSpace(ConfigurationSpace(space=[hyperparameter]))).axes[0].values


def _condition(draw, child, parent):
    values = _values(parent)
    if hasattr(parent, "lower") and draw(st.booleans()):
        return GreaterThanCondition(child, parent, values[len(values) // 2])
    if draw(st.booleans()):
        return InCondition(child, parent, draw(st.lists(st.sampled_from(values), min_size=1, unique=True)))
    return EqualsCondition(child, parent, draw(st.sampled_from(values)))


def _literal(draw, hyperparameter):
    values = _values(hyperparameter)
    if draw(st.booleans()):
        return ForbiddenEqualsClause(hyperparameter, draw(st.sampled_from(values)))
    return ForbiddenInClause(hyperparameter, draw(st.lists(st.sampled_from(values), min_size=1, unique=True)))


FEW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def leaves(prefix):
    """All whole sequences, by legal actions only."""
    if prefix.name is None:
        yield prefix
        return
    assert prefix.legal.any(), "a dead end"
    for action in np.flatnonzero(prefix.legal):
        yield from leaves(prefix.take(int(action)))


@FEW
@given(spaces(continuous=False))
def test_the_tree_is_the_grid_of_a_finite_space(space):
    found = [config_key(leaf.config()) for leaf in leaves(Decisions(space).start())]
    assert len(set(found)) == len(found)
    assert set(found) == {config_key(config) for config in space.grid()}


@FEW
@given(spaces(), st.integers(0, 2**31))
def test_roll_outs_are_valid_and_come_back(space, seed):
    decisions, rng = _decisions(space), np.random.default_rng(seed)
    for _ in range(5):
        leaf = decisions.start().roll_out(rng)
        config = leaf.config()
        assert space.validate(config) == config
        assert list(config) == list(space.validate(config)), "in the fixed order"
        assert decisions.tokens(config) == leaf.tokens
        assert decisions.decode(leaf.tokens) == config
        inside = leaf.config(rng)
        assert space.validate(inside) == inside
        assert decisions.tokens(inside) == leaf.tokens


@FEW
@given(spaces(), st.integers(0, 2**31))
def test_any_configuration_has_a_sequence(space, seed):
    decisions = _decisions(space)
    for config in space.sample(5, seed):
        nearest = decisions.decode(decisions.tokens(config))
        assert space.validate(nearest) == nearest
        assert decisions.tokens(nearest) == decisions.tokens(config)


def test_a_clause_is_seen_before_it_bites():
    # x=1 forbids every value of y, so it must never be taken, although the clauses name y, which comes later
    space = ConfigurationSpace(space=[Categorical("x", [0, 1]), Categorical("y", [0, 1])])
    for value in (0, 1):
        clauses = (ForbiddenEqualsClause(space["x"], 1), ForbiddenEqualsClause(space["y"], value))
        space.add(ForbiddenAndConjunction(*clauses))
    start = Decisions(SearchSpace(space)).start()
    assert start.name == "x"
    assert start.legal.tolist() == [True, False]
    with pytest.raises(SpaceError, match="cannot be 1"):
        start.take(1)


def test_relations():
    space = ConfigurationSpace(space=[Integer("a", (1, 5)), Integer("b", (1, 5), default=5)])
    space.add(ForbiddenLessThanRelation(space["b"], space["a"]))
    found = {(c["a"], c["b"]) for c in (leaf.config() for leaf in leaves(Decisions(SearchSpace(space)).start()))}
    assert found == {(a, b) for a in range(1, 6) for b in range(a, 6)}


def test_bins_follow_the_logarithm():
    space = SearchSpace(
        ConfigurationSpace(space=[Float("lr", (1e-4, 1.0), log=True), Integer("n", (1, 4096), log=True)])
    )
    decisions = Decisions(space)
    lr, n = decisions.axes
    assert decisions.vocabulary[0] == ("lr", 16)
    assert lr.values == pytest.approx([10 ** (-4 + 4 * (i + 0.5) / 16) for i in range(16)])
    assert len(n.values) <= 16
    ratios = np.diff(np.log(n.values))
    assert ratios[-8:] == pytest.approx(np.log(4096) / 16, rel=0.02)  # whole numbers
    for axis in (lr, n):
        assert [axis.action(value) for value in axis.values] == list(range(len(axis.values)))
        assert axis.action(axis.hyperparameter.lower) == 0
        assert axis.action(axis.hyperparameter.upper) == len(axis.values) - 1


def test_every_whole_number_is_in_reach():
    space = SearchSpace(ConfigurationSpace(space=[Integer("n", (1, 50))]))
    decisions, rng = Decisions(space), np.random.default_rng(0)
    assert {decisions.start().roll_out(rng).config(rng)["n"] for _ in range(3000)} == set(range(1, 51))


def test_a_depth_keeps_its_values():
    # layer i is active from depth i on: with 16 bins for 24 depths some layers would never be the last
    space = ConfigurationSpace(space=[Integer("depth", (1, 24)), *(Float(f"x{i}", (0, 1)) for i in range(2, 25))])
    space.add([GreaterThanCondition(space[f"x{i}"], space["depth"], i - 1) for i in range(2, 25)])
    decisions = Decisions(SearchSpace(space))
    assert decisions.start().n_actions == 24
    assert [len(decisions.start().take(a).roll_out(np.random.default_rng(0)).tokens) for a in range(24)] == [
        *range(1, 25)
    ]


def test_vocabulary_and_ends():
    decisions = Decisions(conditional_space())
    assert dict(decisions.vocabulary)["momentum"] == 16
    assert dict(decisions.vocabulary)["version"] == 1
    assert decisions.offsets[-1] + decisions.vocabulary[-1][1] == sum(n for _, n in decisions.vocabulary)
    leaf = decisions.start().roll_out(np.random.default_rng(0))
    assert leaf.name is None
    assert leaf.n_actions == 0
    with pytest.raises(SpaceError, match="is missing"):
        decisions.start().config()
    with pytest.raises(SpaceError, match="next decision is"):
        decisions.decode([("nothing", 0)])


def test_single_points():
    finite = Decisions(finite_space())
    assert all(leaf.is_single for leaf in leaves(finite.start()))
    conditional = Decisions(conditional_space())
    leaf = conditional.start().roll_out(np.random.default_rng(1))
    assert leaf.is_single == (leaf.config() == leaf.config(np.random.default_rng(2)))


def test_speed():
    space = SearchSpace(ConfigurationSpace(space=[Categorical(f"c{i}", list("abcde")) for i in range(40)]))
    decisions, rng = Decisions(space), np.random.default_rng(0)
    best = min(_seconds(lambda: decisions.start().roll_out(rng)) for _ in range(20))
    assert best < 1e-3


def _seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start
