"""Random convolutions against a plain implementation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifierCV

from autonas.data.kernels import _TRIPLES, RandomKernels


def plain_features(kernels: RandomKernels, series: np.ndarray) -> list[float]:
    """Features of one (channels, time) series, kernel by kernel with np.convolve."""
    found = []
    for group in kernels.groups:
        z = series[group["channels"]].sum(axis=0)
        z = np.diff(z) if group["difference"] else z
        for triple, biases in zip(_TRIPLES[group["triples"]], group["biases"], strict=True):
            weights = np.full(9, -1.0)
            weights[triple] = 2.0
            dilated = np.zeros(8 * group["dilation"] + 1)
            dilated[:: group["dilation"]] = weights
            reach = len(dilated) // 2
            response = np.correlate(np.pad(z, reach), dilated, mode="valid")
            for bias in biases:
                found += [(response > bias).mean(), np.maximum(response - bias, 0).mean()]
    return found


@pytest.mark.parametrize("shape", [(12, 1, 40), (12, 4, 70)])
def test_features_are_those_of_a_plain_convolution(shape):
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    kernels = RandomKernels.fit(X, len(X), seed=3)
    found = kernels.features(X[:2])
    for row in range(2):
        np.testing.assert_allclose(found[row], plain_features(kernels, X[row]), atol=2e-2)
        assert np.mean(np.abs(found[row] - plain_features(kernels, X[row])) < 1e-4) > 0.99  # ties at a bias


def test_the_weights_sum_to_zero_so_that_level_does_not_matter_inside():
    X = np.random.default_rng(0).normal(size=(5, 1, 200)).astype(np.float32)
    kernels = RandomKernels.fit(X, len(X), seed=0)
    assert len(_TRIPLES) == 84
    inner = [g for g in kernels.groups if g["difference"]]
    moved = RandomKernels(inner)
    np.testing.assert_allclose(moved.features(X), moved.features(X + 3), atol=6e-3)


def test_about_three_thousand_features_and_equal_seeds():
    X = np.random.default_rng(0).normal(size=(70, 1, 24)).astype(np.float32)
    features = RandomKernels.fit(X, 70, seed=1).features(X)
    assert 2000 < features.shape[1] < 4000
    np.testing.assert_array_equal(features, RandomKernels.fit(X, 70, seed=1).features(X))
    share = features[:, ::2]
    assert (share >= 0).all()
    assert (share <= 1).all()
    assert share.mean() == pytest.approx(0.5, abs=0.1)  # biases are quantiles of responses


def test_of_very_many_rows_fewer_kernels():
    X = np.random.default_rng(0).normal(size=(20, 1, 300)).astype(np.float32)
    size = [sum(g["biases"].size for g in RandomKernels.fit(X, n, seed=0).groups) for n in (100, 100_000)]
    assert size[1] < size[0]


def test_they_tell_shapes_apart():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    X = rng.normal(size=(200, 1, 60)).astype(np.float32)
    for row, at in enumerate(rng.integers(10, 40, 200)):
        X[row, 0, at : at + 10] += 3 * np.hanning(10) if y[row] else 3 * np.sign(np.sin(np.arange(10)))
    features = RandomKernels.fit(X[:100], 100, seed=0).features(X)
    features = (features - features[:100].mean(0)) / (features[:100].std(0) + 1e-6)
    model = RidgeClassifierCV(np.logspace(1, 5, 5)).fit(features[:100], y[:100])
    assert model.score(features[100:], y[100:]) > 0.85
