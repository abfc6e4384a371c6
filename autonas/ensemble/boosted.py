"""A bag of short boosted trees as second layer, going on from the scores of the greedy average.

One LightGBM model (Ke et al 2017) per fold, few leaves and few columns each.  The folds are boosted side by side,
a round at a time, and share one number of rounds, the best on the rows that they leave out: a clock may end them
at any round, and that number is too little to overfit.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np

from autonas.core.clock import Clock
from autonas.ensemble.layer import Fitted, fold_of

__all__ = ["BoostedLayer", "fit_boosted", "FOLDS"]

FOLDS = 5
ROUNDS, PATIENCE = 200, 20
SECONDS = 4.0


@dataclass
class BoostedLayer:
    """``scores = base + mean of the bag``; ``models`` are in LightGBM's text format."""

    models: list[bytes]

    def add(self, X: np.ndarray, base: np.ndarray) -> np.ndarray:
        """(rows, columns) scores."""
        added = [np.reshape(booster.predict(X, raw_score=True), base.shape) for booster in self._boosters]
        return base + np.mean(added, axis=0)

    @functools.cached_property
    def _boosters(self) -> list[Any]:
        import lightgbm

        return [lightgbm.Booster(model_str=m.decode()) for m in self.models]

    def state(self) -> dict[str, Any]:
        """Plain state (see ``autonas.core.state``)."""
        return {"models": list(self.models)}


def fit_boosted(
    X: np.ndarray,
    y: np.ndarray,
    base: np.ndarray,
    weight: np.ndarray,
    kind: str,
    clock: Clock,
    seed: int,
    groups: np.ndarray | None = None,
) -> Fitted | None:
    """Boosted second layer: five short LightGBM models that go on from the greedy average.

    Parameters and result as for :func:`fit_linear`.  At most 4 s where there is a clock.
    """
    import lightgbm

    n_columns = base.shape[1]
    if kind == "regression":
        objective: dict[str, Any] = {"objective": "regression"}
    elif n_columns == 1:
        objective = {"objective": "binary"}
    else:
        objective = {"objective": "multiclass", "num_class": n_columns}
    options = {
        **objective,
        "learning_rate": 0.05,
        "num_leaves": 8,
        "min_data_in_leaf": 30,
        "feature_fraction": 0.4,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbosity": -1,
    }
    clock = Clock(None if clock.seconds is None else min(SECONDS, clock.left()))
    fold = fold_of(y, FOLDS, kind, seed, groups)
    rests = [np.flatnonzero(fold == f) for f in range(FOLDS)]
    boosters = []
    for f, rest in enumerate(rests):
        fit = np.flatnonzero(fold != f)
        data = lightgbm.Dataset(X[fit], y[fit], weight=weight[fit], init_score=_start(base[fit]))
        valid = data.create_valid(X[rest], y[rest], weight=weight[rest], init_score=_start(base[rest]))
        boosters.append(lightgbm.Booster(options, data))
        boosters[-1].add_valid(valid, "rest")
        if clock.over():
            return None

    def loss() -> float:
        losses = [booster.eval_valid()[0][2] for booster in boosters]
        return float(np.average(losses, weights=[weight[rest].sum() for rest in rests]))

    least, n_rounds = loss(), 0
    for r in range(1, ROUNDS + 1):
        for booster in boosters:
            booster.update()
        now = loss()
        if now < least:
            least, n_rounds = now, r
        if r - n_rounds >= PATIENCE or clock.over():
            break
    if n_rounds == 0:
        return None
    scores, use = base.copy(), np.zeros(X.shape[1])
    for booster, rest in zip(boosters, rests, strict=True):
        scores[rest] += np.reshape(booster.predict(X[rest], raw_score=True, num_iteration=n_rounds), (-1, n_columns))
        use += booster.feature_importance("gain", iteration=n_rounds)
    return Fitted(BoostedLayer([b.model_to_string(num_iteration=n_rounds).encode() for b in boosters]), scores, use)


def _start(base: np.ndarray) -> np.ndarray:
    return base[:, 0] if base.shape[1] == 1 else base
