"""Networks: all folds as one batch, exact continuation, and every family's choices train."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits

from autonas import load_space
from autonas.core.clock import Clock
from autonas.core.state import load_state, save_state
from autonas.data.prepare import prepare
from autonas.data.task import Folds
from autonas.training import network

QUICK = {"epochs": 10, "batch_size": 64}


def tabular_task(kind="classification", rows=160):
    X, y = (load_breast_cancer if kind == "classification" else load_diabetes)(return_X_y=True)
    return prepare(X[:rows], y[:rows], kind=kind, cv=3)


def learner(task, seed=0, space="tabular", **config):
    space = load_space(space, task.problem.kind)
    return space.build(space.complete({"model": "mlp", **QUICK, **config}), task.problem, seed=seed)


def trained(task, **config):
    one = learner(task, **config)
    one.train(task)
    return one


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_a_promotion_goes_on_exactly(kind, tmp_path):
    task = tabular_task(kind)
    whole = trained(task)
    first = learner(task)
    first.train(task, 1 / 3)
    save_state(tmp_path / "state.safetensors", first.state())
    second = learner(task)
    second.restore(load_state(tmp_path / "state.safetensors"))
    second.train(task, 1.0)
    np.testing.assert_array_equal(second.out_of_fold(), whole.out_of_fold())
    np.testing.assert_array_equal(second.predict(task.view("ple")), whole.predict(task.view("ple")))


def test_folds_in_one_batch_train_as_alone():
    task = tabular_task()
    options = {"mlp:dropout": 0.0, "early_stopping": "no"}
    together = trained(task, **options).out_of_fold()
    valid = task.folds.pairs[0][1]
    alone = trained(replace(task, folds=Folds(task.folds.pairs[:1], task.n_rows)), **options).out_of_fold()
    np.testing.assert_allclose(together[valid], alone[valid], atol=1e-3)
    others = np.setdiff1d(np.arange(task.n_rows), valid)
    assert np.isnan(alone[others]).all()


def test_equal_seeds_give_equal_networks_and_others_do_not():
    task = tabular_task()
    a, b, c = (trained(task, seed=s).out_of_fold() for s in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 1e-3


@pytest.mark.parametrize(
    "config",
    [
        {"mlp:embedding": "none"},
        {"mlp:embedding": "periodic"},
        {"mlp:normalisation": "layer", "mlp:activation": "gelu"},
        {"mlp:normalisation": "batch", "mlp:activation": "relu", "mlp:depth": 1},
        {"mlp:activation": "selu", "optimizer": "sgd", "weight_decay": 0.0001},
        {"mlp:activation": "mish", "schedule": "sgdr", "label_smoothing": 0.1},
        {"model": "resmlp", "schedule": "linear"},
        {"model": "resmlp", "resmlp:normalisation": "batch", "schedule": "constant"},
        {"model": "tabm", "tabm:members": 4},
    ],
    ids=str,
)
def test_every_choice_learns(config):
    task = tabular_task()
    one = trained(task, **config)
    scores = one.out_of_fold()
    assert scores.shape == (160, 2)
    # the sets are easily told apart: a network that learned anything is right in almost nine of ten rows
    assert (scores.argmax(axis=1) == task.y).mean() > 0.85
    new = one.predict(task.view(one.view)[:7])
    assert new.shape == (7, 2)
    assert np.isfinite(new).all()


def test_the_number_of_parameters_of_an_mlp():
    task = tabular_task()
    one = trained(task, **{"mlp:embedding": "none", "mlp:depth": 2, "mlp:width": 16})
    columns = task.view("dense").shape[1]
    # scale vector, two hidden layers, output layer
    assert one.info["parameters"] == columns + (columns + 1) * 16 + 17 * 16 + 17 * 2


def test_a_convolutional_network_learns_digits():
    X, y = load_digits(return_X_y=True)
    task = prepare(X[:300].reshape(-1, 8, 8), y[:300], kind="classification", modality="image", cv=2)
    one = trained(task, space="image", model="cnn", lr=0.003, **{"cnn:width": 16})
    assert (one.out_of_fold().argmax(axis=1) == task.y).mean() > 0.8


def test_a_network_of_series_learns():
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    X = np.sin(np.arange(32) * (0.4 + 0.4 * y[:, None])) + 0.3 * rng.standard_normal((120, 32))
    task = prepare(X[:, None], y, kind="classification", cv=2)
    one = trained(task, space="series", model="cnn1d", lr=0.003, **{"cnn1d:width": 16})
    assert (one.out_of_fold().argmax(axis=1) == task.y).mean() > 0.9


def test_weights_count():
    task = tabular_task()
    heavy = replace(task, weight=np.where(task.y == 1, 10.0, 0.1))
    plain, weighted = (trained(t, early_stopping="no").out_of_fold() for t in (task, heavy))
    assert (weighted[:, 1] - weighted[:, 0]).mean() > (plain[:, 1] - plain[:, 0]).mean() + 0.5


class Countdown(Clock):
    """A clock on which every look takes a hundredth of the limit."""

    def __init__(self):
        super().__init__(1.0)
        self.now = 0.0

    def elapsed(self):
        self.now += 0.01
        return self.now


def test_a_short_clock_still_leaves_complete_predictions():
    task = tabular_task()
    one = learner(task, epochs=100)
    one.train(task, 1.0, Countdown())
    assert np.isfinite(one.out_of_fold()).all()
    assert one.progress == pytest.approx(1.0)
    assert one.info["epochs"] < 100


def test_heavy_networks_for_tables_are_rounded_while_the_clock_runs_and_errors_are_large(monkeypatch):
    monkeypatch.setattr(network, "bfloat16_is_faster", lambda: True)
    task = tabular_task("regression", 400)

    def rounding(clock, most, precise, **config):
        """What each report has: whether steps are rounded, and whether the error is large."""
        monkeypatch.setattr(network, "_PRECISE", precise)
        one = learner(task, **{"batch_size": 128, "mlp:width": 256, **config})
        seen = []

        def report(progress, values):
            seen.append((one._trainers[0].half, values["loss"] >= precise))
            return len(seen) < most

        one.train(task, 1.0, clock, report)
        return seen

    assert rounding(Clock(None), 1, 0.0) == [(False, True)]
    assert rounding(Clock(30.0), 1, 0.0, **{"mlp:width": 16}) == [(False, True)]
    assert rounding(Clock(30.0), 1, 0.0) == [(True, True)]
    heavy = rounding(Clock(30.0), 99, 0.6)
    assert heavy[-1] == (False, False)
    assert [half for half, _ in heavy] == [all(large for _, large in heavy[: n + 1]) for n in range(len(heavy))]
