"""What an optimiser knows goes along with the weights that a child takes over unchanged."""

from __future__ import annotations

import numpy as np
import pytest

from autonas.data.prepare import prepare
from autonas.search_space.load import load_space
from autonas.training.loop import private_randomness
from autonas.training.optim import parameter_order

SMALL = {"stages:layers_1": 1, "stages:layers_2": 1, "stages:layers_3": 1, "epochs": 10, "batch_size": 32}
SMALL |= {f"stages:width_{s}_1": 8 for s in (1, 2, 3)} | {f"stages:kernel_{s}_1": 3 for s in (1, 2, 3)}
WIDER = {"stages:width_2_1": 16}


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    y = np.arange(96) % 3
    X = rng.normal(size=(96, 8, 8)) + y[:, None, None] * np.linspace(-1, 1, 8)
    return load_space("chain", "classification"), prepare(X, y, kind="classification", cv=2)


def trained(space, task, until, **changes):
    config = space.complete({**SMALL, **changes})
    learner = space.build(config, task.problem, seed=1)
    learner.train(task, until)
    return learner.state(), space.options(config)


def begun(space, task, parent, **changes):
    """The trainers of a child before their first step."""
    learner = space.build(space.complete({**SMALL, **changes}), task.problem, seed=2)
    learner.inherit(*parent, "morph")
    with private_randomness("cpu"):
        return next(learner.sections(task)).trainers


def test_the_momentum_of_what_stays_is_carried_and_the_rest_is_fresh(images):
    parent = trained(*images, 0.2, optimizer="sgd")
    trainers = begun(*images, parent, optimizer="sgd", **WIDER)
    assert len(trainers) == 2
    for fold, trainer in enumerate(trainers):
        before = parent[0]["training"]["trainers"][fold]["optimizer"]
        weights = parent[0]["final"]["weights"]
        same = changed = 0
        for number, name in enumerate(parameter_order(trainer.stack.network)):
            now = trainer.optimizer.state[trainer.stack.parameters[name]]
            assert set(now) == {"momentum_buffer"}
            # a chain is edited in place: parameters of both have the same names, in the same order
            if np.array_equal(trainer.stack.parameters[name][0].detach(), weights[name][fold]):
                same += 1
                assert all(np.array_equal(now[key], before[str(number)][key]) for key in now)
            else:
                changed += 1
                assert all(not value.any() for value in now.values())
        assert same
        assert changed
        assert trainer.step == 0


def test_nothing_is_carried_from_an_ended_schedule_or_to_and_from_adam(images):
    ended = trained(*images, 1.0, optimizer="sgd")
    assert ended[0]["training"] is None
    assert all(not trainer.optimizer.state for trainer in begun(*images, ended, optimizer="sgd", **WIDER))
    for old, new in (("sgd", "adamw"), ("adamw", "sgd"), ("adamw", "adamw")):
        parent = trained(*images, 0.2, optimizer=old)
        assert all(not t.optimizer.state for t in begun(*images, parent, optimizer=new, **WIDER))
