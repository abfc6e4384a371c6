from __future__ import annotations

import pytest
from typer.testing import CliRunner

from autonas.bench.runs import read_runs
from autonas.bench.suites import SUITES, expand, get_benchmark
from autonas.cli import app
from autonas.errors import OptionError


def invoke(*arguments):
    result = CliRunner().invoke(app, ["bench", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_suites_expand_to_benchmarks_once():
    assert expand(["nb201", "branin", "nb201-cifar10"]) == [*SUITES["nb201"], "branin"]
    assert [len(SUITES[name]) for name in ("core", "fcnet", "nb201", "mlp", "nbg")] == [7, 4, 3, 8, 9]
    assert all(get_benchmark(name).name == name for name in expand(["conditional", "floats", "fidelity"]))
    with pytest.raises(OptionError, match="Did you mean 'conditional'"):
        expand(["conditionals"])


def test_a_comparison_goes_on_where_it_was(tmp_path):
    arguments = ["--tasks", "branin,nb201-cifar10", "--evals", 25, "--seeds", 2, "--out", tmp_path]
    first = invoke("search", "--strategies", "random", *arguments)
    assert "nb201-cifar10: regret" in first.output
    rows = (tmp_path / "runs.csv").read_text()
    assert rows.count("\n") == 5

    second = invoke("search", "--strategies", "random,optuna-tpe", *arguments)
    assert (tmp_path / "runs.csv").read_text().startswith(rows)
    assert len(read_runs(tmp_path / "runs.csv")) == 8
    assert "is ahead of" in second.output
    assert (tmp_path / "report.txt").read_text() in second.output + "\n"
    assert (tmp_path / "scores.png").stat().st_size > 10_000

    once_more = invoke("search", "--strategies", "random,optuna-tpe", *arguments)
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 9
    assert once_more.output == second.output


def test_two_objectives_score_the_gap_to_the_front():
    out = invoke(
        "search", "--tasks", "nb201-cifar10", "--objectives", "loss,latency", "--strategies",
        "optuna-random,optuna-nsga2", "--evals", 25, "--seeds", 1,
    ).output  # fmt: skip
    assert "gap to the front" in out


def test_impossible_numbers_are_refused():
    with pytest.raises(OptionError, match="at least 1"):
        invoke("search", "--seeds", 0)


def test_the_tasks_are_listed():
    out = invoke("tasks").output
    assert "core         fcnet-naval" in out
    assert "nbg-pubmed" in out


def test_spaces_are_swept():
    out = invoke("spaces", "--names", "nasbench201", "--sample", 3, "--cells", 5).output
    assert out.count("parameters of 5 of 5 networks as in nb201-") == 3
    assert "nasbench201" in out.splitlines()[-1]
