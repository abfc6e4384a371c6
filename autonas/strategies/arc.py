"""Bayesian optimisation with the arc kernel, for conditional spaces (Swersky et al 2013).

As ``smac`` with another surrogate, a Gaussian process that neither imputes what is inactive nor needs a model of its
own for every branch of the space.
"""

from __future__ import annotations

from typing import Any

from autonas.search_space.values import listed_values
from autonas.strategies.gp import Gp

__all__ = ["STRATEGY", "Arc"]


class Arc(Gp):
    """Gaussian process with the arc kernel, expected improvement, local search from the best trials.

    Options as in :class:`~autonas.strategies.gp.Gp`.
    """

    name = "arc"

    def _surrogate(self, seed: int, n: int) -> Any:
        from autonas.surrogates.arc import ArcProcess

        sizes, scales = [], []
        for hyperparameter in self.space.configspace.values():
            n_values, ordered = len(listed_values(hyperparameter) or ()), hasattr(hyperparameter, "sequence")
            sizes.append(0 if ordered else n_values)
            scales.append(max(1, n_values - 1) if ordered else 1)  # ConfigSpace scales numbers, but no places in a list
        return ArcProcess(sizes, scales)


STRATEGY = Arc
