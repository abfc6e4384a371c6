"""Configurations that train as one network end as they do alone, whatever they differ in."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch

from autonas.data.prepare import prepare
from autonas.search_space.learners import make_learner
from autonas.training.fused import signature, train_together
from autonas.training.learner import go_on
from autonas.training.loop import private_randomness

SAME = {"embedding": "none", "batch_size": 16, "epochs": 6}
DIFFERENT = (
    {"lr": 0.001, "weight_decay": 0.3, "dropout": 0.0, "width": 12},
    {"lr": 0.01, "weight_decay": 0.001, "dropout": 0.4, "width": 20, "schedule": "linear", "label_smoothing": 0.1},
    {"lr": 0.004, "weight_decay": 0.1, "dropout": 0.2, "width": 17, "epochs": 8, "beta2": 0.99, "warmup": 0.2},
)


@cache
def task(kind="classification"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 5))
    y = X[:, 0] + X[:, 1] ** 2
    weight = rng.uniform(0.5, 1.5, size=90)
    y = y if kind == "regression" else np.digitize(y, [0.3, 1.2])
    return prepare(X, y, kind=kind, cv=3, sample_weight=weight)


def learners(family="mlp", kind="classification", different=DIFFERENT, **options):
    made = []
    for seed, own in enumerate(different):
        drops = {"hidden_dropout": own["dropout"]} if family == "resmlp" and "dropout" in own else {}
        made.append(make_learner(family, {**SAME, **own, **drops, **options}, task(kind).problem, seed=seed))
    return made


def fuse(made, kind="classification", until=1.0, reports=(go_on,) * 3):
    with private_randomness("cpu"):
        pairs = zip(made, reports, strict=False)
        return train_together([one.sections(task(kind), until, None, report) for one, report in pairs])


def alone(made, kind="classification", until=1.0):
    for one in made:
        one.train(task(kind), until)
    return made


def assert_same(one, other, atol=2e-4):
    np.testing.assert_allclose(one.out_of_fold(), other.out_of_fold(), atol=atol)
    np.testing.assert_allclose([loss for _, loss in one.curve], [loss for _, loss in other.curve], atol=atol)
    first, second = (x.state()["final"]["weights"] for x in (one, other))
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.shape == second[name].shape
        np.testing.assert_allclose(array, second[name], atol=atol, err_msg=name)
    assert {**one.info, "best_epoch": 0} == {**other.info, "best_epoch": 0}


@pytest.mark.parametrize(
    ("family", "options"),
    [
        ("mlp", {}),
        ("mlp", {"activation": "gelu", "optimizer": "sgd", "sgd_lr": 0.01}),
        ("mlp", {"embedding": "periodic"}),
        ("tabm", {"members": 4, "depth": 1}),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_results_are_those_of_training_alone(family, options, kind):
    made = learners(family, kind, **options)
    assert fuse(made, kind) == [None] * 3
    for one, other in zip(made, alone(learners(family, kind, **options), kind), strict=True):
        assert one.progress == 1
        assert_same(one, other)


def test_networks_of_one_width_may_have_any_normalisation():
    different = [{**own, "width": 16} for own in DIFFERENT]
    for family, options in (("mlp", {"normalisation": "layer"}), ("resmlp", {"blocks": 1, "normalisation": "layer"})):
        made = learners(family, different=different, **options)
        assert fuse(made) == [None] * 3
        for one, other in zip(made, alone(learners(family, different=different, **options)), strict=True):
            assert_same(one, other)


def test_running_averages_of_batch_normalisation_are_each_networks_own():
    # a bias in front of the normalisation has no gradient but rounding, which Adam would blow up
    options = {"normalisation": "batch", "optimizer": "sgd", "sgd_lr": 0.01}
    made = learners(**options)
    assert fuse(made) == [None] * 3
    for one, other in zip(made, alone(learners(**options)), strict=True):
        assert_same(one, other, atol=1e-3)


def signatures(*configurations):
    found = []
    for options in configurations:
        (one,) = learners(different=[options])
        with private_randomness("cpu"):
            section = next(one.sections(task()))
        found.append(signature(section.trainers[0]))
    return found


def test_only_what_differs_in_values_is_fused():
    base, *values = signatures({"width": 16}, {"width": 24, "lr": 0.1}, {"width": 16, "dropout": 0.0, "epochs": 3})
    assert [base] * 2 == values
    others = signatures(
        {"width": 16, "activation": "relu"},
        {"width": 16, "depth": 1},
        {"width": 16, "batch_size": 32},
        {"width": 16, "optimizer": "sgd"},
        {"width": 16, "normalisation": "layer"},
        {"width": 24, "normalisation": "layer"},  # whose mean would be over the zeros too
    )
    assert len({base, *others}) == 7
    made = learners(different=[{"width": 16}, {"width": 16, "activation": "relu"}, {"width": 16, "lr": 0.01}])
    assert fuse(made) == [None] * 3
    expected = alone(
        learners(different=[{"width": 16}, {"width": 16, "activation": "relu"}, {"width": 16, "lr": 0.01}])
    )
    for one, other in zip(made, expected, strict=True):
        assert_same(one, other)


def test_one_that_diverges_fails_alone():
    different = [DIFFERENT[0], {**DIFFERENT[1], "lr": 1e30}, DIFFERENT[2]]
    made = learners(different=different)
    errors = fuse(made)
    assert isinstance(errors[1], FloatingPointError)
    assert errors[::2] == [None, None]
    expected = alone(learners()[::2])
    assert_same(made[0], expected[0])
    assert_same(made[2], expected[1])


def test_one_that_is_told_to_stop_ends_and_the_others_go_on():
    made = learners(epochs=8)
    seen = []

    def stop(progress, values):
        seen.append(progress)
        return progress < 0.3

    assert fuse(made, reports=[go_on, stop, go_on]) == [None] * 3
    assert made[1].progress == pytest.approx(0.3)
    assert max(seen) == pytest.approx(0.3)
    expected = alone(learners(epochs=8))
    assert_same(made[0], expected[0])
    assert_same(made[2], expected[2])
    made[1].train(task())  # what was stopped goes on as if it had never been
    assert_same(made[1], expected[1])


def test_a_promotion_goes_on_alone_or_fused():
    low, whole = learners(epochs=9), alone(learners(epochs=9))
    assert fuse(low, until=1 / 3) == [None] * 3
    for one, other in zip(low, alone(learners(epochs=9), until=1 / 3), strict=True):
        assert_same(one, other)
    fresh = learners(epochs=9)
    for one, other in zip(low, fresh, strict=True):
        other.restore(one.state())
    fresh[0].train(task())
    assert fuse(fresh[1:]) == [None] * 2
    for one, other in zip(fresh, whole, strict=True):
        one.curve = [point for point in one.curve if point[0] != 1 / 3]  # where it was scored on averaged weights
        assert_same(one, other)


def test_randomness_outside_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    fuse(learners(epochs=1))
    assert torch.equal(torch.rand(2), expected)
