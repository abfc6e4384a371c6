"""The fragment of joint hyperparameters: any space includes it, and a network trains with all that it can say."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from autonas.architectures.family import compile_graph, graph_module
from autonas.architectures.layers import DropPath
from autonas.architectures.regularise import scheduled
from autonas.data.prepare import prepare
from autonas.search_space.load import list_spaces, load_space
from autonas.training.augment import Augmentation

CELL = """
  cell:
    network: true
    settings: {wiring: edges, operations: [conv_3x3, avg_pool_3x3], nodes: 2, inputs: 1, reduction_cell: false,
      output: last, skeleton: residual, stem_factor: 1, channels: 8, stages: 1, repeats: 1}"""
RESIDUAL = """
  residual: {network: true, settings: {stages: 1, blocks: [1], widths: [8], branches: [1, 2]}}"""
STAGES = """
  stages: {network: true, settings: {stages: 1, max_layers: 1}}"""
SPACE = "name: mine\ntitle: With everything around it\nmodality: image\nkinds:%s\ninclude: [training]\n"
ON = {
    "flip": "yes", "crop": "yes", "cutout": "yes", "mixup": "yes", "policy": "yes", "schedule": "sgdr", "t_mult": 2,
    "drop_path": 0.3,
}  # fmt: skip
SWITCHES = {"crop_padding": "crop", "cutout_length": "cutout", "mixup_alpha": "mixup"} | {
    f"policy_{s}_{what}_{k}": "policy" for s in range(1, 6) for what in ("operation", "probability") for k in (1, 2)
}
BLIND = ("autocontrast", "invert", "equalize")  # operations without a magnitude
AUGMENTATION = {"flip", "crop", "cutout", "mixup", "policy"}


@pytest.fixture
def space(tmp_path):
    return load(tmp_path, CELL)


def load(folder, kinds):
    (folder / "mine.yaml").write_text(SPACE % kinds)
    return load_space(folder / "mine.yaml", "classification")


@cache
def packaged(name):
    return load_space(name, "classification")


def test_children_are_active_with_their_parents_only(space):
    for config in space.sample(200, seed=0):
        for child, parent in SWITCHES.items():
            assert (child in config) == (config[parent] == "yes")
        for name in filter(lambda name: "_operation_" in name, config):
            assert (name.replace("operation", "magnitude") in config) == (config[name] not in BLIND)
        assert ("cycles" in config) == ("t_mult" in config) == (config["schedule"] == "sgdr")


def test_defaults_change_no_image(space):
    default, images = space.default(), torch.zeros(2, 3, 8, 8)
    assert {default[name] for name in AUGMENTATION} == {"no"}
    assert default["schedule"] == "cosine"
    assert not Augmentation(default, images).changes
    assert Augmentation(space.complete(ON), images).policy is not None


def test_a_network_trains_with_all_of_it(space):
    X, y = load_digits(return_X_y=True)
    task = prepare(X[:120].reshape(-1, 8, 8), y[:120], kind="classification", cv=2)
    config = space.complete({**ON, "epochs": 10, "batch_size": 32})
    assert len(scheduled(space.network(config, (1, 8, 8), 10))) == 3  # one on every edge
    learner = space.build(config, task.problem)
    learner.train(task)
    assert np.isfinite(learner.out_of_fold()).all()


def test_the_architecture_decides_what_there_is_of_it(tmp_path):
    space = load(tmp_path, CELL + RESIDUAL + STAGES)
    drawn = space.sample(300, seed=1)
    for config in drawn:
        assert ("drop_path" in config) == (config["model"] == "cell")
        assert ("shake" in config) == (config.get("residual:branches_1") == 2)
    assert any("shake" in config for config in drawn)
    assert not {"drop_path", "shake"} & set(load(tmp_path, STAGES).configspace)
    plain = load(tmp_path, RESIDUAL.replace("[1, 2]", "[1]"))
    assert "shake" not in plain.configspace  # no two branches to mix
    assert "shake" in load(tmp_path, RESIDUAL.replace("[1, 2]", "[2]")).default()


def test_the_data_decide_what_there_is_of_it():
    for name in ("tabular", "series", "text", "enas_rnn"):
        assert "lr" in packaged(name).configspace
        assert not AUGMENTATION & set(packaged(name).configspace)


KINDS = [(s.name, kind) for s in list_spaces() for kind, f in load_space(s.name).families.items() if graph_module(f)]


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_exactly_the_families_that_the_fragment_names_read_the_option(name, kind):
    space = packaged(name)
    family = space.families[kind]
    shape = {"image": (3, 16, 16), "series": (2, 24), "tabular": (6,), "text": (8,)}[space.modality]
    options = {**space.options(space.default(kind)), "drop_path": 0.3}
    graph = compile_graph(graph_module(family), options, shape, 3)
    drops = any(isinstance(layer, DropPath) for node in graph.nodes for layer in node.layers)
    assert drops == (family == "cell")
    assert ("shake" in graph_module(family).SETTINGS) == (family == "residual")


@pytest.mark.parametrize("name", [summary.name for summary in list_spaces()])
def test_defaults_of_packaged_spaces_change_no_image_unless_they_search_a_policy(name):
    space = packaged(name)
    for kind in space.networks:
        default = space.options(space.default(kind))
        on = {option for option in AUGMENTATION if default.get(option, "no") == "yes"}
        assert on == ({"policy"} if name == "autoaugment" else set())
        assert default.get("shake", "no") == "no"
