"""Auto-Net's solvers against their formulas, its policies in closed form, and its space trained on a real table."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

from autonas.data.prepare import prepare
from autonas.data.task import Folds
from autonas.errors import OptionError
from autonas.search_space.load import load_space
from autonas.training.loop import Data, Trainer, private_randomness
from autonas.training.optim import make_optimizer, parameter_groups, rate
from autonas.training.solvers import SOLVERS


@pytest.fixture(autouse=True)
def seed():
    with private_randomness("cpu"):
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rate_policy": "fixed"}, [1, 1, 1, 1]),
        ({"rate_policy": "inv", "gamma": 0.1, "k": 0.5}, [1, 1.5**-0.5, 2**-0.5, 3**-0.5]),
        ({"rate_policy": "exp", "gamma": 0.1}, [1, 1e-5, 1e-10, 1e-20]),
        ({"rate_policy": "step", "gamma": 0.1, "s": 5}, [1, 0.1, 0.01, 0.0001]),
    ],
)
def test_policies_count_epochs(options, expected):
    assert [rate(options, p, epochs=20) for p in (0, 0.25, 0.5, 1)] == pytest.approx(expected)


def test_unknown_names_are_named():
    with pytest.raises(OptionError, match="fixed"):
        rate({"rate_policy": "fix"}, 0.5)
    with pytest.raises(OptionError, match="Did you mean 'adadelta'"):
        make_optimizer({"solver": "adadelt"}, [])


def optimise(options, gradients):
    """Where a matrix and a bias, all ones, are after steps with these gradients."""
    network = nn.Linear(1, 1)
    nn.init.ones_(network.weight)
    nn.init.ones_(network.bias)
    optimizer = make_optimizer(options, parameter_groups(network, dict(network.named_parameters()), 100))
    for gradient in gradients:
        network.weight.grad, network.bias.grad = torch.full((1, 1), gradient), torch.full((1,), gradient)
        optimizer.step()
    return network.weight.item(), network.bias.item()


GRADIENTS = [1.0, -2.0, 0.5, 3.0, 3.0]


def sgd(lr, momentum=0.0, nesterov=False):
    x, velocity = 1.0, 0.0
    for g in GRADIENTS:
        velocity = momentum * velocity + g
        x -= lr * (g + momentum * velocity if nesterov else velocity)
    return x


def adam(lr, b1, b2):
    x, m, v = 1.0, 0.0, 0.0
    for t, g in enumerate(GRADIENTS, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        x -= lr * (m / (1 - b1**t)) / ((v / (1 - b2**t)) ** 0.5 + 1e-8)
    return x


def adagrad(lr):
    x, total = 1.0, 0.0
    for g in GRADIENTS:
        total += g * g
        x -= lr * g / total**0.5
    return x


def adadelta(lr, rho):
    x, square, moved = 1.0, 0.0, 0.0
    for g in GRADIENTS:
        square = rho * square + (1 - rho) * g * g
        delta = g * ((moved + 1e-6) / (square + 1e-6)) ** 0.5
        moved = rho * moved + (1 - rho) * delta * delta
        x -= lr * delta
    return x


def smorms3(lr):
    x, memory, mean, square = 1.0, 1.0, 0.0, 0.0
    for g in GRADIENTS:
        r = 1 / (memory + 1)
        mean, square = (1 - r) * mean + r * g, (1 - r) * square + r * g * g
        x -= g * min(lr, mean * mean / (square + 1e-16)) / (square**0.5 + 1e-16)
        memory = 1 + memory * (1 - mean * mean / (square + 1e-16))
    return x


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"solver": "sgd", "lr": 0.1}, sgd(0.1)),
        ({"solver": "momentum", "lr": 0.1, "momentum": 0.7}, sgd(0.1, 0.7)),
        ({"solver": "nesterov", "lr": 0.1, "momentum": 0.7}, sgd(0.1, 0.7, nesterov=True)),
        ({"solver": "adam", "lr": 0.1, "beta1_complement": 0.2, "beta2_complement": 0.05}, adam(0.1, 0.8, 0.95)),
        ({"solver": "adagrad", "lr": 0.1}, adagrad(0.1)),
        ({"solver": "adadelta", "lr": 0.5, "rho": 0.8}, adadelta(0.5, 0.8)),
        ({"solver": "smorms3", "lr": 0.2}, smorms3(0.2)),
    ],
    ids=lambda value: value["solver"] if isinstance(value, dict) else "",
)
def test_five_steps_of_each_solver(options, expected):
    weight, bias = optimise({**options, "l2": 0.0}, GRADIENTS)
    assert weight == bias == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("solver", ["sgd", "smorms3"])
def test_the_penalty_is_that_of_squared_weights(solver):
    weight, bias = optimise({"solver": solver, "lr": 0.1, "l2": 0.25}, [0.5])
    # the gradient of 0.5 w + 0.25 w^2 at 1 is that of 1.0 w
    assert weight == optimise({"solver": solver, "lr": 0.1, "l2": 0.0}, [1.0])[0]
    assert bias == optimise({"solver": solver, "lr": 0.1, "l2": 0.0}, [0.5])[1]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_restored_solver_goes_on_exactly_and_updates_are_counted(solver):
    parts = np.array_split(np.arange(48), 3)
    pairs = tuple((np.concatenate([p for j, p in enumerate(parts) if j != i]), parts[i]) for i in range(3))
    data = Data(torch.randn(48, 5), torch.randint(3, (48,)), None, Folds(pairs, 48))
    options = {"solver": solver, "lr": 0.01, "updates": 70, "batch_size": 16, "rate_policy": "inv"}

    def trainer():
        return Trainer(
            lambda: nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)), data, [0, 1, 2], options, 0, "cpu"
        )

    first, second = trainer(), trainer()
    assert first.planned == 70
    for _ in range(4):
        first.take_step()
    second.restore(copy.deepcopy(first.state()))
    for _ in range(4):
        first.take_step()
        second.take_step()
    for name, tensor in first.stack.weights.items():
        assert torch.equal(tensor, second.stack.weights[name]), name


def test_configurations_of_autonet_train_on_the_breast_cancer_data():
    X, y = load_breast_cancer(return_X_y=True)
    task = prepare(X, y, kind="classification", cv=3)
    space = load_space("autonet", "classification")
    small = {f"fcnet:units_{i}": 64 for i in range(1, 7)} | {"fcnet:updates": 50, "fcnet:batch_size": 64}
    finite = 0
    for number, config in enumerate(space.sample(12, seed=4)):
        learner = space.build(space.complete({**config, **small}), task.problem, seed=number)
        try:
            learner.train(task)
        except FloatingPointError:  # learning rates go up to 1
            continue
        finite += 1
        assert np.isfinite(learner.out_of_fold()).all()
    assert finite >= 9


def test_a_good_configuration_of_autonet_is_good():
    X, y = load_breast_cancer(return_X_y=True)
    task = prepare(X, y, kind="classification", cv=3)
    space = load_space("autonet", "classification")
    config = {
        "fcnet:dropout_1": 0.1, "fcnet:output_dropout": 0.0, "fcnet:solver": "adam", "fcnet:updates": 200,
        "fcnet:beta2_complement": 0.001, "fcnet:lr": 0.003,
    }  # fmt: skip
    learner = space.build(space.complete(config), task.problem)
    learner.train(task)
    assert (learner.out_of_fold().argmax(1) == task.y).mean() > 0.95
