"""One small model: trained on all rows, with a score that its having been chosen does not flatter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from estimator_cases import classifier, regressor, two_classes

from autonas import load
from autonas.core.objective import get_metric
from autonas.ensemble.honest import honest_loss
from autonas.errors import OptionError

ACCURACY = get_metric("accuracy", "classification")


SPACE = """
name: small
title: One kind of learner
modality: tabular
kinds:
  {kind}:
    network: {network}
    hyperparameters: [{hyperparameters}]
"""
KINDS = {
    "linear": ("strength, type: uniform_float, lower: 0.05, upper: 2.0, log: true", ""),
    "kernel": ("width, type: uniform_float, lower: 0.3, upper: 2.0, log: true", ""),
    "boosting": ("leaves, type: uniform_int, lower: 4, upper: 8", ""),
    "trees": ("min_rows, type: uniform_int, lower: 1, upper: 5", "trees, type: constant, value: 50"),
    "mlp": ("width, type: uniform_int, lower: 8, upper: 12", "batch_size, type: constant, value: 16"),
}


def _space(tmp_path: Path, kind: str) -> str:
    """A space with one kind of learner."""
    path = tmp_path / f"{kind}.yaml"
    names = ", ".join(f"{{name: {name}}}" for name in KINDS[kind] if name)
    path.write_text(SPACE.format(kind=kind, network=str(kind == "mlp").lower(), hyperparameters=names))
    return str(path)


def test_the_best_of_many_guesses_is_expected_to_guess() -> None:
    rng = np.random.default_rng(0)
    best, honest = [], []
    for seed in range(6):
        y = rng.integers(0, 2, 80)
        guesses = [np.eye(2)[rng.integers(0, 2, 80)] for _ in range(40)]
        best.append(min(ACCURACY.loss(y, guess) for guess in guesses))
        honest.append(honest_loss(guesses, y, metric=ACCURACY, kind="classification", seed=seed))
    assert np.mean(best) < 0.41
    assert np.mean(honest) == pytest.approx(0.5, abs=0.03)


def test_without_a_choice_the_loss_is_what_it_is() -> None:
    y = np.arange(60) % 2
    p = np.full((60, 2), 0.5)
    p[:45] = np.eye(2)[y[:45]]
    loss = ACCURACY.loss(y, p)
    assert honest_loss([p], y, metric=ACCURACY, kind="classification") == loss
    assert honest_loss([p, 1 - p], y, metric=ACCURACY, kind="classification") == pytest.approx(loss)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [classifier, regressor])
def test_one_model_of_every_kind(kind: str, make: Any, tmp_path: Path) -> None:
    X, y = two_classes(1000)
    options = {"space": _space(tmp_path, kind), "strategy": "random", "n_trials": 2}
    model, folds = (make(**options, refit=refit).fit(X[:120], y[:120]) for refit in ("one", None))
    (member,) = model.model_.members
    assert model.leaderboard_["model"].iloc[0] == kind
    assert model.leaderboard_["weight"].iloc[1:].tolist() == [1.0, 0.0]
    losses = [t.loss for t in model.trials_]
    assert min(losses) <= model.best_score_ <= max(losses) + 0.05
    assert [t.loss for t in folds.trials_] == losses
    # as good as all the fold models of both trials together, or nearly
    scores = [m.score(X[120:], y[120:]) for m in (model, folds)]
    assert scores[0] > scores[1] - 0.1
    state = member.state
    models = {
        "linear": lambda: len(state["coefficients"]),
        "kernel": lambda: state["dual"].ndim - 1,
        "boosting": lambda: len(state["folds"]),
        "trees": lambda: len(state["forests"]),
        "mlp": lambda: state["folds"],
    }
    assert models[kind]() == 1
    model.save(tmp_path / "saved")
    np.testing.assert_array_equal(load(tmp_path / "saved").predict(X), model.predict(X))


def test_a_linear_model_on_all_rows_is_scikit_learns(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    X, y = two_classes()
    model = classifier(space=_space(tmp_path, "linear"), strategy="random", n_trials=2, refit="one").fit(X, y)
    C = (
        model.best_config_["linear:strength"]
        if "linear:strength" in model.best_config_
        else model.best_config_["strength"]
    )
    view = model.model_.preprocessor.view("dense", model.model_.preprocessor.check(X))
    expected = LogisticRegression(C=C, tol=1e-8).fit(view, y)
    found = model.model_.members[0].state["coefficients"][0]
    assert found[:-1, 0] == pytest.approx(expected.coef_[0], abs=1e-3)
    assert found[-1, 0] == pytest.approx(expected.intercept_[0], abs=1e-3)


def test_a_network_on_all_rows_is_exported(tmp_path: Path) -> None:
    import importlib.util

    import torch

    X, y = two_classes()
    model = classifier(space=_space(tmp_path, "mlp"), strategy="random", refit="one").fit(X, y)
    assert len(model.model_.network().learner.networks()) == 1
    model.export_source(tmp_path / "net.py")
    spec = importlib.util.spec_from_file_location("net", tmp_path / "net.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with torch.no_grad():
        found = module.load()(torch.from_numpy(model.prepare(X))).numpy()
    assert found == pytest.approx(model.predict_proba(X), abs=1e-5)


def test_a_limit_is_kept_and_a_wrong_option_named() -> None:
    X, y = two_classes()
    model = classifier(n_trials=None, time_limit=2, refit="one").fit(X, y)
    assert len(model.model_.members) == 1
    with pytest.raises(OptionError, match=r'refit must be None .* or "one"'):
        classifier(refit="best").fit(X, y)
