"""Learners of networks with evolved weights: they predict, and their states are whole."""

from __future__ import annotations

import numpy as np
import pytest

from autonas.architectures import neat
from autonas.architectures.neatgenes import evaluate, parse, plan
from autonas.core.state import load_state, save_state
from autonas.training.learners.evolved import EvolvedLearner
from autonas.training.learners.hyperneat import HyperNeatLearner
from autonas.training.learners.neat import NeatLearner


def _options(task, n=20):
    options = {**neat.SETTINGS, "inputs": task.view("dense").shape[1], "outputs": task.problem.n_outputs}
    rng = np.random.default_rng(0)
    options["genome"] = neat.initial(options, rng)
    for _ in range(n):
        options["genome"], _ = neat.mutate(options["genome"], options, rng)
    return options


@pytest.mark.parametrize("folds", ["kfold", "partial"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_scores_are_those_of_the_genome(tasks, kind, folds, tmp_path):
    task = tasks(kind, folds)
    options = _options(task)
    learner = NeatLearner(options, task.problem)
    learner.train(task)
    scores = learner.out_of_fold()
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(scores).all(axis=1)), task.folds.covered)
    x = task.view("dense")
    steps, _ = plan(parse(options["genome"]), x.shape[1], task.problem.n_outputs)
    expected = evaluate(steps, x, task.problem.n_outputs)
    if learner.scale is not None:
        expected = learner.scale.inverse(expected)
    rows = task.folds.covered
    np.testing.assert_allclose(scores[rows], expected[rows], rtol=1e-3, atol=1e-3)
    assert learner.progress == 1
    assert len(learner.curve) == 1
    save_state(tmp_path / "learner.safetensors", learner.state())
    again = NeatLearner(options, task.problem)
    again.restore(load_state(tmp_path / "learner.safetensors"))
    np.testing.assert_array_equal(again.predict(x), learner.predict(x))
    np.testing.assert_array_equal(again.out_of_fold(), scores)


def test_a_family_names_the_view():
    assert NeatLearner({}, None).view == "dense"  # type: ignore[arg-type]
    assert HyperNeatLearner({}, None).view == "image"  # type: ignore[arg-type]
    assert issubclass(NeatLearner, EvolvedLearner)
