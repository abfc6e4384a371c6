"""What shapes mean, and the one layout that they are brought to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from autonas.data.modality import arrange, infer_layout
from autonas.errors import DataError, OptionError


@pytest.mark.parametrize(
    ("shape", "modality", "axes", "arranged"),
    [
        ((5, 7), "tabular", "nc", None),
        ((5, 28, 28), "image", "nhw", (5, 1, 28, 28)),
        ((5, 8, 16), "image", "nhw", (5, 1, 8, 16)),
        ((5, 8, 17), "series", "nct", (5, 8, 17)),
        ((5, 7, 7), "series", "nct", (5, 7, 7)),
        ((5, 1, 24), "series", "nct", (5, 1, 24)),
        ((5, 32, 30, 3), "image", "nhwc", (5, 3, 32, 30)),
        ((5, 3, 32, 30), "image", "nchw", (5, 3, 32, 30)),
        ((5, 4, 4, 4), "image", "nhwc", (5, 4, 4, 4)),
        ((5, 4, 9, 3), "image", "nhwc", (5, 3, 4, 9)),
    ],
)
def test_shapes_are_read_as_documented(shape, modality, axes, arranged):
    X = np.arange(np.prod(shape), dtype=float).reshape(shape)
    layout = infer_layout(X)
    assert (layout.modality, layout.axes, layout.shape) == (modality, axes, shape[1:])
    assert str(shape[0]) in layout.sentence
    if arranged is not None:
        array = arrange(X, layout)
        assert (array.shape, array.dtype) == (arranged, np.float32)
        assert not np.shares_memory(array, X)


def test_channels_go_to_the_front():
    X = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype(np.float32)
    np.testing.assert_array_equal(arrange(X, infer_layout(X))[1, 2], X[1, :, :, 2])


def test_force():
    X = np.zeros((5, 28, 28))
    assert infer_layout(X, "series").axes == "nct"
    assert "forced" in infer_layout(X, "series").sentence
    assert infer_layout(pd.DataFrame(np.zeros((5, 28))), "series").axes == "nt"
    assert arrange(np.zeros((5, 28)), infer_layout(np.zeros((5, 28)), "series")).shape == (5, 1, 28)


@pytest.mark.parametrize(
    ("shape", "modality", "message"),
    [
        ((5, 6), "image", "does not fit"),
        ((5, 6, 7), "tabular", "does not fit"),
        ((5, 6, 7, 3), "series", "does not fit"),
        ((5, 6, 7, 3, 2), "auto", "5 dimensions"),
        ((5,), "auto", "Reshape your data"),
    ],
)
def test_dimensions_that_do_not_fit(shape, modality, message):
    with pytest.raises(DataError, match=message):
        infer_layout(np.zeros(shape), modality)


def test_an_unknown_modality_lists_the_near_ones():
    with pytest.raises(OptionError, match="Did you mean 'image'"):
        infer_layout(np.zeros((5, 6)), "images")


def test_new_data_must_have_the_fitted_shape():
    layout = infer_layout(np.zeros((5, 8, 8)))
    with pytest.raises(DataError, match=r"shape \(8, 8\).*X\[np.newaxis\]"):
        arrange(np.zeros((8, 8)), layout)
    with pytest.raises(DataError, match=r"shape \(2, 8, 9\)"):
        arrange(np.zeros((2, 8, 9)), layout)
    with pytest.raises(DataError, match=r"infinity.*1 values"):
        arrange(np.where(np.arange(64).reshape(1, 8, 8) == 3, np.inf, 0), layout)
    with pytest.raises(DataError, match="must hold numbers"):
        arrange(np.full((1, 8, 8), "a"), layout)
