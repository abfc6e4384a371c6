"""The cost model on trials whose cost is known, and on real trainings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Result, Trial
from autonas.data.prepare import prepare
from autonas.evaluators.train import Train
from autonas.search_space.load import load_space
from autonas.surrogates.cost import CostModel


def image_task(rows=300):
    X, y = load_digits(return_X_y=True)
    return prepare(X.reshape(-1, 8, 8)[:rows], y[:rows], kind="classification", cv=3)


def trial(number, config, seconds, fidelity=1.0, status="ok", **lineage):
    return Trial(number, Proposal(config, fidelity, **lineage), Result({"loss": 1.0}, status, seconds))


def proportional(space, task, seed, n, noise=0.1, speed=2e8):
    """Trials that take as long as their multiply-accumulates say, at the given number a second."""
    rng = np.random.default_rng(seed)
    rows = sum(len(train) for train, _ in task.folds.pairs)
    found = []
    for number, config in enumerate(space.sample(n, seed)):
        macs = space.dry_run(config, task.view("image").shape[1:], 10).macs
        seconds = 3 * macs * rows * config["epochs"] / speed * math.exp(noise * rng.normal())
        found.append(trial(number, config, seconds))
    return found


def test_a_few_trials_find_the_speed_of_the_machine():
    space, task = load_space("nasbench201"), image_task()
    model = CostModel(space, task)
    model.tell(proportional(space, task, 1, 12))
    for other in proportional(space, task, 2, 30, noise=0.0):
        mean, sd = model.predict(other.config)
        assert mean == pytest.approx(other.result.cost_seconds, rel=0.5)
        assert sd < mean


def test_it_says_how_sure_it_is():
    space, task = load_space("nasbench201"), image_task()
    model = CostModel(space, task)
    before = model.predict(space.default())
    model.tell(proportional(space, task, 1, 40))
    after = model.predict(space.default())
    assert before[1] > before[0]  # nothing was seen
    inside = 0
    others = proportional(space, task, 3, 60)
    for other in others:
        mean, sd = model.predict(other.config)
        width = math.sqrt(math.log1p((sd / mean) ** 2))
        inside += abs(math.log(other.result.cost_seconds / mean) + width**2 / 2) < 1.645 * width
    assert after[1] / after[0] < 0.25
    assert 0.8 < inside / len(others) <= 1


def test_before_any_trial_time_is_proportional_to_fidelity_and_work():
    space, task = load_space("nasbench201"), image_task()
    model = CostModel(space, task)
    config = space.default()
    longer = {**config, "epochs": 2 * config["epochs"]}
    whole, _ = model.predict(config)
    assert model.predict(config, 1 / 3)[0] == pytest.approx(whole / 3, rel=0.5)
    assert model.predict(longer)[0] > 1.5 * whole
    assert CostModel(space, image_task(600)).predict(config)[0] > 1.5 * whole


def test_a_promotion_costs_the_difference():
    space, task = load_space("nasbench201"), image_task()
    trials = []
    for config in space.sample(20, 5):
        first = len(trials)
        trials.append(trial(first, config, 3.0 * config["epochs"], 1 / 3))
        trials.append(trial(first + 1, config, 6.0 * config["epochs"], 1.0, parent=first, inherit="resume"))
    model = CostModel(space, task)
    model.tell(trials)
    config = space.default()
    rest = model.predict(config, 1.0, start=1 / 3)[0]
    assert rest == pytest.approx(model.predict(config, 2 / 3)[0])
    assert 1.5 < rest / model.predict(config, 1 / 3)[0] < 2.5


def test_failed_and_stopped_trials_say_nothing():
    space, task = load_space("nasbench201"), image_task()
    good = proportional(space, task, 1, 10)
    bad = [trial(20, good[0].config, 1e6, status="stopped"), trial(21, good[1].config, 1e6, status="failed")]
    one, other = CostModel(space, task), CostModel(space, task)
    one.tell(good)
    other.tell(good + bad)
    assert one.predict(space.default()) == other.predict(space.default())


def test_kinds_that_are_no_networks_have_their_own_time():
    X, y = load_breast_cancer(return_X_y=True)
    task, space = prepare(X, y, kind="classification", cv=3), load_space("tabular")
    slow, fast = [kind for kind in space.families if kind not in space.networks][:2]
    model = CostModel(space, task)
    model.tell([trial(i, space.default(kind), s) for i, (kind, s) in enumerate([(slow, 20.0), (fast, 0.1)] * 8)])
    assert model.predict(space.default(slow))[0] == pytest.approx(20, rel=0.5)
    assert model.predict(space.default(fast))[0] == pytest.approx(0.1, rel=0.5)


def test_real_trainings_are_foreseen(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    task, space = prepare(X[:200], y[:200], kind="classification", cv=2), load_space("tabular")
    evaluator = Train(get_metric("log_loss", "classification", np.arange(2)), seed=0)
    evaluator.prepare(space, task)
    trials = []
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        wanted = {"model": "mlp", "epochs": 10 * (1 + number % 3), "early_stopping": "no"}
        proposal = Proposal(space.complete({**wanted, "batch_size": (32, 128)[number % 2]}))
        trials.append(Trial(number, proposal, evaluator.evaluate(proposal, None, folder)))
    model = CostModel(space, task)
    model.tell(trials[:6])
    for other in trials[6:]:
        mean, sd = model.predict(other.config)
        assert abs(math.log(mean / other.result.cost_seconds)) < max(1.0, 3 * sd / mean)
