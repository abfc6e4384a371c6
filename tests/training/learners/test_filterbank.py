"""Linear models on fixed filters: they learn digits, survive a file, look at the clock; filters see no labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_digits

from autonas.core.clock import Clock
from autonas.core.state import load_state, save_state
from autonas.data.prepare import prepare
from autonas.search_space.load import load_space


@pytest.fixture(scope="module")
def task():
    X, y = load_digits(return_X_y=True)
    return prepare(X[:300].reshape(-1, 8, 8), y[:300], kind="classification", cv=3)


def make(task, seed=0, **config):
    space = load_space("vision")
    return space.build(
        space.complete({f"filterbank:{name}": value for name, value in config.items()}), task.problem, seed
    )


def accuracy(learner, task):
    return (learner.out_of_fold().argmax(1) == task.y).mean()


@pytest.mark.parametrize("kind", ["uniform", "normal", "patches", "pca"])
def test_every_kind_of_filter_learns_digits(task, kind):
    learner = make(task, depth_1_layer_1_kind=kind)
    learner.train(task)
    assert accuracy(learner, task) > 0.9
    assert learner.progress == 1


def test_a_configuration_of_the_middle_is_better_than_its_pixels(task):
    learner = make(task, strength=0.1)
    learner.train(task)
    pixels = load_space("image").build(load_space("image").default("linear"), task.problem)
    pixels.train(task)
    assert accuracy(learner, task) > accuracy(pixels, task)


def test_a_saved_learner_predicts_the_same(task, tmp_path):
    learner = make(task, depth=2, depth_2_layer_1_kind="pca")
    learner.train(task)
    save_state(tmp_path / "state.safetensors", learner.state())
    other = make(task, depth=2, depth_2_layer_1_kind="pca")
    other.restore(load_state(tmp_path / "state.safetensors"))
    view = task.view("image")[:50]
    np.testing.assert_array_equal(other.predict(view), learner.predict(view))
    np.testing.assert_array_equal(other.out_of_fold(), learner.out_of_fold())
    assert (learner.predict(view).argmax(1) == task.y[:50]).mean() > 0.9


def test_filters_depend_on_the_seed_and_not_on_the_labels(task):
    shuffled = replace(task, y=np.random.default_rng(0).permutation(task.y), _views={})
    first, again, other, blind = (make(t, seed=s) for t, s in [(task, 0), (task, 0), (task, 1), (shuffled, 0)])
    for learner, data in ((first, task), (again, task), (other, task), (blind, shuffled)):
        learner.train(data)
    weights = [learner.state()["filters"][0]["weight"] for learner in (first, again, other, blind)]
    np.testing.assert_array_equal(weights[0], weights[1])
    np.testing.assert_array_equal(weights[0], weights[3])
    assert np.abs(weights[0] - weights[2]).max() > 0.1
    np.testing.assert_array_equal(first.out_of_fold(), again.out_of_fold())


def test_numbers_are_predicted_too(task):
    regression = prepare(task.X[:, 0], task.y.astype(float), kind="regression", cv=3)
    learner = make(regression)
    learner.train(regression)
    assert np.mean((learner.out_of_fold()[:, 0] - task.y) ** 2) < 0.5 * task.y.var()


def test_features_that_take_too_long_are_refused(task):
    learner = make(task)
    with pytest.raises(TimeoutError, match="300 images need"):
        learner.train(task, clock=Clock(0.0))
    learner.train(task, clock=Clock(60.0))
    assert accuracy(learner, task) > 0.9
