"""An executor in this process hands an evaluator together what that evaluates sooner together."""

from __future__ import annotations

import pytest

from autonas.core.objective import get_metric
from autonas.core.trial import Proposal, Result
from autonas.evaluators.base import Evaluator
from autonas.run.executors import Done, InProcess, Job


class Kin(Evaluator):
    """Evaluates together what has the same letter; a proposal's loss is its number, unless it was told to stop."""

    def prepare(self, space, task):
        self.groups = []

    def at_once(self, most):
        return most

    def kinship(self, proposal):
        return proposal.config["kin"] or None

    def evaluate(self, proposal, parent, workdir, report=None, seconds=None):
        self.groups.append([proposal.config["x"]])
        return self._result(proposal, report)

    def evaluate_together(self, evaluations):
        self.groups.append([e.proposal.config["x"] for e in evaluations])
        if any(e.proposal.config["x"] < 0 for e in evaluations):
            raise ValueError("negative")
        return [self._result(e.proposal, e.report) for e in evaluations]

    def _result(self, proposal, report):
        x = proposal.config["x"]
        return Result({"loss": float(x)}, "ok" if report(0.5, {"loss": float(x)}) else "stopped")


@pytest.fixture
def start(tmp_path):
    def make(most, kin, **options):
        executor = InProcess(Kin(get_metric("log_loss", "classification")), {}, {}, most=most, **options)
        for x, letter in enumerate(kin):
            executor.submit(Job(x, Proposal({"x": x, "kin": letter.strip()}), None, str(tmp_path)))
        return executor

    return make


def run(executor):
    done = {}
    while executor.free < executor.slots:
        for event in executor.events():
            assert isinstance(event, Done)
            assert event.id not in done
            done[event.id] = event.result
    return done


def test_jobs_of_one_kinship_run_together_oldest_first(start):
    executor = start(6, "ab a b")
    assert (executor.slots, executor.free) == (6, 0)
    done = run(executor)
    assert executor.evaluator.groups == [[0, 3], [1, 5], [2], [4]]
    assert {x: result.loss for x, result in done.items()} == {x: float(x) for x in range(6)}


def test_one_slot_is_the_rule(start):
    executor = start(1, "a")
    assert (executor.slots, executor.free) == (1, 0)
    with pytest.raises(RuntimeError, match="free slot"):
        executor.submit(Job(1, Proposal({}), None, ""))
    assert run(executor)[0].status == "ok"


def test_reports_and_stops_are_each_jobs_own(start):
    seen = []

    def on_report(job_id, progress, values):
        seen.append((job_id, progress, values["loss"]))
        return job_id != 1

    executor = start(3, "aaa", on_report=on_report)
    executor.stop(2)
    done = run(executor)
    assert seen == [(x, 0.5, float(x)) for x in range(3)]
    assert [done[x].status for x in range(3)] == ["ok", "stopped", "stopped"]


def test_a_job_that_is_killed_before_it_begins_ends_and_the_others_run(start):
    executor = start(3, "aaa")
    executor.kill(1, "no time")
    done = run(executor)
    assert (done[1].status, done[1].error) == ("failed", "no time")
    assert executor.evaluator.groups == [[0, 2]]


def test_an_evaluator_that_raises_fails_all_jobs_that_it_had(start, tmp_path):
    executor = start(3, "aa")
    executor.submit(Job(2, Proposal({"x": -1, "kin": "a"}), None, str(tmp_path)))
    done = run(executor)
    assert all(result.status == "failed" and "negative" in result.error for result in done.values())
    assert "ValueError" in done[0].info["traceback"]
