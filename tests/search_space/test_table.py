"""The table says what ConfigSpace says, for every kind of condition and forbidden clause."""

import inspect
import pickle

import ConfigSpace as C
import numpy as np
import pytest
from ConfigSpace import forbidden
from hypothesis import given, settings
from hypothesis import strategies as st

from autonas.errors import SpaceError
from autonas.search_space.space import SearchSpace
from autonas.search_space.table import TRIES
from autonas.testing.random_spaces import random_space


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_what_is_active_and_what_is_forbidden(seed):
    space = random_space(seed)
    table, rng = space.table, np.random.default_rng(seed)
    for _ in range(5):
        values = {}
        for name, domain in table.domains.items():
            if table.is_active(name, values):
                values[name] = domain.draw(rng)
        if table.violated(values) is None:
            assert space.validate(values) == values
        else:
            with pytest.raises(SpaceError, match="forbids"):
                space.validate(values)


@pytest.mark.parametrize("default", [(5, 8), (1, 2), (3, 4)])
@pytest.mark.parametrize("name", sorted(name for name in dir(forbidden) if name.endswith(("Clause", "Relation"))))
def test_clauses(name, default):
    kind = getattr(forbidden, name)
    if inspect.isabstract(kind):
        pytest.skip("the base of others")
    configspace = C.ConfigurationSpace(
        space=[
            C.Integer("a", (1, 5), default=default[0]),
            C.OrdinalHyperparameter("b", [8, 4, 2], default_value=default[1]),
        ]
    )
    a, b = configspace["a"], configspace["b"]
    one = {"Relation": (a, b), "InClause": (a, [2])}
    many = [kind(*next((given for end, given in one.items() if name.endswith(end)), (a, 2)))]
    if "In" not in name and "Relation" not in name:
        many.append(kind(b, 4))
    for clause in many:
        here = {"a": default[0], "b": default[1]}
        if clause.is_forbidden_value(here):  # ConfigSpace wants a default that is allowed
            continue
        space = C.ConfigurationSpace(space=[a, b])
        space.add(clause)
        if name.endswith("ThanEqualsClause"):  # ConfigSpace does not sample them as they say
            with pytest.raises(SpaceError, match="ForbiddenOrConjunction"):
                SearchSpace(space)
            continue
        table = SearchSpace(space).table
        for values in ({"a": x, "b": y} for x in range(1, 6) for y in (8, 4, 2)):
            assert (table.violated(values) is not None) == clause.is_forbidden_value(values)
        assert table.violated({}) is None


def test_a_table_draws_configurations():
    space = random_space(7)
    rng = np.random.default_rng(0)
    for _ in range(20):
        config = space.table.draw(rng)
        assert space.validate(config) == config


@pytest.mark.parametrize("log", [True, False])
def test_draws_of_numbers_are_uniform(log):
    space = SearchSpace(
        C.ConfigurationSpace(space=[C.Integer("n", (1, 4), log=log), C.Float("x", (0.01, 1.0), log=log)])
    )
    rng = np.random.default_rng(0)
    n = [space.table.domains["n"].draw(rng) for _ in range(4000)]
    edges = np.log([1, 2, 3, 4, 5]) if log else np.arange(5.0)
    expected = 4000 * np.diff(edges) / (edges[-1] - edges[0])
    assert ((np.bincount(n, minlength=5)[1:] - expected) ** 2 / expected).sum() < 16.3
    x = np.array([space.table.domains["x"].draw(rng) for _ in range(4000)])
    assert np.mean(x < (0.1 if log else 0.505)) == pytest.approx(0.5, abs=0.03)


def test_draws_follow_weights_and_normal_distributions():
    weighted = C.Categorical("a", ["x", "y"], weights=[0.9, 0.1])
    normal = C.Float("b", (0.0, 10.0), distribution=C.Normal(mu=3.0, sigma=1.0))
    table = SearchSpace(C.ConfigurationSpace(space=[weighted, normal])).table
    rng = np.random.default_rng(0)
    assert np.mean([table.domains["a"].draw(rng) == "x" for _ in range(2000)]) == pytest.approx(0.9, abs=0.03)
    drawn = [table.domains["b"].draw(rng) for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(3.0, abs=0.12)
    assert np.std(drawn) == pytest.approx(1.0, abs=0.1)


def test_an_edit_that_is_forbidden_alone_may_draw_children_that_allow_it():
    configspace = C.ConfigurationSpace({"model": ["a", "b"], "x": [1, 2, 3]})
    configspace.add(C.EqualsCondition(configspace["x"], configspace["model"], "b"))
    configspace.add(C.ForbiddenInClause(configspace["x"], [2, 3]))
    table = SearchSpace(configspace).table
    rng = np.random.default_rng(0)
    results = [table.edit({"model": "a"}, "model", "b", rng) for _ in range(50)]
    assert {"model": "b", "x": 1} in results
    assert all(result in ({"model": "b", "x": 1}, None) for result in results)
    assert results.count(None) <= 1  # (2/3) ** TRIES
    assert TRIES >= 10


def test_pickles():
    space = random_space(12)
    copy = pickle.loads(pickle.dumps((space, space.table)))[1]
    rng = np.random.default_rng(0)
    config = space.sample(1)[0]
    assert copy.violated(config) is None
    assert copy.domains == space.table.domains
    name = next(iter(config))
    assert copy.domains[name].draw(rng) is not None
