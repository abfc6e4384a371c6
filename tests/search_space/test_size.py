"""Counting without listing: numbers that are known, and the lists of small spaces."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonas.search_space.load import list_spaces
from autonas.search_space.size import log10_size
from autonas.testing.random_spaces import random_space

SUMMARIES = {summary.name: summary for summary in list_spaces()}


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("nasbench201", 5**6),  # Dong & Yang 2020
        ("fcnet", 62_208),  # Klein et al 2018
        ("genetic_cnn", 2**19),  # Xie & Yuille 2017
        ("darts", (1 * 3 * 6 * 10 * 7**8) ** 2),  # pairs of inputs, operations, two cells
        ("enas_macro", 6**12 * 2 ** (11 * 10 // 2)),  # operations, skips that are not from the layer before
        ("pnas", sum(math.prod((i + 2) ** 2 * 8**2 for i in range(b)) for b in range(1, 6))),
        ("amoebanet", math.prod((i + 2) ** 2 * 8**2 for i in range(5)) ** 2),
    ],
)
def test_published_sizes(name, count):
    assert SUMMARIES[name].log10_architectures == pytest.approx(math.log10(count), abs=1e-9)


def test_a_policy_has_the_size_of_the_paper():
    # Cubuk et al 2018: (16 x 10 x 11) ** 10, where three of the 16 operations have no magnitude
    size = SUMMARIES["autoaugment"]
    assert size.log10_architectures == 0
    training = SUMMARIES["nasbench201"].log10_configurations - SUMMARIES["nasbench201"].log10_architectures
    policies = 10 * math.log10((13 * 10 + 3) * 11)
    assert size.log10_configurations >= policies
    assert size.log10_configurations - policies < training


def plain_specs(space):
    """Hyperparameters, conditions and clauses of a ConfigSpace in the dialect of space files."""
    whole = space.configspace.to_serialized_dict()
    return (
        {spec["name"]: spec for spec in whole["hyperparameters"]},
        {spec["child"]: spec for spec in whole["conditions"]},
        whole["forbiddens"],
    )


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_as_many_as_the_grid_lists(seed):
    space = random_space(seed, finite=True)
    if any(spec["type"] == "NEQ" for spec in map(dict, parts(space))):
        return  # which files do not have, see spec.condition
    assert 10 ** log10_size(*plain_specs(space)) == pytest.approx(sum(1 for _ in space.grid()))


def parts(space):
    for condition in space.configspace.to_serialized_dict()["conditions"]:
        yield from condition.get("conditions", [condition])


def test_what_hangs_together_too_much_is_not_counted():
    values = list(range(12))
    hyperparameters = {f"h{i}": {"name": f"h{i}", "type": "ordinal", "sequence": values} for i in range(9)}
    pairs = [(f"h{i}", f"h{j}") for i in range(9) for j in range(i)]
    clauses = [{"type": "RELATION_EQ", "left": a, "right": b} for a, b in pairs]
    assert math.isnan(log10_size(hyperparameters, {}, clauses))
    few = dict(list(hyperparameters.items())[:4])
    clauses = [c for c in clauses if {c["left"], c["right"]} <= set(few)]
    assert 10 ** log10_size(few, {}, clauses) == pytest.approx(12 * 11 * 10 * 9)
