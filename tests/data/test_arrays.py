"""Images and series: scales, summaries, gaps, and exact round trips."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from autonas.core.state import load_state, save_state
from autonas.data.arrays import ImagePreprocessor, SeriesPreprocessor, _statistics
from autonas.errors import DataError

STATISTICS = 24


def test_digits():
    X = load_digits().images
    pre, images = ImagePreprocessor.fit_check(X)
    assert pre.shape == (1, 8, 8)
    np.testing.assert_allclose(images[:, 0], (X - X.mean()) / X.std(), atol=1e-5)
    dense = pre.view("dense", images)
    constant = X.std(axis=0).ravel() == 0
    assert constant.any()
    assert (dense[:, constant] == 0).all()
    z = ((X - X.mean(0)) / np.where(X.std(0) > 0, X.std(0), 1)).reshape(len(X), -1)
    np.testing.assert_allclose(dense, z / np.sqrt(1 + z**2 / 9), atol=1e-4)


def test_each_channel_has_its_own_scale():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 9, 9, 2)) * [1, 100] + [5, -50]
    _, images = ImagePreprocessor.fit_check(X)
    np.testing.assert_allclose(images.mean(axis=(0, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(images.std(axis=(0, 2, 3)), 1, atol=1e-5)


def test_large_images_are_averaged_over_blocks():
    X = np.random.default_rng(0).normal(size=(6, 130, 129)).astype(np.float32)
    pre, images = ImagePreprocessor.fit_check(X)
    flat = pre._flat(images)
    assert flat.shape == (6, 43 * 43)
    assert flat[2, 44] == pytest.approx(images[2, 0, 3:6, 3:6].mean(), abs=1e-5)


def test_missing_pixels_are_the_mean_of_the_channel():
    X = load_digits().images[:50].copy()
    X[3, 4, 4] = np.nan
    pre, images = ImagePreprocessor.fit_check(X)
    assert images[3, 0, 4, 4] == 0
    assert np.isfinite(pre.view("dense", images)).all()


def test_gaps_in_series_are_interpolated():
    X = np.tile(np.arange(10.0), (4, 1, 1))
    pre, clean = SeriesPreprocessor.fit_check(X)
    gaps = X.copy()
    gaps[0, 0, 3:5] = gaps[1, 0, :2] = np.nan
    gaps[2] = np.nan
    filled = pre.check(gaps)
    np.testing.assert_allclose(filled[0], clean[0], atol=1e-6)
    np.testing.assert_allclose(filled[1, 0, :2], clean[0, 0, 2])
    assert (filled[2] == 0).all()


def test_statistics_of_a_known_series():
    time = np.linspace(-1, 1, 32)
    wave = np.cos(2 * np.pi * 3 * np.arange(32) / 32)
    X = np.stack([2 * time, wave]).reshape(2, 1, 32)
    pre, series = SeriesPreprocessor.fit_check(X)
    raw = _statistics(X.astype(np.float32))
    assert raw.shape == (2, STATISTICS)
    np.testing.assert_allclose(raw[0, :6], [0, X[0].std(), -2, 2, 0, 31 / 32], atol=1e-5)
    assert raw[0, 7] == pytest.approx(2)  # slope
    np.testing.assert_allclose(raw[0, 8:16], (2 * time).reshape(8, 4).mean(1), atol=1e-5)
    np.testing.assert_allclose(raw[1, 16:], [0, 0, 0.5, 0, 0, 0, 0, 0], atol=1e-5)
    assert np.abs(pre.view("statistics", series)).max() < 3


@pytest.mark.parametrize("shape", [(30, 1, 24), (30, 3, 50), (30, 2, 5), (30, 1, 1)])
def test_series_views_round_trip(shape, tmp_path):
    X = np.random.default_rng(0).normal(size=shape)
    pre, series = SeriesPreprocessor.fit_check(X, seed=1)
    save_state(tmp_path / "state", pre.state())
    again = SeriesPreprocessor.from_state(load_state(tmp_path / "state"))
    assert again.layout == pre.layout
    new = again.check(X)
    for name in pre.views:
        view = pre.view(name, series)
        assert view.dtype == np.float32
        assert np.isfinite(view).all()
        np.testing.assert_array_equal(again.view(name, new), view)


def test_images_round_trip(tmp_path):
    X = np.random.default_rng(0).integers(0, 255, size=(10, 9, 9, 3), dtype=np.uint8)
    pre, images = ImagePreprocessor.fit_check(X)
    save_state(tmp_path / "state", pre.state())
    again = ImagePreprocessor.from_state(load_state(tmp_path / "state"))
    np.testing.assert_array_equal(again.view("dense", again.check(X)), pre.view("dense", images))
    with pytest.raises(DataError, match="fitted on data of shape"):
        again.check(X[:, :8])
