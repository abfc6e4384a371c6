import math
import subprocess
import sys
import textwrap

import pytest
from ConfigSpace import ConfigurationSpace
from own_functions import deadly, distance, endless

from autonas import minimize
from autonas.errors import JournalError, OptionError
from autonas.run.executors import InProcess


def square():
    return ConfigurationSpace({"x": (0.0, 1.0), "y": (0.0, 1.0)})


def points(history):
    return [(dict(t.config), t.proposal.fidelity, dict(t.result.values)) for t in history]


def test_the_best_is_found():
    history = minimize(distance, square(), 60, "random", seed=1)
    assert len(history) == len(history.trials) == 60
    assert history.best.loss == min(map(distance, (t.config for t in history)))
    assert history.best.loss < 0.02
    assert distance(history.best.config) == history.best.loss
    assert points(history) == points(minimize(distance, square(), 60, "random", seed=1))
    assert "60 trials\nbest: loss = " in repr(history)


def test_a_frame_has_a_row_for_each_trial():
    def function(config):
        if config["x"] > 0.5:
            raise ValueError("x is too large")
        return distance(config)

    history = minimize(function, square(), 20, "random")
    frame = history.to_frame()
    assert len(frame) == 20
    failed = frame[frame["config.x"] > 0.5]
    assert 0 < len(failed) < 20
    assert set(failed["error"]) == {"ValueError: x is too large"}
    assert failed["loss"].isna().all()
    assert not failed["feasible"].any()
    assert frame["loss"].min() == history.best.loss
    assert f"20 trials, {len(failed)} failed" in repr(history)


def test_nan_and_a_text_are_failures():
    values = iter([math.nan, "one", None, 0.5])
    history = minimize(lambda config: next(values), square(), 4, "random")
    assert [t.ok for t in history] == [False, False, False, True]
    assert history.trials[0].result.error == "loss is nan"
    assert "TypeError" in history.trials[2].result.error


def test_a_second_parameter_is_the_fidelity():
    seen = []

    def function(config, z):
        seen.append(z)
        return distance(config) + (1 - z)

    history = minimize(function, square(), 20, "hyperband", min_fidelity=1 / 9)
    assert set(seen) == {1 / 9, 1 / 3, 1.0}
    assert [t.proposal.fidelity for t in history] == seen
    assert history.best.proposal.fidelity == 1
    assert minimize(lambda config, *, shift=1, fidelity: fidelity, square(), 2, "random").best.loss == 1
    assert minimize(lambda config, shift=1: shift, square(), 2, "random").best.loss == 1
    with pytest.raises(OptionError, match=r"function\(config, fidelity\)"):
        minimize(distance, square(), 20, "hyperband")


def test_several_objectives_and_limits():
    def function(config):
        return {"loss": distance(config), "size": config["x"] + config["y"]}

    history = minimize(function, square(), 30, "random", objectives=["loss", "size", "size < 0.8"])
    assert len(history.pareto) > 1
    assert all(t.result.values["size"] < 0.8 for t in history.pareto)
    assert "Pareto front" in repr(history)
    with pytest.raises(OptionError, match="Missing: seconds"):
        minimize(function, square(), 30, "random", objectives=["loss", "seconds"])


def test_the_end_of_a_finite_space():
    space = ConfigurationSpace({"x": ["a", "b", "c"]})
    assert len(minimize(lambda config: 1.0, space, 50, "random")) == 3


def test_limits_are_needed():
    with pytest.raises(OptionError, match="n_trials or time_limit"):
        minimize(distance, square(), None)
    with pytest.raises(OptionError, match="n_jobs"):
        minimize(distance, square(), n_jobs=0)
    assert len(minimize(distance, square(), None, "random", time_limit=0.2)) > 0
    assert len(minimize(distance, square(), 100, "random", time_limit=0)) == 0


# --- workers ----------------------------------------------------------------------------------------------------------


def test_workers_find_what_one_process_finds():
    history = minimize(deadly, square(), 24, "random", n_jobs=2)
    alone = minimize(distance, square(), 24, "random")
    assert sorted(t.id for t in history) == list(range(24))
    by_id = {t.id: t for t in history}
    for trial in alone:
        assert by_id[trial.id].config == trial.config
        assert by_id[trial.id].ok == (trial.config["y"] <= 0.8)
    assert any(not t.ok for t in history)


def test_the_time_limit_ends_what_runs_in_workers():
    assert len(minimize(endless, square(), 4, "random", n_jobs=2, time_limit=0.5)) == 0


def test_a_script_needs_no_main_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent("""
        from ConfigSpace import ConfigurationSpace
        from autonas import minimize
        shift = 1.0
        def outer():
            return lambda config: config["x"] + shift
        print(len(minimize(outer(), ConfigurationSpace({"x": (0.0, 1.0)}), 4, "random", n_jobs=2)))
        """)
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "4\n"


# --- interruption -----------------------------------------------------------------------------------------------------


def test_ctrl_c_keeps_what_was_found(tmp_path):
    calls = []

    def function(config):
        calls.append(config)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return distance(config)

    history = minimize(function, square(), 20, "random", workdir=tmp_path)
    assert len(history) == 7
    resumed = minimize(function, square(), 20, "random", workdir=tmp_path)
    assert len(resumed) == 20
    assert calls[8] == calls[7], "what was interrupted comes first"
    whole = minimize(distance, square(), 20, "random")
    assert [t.config for t in resumed] == [t.config for t in whole]
    assert len(calls) == 21


def test_ctrl_c_while_workers_run(monkeypatch):
    def interrupt(self, timeout=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(InProcess, "events", interrupt)
    assert len(minimize(distance, square(), 20, "random")) == 0


def test_another_function_or_space_is_refused(tmp_path):
    minimize(distance, square(), 2, "random", workdir=tmp_path)
    with pytest.raises(JournalError, match="function was"):
        minimize(points, square(), 2, "random", workdir=tmp_path)
    with pytest.raises(JournalError, match="space was"):
        minimize(distance, ConfigurationSpace({"x": (0.0, 2.0), "y": (0.0, 1.0)}), 2, "random", workdir=tmp_path)
