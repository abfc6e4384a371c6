"""The estimators within limits: time, trials, interruption, failure, several jobs, a folder to go on from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ConfigSpace import ConfigurationSpace
from estimator_cases import classifier, outcomes, two_classes
from sklearn.metrics import get_scorer

from autonas import AutoNASClassifier
from autonas.errors import AutoNASError, JournalError, OptionError
from autonas.search_space.learners import make_learner
from autonas.search_space.space import SearchSpace


def test_a_time_limit_ends_with_a_model() -> None:
    X, y = two_classes()
    model = AutoNASClassifier(time_limit=3, cv=2, random_state=0, verbose=0).fit(X, y)
    assert model.score(X, y) > 0.75
    assert len(model.trials_) >= 1


def test_ctrl_c_gives_the_best_model_so_far() -> None:
    X, y = two_classes()
    score, calls = get_scorer("neg_log_loss"), []

    def interrupted(estimator: Any, X: Any, y: Any) -> float:
        calls.append(len(y))
        if len(calls) == 3:  # the first was a rehearsal, the second the first trial
            raise KeyboardInterrupt
        return float(score(estimator, X, y))

    model = classifier(n_trials=5, metric=interrupted).fit(X, y)
    assert len(model.trials_) == 1
    assert model.score(X, y) > 0.75


def test_a_search_of_which_all_trials_fail_says_why() -> None:
    def broken(config: Any, problem: Any, seed: int, device: str) -> Any:
        raise RuntimeError("no such luck")

    X, y = two_classes()
    space = SearchSpace(ConfigurationSpace({"x": (0.0, 1.0)}, seed=0), broken)
    with pytest.raises(AutoNASError, match=r"2 trials.*RuntimeError: no such luck"):
        classifier(n_trials=2, space=space, strategy="random").fit(X, y)


def test_a_space_with_a_builder_of_ones_own_gives_a_model_that_cannot_be_saved(tmp_path: Path) -> None:
    def build(config: Any, problem: Any, seed: int, device: str) -> Any:
        return make_learner("linear", {"strength": config["strength"]}, problem, seed, device)

    X, y = two_classes()
    space = SearchSpace(ConfigurationSpace({"strength": (0.01, 1.0)}, seed=0), build)
    model = classifier(n_trials=2, space=space, strategy="random").fit(X, y)
    assert model.score(X, y) > 0.75
    with pytest.raises(OptionError, match=r"`build`.*cannot be saved"):
        model.save(tmp_path / "model")


_NO_GUARD = """
import numpy as np
from autonas import AutoNASClassifier

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 3))
y = (X[:, 0] > 0).astype(int)
model = AutoNASClassifier(n_trials=3, n_jobs=2, cv=2, random_state=0, verbose=0).fit(X, y)
print(len(model.trials_), sum(t.ok for t in model.trials_), model.score(X, y) > 0.8)
"""


@pytest.mark.slow
def test_two_jobs_in_a_script_without_a_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_NO_GUARD)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "3", "True"]


def test_a_fit_in_the_same_folder_goes_on(tmp_path: Path) -> None:
    X, y = two_classes()
    first = classifier(n_trials=2, workdir=tmp_path).fit(X, y)
    more = classifier(n_trials=3, workdir=tmp_path).fit(X, y)
    assert outcomes(more)[:2] == outcomes(first)
    assert len(more.trials_) == 3
    assert all(Path(str(t.checkpoint)).is_dir() for t in more.trials_)
    with pytest.raises(JournalError, match="data was"):
        classifier(n_trials=3, workdir=tmp_path).fit(X + 1, y)
    with pytest.raises(JournalError, match="metric was 'log_loss', is 'roc_auc'"):
        classifier(n_trials=3, workdir=tmp_path, metric="roc_auc").fit(X, y)
