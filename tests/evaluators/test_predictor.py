"""The evaluator that answers without training."""

from __future__ import annotations

from functools import partial

import numpy as np

from autonas.core.audit import rank_correlation
from autonas.core.objective import Metric
from autonas.core.trial import Proposal, Result, Trial
from autonas.data.task import Problem
from autonas.evaluators import make_evaluator
from autonas.evaluators.benchmarks import read_table
from autonas.evaluators.predictor import FEWEST, PredictorEvaluator

METRIC = Metric("loss", "regression")
TABLE = read_table("nb201-cifar10")


class Data:
    """All that a predictor asks of a task."""

    problem = Problem("classification", 10, "image")


def evaluator():
    made = make_evaluator("predictor", METRIC, seed=0, device="cpu")
    made.prepare(TABLE.space, Data())
    return made


def trials(n, seed=0, fidelity=1.0, status="ok"):
    configs = TABLE.space.sample(n, seed)
    return [
        Trial(i, Proposal(c, fidelity), Result({"loss": TABLE.mean_loss(c)}, status)) for i, c in enumerate(configs)
    ]


def test_it_learns_from_finished_trials_and_says_how_sure_it_is():
    made = evaluator()
    for trial in trials(100):
        made.observe(trial)
    unseen = TABLE.space.sample(60, 7)
    results = [made.evaluate(Proposal(config)) for config in unseen]
    assert all(r.status == "ok" and r.info["predicted_sd"] > 0 and r.info["learned_from"] > 90 for r in results)
    assert rank_correlation((r.loss, TABLE.mean_loss(c)) for r, c in zip(results, unseen, strict=True)).tau > 0.35


def test_before_it_has_seen_enough_it_says_so():
    made = evaluator()
    for trial in [*trials(FEWEST - 1), *trials(50, 1, status="stopped"), *trials(50, 2, fidelity=0.5)]:
        made.observe(trial)
    result = made.evaluate(Proposal(TABLE.space.default()))
    assert result.status == "failed"
    assert f"has seen {FEWEST - 1}" in result.error
    assert made.evaluate(Proposal(TABLE.space.default(), 0.5)).status == "ok"  # fidelities are apart


def test_the_order_of_hearing_is_all_that_counts():
    one, other = evaluator(), evaluator()
    for trial in trials(30):
        one.observe(trial)
        other.observe(trial)
        other.observe(trial)
    proposal = Proposal(TABLE.space.default())
    assert one.evaluate(proposal).values == other.evaluate(proposal).values


def test_a_genome_is_refused():
    result = evaluator().evaluate(Proposal({}, genome="{}"))
    assert (result.status, "genome" in result.error) == ("failed", True)


def test_in_a_ladder_it_saves_trainings():
    process = partial(PredictorEvaluator, model="gp")
    made = make_evaluator([process, "table"], METRIC, seed=0, device="cpu")
    made.prepare(TABLE.space, None)
    made.rungs[0].evaluator.task = Data()
    found = [(c, made.evaluate(Proposal(c), None, None)) for c in TABLE.space.sample(120, 3)]
    stopped = [TABLE.mean_loss(c) for c, result in found if result.status == "stopped"]
    trained = [TABLE.mean_loss(c) for c, result in found if result.status == "ok"]
    assert len(stopped) > 5
    assert np.median(trained) < np.median(stopped)
