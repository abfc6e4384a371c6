"""Trials that are evaluated together leave what each leaves alone, and a whole fit ends as it does without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from autonas import AutoNASClassifier
from autonas.core.objective import get_metric
from autonas.core.state import load_state
from autonas.core.trial import Proposal
from autonas.data.prepare import prepare
from autonas.evaluators.base import Evaluation
from autonas.evaluators.train import LEARNER_FILE, PREDICTIONS_FILE, Train
from autonas.search_space.load import load_space
from autonas.training import fused

SPACE = """
name: small
title: Small networks of one structure
modality: tabular
kinds:
  mlp:
    network: true
    hyperparameters:
      - {name: width, type: uniform_int, lower: 8, upper: 24, default_value: 16}
      - {name: dropout, type: uniform_float, lower: 0.0, upper: 0.5, default_value: 0.2}
      - {name: embedding, type: constant, value: none}
      - {name: lr, type: uniform_float, lower: 0.001, upper: 0.02, log: true, default_value: 0.005}
      - {name: batch_size, type: constant, value: 32}
      - {name: epochs, type: constant, value: 6}
"""


def data(rows=120):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 4))
    return X, (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


@pytest.fixture
def train(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SPACE)
    X, y = data()
    evaluator = Train(get_metric("log_loss", "classification"))
    evaluator.prepare(load_space(path, "classification"), prepare(X, y, kind="classification", cv=3))
    return evaluator


def evaluations(proposals, folder, parents=None):
    made = []
    for number, proposal in enumerate(proposals):
        (folder / str(number)).mkdir(parents=True)
        made.append(Evaluation(proposal, parents and parents / str(number), folder / str(number)))
    return made


def saved(folder, number):
    return np.load(folder / str(number) / PREDICTIONS_FILE), load_state(folder / str(number) / LEARNER_FILE)


def test_results_and_files_are_those_of_each_alone_and_go_on_alone(train, tmp_path):
    proposals = [Proposal(config, 1 / 3) for config in train.space.sample(4, 1)]
    assert len({train.kinship(p) for p in proposals}) == 1
    together = train.evaluate_together(evaluations(proposals, tmp_path / "together"))
    alone = [train.evaluate_together([e])[0] for e in evaluations(proposals, tmp_path / "alone")]
    for number, (one, other) in enumerate(zip(together, alone, strict=True)):
        assert one.status == other.status == "ok"
        assert one.loss == pytest.approx(other.loss, abs=1e-5)
        np.testing.assert_allclose(one.curve, other.curve, atol=1e-5)
        assert one.info == pytest.approx(other.info, abs=1e-5)
        (predictions, state), (expected, other_state) = (saved(tmp_path / f, number) for f in ("together", "alone"))
        np.testing.assert_allclose(predictions, expected, atol=1e-5)
        assert state["shape"] == other_state["shape"]
        for moment, array in state["learner"]["training"]["trainers"][0]["optimizer"]["0"].items():
            expected = other_state["learner"]["training"]["trainers"][0]["optimizer"]["0"][moment]
            np.testing.assert_allclose(array, expected, atol=1e-5)
    promoted = [replace(p, fidelity=1.0, parent=0, inherit="resume") for p in proposals]
    (one,) = train.evaluate_together(evaluations(promoted[:1], tmp_path / "next", tmp_path / "together"))
    (other,) = train.evaluate_together(evaluations([Proposal(proposals[0].config)], tmp_path / "whole"))
    assert one.loss == pytest.approx(other.loss, abs=1e-4)


def test_a_configuration_that_fails_fails_alone(train, tmp_path):
    proposals = [Proposal(config) for config in train.space.sample(3, 2)]
    made = evaluations(proposals, tmp_path / "runs")
    made[1].workdir.rmdir()  # nowhere to save it
    first, second, third = train.evaluate_together(made)
    assert second.status == "failed"
    assert "FileNotFoundError" in second.error
    assert first.status == third.status == "ok"


def test_spaces_of_large_or_various_models_are_evaluated_one_at_a_time(train):
    assert train.at_once(8) == 8
    for name in ("tabular", "tabular-nn"):
        other = Train(train.metric)
        other.prepare(load_space(name, "classification"), train.task)
        assert other.at_once(8) == 1


def test_a_fit_whose_trials_are_fused_is_the_fit_without(tmp_path, monkeypatch):
    path = tmp_path / "small.yaml"
    path.write_text(SPACE)
    X, y = data()
    sizes, start = [], fused.Fused.__init__

    def counted(self, trainers):
        sizes.append(len(trainers))
        start(self, trainers)

    def fit(pending_share):
        monkeypatch.setattr("autonas.fitting.PENDING_SHARE", pending_share)
        model = AutoNASClassifier(
            space=str(path), strategy="random", time_limit=None, n_trials=10, cv=3, random_state=0, verbose=0
        )
        return model.fit(X, y)

    alone = fit(0.0)
    monkeypatch.setattr(fused.Fused, "__init__", counted)
    together = fit(0.5)
    assert max(sizes) == 5
    losses = [[trial.loss for trial in model.trials_] for model in (alone, together)]
    assert [t.proposal for t in alone.trials_] == [t.proposal for t in together.trials_]
    np.testing.assert_allclose(*losses, atol=1e-5)
    np.testing.assert_allclose(alone.predict_proba(X), together.predict_proba(X), atol=1e-4)
