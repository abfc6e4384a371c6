"""Bayesian optimisation with SMAC's Gaussian process (Snoek et al 2012; Lindauer et al 2022).

As ``smac`` with another surrogate: a Matern kernel over numbers times a Hamming kernel over choices, whose parameters
maximise the posterior.  It learns losses and not their ranks, which never cease to tell the best points apart and so
would hold a smooth model where it is; losses above the median count by their logarithm.  What is not active is a value
of its own, below all others.  SMAC's ten restarts of the maximisation are left out, and an ask costs no more in a long
search than in one of 200 trials: the process sees a part of them, half of it the best; its parameters are fitted when
the number of trials passes marks that depend on it alone, each time from the start, so that a search can be replayed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.core.trial import Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies.smac import Smac

if TYPE_CHECKING:
    from ConfigSpace import Configuration

__all__ = ["STRATEGY", "Gp"]

_SEEN, _FITTED = 200, 100  # trials that the process sees, and that its parameters are fitted to, at most
_EVERY = 30  # up to so many trials the parameters are fitted for each
_DRAWN = 10  # asks that rank the same random configurations


class Gp(Smac):
    """Gaussian process surrogate, expected improvement, local search from the best trials.

    A failed trial counts as the worst loss seen, a pending one as the mean.

    Parameters
    ----------
    initial : int
        Trials (also those of a portfolio) before the process is asked.
    random_share : float
        Share of the later proposals that are drawn at random.
    candidates : int
        Random configurations that each ask ranks before the local search starts from the best of them.
    """

    name = "gp"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        initial: int = 10,
        random_share: float = 0.085,
        candidates: int = 1000,
        **options: Any,
    ) -> None:
        super().__init__(
            space,
            objectives,
            seed=seed,
            initial=initial,
            random_share=random_share,
            candidates=candidates,
            **options,
        )
        self._theta: np.ndarray | None = None
        self._n_told = 0
        self._mark: dict[str, float] = {}  # losses when a fit was due
        self._next = 1  # trials at the next mark
        self._pool: tuple[int, list[Configuration]] = (-1, [])

    def tell(self, trial: Trial) -> None:
        self._n_told += math.isnan(self._losses.get(trial.proposal.key, math.nan))
        super().tell(trial)
        if self._n_told >= self._next:
            self._next = self._n_told + (1 if self._n_told < _EVERY else self._n_told // 10)
            self._mark = {key: loss for key, loss in self._losses.items() if not math.isnan(loss)}
            self._theta = None

    def _fitted(self) -> Any:
        model = self._surrogate(self.seed, len(self._losses))
        if self._theta is None:
            self._theta = model.parameters(*self._seen(self._mark or self._losses, _FITTED))
        model.condition(*self._seen(self._losses, _SEEN), self._theta)
        return model

    def _seen(self, losses: Mapping[str, float], cap: int) -> tuple[np.ndarray, np.ndarray]:
        """Vectors (n, d) and targets (n, 1): all that is pending, then half the best trials, half any of the others."""
        keys = sorted(losses)  # not in the order of the asks, which a replay does not know
        values = np.array([losses[key] for key in keys])
        targets = self._targets(values)
        order = np.lexsort((targets, ~np.isnan(values)))
        if len(order) > cap:
            rng = np.random.default_rng((self.seed, len(keys), 3))
            others = rng.choice(order[cap // 2 :], cap - cap // 2, replace=False)
            order = np.concatenate([order[: cap // 2], others])
        order = np.sort(order)
        return np.array([self._points[keys[i]].get_array() for i in order]), targets[order, None]

    def _drawn(self, n: int) -> list[Configuration]:
        if self._pool[0] != n // _DRAWN:
            self._pool = n // _DRAWN, super()._drawn(n // _DRAWN)
        return self._pool[1]

    def _targets(self, losses: np.ndarray) -> np.ndarray:
        from autonas.surrogates.targets import bent, standardised

        told, finite = ~np.isnan(losses), np.isfinite(losses)
        targets = np.zeros(len(losses))
        if finite.any():
            targets[told] = standardised(bent(np.minimum(losses[told], losses[finite].max())))
        return targets

    def _surrogate(self, seed: int, n: int) -> Any:
        """A process without data."""
        from smac.facade import BlackBoxFacade
        from smac.model.gaussian_process import GaussianProcess

        class Process(GaussianProcess):
            """Copies its kernel, and the generators in its priors, once, and not for every likelihood."""

            def _get_gaussian_process(self) -> Any:
                regressor = super()._get_gaussian_process()
                regressor.log_marginal_likelihood = partial(regressor.log_marginal_likelihood, clone_kernel=False)
                return regressor

            def parameters(self, X: np.ndarray, y: np.ndarray) -> np.ndarray:
                self.train(X, y)
                return self._hypers

            def condition(self, X: np.ndarray, y: np.ndarray, theta: np.ndarray) -> None:
                self._kernel.theta = theta
                self._train(X, y, optimize_hyperparameters=False)

        scenario: Any = SimpleNamespace(configspace=self.space.configspace, seed=seed)  # what SMAC reads of its own
        return Process(self.space.configspace, kernel=BlackBoxFacade.get_kernel(scenario), n_restarts=0, seed=seed)


STRATEGY = Gp
