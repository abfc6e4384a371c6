"""Quick estimators and data for the tests of the estimators."""

from __future__ import annotations

from typing import Any

import numpy as np

from autonas import AutoNASClassifier, AutoNASRegressor


def classifier(**options: Any) -> AutoNASClassifier:
    """Quick, silent and seeded."""
    return AutoNASClassifier(**{"n_trials": 1, "cv": 2, "random_state": 0, "verbose": 0, **options})


def regressor(**options: Any) -> AutoNASRegressor:
    """Quick, silent and seeded."""
    return AutoNASRegressor(**{"n_trials": 1, "cv": 2, "random_state": 0, "verbose": 0, **options})


def two_classes(rows: int = 100, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes; the best accuracy is about 0.84."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, size=rows)
    return rng.normal(size=(rows, 3)) + y[:, None] * np.array([1.0, -1.0, 1.0]), y


def outcomes(model: Any) -> list[tuple[Any, ...]]:
    """Everything of the trials that may not depend on the clock."""
    return [(t.id, t.proposal, dict(t.result.values), t.result.status) for t in model.trials_]
