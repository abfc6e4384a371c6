"""A child starts from what its parent has learned, fold by fold."""

from __future__ import annotations

import numpy as np
import pytest

from autonas.core.objective import get_metric
from autonas.core.trial import Proposal
from autonas.data.prepare import prepare
from autonas.evaluators.train import Train
from autonas.search_space.load import load_space


def _data():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    X = rng.normal(size=(120, 8, 8))
    for label in range(3):
        X[y == label, 2 * label : 2 * label + 2] += 1.0
    return X, y


@pytest.mark.parametrize("how", ["copy", "morph"])
def test_a_wider_and_deeper_network_goes_on_where_its_parent_stopped(tmp_path, how):
    X, y = _data()
    space = load_space("chain", "classification")
    task = prepare(X, y, kind="classification", cv=2)
    evaluator = Train(get_metric("log_loss", "classification"))
    evaluator.prepare(space, task)
    small = {"stages:layers_1": 1, "stages:layers_2": 1, "stages:layers_3": 1, "epochs": 12}
    small |= {f"stages:width_{s}_1": 8 for s in (1, 2, 3)} | {f"stages:kernel_{s}_1": 3 for s in (1, 2, 3)}
    parent = space.complete(small)
    child = space.complete({**small, "stages:width_2_1": 16, "stages:kernel_1_1": 5})
    folders = {name: tmp_path / name for name in ("parent", "child", "alone")}
    for folder in folders.values():
        folder.mkdir()
    first = evaluator.evaluate(Proposal(parent), None, folders["parent"])
    assert first.status == "ok", first.error
    proposal = Proposal(child, 0.15, 0, how)
    second = evaluator.evaluate(proposal, folders["parent"], folders["child"])
    alone = evaluator.evaluate(Proposal(child, 0.15), None, folders["alone"])
    assert second.status == "ok", second.error
    assert second.info["inherited"] is True
    assert second.info["exact"] is (how == "morph")
    assert "inherited" not in alone.info
    assert second.loss < alone.loss
    if how == "morph":
        assert second.loss < 1.2 * first.loss


def test_a_perceptron_takes_over_what_fits(tmp_path):
    X, y = _data()
    space = load_space("fcnet", "classification")
    task = prepare(X.reshape(120, -1), y, kind="classification", cv=2)
    evaluator = Train(get_metric("log_loss", "classification"))
    evaluator.prepare(space, task)
    config = {**space.default(), "fcnet:units_1": 16, "fcnet:units_2": 16}
    for name in ("parent", "child"):
        (tmp_path / name).mkdir()
    first = evaluator.evaluate(Proposal(config, 0.2), None, tmp_path / "parent")
    wider = space.validate({**config, "fcnet:units_2": 32})
    second = evaluator.evaluate(Proposal(wider, 0.05, 0, "morph"), tmp_path / "parent", tmp_path / "child")
    assert (first.status, second.status) == ("ok", "ok"), (first.error, second.error)
    assert second.info["exact"] is True


def test_another_kind_of_model_inherits_nothing(tmp_path):
    X, y = _data()
    space = load_space("tabular", "classification")
    task = prepare(X.reshape(120, -1)[:, :6], y, kind="classification", cv=2)
    evaluator = Train(get_metric("log_loss", "classification"))
    evaluator.prepare(space, task)
    kinds = [kind for kind in space.families if kind not in space.networks][:2]
    for kind in kinds:
        (tmp_path / kind).mkdir()
    configs = [space.default(kind) for kind in kinds]
    first = evaluator.evaluate(Proposal(configs[0]), None, tmp_path / kinds[0])
    second = evaluator.evaluate(Proposal(configs[1], 1.0, 0, "copy"), tmp_path / kinds[0], tmp_path / kinds[1])
    assert (first.status, second.status) == ("ok", "ok"), (first.error, second.error)
    assert "inherited" not in second.info
