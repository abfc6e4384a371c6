"""Regression from the start of a curve and the configuration to its end (Baker et al 2017b).

A nu-SVR with radial kernel reads the losses so far, their first and second differences and the configuration; there is
one model for every length of the start.  C, nu and gamma are the best of a random search with cross-validation, and the
uncertainty comes from leave-one-out residuals.  Losses are log odds, and the target is the change that is still to
come, so that a model which learns nothing falls back to the last loss plus a constant.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from autonas.surrogates.curves.base import Curve, CurveModel, LogOdds, values_at

__all__ = ["MODEL", "NuSvr", "features"]

FEWEST = 10  # curves
DRAWS = 30  # of the random search; Baker et al draw 1,000
PARTS = 3  # of its cross-validation
ITERATIONS = 20_000  # of libsvm
LEFT_OUT = 50  # curves at most that are left out one by one


def features(losses: np.ndarray, configs: np.ndarray | None = None) -> np.ndarray:
    """What the regression reads.

    Parameters
    ----------
    losses : (n, t) array
        The start of each curve.
    configs : (n, d) array, optional

    Returns
    -------
    (n, 3 t - 3 + d) array
        Losses, first differences, second differences, configuration; no differences where t is too small for them.
    """
    parts = [losses, *(np.diff(losses, order, axis=1) for order in (1, 2) if losses.shape[1] > order)]
    return np.concatenate(parts if configs is None else [*parts, configs], axis=1)


class NuSvr(CurveModel):
    """Learns from at least ten complete curves; before that it knows nothing."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._curves: list[Curve] = []
        self._configs: np.ndarray | None = None
        self._models: dict[tuple[float, ...], tuple[_Standardised, float]] = {}

    def fit(self, curves: Sequence[Curve], configs: Sequence[np.ndarray] | None = None) -> None:
        self._curves, self._scale = list(curves), LogOdds(curves)
        self._configs = None if configs is None else np.array(configs, dtype=float)
        self._models = {}

    def predict(self, prefix: Curve, horizon: float = 1.0, config: np.ndarray | None = None) -> tuple[float, float]:
        if len(self._curves) < FEWEST:
            return prefix[-1][1], math.inf
        key = (*(z for z, _ in prefix), horizon)
        if key not in self._models:
            self._models[key] = self._train(np.array(key))
        model, sd = self._models[key]
        known = None if self._configs is None else (self._configs.mean(0) if config is None else config)[None, :]
        seen = self._scale.forward(np.array([loss for _, loss in prefix]))
        return self._scale.normal(float(seen[-1] + model.predict(features(seen[None, :], known))[0]), sd)

    def _train(self, grid: np.ndarray) -> tuple[_Standardised, float]:
        """The model for starts at these progresses (the last one is the end), and the deviation of its errors."""
        losses = self._scale.forward(np.array([values_at(curve, grid) for curve in self._curves]))
        inputs, target = features(losses[:, :-1], self._configs), losses[:, -1] - losses[:, -2]
        rng = np.random.default_rng((self.seed, len(target)))
        part = rng.permutation(len(target)) % PARTS
        n_curve = inputs.shape[1] - (0 if self._configs is None else self._configs.shape[1])
        best: dict[str, Any] = {}
        least = math.inf
        for _ in range(DRAWS):
            c, gamma, share = np.exp(rng.uniform(np.log([1e-2, 1e-3, 1e-2]), np.log([1e2, 1.0, 1.0])))
            options = {"C": c, "gamma": gamma, "nu": rng.uniform(0.1, 0.9), "share": share, "n_curve": n_curve}
            wrong = 0.0
            for number in range(PARTS):
                model = _Standardised(options, inputs[part != number], target[part != number])
                wrong += float(((model.predict(inputs[part == number]) - target[part == number]) ** 2).sum())
            if wrong < least:
                best, least = options, wrong
        residuals = []
        for row in rng.permutation(len(target))[:LEFT_OUT]:
            others = np.arange(len(target)) != row
            residuals.append(
                target[row] - _Standardised(best, inputs[others], target[others]).predict(inputs[[row]])[0]
            )
        return _Standardised(best, inputs, target), float(np.sqrt(np.mean(np.square(residuals))))


class _Standardised:
    """A nu-SVR on standardised features and targets.

    Parameters
    ----------
    options : dict
        Of the nu-SVR; ``share`` multiplies the features of configurations, those beyond the first ``n_curve``, of which
        there may be many more than curves.
    inputs, target : (n, d) and (n,) arrays
    """

    def __init__(self, options: dict[str, Any], inputs: np.ndarray, target: np.ndarray) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.svm import NuSVR

        options = dict(options)
        share, n_curve = options.pop("share"), options.pop("n_curve")
        scale = inputs.std(0)
        self._centre, self._scale = inputs.mean(0), np.where(scale > 0, scale, 1.0)
        self._scale[n_curve:] /= share
        self._mean, self._sd = float(target.mean()), max(float(target.std()), 1e-12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            standard = (inputs - self._centre) / self._scale
            self._model = NuSVR(**options, max_iter=ITERATIONS).fit(standard, (target - self._mean) / self._sd)

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """(n,) array."""
        found: np.ndarray = self._model.predict((inputs - self._centre) / self._scale)
        return self._mean + self._sd * found


MODEL = NuSvr
