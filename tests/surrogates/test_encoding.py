"""Features: distances of choices, inactive values, and groups of hyperparameters that share their values."""

import numpy as np
import pytest
from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, Integer

from autonas.search_space.space import SearchSpace
from autonas.surrogates.codes import Codes
from autonas.surrogates.encoding import Encoding, groups
from autonas.testing.strategy_cases import conditional_space, single_space


def cell_space():
    """Three edges with the same operations, two widths, and things that look alike but are not."""
    space = ConfigurationSpace(space=[Categorical(f"op{i}", ["conv", "pool", "skip"]) for i in range(3)])
    space.add(Integer("width1", (1, 4)), Integer("width2", (1, 4)), Integer("other", (1, 4)))
    space.add(Categorical("bias", [True, False]), Categorical("norm", [True, False]))
    return SearchSpace(space, name="cell")


def by_block(encoding, left, right):
    """Squared distance of two feature rows by block."""
    return np.bincount(encoding.block, (left - right) ** 2, encoding.n_blocks)


def test_groups_share_values_and_names():
    codes = Codes(cell_space())
    assert [[codes.parameters[j].name for j in group] for group in groups(codes)] == [
        ["op0", "op1", "op2"],
        ["width1", "width2"],
    ]


def test_two_different_choices_are_one_apart():
    codes = Codes(cell_space())
    encoding = Encoding(codes)
    base = {"op0": "conv", "op1": "pool", "op2": "skip", "width1": 1, "width2": 4, "other": 2, "bias": True}
    base |= {"norm": True}
    rows = np.array([codes.encode(base), codes.encode(base | {"op1": "skip"}), codes.encode(base | {"width1": 4})])
    features = encoding(rows)
    names = [parameter.name for parameter in codes.parameters]
    choice = by_block(encoding, features[0], features[1])
    assert choice[names.index("op1")] == pytest.approx(1)
    # counts (1, 1, 1) and (1, 0, 2), each halved as one-hot is, over three members
    assert choice[encoding.is_group][0] == pytest.approx((1 + 1) / 2 / 3)
    assert choice.sum() == pytest.approx(1 + 1 / 3)
    number = by_block(encoding, features[0], features[2])
    assert number[names.index("width1")] == pytest.approx(1)
    assert number[encoding.is_group][1] == pytest.approx(1 / 2)


def test_exchanging_members_leaves_their_group_alone():
    codes = Codes(cell_space())
    encoding = Encoding(codes)
    rng = np.random.default_rng(0)
    rows = codes.sample(40, rng)
    ops = [codes.column[f"op{i}"] for i in range(3)]
    mixed = rows.copy()
    mixed[:, ops] = rng.permuted(rows[:, ops], axis=1)
    group = encoding.block == np.flatnonzero(encoding.is_group)[0]
    assert encoding(mixed)[:, group] == pytest.approx(encoding(rows)[:, group])
    assert not np.allclose(encoding(mixed), encoding(rows))


def test_inactive_numbers_lie_in_the_middle_and_inactive_choices_are_a_choice():
    space = ConfigurationSpace()
    top, choice, number = Categorical("top", ["a", "b"]), Categorical("sub", ["x", "y"]), Float("x", (0.0, 1.0))
    space.add(top, choice, number)
    space.add(EqualsCondition(choice, top, "b"), EqualsCondition(number, top, "b"))
    codes = Codes(SearchSpace(space))
    encoding = Encoding(codes)
    configs = [{"top": "a"}, {"top": "b", "sub": "x", "x": 0.2}, {"top": "b", "sub": "y", "x": 0.2}]
    features = encoding(np.array([codes.encode(config) for config in configs]))
    names = [parameter.name for parameter in codes.parameters]
    distances = by_block(encoding, features[0], features[1])
    assert distances[names.index("sub")] == pytest.approx(1)
    assert distances[names.index("x")] == pytest.approx(0.3**2)
    assert by_block(encoding, features[1], features[2])[names.index("sub")] == pytest.approx(1)


def test_constants_have_no_features():
    encoding = Encoding(Codes(single_space()))
    assert encoding.n_blocks == 0
    assert encoding(np.zeros((2, 2))).shape == (2, 0)


def test_numbers_are_marked():
    codes = Codes(conditional_space())
    encoding = Encoding(codes)
    used = [p.name for p in codes.parameters if len(p.values) != 1]
    assert {used[i] for i in np.flatnonzero(encoding.is_number)} == {"strength", "momentum"}
    assert not encoding.is_group.any()
