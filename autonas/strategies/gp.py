"""Bayesian optimisation with SMAC's Gaussian process (Snoek et al 2012; Lindauer et al 2022).

As ``smac`` with another surrogate: a Matern kernel over numbers times a Hamming kernel over choices, whose parameters
maximise the posterior.  It learns losses and not their ranks, which never cease to tell the best points apart and so
would hold a smooth model where it is; losses above the median count by their logarithm.  SMAC's ten restarts of the
maximisation are left out, since every ask fits anew so that a search can be replayed; what is not active is a value of
its own, below all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.search_space.space import SearchSpace
from autonas.strategies.smac import Smac

if TYPE_CHECKING:
    from smac.model import AbstractModel

__all__ = ["STRATEGY", "Gp"]


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

    def _targets(self, losses: np.ndarray) -> np.ndarray:
        from autonas.surrogates.targets import bent, standardised

        told, finite = ~np.isnan(losses), np.isfinite(losses)
        targets = np.zeros(len(losses))
        if finite.any():
            targets[told] = standardised(bent(np.minimum(losses[told], losses[finite].max())))
        return targets

    def _surrogate(self, seed: int, n: int) -> AbstractModel:
        from smac.facade import BlackBoxFacade
        from smac.model.gaussian_process import GaussianProcess

        class Process(GaussianProcess):
            """Copies its kernel, and the generators in its priors, once, and not for every likelihood."""

            def _get_gaussian_process(self) -> Any:
                regressor = super()._get_gaussian_process()
                regressor.log_marginal_likelihood = partial(regressor.log_marginal_likelihood, clone_kernel=False)
                return regressor

        scenario: Any = SimpleNamespace(configspace=self.space.configspace, seed=seed)  # what SMAC reads of its own
        return Process(self.space.configspace, kernel=BlackBoxFacade.get_kernel(scenario), n_restarts=0, seed=seed)


STRATEGY = Gp
