"""Codes against ConfigSpace: the same configurations, conditions and forbidden clauses."""

import numpy as np
import pytest
from ConfigSpace import (
    AndConjunction,
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    ForbiddenLessThanRelation,
    GreaterThanCondition,
    InCondition,
    Integer,
    LessThanCondition,
    OrConjunction,
    OrdinalHyperparameter,
)

from autonas.search_space.space import SearchSpace
from autonas.surrogates.codes import Codes, row_keys
from autonas.testing.strategy_cases import conditional_space, finite_space, single_space


def tangled_space():
    """Conditions on numbers, conjunctions of both kinds, and a forbidden relation."""
    space = ConfigurationSpace()
    kind = Categorical("kind", ["a", "b", "c"], weights=[1, 2, 1])
    depth, size = Integer("depth", (1, 100), log=True), Integer("size", (1, 1000))
    rate, drop = Float("rate", (1e-5, 1.0), log=True), Float("drop", (0.0, 0.5))
    low, high = Integer("low", (0, 9)), Integer("high", (0, 9))
    bias, order = Categorical("bias", [True, False]), OrdinalHyperparameter("order", [1, 2, 8])
    space.add(kind, depth, size, rate, drop, low, high, bias, order)
    space.add(
        GreaterThanCondition(size, depth, 5),
        OrConjunction(EqualsCondition(drop, kind, "a"), LessThanCondition(drop, rate, 0.01)),
        AndConjunction(InCondition(bias, kind, ["a", "b"]), GreaterThanCondition(bias, order, 1)),
    )
    space.add(ForbiddenLessThanRelation(high, low))
    return SearchSpace(space, name="tangled")


SPACES = [conditional_space, finite_space, single_space, tangled_space]


@pytest.mark.parametrize("make", SPACES)
def test_configurations_survive_the_round_trip(make):
    space = make()
    codes = Codes(space)
    for config in space.sample(200, seed=1):
        row = codes.encode(config)
        assert codes.decode(row) == config
        assert list(codes.decode(row)) == list(config)
        assert ((row == -1) | (row >= 0)).all()


@pytest.mark.parametrize("make", SPACES)
def test_drawn_codes_are_valid_configurations(make):
    space = make()
    codes = Codes(space)
    rows = codes.sample(300, np.random.default_rng(0))
    assert rows.shape == (300, len(space.configspace))
    for row in rows:
        config = codes.decode(row)
        assert space.validate(config) == config
        assert codes.encode(config) == pytest.approx(row, abs=1e-6)


def test_draws_reach_every_configuration_of_a_finite_space():
    space = finite_space()
    codes = Codes(space)
    drawn = {space.key(codes.decode(row)) for row in codes.sample(300, np.random.default_rng(0))}
    assert drawn == {space.key(config) for config in space.grid()}


def test_draws_follow_the_weights_of_the_choices():
    codes = Codes(tangled_space())
    rows = codes.sample(4000, np.random.default_rng(0))
    shares = np.bincount(rows[:, codes.column["kind"]].astype(int)) / len(rows)
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.03)


def test_a_fixed_column_is_not_drawn():
    codes = Codes(conditional_space())
    j = codes.column["model"]
    rows = codes.sample(50, np.random.default_rng(0), {j: 1.0})
    assert (rows[:, j] == 1).all()
    assert (rows[:, codes.column["depth"]] >= 0).all()


def test_conditions_draw_what_becomes_active_and_clear_the_rest():
    space = conditional_space()
    codes = Codes(space)
    row = codes.encode({"model": "linear", "strength": 0.01, "bias": True, "version": 1})
    row[codes.column["model"]] = 1  # a net
    moved = [codes.decode(r) for r in codes.activate(np.tile(row, (60, 1)), np.random.default_rng(0))]
    for config in moved:
        assert set(config) - {"momentum"} == {"model", "depth", "width", "optimizer", "bias", "version"}
        assert ("momentum" in config) == (config["optimizer"] == "sgd")
    assert {config["depth"] for config in moved} == {1, 2, 3, 4, 5}
    assert {config["bias"] for config in moved} == {True}


def test_logarithmic_places():
    codes = Codes(tangled_space())
    j = codes.column["rate"]
    row = codes.encode(next(iter(tangled_space().sample(1))) | {"rate": 10**-2.5})
    assert row[j] == pytest.approx(0.5)
    whole = codes.snap(codes.column["depth"], np.linspace(0, 1, 50))
    assert 100**whole == pytest.approx(np.round(100**whole))


def test_keys_are_equal_for_equal_rows_only():
    rows = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    keys = row_keys(rows)
    assert keys[0] == keys[1] == rows[0].tobytes()
    assert keys[2] != keys[0]
