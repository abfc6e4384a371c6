"""Scales against independent implementations and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import RobustScaler

from autonas.data.scaling import NumberScales, smooth_clip, varies


def fitted(*columns):
    scales = NumberScales()
    for values in columns:
        scales.add(values, missing=False)
    scales.fit_edges(list(columns))
    return scales


def test_robust_scaling_is_that_of_scikit_learn():
    x = np.random.default_rng(0).lognormal(size=500)
    scales = fitted(x)
    out = scales.shifted(0, x)[:, None].copy()
    scales.scale_(out)
    z = RobustScaler(unit_variance=True).fit_transform(x[:, None])
    np.testing.assert_allclose(out, z / np.sqrt(1 + z**2 / 9), rtol=2e-4, atol=1e-5)


def test_the_clip_keeps_order_and_bounds():
    z = np.linspace(-1e4, 1e4, 1001)
    clipped = smooth_clip(z)
    assert np.abs(clipped).max() < 3
    assert (np.diff(clipped) > 0).all()
    assert smooth_clip(np.array([1e-3]))[0] == pytest.approx(1e-3)


def test_differences_that_float32_cannot_hold_vanish():
    x = np.array([0.0, 1e-257])
    scales = fitted(x)
    out = scales.shifted(0, x)[:, None].copy()
    scales.scale_(out)
    assert (out == 0).all()


@pytest.mark.parametrize("outlier", [1e20, 3e38, -3e38])
def test_outliers_that_float32_just_holds(outlier):
    scales = fitted(np.linspace(-1e-3, 1e-3, 50))
    out = np.array([[outlier]], dtype=np.float32)
    encoded = scales.piecewise_linear(0, out[0])
    scales.scale_(out)
    assert out[0, 0] == pytest.approx(3 * np.sign(outlier))
    assert (encoded == np.sign(outlier)).all()


def test_half_the_range_stands_in_for_quartiles_that_coincide():
    x = np.r_[np.zeros(90), np.full(10, 4.0)]
    assert fitted(x).scale == [2.0]


def test_missing_values_become_the_centre():
    x = np.array([1.0, 2.0, np.nan, 3.0, 4.0])
    scales = fitted(x)
    out = scales.shifted(0, x)[:, None].copy()
    scales.scale_(out)
    assert out[2, 0] == 0
    assert (scales.piecewise_linear(0, scales.shifted(0, x))[2] == 0).all()


def test_time_stamps_keep_their_resolution_in_float32():
    x = 1.7e9 + np.arange(100.0)
    scales = fitted(x)
    np.testing.assert_allclose(np.diff(scales.shifted(0, x)), 1.0)
    assert scales.median == [0.0]


def test_piecewise_linear_encoding_by_hand():
    scales = fitted(np.array([0.0, 1.0, 3.0]))
    assert scales.edges[0].tolist() == [0, 1, 3]  # fewer values than bins: the values are the edges
    encoded = scales.piecewise_linear(0, np.array([-5, 0, 0.5, 1, 2, 3, 9], dtype=np.float32))
    np.testing.assert_allclose(encoded, [[-1, -1], [-1, -1], [0, -1], [1, -1], [1, 0], [1, 1], [1, 1]])


@pytest.mark.parametrize(("columns", "bins"), [(1, 24), (20, 16), (200, 4)])
def test_the_more_columns_the_fewer_bins(columns, bins):
    rng = np.random.default_rng(0)
    scales = fitted(*(rng.normal(size=300) for _ in range(columns)))
    assert scales.n_bins == columns * bins
    x = rng.normal(size=2000)
    filled = (scales.piecewise_linear(0, x.astype(np.float32)) + 1) / 2
    edges = scales.edges[0]
    inside = filled @ np.diff(edges) + edges[0]  # the encoding can be undone
    np.testing.assert_allclose(inside, np.clip(x, edges[0], edges[-1]), atol=1e-4)


@given(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=20))
def test_what_varies(values):
    known = {v for v in values if not np.isnan(v)}
    assert varies(np.array(values)) == (len(known) > 1)
