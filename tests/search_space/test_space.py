"""Points of a space: sampling, completing, validating, listing, building."""

import pickle

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, NotEqualsCondition

from autonas.data.task import Problem
from autonas.errors import SpaceError
from autonas.search_space.load import load_space
from autonas.search_space.portfolio import PortfolioEntry
from autonas.search_space.space import SearchSpace
from autonas.testing.strategy_cases import conditional_space, finite_space, single_space

PROBLEM = Problem("classification", 2)


def remember(config, problem, seed, device):
    return config, problem, seed, device


def test_sampling_is_uniform_over_choices():
    drawn = finite_space().sample(4000, seed=0)
    share = sum(config["model"] == "a" for config in drawn) / 4000
    # one of the six combinations below "b" is forbidden and drawn again
    assert abs(share - 0.5 / (0.5 + 0.5 * 5 / 6)) < 4 * np.sqrt(0.25 / 4000)


def test_log_scale_is_sampled_uniformly_in_the_logarithm():
    values = [c["strength"] for c in conditional_space().sample(4000, seed=1) if c["model"] == "linear"]
    quartiles = np.quantile(np.log10(values), [0.25, 0.5, 0.75])
    assert quartiles == pytest.approx([-3, -2, -1], abs=0.15)


def test_sampling_leaves_the_configspace_alone():
    space = conditional_space()
    space.configspace.seed(5)
    expected = [dict(c) for c in space.configspace.sample_configuration(3)]
    space.configspace.seed(5)
    space.sample(10, seed=1)
    assert [dict(c) for c in space.configspace.sample_configuration(3)] == expected
    assert space.sample(0) == []


def test_values_are_plain():
    for config in conditional_space().sample(50, seed=2):
        assert {type(value) for value in config.values()} <= {str, int, float, bool}
        assert type(config["bias"]) is bool


def test_grid_lists_every_configuration_once():
    # a | b x {1, 2, 3} x {with, without} without (3, without): 1 + 6 - 1
    space = finite_space()
    listed = [space.key(config) for config in space.grid()]
    assert len(listed) == len(set(listed)) == 6
    assert set(listed) == {space.key(config) for config in space.sample(500)}
    assert list(single_space().grid()) == [{"model": "only", "width": 8}]
    with pytest.raises(SpaceError, match="continuous"):
        conditional_space().grid()


def test_complete_drops_what_is_not_active():
    space = conditional_space()
    assert space.complete({"model": "linear", "depth": 3}) == {
        "model": "linear",
        "bias": True,
        "version": 1,
        "strength": 0.1,
    }
    assert space.complete({"optimizer": "sgd"})["momentum"] == 0.9


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"modle": "net"}, "Unknown hyperparameter 'modle'. Did you mean 'model'"),
        ({"model": "tree"}, "'model' cannot be 'tree'. Required: one of 'linear', 'net'"),
        ({"depth": 9}, r"'depth' cannot be 9. Required: a whole number in \[1, 5\]"),
        ({"depth": 2.5}, "a whole number"),
        ({"depth": True}, "'depth' cannot be True"),
        ({"depth": "2"}, "'depth' cannot be '2'"),
        ({"depth": None}, "'depth' cannot be None"),
        ({"bias": 1}, "'bias' cannot be 1"),
        ({"momentum": float("nan"), "optimizer": "sgd"}, "'momentum' cannot be nan"),
        ({"width": 48}, "one of 16, 32, 64"),
        ({"depth": 5, "width": 64}, "The space 'conditional' forbids .*depth == 5"),
    ],
)
def test_complete_refuses(config, message):
    with pytest.raises(SpaceError, match=message):
        conditional_space().complete(config)


def test_validate_wants_exactly_one_point():
    space = conditional_space()
    whole = space.default()
    assert space.validate(dict(reversed(whole.items()))) == whole
    with pytest.raises(SpaceError, match="'strength' is not active"):
        space.validate({**whole, "strength": 0.1})
    del whole["depth"]
    with pytest.raises(SpaceError, match="'depth' is missing"):
        space.validate(whole)


def test_numpy_values_and_integral_floats_become_plain():
    space = conditional_space()
    config = space.complete(
        {"depth": np.int64(3), "width": np.float64(16.0), "optimizer": np.str_("sgd"), "momentum": 0}
    )
    assert [type(config[name]) for name in ("depth", "width", "optimizer", "momentum")] == [int, int, str, float]


def test_key_does_not_depend_on_order_or_number_type():
    space = conditional_space()
    config = space.default()
    assert space.key(dict(reversed(config.items()))) == space.key({**config, "depth": 2.0})


def test_bare_space_builds_with_a_callable():
    configspace = ConfigurationSpace(space=[Float("x", (0.0, 1.0)), Categorical("op", ["conv", "pool"])])
    space = SearchSpace(configspace, build=remember, name="mine")
    config = space.default()
    assert space.kind_of(config) == "mine"
    assert space.options(config) == config
    assert space.build(config, PROBLEM, 3, "cpu") == (config, PROBLEM, 3, "cpu")
    assert pickle.loads(pickle.dumps(space)).build(config, PROBLEM)[0] == config
    with pytest.raises(SpaceError, match="give `build`"):
        SearchSpace(configspace).build(config, PROBLEM)
    with pytest.raises(SpaceError, match="cannot be 2"):
        space.build({"x": 2, "op": "conv"}, PROBLEM)


def test_build_finds_learners_and_networks():
    space = load_space("tabular", "classification")
    linear = space.build(space.default("linear"), PROBLEM, seed=7)
    assert type(linear).__module__ == "autonas.training.learners.linear"
    assert linear.options == space.options(space.default("linear"))
    assert (linear.seed, linear.problem) == (7, PROBLEM)
    network = space.build(space.default("mlp"), PROBLEM)
    assert type(network).__name__ == "NetworkLearner"
    assert network.options["depth"] == 2


def test_what_a_search_cannot_use_is_refused():
    configspace = ConfigurationSpace({"op": [("conv", 3), ("pool", 2)]})
    with pytest.raises(SpaceError, match="use text, numbers or booleans"):
        SearchSpace(configspace)
    configspace = ConfigurationSpace({"a": ["x", "y"], "b": ["p", "q"], "c": (0.0, 1.0)})
    configspace.add(EqualsCondition(configspace["b"], configspace["a"], "x"))
    configspace.add(NotEqualsCondition(configspace["c"], configspace["b"], "p"))
    with pytest.raises(SpaceError, match="Use an InCondition"):
        SearchSpace(configspace)


@pytest.mark.parametrize(
    ("when", "facts", "holds"),
    [
        ({}, {}, True),
        ({"min_rows": 5}, {"rows": 5}, True),
        ({"min_rows": 5}, {"rows": 4}, False),
        ({"max_columns": 5}, {"columns": 5}, True),
        ({"max_columns": 5}, {"columns": 6}, False),
        ({"max_columns": 5}, {}, False),
        ({"text": False}, {"text": False}, True),
        ({"text": False}, {"text": True}, False),
        ({"kind": "regression", "min_rows": 1}, {"kind": "regression", "rows": 9}, True),
        ({"kind": "regression", "min_rows": 1}, {"kind": "classification", "rows": 9}, False),
    ],
)
def test_portfolio_entry_holds(when, facts, holds):
    assert PortfolioEntry({}, 0.1, when).holds(facts) is holds


@pytest.mark.parametrize("sign", ["Less", "Greater"])
def test_clauses_that_configspace_does_not_sample_as_they_say_are_refused(sign):
    from ConfigSpace import forbidden

    configspace = ConfigurationSpace({"a": (1, 5), "b": (1, 5)})
    a = configspace["a"]
    flawed = getattr(forbidden, f"Forbidden{sign}ThanEqualsClause")(a, 1 if sign == "Less" else 5)
    configspace.add(forbidden.ForbiddenAndConjunction(flawed, forbidden.ForbiddenEqualsClause(configspace["b"], 5)))
    with pytest.raises(SpaceError, match=f"ForbiddenOrConjunction of a Forbidden{sign}ThanClause"):
        SearchSpace(configspace)
