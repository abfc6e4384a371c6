"""When networks step, look and stop: clocks with scripted times, early stopping, slices, reports, predictions."""

from __future__ import annotations

import types

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from autonas.architectures import cnn, mlp, tabm
from autonas.core.clock import Clock
from autonas.data.prepare import prepare
from autonas.training.network import MILESTONES, NetworkLearner
from autonas.training.target import TargetScale

QUICK = {"width": 16, "batch_size": 32, "epochs": 10}


class Ticking(Clock):
    """Every look at this clock takes a while."""

    def __init__(self, seconds, tick):
        super().__init__(seconds)
        self.tick, self.now = tick, 0.0

    def elapsed(self):
        self.now += self.tick
        return self.now


@pytest.fixture(scope="module")
def table():
    X, y = load_breast_cancer(return_X_y=True)
    return prepare(X[:120], y[:120], kind="classification", cv=3)


@pytest.fixture(scope="module")
def images():
    X, y = load_digits(return_X_y=True)
    return prepare(X[:120].reshape(-1, 8, 8), y[:120] % 2, kind="classification", modality="image", cv=4)


def network(task, family=mlp, **options):
    return NetworkLearner(family, {**QUICK, **options}, task.problem)


@pytest.mark.parametrize("ticks", [40, 200, 1000])
@pytest.mark.parametrize("family", [mlp, cnn], ids=["batched", "in turns"])
def test_training_ends_with_the_clock(table, images, family, ticks):
    task, clock = (table if family is mlp else images), Ticking(1.0, 1 / ticks)
    one = network(task, family, epochs=1000, early_stopping="no")
    one.train(task, 1.0, clock)
    assert clock.now < 1.0 + 16 / ticks  # the last looks of two trainers in turn, at which no step is taken
    assert one.progress == 1.0
    assert one.curve[-1][0] == 1.0
    assert [p for p, _ in one.curve] == sorted({p for p, _ in one.curve} & set(MILESTONES))
    fitted = np.concatenate([valid for _, valid in task.folds.pairs[: one.info["folds"]]])
    assert np.isfinite(one.out_of_fold()[fitted]).all()


def test_a_clock_that_is_over_still_leaves_predictions(table):
    one = network(table)
    one.train(table, 1.0, Ticking(0.0, 1.0))
    assert np.isfinite(one.out_of_fold()).all()


def test_convolutional_networks_train_fewer_folds_rather_than_fewer_epochs(images):
    one = network(images, cnn, epochs=40)
    one.train(images, 1.0, Ticking(1.0, 0.01))
    assert one.info["folds"] == 2
    fitted = np.concatenate([valid for _, valid in images.folds.pairs[:2]])
    rest = np.setdiff1d(np.arange(images.n_rows), fitted)
    assert np.isfinite(one.out_of_fold()[fitted]).all()
    assert np.isnan(one.out_of_fold()[rest]).all()
    assert one.predict(images.view("image")[:5]).shape == (5, 2)
    rich = network(images, cnn, epochs=40)
    rich.train(images, 1 / 20, Ticking(1.0, 1e-5))
    assert rich.info["folds"] == 4


def test_without_a_limit_nothing_reads_a_clock(table, monkeypatch):
    monkeypatch.setattr("autonas.core.clock.time", types.SimpleNamespace())
    monkeypatch.setattr("autonas.training.device.time", types.SimpleNamespace())
    one = network(table)
    one.train(table, 0.5, Clock())
    one.train(table)
    assert one.progress == 1.0


def test_a_slice_by_the_clock_is_continued_to_the_end(table):
    one = network(table, epochs=200)
    one.train(table, 1 / 3, Ticking(1.0, 0.005))
    few = one.info["epochs"]
    assert one.progress == pytest.approx(1 / 3)
    again = network(table, epochs=200)
    again.restore(one.state())
    again.train(table, 1.0, Ticking(1.0, 0.005))
    assert again.progress == 1.0
    assert few < again.info["epochs"] < 200


def test_a_slice_scores_averaged_weights_and_keeps_the_raw_ones(table):
    one = network(table, early_stopping="no")
    one.train(table, 1 / 3)
    state = one.state()
    averaged, raw = state["final"]["weights"]["2.weight"], state["training"]["trainers"][0]["weights"]["2.weight"]
    assert np.abs(averaged - raw).max() > 1e-4
    assert one.curve[-1] == (1 / 3, pytest.approx(state["final"]["loss"]))


def test_a_report_that_says_no_stops_and_leaves_predictions(table):
    seen = []

    def no_more(progress, values):
        seen.append((progress, values["loss"]))
        return len(seen) < 3

    one = network(table)
    one.train(table, 1.0, report=no_more)
    assert [p for p, _ in seen] == [0.15, 0.2, 0.25]
    assert one.curve == seen
    assert one.progress == 0.25
    assert np.isfinite(one.out_of_fold()).all()
    one.train(table)
    assert one.progress == 1.0


def noise():
    """Labels that cannot be learned: the loss of a network that tries grows soon."""
    rng = np.random.default_rng(0)
    return prepare(rng.standard_normal((120, 10)), rng.integers(2, size=120), kind="classification", cv=3)


def test_early_stopping_keeps_the_best_weights_and_stops_for_good():
    task = noise()
    one = network(task, width=64, lr=0.02, dropout=0.0, epochs=40, patience=0.1)
    one.train(task)
    losses = [loss for _, loss in one.curve]
    assert one.curve[-1][0] < 1.0
    assert one.info["best_epoch"] < one.info["epochs"] < 40
    state = one.state()
    assert state["final"]["loss"] == min(losses)
    # it stopped when the loss had been a quarter above the best so far for a tenth of the schedule
    best_so_far = np.minimum.accumulate(losses)
    worse = losses > 1.25 * best_so_far
    assert worse[-3:].all()
    assert not any(worse[i : i + 3].all() for i in range(len(worse) - 3))
    assert state["training"] is None
    again = network(task)
    again.restore(state)
    again.train(task)
    np.testing.assert_array_equal(again.out_of_fold(), one.out_of_fold())


def test_early_stopping_within_a_slice_is_the_same_as_without_slices():
    task = noise()
    options = {"width": 64, "lr": 0.02, "dropout": 0.0, "epochs": 40, "patience": 0.1}
    whole, sliced = network(task, **options), network(task, **options)
    whole.train(task)
    for until in (0.1, 0.33, 0.5, 1.0):
        state = sliced.state() if sliced.progress else None
        sliced = network(task, **options)
        if state:
            sliced.restore(state)
        sliced.train(task, until)
    np.testing.assert_array_equal(whole.out_of_fold(), sliced.out_of_fold())


def test_without_early_stopping_the_last_weights_count():
    task = noise()
    one = network(task, lr=0.02, dropout=0.0, early_stopping="no")
    one.train(task)
    assert one.info["best_epoch"] == one.info["epochs"] == QUICK["epochs"]
    assert one.state()["final"]["loss"] == one.curve[-1][1] > min(loss for _, loss in one.curve)


@pytest.mark.parametrize("family", [mlp, tabm], ids=["mlp", "tabm"])
def test_predictions_are_the_mean_of_the_folds_probabilities(table, family):
    one = network(table, family)
    one.train(table)
    view, weights = table.view(one.view), one.state()["final"]["weights"]
    probabilities = []
    for fold in range(3):
        single = family.build(one.options, view.shape[1:], 2).eval()
        single.load_state_dict({name: torch.from_numpy(array[fold]) for name, array in weights.items()})
        p = single(torch.from_numpy(view)).softmax(-1).detach()
        probabilities.append(p.mean(1) if p.ndim == 3 else p)
    expected = torch.stack(probabilities).mean(0).numpy()
    np.testing.assert_allclose(np.exp(one.predict(view)), expected, atol=1e-5)
    for fold, (_, valid) in enumerate(table.folds.pairs):
        np.testing.assert_allclose(np.exp(one.out_of_fold()[valid]), probabilities[fold][valid], atol=1e-5)


def test_regression_is_in_the_units_of_the_target():
    X, y = load_diabetes(return_X_y=True)
    task = prepare(X[:150], y[:150] * 1000, kind="regression", cv=3)
    one = network(task, epochs=30)
    one.train(task)
    scale = TargetScale(task.y)
    for scores in (one.out_of_fold(), one.predict(task.view(one.view))):
        assert scores.shape == (150, 1)
        assert scores.dtype == np.float32
        assert scores.min() >= scale.inverse(np.array(-99.0))
        assert np.sqrt(np.mean((scores[:, 0] - task.y) ** 2)) < 0.9 * task.y.std()


def test_repeated_folds_are_averaged_by_probability(table):
    twice = prepare(*(a[:120] for a in load_breast_cancer(return_X_y=True)), kind="classification", cv=3)
    pairs = twice.folds.pairs
    twice.folds = type(twice.folds)(pairs + pairs, 120)
    one = network(twice)
    one.train(twice)
    assert one.info["folds"] == 6
    np.testing.assert_allclose(np.exp(one.out_of_fold()).sum(1), 1, atol=1e-5)


def test_a_network_that_diverges_says_so(table):
    with pytest.raises(FloatingPointError, match="epoch"):
        network(table, lr=1e30).train(table)


def test_an_untrained_network_says_so(table):
    with pytest.raises(RuntimeError, match="train"):
        network(table).out_of_fold()
