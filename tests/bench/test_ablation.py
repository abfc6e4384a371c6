"""The comparison of fits with and without a search."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from autonas.bench.ablation import Alone, Job, Run, append_runs, log_ratio, read_runs, report
from autonas.cli import app
from autonas.errors import OptionError
from autonas.estimators import AutoNASRegressor


def run(arm: str, loss: float, data: str = "a.npz", seed: int = 0, error: str = "") -> Run:
    return Run(Job(data, arm, 60.0, seed), "rmse", loss, 50.0, 9, error)


def test_the_log_ratio_is_exact_where_all_pairs_agree() -> None:
    pairs = [np.array([[2.0, 1.0], [4.0, 2.0]]), np.array([[0.2, 0.1]])]
    assert log_ratio(pairs, np.random.default_rng(0)) == pytest.approx([-math.log(2)] * 3)


def test_sets_count_alike_whatever_their_number_of_seeds() -> None:
    pairs = [np.array([[1.0, math.e]] * 9), np.array([[1.0, 1.0]])]
    mean, low, high = log_ratio(pairs, np.random.default_rng(0))
    assert mean == pytest.approx(0.5)
    assert (low, high) == pytest.approx((0, 1))  # one of the two sets may be drawn twice


def test_only_pairs_of_the_same_set_and_seed_are_compared() -> None:
    broken = run("auto", math.nan, seed=1, error="gone")
    text = report([run("portfolio", 3.0), run("portfolio", 5.0, seed=1), run("auto", 2.5), broken])
    assert f"ln of the ratio of losses {math.log(2.5 / 3):+.4f}" in text
    assert "(1 pairs on 1 sets" in text
    assert "-0.5  a.npz  (-0.5)" in text
    assert "a.npz, auto, 60 s, seed 1: gone" in text


def test_runs_survive_a_torn_line(tmp_path) -> None:
    path = tmp_path / "runs.csv"
    first, second = run("portfolio", 0.123456789), run("auto", math.nan, error="OptionError: a, b")
    list(append_runs(path, [first]))
    with path.open("a") as file:
        file.write("a.npz,auto,60.0")
    list(append_runs(path, [second]))
    found = read_runs(path)
    assert found[first.job] == first
    assert found[second.job].error == second.error
    assert len(found) == 2


def test_the_portfolio_alone_ends_when_it_is_done(tmp_path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    found = AutoNASRegressor(strategy=Alone, n_trials=3, random_state=0, verbose=0, cv="holdout").fit(X, X[:, 0])
    assert {trial.proposal.origin for trial in found.trials_} == {"portfolio"}


def test_a_comparison_from_the_command_line_goes_on_where_it_was(tmp_path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(80, 3)), columns=list("abc"))
    frame.assign(y=frame["a"] - frame["b"]).to_csv(tmp_path / "line.csv", index=False)
    spec, out = f"{tmp_path / 'line.csv'}[target=y]", tmp_path / "out"
    arguments = ["bench", "ablation", "--data", spec, "--arms", "portfolio", "--seconds", "5", "--out", str(out)]
    first = CliRunner().invoke(app, [*arguments, "--seeds", "1"], catch_exceptions=False)
    assert first.exit_code == 0
    (done,) = read_runs(out / "runs.csv").values()
    assert done.error == ""
    assert done.metric == "rmse"
    assert done.trials > 0
    assert 0 < done.loss < 1
    again = CliRunner().invoke(app, [*arguments, "--seeds", "1"], catch_exceptions=False)
    assert again.output.strip() == (out / "report.txt").read_text().strip()
    assert len((out / "runs.csv").read_text().splitlines()) == 2


def test_an_unknown_arm_is_refused_before_any_fit(tmp_path) -> None:
    with pytest.raises(OptionError, match="autto"):
        CliRunner().invoke(
            app, ["bench", "ablation", "--data", "digits", "--arms", "autto", "--out", str(tmp_path)],
            catch_exceptions=False,
        )  # fmt: skip
