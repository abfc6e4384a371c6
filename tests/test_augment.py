"""Search small, train large, from the first fit to the network that a person gets."""

from __future__ import annotations

import numpy as np
import pytest

from autonas import AutoNASClassifier, load

SPACE = """\
name: mine
title: A small cell that ends larger
modality: image
kinds:
  found:
    family: cell
    network: true
    settings: {wiring: edges, operations: [conv_3x3, avg_pool_3x3], nodes: 2, inputs: 1, reduction_cell: false,
      output: last, skeleton: residual, stem_factor: 1, channels: 4, stages: 1, repeats: 1}
    final: {channels: 6, repeats: 2}
include: [training: [optimisation]]
"""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    path = tmp_path_factory.mktemp("space") / "mine.yaml"
    path.write_text(SPACE)
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.normal(size=(60, 8, 8)) + y[:, None, None]
    return AutoNASClassifier(space=str(path), n_trials=1, cv=2, random_state=0, verbose=0).fit(X, y), X, y


def options(model):
    return model.model_.network().options


def test_without_arguments_the_file_says_how_large(fitted, tmp_path):
    model, X, y = fitted
    model.save(tmp_path / "model")
    for one in (model, load(tmp_path / "model")):
        larger = options(one.augment(X, y))
        assert (larger["channels"], larger["repeats"]) == (6, 2)
        kept = {k: v for k, v in options(one).items() if k not in ("channels", "repeats")}
        assert all(larger[name] == value for name, value in kept.items())


def test_arguments_come_first(fitted):
    model, X, y = fitted
    assert options(model.augment(X, y, width=5, epochs=3))["channels"] == 5
    assert options(model.augment(X, y, width=5, epochs=3))["repeats"] == 2
