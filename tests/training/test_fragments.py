"""The fragments of joint hyperparameters: any space includes them, and a network trains with all that they can say."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from autonas.architectures.regularise import scheduled
from autonas.data.prepare import prepare
from autonas.search_space.load import load_space

SPACE = """
name: mine
title: A small cell with everything around it
modality: image
kinds:
  cell:
    network: true
    settings: {wiring: edges, operations: [conv_3x3, avg_pool_3x3], nodes: 2, inputs: 1, reduction_cell: false,
      output: last, skeleton: residual, stem_factor: 1, channels: 8, stages: 1, repeats: 1}
include: [training, augmentation, drop_path, policy]
"""
ON = {"flip": "yes", "crop": "yes", "cutout": "yes", "mixup": "yes", "schedule": "sgdr", "t_mult": 2, "drop_path": 0.3}


@pytest.fixture
def space(tmp_path):
    (tmp_path / "mine.yaml").write_text(SPACE)
    return load_space(tmp_path / "mine.yaml", "classification")


def test_children_are_active_with_their_parents_only(space):
    for config in space.sample(200, seed=0):
        for child, parent in {"crop_padding": "crop", "cutout_length": "cutout", "mixup_alpha": "mixup"}.items():
            assert (child in config) == (config[parent] == "yes")
        assert ("cycles" in config) == ("t_mult" in config) == (config["schedule"] == "sgdr")


def test_defaults_change_no_image(space):
    default = space.default()
    assert {default[name] for name in ("flip", "crop", "cutout", "mixup")} == {"no"}
    assert default["schedule"] == "cosine"


def test_a_network_trains_with_all_of_it(space):
    X, y = load_digits(return_X_y=True)
    task = prepare(X[:120].reshape(-1, 8, 8), y[:120], kind="classification", cv=2)
    config = space.complete({**ON, "epochs": 10, "batch_size": 32})
    assert len(scheduled(space.network(config, (1, 8, 8), 10))) == 3  # one on every edge
    learner = space.build(config, task.problem)
    learner.train(task)
    assert np.isfinite(learner.out_of_fold()).all()
