"""Plans of fidelities from the constructor and from a space file, through whole fits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone

from autonas import AutoNASClassifier, load
from autonas.errors import OptionError, SpaceError
from autonas.search_space.load import load_space

SPACE = """
name: small
title: One small network
modality: image
{plan}
kinds:
  cnn:
    network: true
    hyperparameters:
      - {{name: width, type: uniform_int, lower: 4, upper: 6, default_value: 4}}
      - {{name: stages, type: constant, value: 1}}
      - {{name: epochs, type: constant, value: 40}}
"""


def _file(tmp_path, plan=""):
    path = tmp_path / "small.yaml"
    path.write_text(SPACE.format(plan=plan))
    return str(path)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    X = rng.normal(size=(80, 12, 12))
    X[y == 1, :6] += 1.5
    return X, y


def _model(tmp_path, **options):
    chosen = {"space": _file(tmp_path), "strategy": "hyperband(random)", "n_trials": 5, "cv": 2, "random_state": 0}
    return AutoNASClassifier(**{**chosen, "verbose": 0, **options})


def _seen(model):
    return [(t.proposal.config, t.proposal.fidelity, t.loss) for t in model.trials_]


def test_members_of_low_resolution_predict_from_whole_images(data, tmp_path):
    X, y = data
    model = _model(tmp_path, fidelity={"resolution": [2 / 3, 1]}, n_trials=2).fit(X, y)
    assert {t.proposal.fidelity for t in model.trials_} == {1.0}  # 4/9 is above a third
    model = _model(tmp_path, fidelity={"resolution": [0.5, 1], "epochs": [0.4, 1]}, n_trials=3).fit(X, y)
    assert {t.proposal.fidelity for t in model.trials_} == {1 / 9}
    assert model.model_.members[0].options["pixels"] == 8
    assert (model.predict(X) == y).mean() > 0.8
    model.save(tmp_path / "saved")
    assert np.array_equal(load(tmp_path / "saved").predict_proba(X), model.predict_proba(X))


def test_a_plan_repeats_with_two_processes_and_after_a_break(data, tmp_path):
    X, y = data
    options = {"fidelity": {"data": [1 / 3, 1], "folds": [0.5, 1]}, "n_trials": 6}
    whole = _model(tmp_path, **options).fit(X, y)
    assert [t.proposal.fidelity for t in whole.trials_][:3] == [1 / 3] * 3
    assert _seen(_model(tmp_path, **options).fit(X, y)) == _seen(whole)
    folder = tmp_path / "work"
    _model(tmp_path, **{**options, "n_trials": 2}, workdir=folder).fit(X, y)
    assert _seen(_model(tmp_path, **options, workdir=folder).fit(X, y)) == _seen(whole)
    two = _model(tmp_path, **options, n_jobs=2).fit(X, y)
    assert {(t.proposal.key, t.loss) for t in two.trials_[:3]} == {(t.proposal.key, t.loss) for t in whole.trials_[:3]}


def test_a_space_file_has_a_plan_and_a_person_another(data, tmp_path):
    path = _file(tmp_path, "fidelity: {epochs: [0.2, 1], width: [0.5, 1]}")
    space = load_space(path)
    assert space.fidelity.as_dict() == {"epochs": [0.2, 1.0], "width": [0.5, 1.0]}
    bare = load_space(_file(tmp_path))
    assert space.hash != bare.hash
    assert bare.with_fidelity(space.fidelity).hash == space.hash
    assert load_space("image").fidelity.as_dict() == {}


@pytest.mark.parametrize("plan", ["fidelity: {epoch: [0.2, 1]}", "fidelity: [1]", "fidelity: {epochs: [1, 0.2]}"])
def test_mistakes_in_a_file_are_named(tmp_path, plan):
    with pytest.raises(SpaceError, match=r"small.yaml, line 5: fidelity: .*(epochs|mapping|lowest)"):
        load_space(_file(tmp_path, plan))


def test_mistakes_of_a_person_are_named(data, tmp_path):
    with pytest.raises(OptionError, match="resolution"):
        _model(tmp_path, fidelity={"resolutions": [0.5, 1]}).fit(*data)


def test_the_plan_is_a_parameter_like_any_other():
    plan = {"epochs": [0.11, 1]}
    assert clone(AutoNASClassifier(fidelity=plan)).get_params()["fidelity"] == plan
