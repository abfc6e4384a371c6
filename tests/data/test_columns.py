"""Kinds of columns, and new cells of other dtypes."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from autonas.data.columns import find_column, restore_column
from autonas.errors import DataError

N = 120
RNG = np.random.default_rng(0)
SENTENCES = [" ".join(RNG.choice(["good", "bad", "very", "nice", "film", "plot"], 6)) + f" {i}" for i in range(N)]

KINDS = [
    ("numeric", RNG.normal(size=N)),
    ("numeric", pd.array([None, 1, 2] * (N // 3), dtype="Int64")),
    ("numeric", ["1.5", "?", "-3"] * (N // 3)),
    ("numeric", np.array([1, 2.5, None] * (N // 3), dtype=object)),
    ("numeric", pd.to_timedelta(np.arange(N), unit="s")),
    ("boolean", RNG.random(N) < 0.5),
    ("boolean", pd.array([True, None] * (N // 2), dtype="boolean")),
    ("boolean", np.array([True, None] * (N // 2), dtype=object)),
    ("date", pd.date_range("2020-01-01", periods=N, tz="Europe/Berlin")),
    ("date", pd.period_range("2000-01", periods=N, freq="M")),
    ("date", [f"2021-03-{1 + i % 28:02d}" for i in range(N)]),
    ("date", [f"{1 + i % 28}/{1 + i % 12}/2021" for i in range(N)]),
    ("date", [f"2021-03-{1 + i % 28:02d}T10:00:00+0{i % 5}:00" for i in range(N)]),
    ("date", [dt.date(2020, 1, 1) + dt.timedelta(days=i) for i in range(N)]),
    ("category", pd.Categorical([1, 2, 3] * (N // 3))),
    ("category", ["u", "v", None] * (N // 3)),
    ("category", np.array([1, "v"] * (N // 2), dtype=object)),
    ("category", [[1], [2]] * (N // 2)),
    ("identifier", [f"ticket{i}" for i in range(N)]),
    ("text", SENTENCES),
]


@pytest.mark.parametrize(("kind", "cells"), KINDS)
def test_kinds_and_their_states(kind, cells):
    cells = pd.Series(cells)
    column = find_column("x", cells)
    assert column.kind == kind
    again = restore_column(column.state())
    assert again == column
    one_object = cells.iloc[:7].astype(object)
    for part, values in column.numbers(cells).items():
        np.testing.assert_array_equal(values[:7], again.numbers(one_object)[part])


def test_dates_are_taken_apart():
    column = find_column("d", pd.Series(["2024-02-29 06:30", "1970-01-02 00:00", None]))
    found = {part: values.tolist() for part, values in column.numbers(pd.Series(["2024-02-29 06:30"])).items()}
    moment, epoch = (dt.datetime(*parts, tzinfo=dt.UTC) for parts in ((2024, 2, 29, 6, 30), (1970, 1, 1)))
    days = (moment - epoch) / dt.timedelta(days=1)
    assert found == {"year": [2024], "month": [2], "day": [29], "weekday": [3], "hour": [6.5], "days": [days]}
    assert np.isnan(column.numbers(pd.Series(["soon", None]))["days"]).all()


def test_time_zones_mean_the_same_moment():
    moments = pd.Series(pd.date_range("2024-01-01", periods=5, freq="7h", tz="UTC"))
    column = find_column("d", moments)
    for zone in ("Asia/Tokyo", "America/New_York"):
        for values, other in zip(
            column.numbers(moments).values(), column.numbers(moments.dt.tz_convert(zone)).values(), strict=True
        ):
            np.testing.assert_array_equal(values, other)


def test_levels_by_falling_frequency():
    column = find_column("c", pd.Series(["b"] * 3 + ["a"] * 5 + ["c", None]))
    assert column.levels == ["a", "b", "c"]
    assert column.codes(pd.Series(["c", " a ", "new", None, ""])).tolist() == [2, 0, -1, -1, -1]


def test_whole_numbers_are_the_same_label_as_floats():
    column = find_column("c", pd.Series(pd.Categorical([1, 2, 2])))
    assert column.codes(pd.Series([1.0, 2.0, np.nan])).tolist() == [1, 0, -1]


def test_at_most_200_levels_and_only_frequent_ones():
    cells = pd.Series([f"l{i}" for i in np.repeat(np.arange(500), 4)] + [f"once{i}" for i in range(300)])
    assert len(find_column("c", cells).levels) == 200
    few = find_column("c", pd.Series(["a"] * 50 + ["b"] * 50 + [f"once{i}" for i in range(30)]))
    assert few.levels == ["a", "b"]


def test_new_cells_that_are_no_numbers_are_missing_with_a_warning():
    column = find_column("age", pd.Series([1.0, 2.0]))
    with pytest.warns(UserWarning, match="'age'.*'old'"):
        assert np.isnan(column.numbers(pd.Series(["3", "old"]))[""]).tolist() == [False, True]


def test_truth_values_as_words():
    column = find_column("b", pd.Series([True, False]))
    assert column.numbers(pd.Series(["True", "False", None]))[""].tolist()[:2] == [1, 0]


@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e300])
def test_infinity_names_the_column(bad):
    column = find_column("age", pd.Series([1.0, 2.0]))
    with pytest.raises(DataError, match=r"infinity.*1 of 2 values in column 'age'"):
        column.numbers(pd.Series([bad, 1.0]))


def test_complex_numbers_are_refused():
    with pytest.raises(DataError, match="Complex data not supported"):
        find_column("z", pd.Series([1j]))
