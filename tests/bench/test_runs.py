from __future__ import annotations

import math
from dataclasses import replace

import pytest

from autonas.bench.runs import Job, append_runs, execute, parse_spec, read_runs, run, split_specs
from autonas.errors import OptionError
from autonas.evaluators.benchmarks import read_table

TPE = Job("nb201-cifar10", "loss", "optuna-tpe", 0)


def test_specs_are_split_at_commas_outside_of_brackets():
    text = "random, hyperband(kde),evolution[population=50,sample=10],auto"
    assert split_specs(text) == ["random", "hyperband(kde)", "evolution[population=50,sample=10]", "auto"]
    assert parse_spec("hyperband(kde)") == ("hyperband(kde)", {})
    options = {"population": 50, "parents": "pareto", "aging": True}
    assert parse_spec("evolution[population=50,parents=pareto,aging=true]") == ("evolution", options)


@pytest.mark.parametrize("spec", ["evolution[population", "evolution[population]", "[x=1]"])
def test_a_malformed_spec_says_how_it_is_written(spec):
    with pytest.raises(OptionError, match=r"option=value|name=value"):
        parse_spec(spec)


def test_a_run_is_the_regret_of_its_best_trial():
    found = run(TPE, 30)
    assert not found.error
    assert found.unique <= 30
    assert found.ms > 0
    numbers = [n for n, _ in found.curve]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1
    table = read_table("nb201-cifar10")
    reachable = {round((mean - table.optimum) / (table.median - table.optimum), 9) for mean in table.means}
    assert {round(score, 9) for _, score in found.curve} <= reachable


def test_scores_are_read_off_between_the_changes():
    found = run(TPE, 30)
    (_, first), (second, _) = found.curve[:2]
    assert found.at(1) == found.at(second - 1) == first
    assert math.isnan(found.at(0))
    assert found.at(30) == found.curve[-1][1]
    assert math.isnan(found.at(31))


def test_equal_seeds_give_equal_runs():
    assert run(TPE, 12).curve == run(TPE, 12).curve != run(Job("nb201-cifar10", "loss", "optuna-tpe", 1), 12).curve


def test_the_library_random_search_takes_part():
    found = run(Job("jenatton", "loss", "random", 0), 20)
    assert not found.error
    assert found.unique == 20


def test_trials_may_be_pending_and_fail():
    job = Job("nb201-cifar10", "loss", "random", 0)
    serial, parallel = run(job, 40), run(replace(job, pending=8), 40)
    assert parallel.curve == serial.curve  # random search does not care
    failing = run(replace(job, failures=0.5), 40)
    assert not failing.error
    assert failing.unique == 40
    assert failing.at(40) >= serial.at(40)
    assert {score for _, score in failing.curve} != {score for _, score in serial.curve}


def test_several_objectives_give_the_gap_to_the_front():
    found = run(Job("nb201-cifar10", "loss+latency", "optuna-nsga2", 0), 40)
    assert not found.error
    assert 0 < found.at(40) < found.at(1)


def test_what_goes_wrong_is_part_of_the_answer():
    found = run(Job("branin", "loss", "optuna-tpe[gamma_ray=3]", 0), 5)
    assert "gamma_ray" in found.error
    assert math.isnan(found.at(1))
    assert "flat spaces only" in run(Job("jenatton", "loss", "optuna-tpe", 0), 5).error


def test_runs_survive_the_file_and_a_torn_last_line(tmp_path):
    path = tmp_path / "runs.csv"
    jobs = [TPE, Job("branin", "loss", "optuna-random", 3, 2, 0.1), Job("branin", "loss", "optuna-tpe[gamma_ray=3]", 0)]
    done = list(append_runs(path, execute(jobs, 10)))
    read = read_runs(path)
    assert list(read) == jobs
    for one in done:
        assert read[one.job].error == one.error
        assert read[one.job].at(10) == pytest.approx(one.at(10), rel=1e-5, nan_ok=True)

    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"optuna-random") + 20])
    assert list(read_runs(path)) == jobs[:1]
    again = list(append_runs(path, execute(jobs[1:2], 10)))
    assert read_runs(path)[jobs[1]].at(10) == pytest.approx(again[0].at(10), rel=1e-5)
    assert list(read_runs(path)) == jobs[:2]


def test_the_last_run_of_a_job_counts(tmp_path):
    path = tmp_path / "runs.csv"
    for evals in (5, 15):
        list(append_runs(path, execute([TPE], evals)))
    assert read_runs(path)[TPE].evals == 15
    assert read_runs(tmp_path / "other.csv") == {}


@pytest.mark.slow
def test_several_processes_give_the_same_runs():
    jobs = [Job("branin", "loss", "random", seed) for seed in range(3)]
    parallel = {one.job: one.curve for one in execute(jobs, 10, n_jobs=2)}
    assert parallel == {job: run(job, 10).curve for job in jobs}
