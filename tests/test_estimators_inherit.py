"""Inherited weights through whole fits: who starts from whom, what the control group says, and repetition."""

from __future__ import annotations

import numpy as np
import pytest

from autonas import AutoNASClassifier

SPACE = """
name: small
title: Short chains
modality: image
kinds:
  stages:
    network: true
    settings: {stages: 2, max_layers: 2, kernels: [1, 3], widths: [4, 6, 8]}
    hyperparameters:
      - {name: epochs, type: constant, value: 6}
      - {name: batch_size, type: constant, value: 32}
"""


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    path = tmp_path_factory.mktemp("space") / "small.yaml"
    path.write_text(SPACE)
    return str(path)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    X = rng.normal(size=(80, 8, 8))
    X[y == 1, :4] += 0.7
    return X, y


def _model(space, **options):
    chosen = {"strategy": "inherit(random)", "n_trials": 8, "cv": 2, "ensemble_size": 1, "random_state": 1}
    return AutoNASClassifier(space=space, **{**chosen, "verbose": 0, **options})


def _seen(model):
    return [(t.proposal, t.loss) for t in model.trials_]


@pytest.fixture(scope="module")
def fitted(space, data):
    return _model(space).fit(*data)


def test_children_start_from_their_parents_and_the_control_group_does_not(fitted):
    by_group = {how: [t for t in fitted.trials_ if t.proposal.inherit == how] for how in ("morph", "scratch", None)}
    assert len(by_group[None]) == 1, "the first trial has nobody to inherit from"
    assert all(t.result.info["inherited"] for t in by_group["morph"])
    assert not any("inherited" in t.result.info for t in (*by_group["scratch"], *by_group[None]))
    assert all("distilled" in t.result.info for t in by_group["morph"] if not t.result.info["exact"])
    found = fitted.inheritance_
    assert (found.n_inherited, found.n_control) == (len(by_group["morph"]), len(by_group["scratch"]))
    assert (found.n_inherited, found.n_control) == (4, 3)
    assert found.effect < 0, "six epochs from scratch are few"


def test_a_fit_repeats_and_goes_on_after_a_break(space, data, fitted, tmp_path):
    _model(space, n_trials=3, workdir=tmp_path).fit(*data)
    resumed = _model(space, workdir=tmp_path).fit(*data)
    assert _seen(resumed) == _seen(fitted)
    assert resumed.inheritance_ == fitted.inheritance_


def test_promotions_of_brackets_resume_and_their_first_rungs_inherit(space, data):
    model = _model(space, strategy="inherit(hyperband(random))", fidelity={"epochs": [0.33, 1]}, n_trials=7).fit(*data)
    known = {t.id: t for t in model.trials_}
    groups = {t.proposal.inherit for t in model.trials_}
    assert {"morph", "resume"} <= groups
    for trial in model.trials_:
        if trial.proposal.inherit == "resume":
            assert known[trial.proposal.parent].proposal.key == trial.proposal.key
            assert trial.result.info.get("inherited") == known[trial.proposal.parent].result.info.get("inherited")


def test_several_objectives_and_limits(space, data):
    objectives = ["log_loss", "n_params", "n_params < 1e6"]
    model = _model(space, strategy="inherit(evolution)", objectives=objectives, n_trials=4).fit(*data)
    assert sum(t.proposal.parent is not None for t in model.trials_) == 3
    assert len(model.pareto_front_)


def test_a_person_is_told(space, data, capsys):
    model = _model(space, n_trials=2, verbose=1).fit(*data)
    assert f"Inherited weights: {model.inheritance_}" in capsys.readouterr().out
    assert _model(space, strategy="random", n_trials=1).fit(*data).inheritance_ is None
