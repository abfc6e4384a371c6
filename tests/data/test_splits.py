"""Folds partition the rows, spread classes evenly and keep groups together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, ShuffleSplit

from autonas.data.splits import make_folds
from autonas.errors import DataError, OptionError


def check_partition(folds, repeats=1):
    """Every row that is validated is validated once per repeat, and never trains with itself."""
    times = np.zeros(folds.n_rows, dtype=int)
    for train, valid in folds.pairs:
        assert len(train) + len(valid) == folds.n_rows
        assert not np.intersect1d(train, valid).size
        assert len(valid)
        times[valid] += 1
    assert set(times.tolist()) <= {0, repeats}
    return times


@settings(deadline=None, max_examples=60)
@given(sizes=st.lists(st.integers(1, 60), min_size=2, max_size=6), seed=st.integers(0, 5))
def test_classes_are_spread_evenly(sizes, seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    folds = make_folds(y, "classification", seed=seed)
    repeats = 5 if len(folds) % 5 == 0 and min(len(y), 8) * 5 >= len(folds) > 8 else 1
    check_partition(folds, repeats)
    common = [c for c, size in enumerate(sizes) if size > 1]
    for train, valid in folds.pairs:
        assert set(common) <= set(y[train].tolist())
        k = len(folds) // repeats
        for c in common:
            assert abs((y[valid] == c).sum() - sizes[c] / k) < 1


def test_a_class_of_one_row_always_trains():
    y = np.r_[np.zeros(50), np.ones(50), 2].astype(int)
    folds = make_folds(y, "classification", seed=0)
    assert all(100 in train for train, _ in folds.pairs)
    assert folds.complementary


def test_classes_that_all_have_one_row_are_dealt_like_any_rows():
    folds = make_folds(np.arange(20), "classification", seed=0)
    assert len(folds.covered) == 20


@pytest.mark.parametrize(
    ("n", "pairs", "share"),
    [
        (100, 40, 1.0),
        (601, 8, 1.0),
        (1500, 5, 1.0),
        (30_001, 3, 0.6),
        (160_000, 3, 0.375),
        (250_000, 1, 0.2),
        (1_000_000, 1, 0.05),
    ],
)
def test_the_plan_follows_the_number_of_rows(n, pairs, share):
    folds = make_folds(np.zeros(n), "regression", seed=0)
    assert len(folds) == pairs
    assert len(folds.covered) == pytest.approx(share * n, rel=1e-3)


def test_rare_classes_lower_the_number_of_folds():
    y = np.r_[np.zeros(900), np.ones(6)].astype(int)
    assert len(make_folds(y, "classification", seed=0)) == 6


def test_seeds_decide():
    y = np.zeros(50)
    first, again, other = (make_folds(y, "regression", seed=s) for s in (1, 1, 2))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first.pairs, again.pairs, strict=True))
    assert not all(np.array_equal(a[1], b[1]) for a, b in zip(first.pairs, other.pairs, strict=True))
    assert not np.array_equal(first.pairs[0][1], first.pairs[8][1])  # repeats are other shuffles


@settings(deadline=None, max_examples=40)
@given(n_groups=st.integers(2, 40), n=st.integers(60, 300), seed=st.integers(0, 5))
def test_groups_are_never_on_both_sides(n_groups, n, seed):
    rng = np.random.default_rng(seed)
    groups = np.array([f"g{g}" for g in rng.integers(0, n_groups, n)])
    if len(set(groups)) < 2:
        return
    folds = make_folds(rng.integers(0, 3, n), "classification", groups=groups, seed=seed)
    for train, valid in folds.pairs:
        assert not set(groups[train]) & set(groups[valid])
        assert len(valid)
    assert len(folds.covered) == n


def test_groups_keep_the_classes_balanced():
    groups = np.repeat(np.arange(100), 10)
    y = (groups % 5 == 0).astype(int)
    for _, valid in make_folds(y, "classification", cv=5, groups=groups, seed=0).pairs:
        assert len(valid) == 200
        assert y[valid].mean() == pytest.approx(0.2)


def test_a_validation_set_of_ones_own():
    folds = make_folds(np.zeros(10), "regression", n_validation=3)
    assert [side.tolist() for side in folds.pairs[0]] == [list(range(7)), [7, 8, 9]]


def test_holdout_is_a_stratified_fifth():
    y = np.repeat([0, 1], [160, 40])
    ((_, valid),) = make_folds(y, "classification", cv="holdout").pairs
    assert (len(valid), y[valid].sum()) == (40, 8)


def test_splitters_pairs_and_masks():
    y, groups = np.zeros(12), np.repeat(np.arange(4), 3)
    by_splitter = make_folds(y, "regression", cv=GroupKFold(2), groups=groups)
    expected = list(GroupKFold(2).split(y, y, groups))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(by_splitter.pairs, expected, strict=True))
    assert len(make_folds(y, "regression", cv=ShuffleSplit(4, random_state=0))) == 4
    mask = np.arange(12) < 8
    ((train, valid),) = make_folds(y, "regression", cv=[(mask, ~mask)]).pairs
    assert (train.tolist(), valid.tolist()) == (list(range(8)), list(range(8, 12)))


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ("hold-out", "Did you mean 'holdout'"),
        (1, "at least 2"),
        (21, "at most the 20 rows"),
        (True, "must be"),
        (3.5, "must be"),
        ([], "no pairs"),
        ([1], "pair"),
        ([([0, 1], [1, 2])], "disjoint"),
        ([([0, 1], [])], "non-empty"),
        ([([0, 1], [20])], "outside"),
        ([([0, 1], [2])], "one class only"),
    ],
)
def test_impossible_cv(cv, message):
    with pytest.raises((DataError, OptionError), match=message):
        make_folds(np.repeat([0, 1], 10), "classification", cv=cv)


@pytest.mark.parametrize(
    ("groups", "message"),
    [([1] * 20, "at least 2 different"), ([1, 2], "one value for each of the 20"), ([None] + [1] * 19, "1 missing")],
)
def test_impossible_groups(groups, message):
    with pytest.raises(DataError, match=message):
        make_folds(np.zeros(20), "regression", groups=groups)


def test_one_row_is_too_few():
    with pytest.raises(DataError, match=r"1 sample\(s\)"):
        make_folds(np.zeros(1), "regression")
