"""Hill climbing: several mutated children of one network, and the best of them and it goes on (Elsken et al 2017).

Left out: the shared training of a generation with one learning rate schedule, which is the evaluator's part; with
``inherit="morph"`` children start from their parent's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from autonas.core.trial import Inherit, Proposal
from autonas.search_space.space import SearchSpace
from autonas.strategies.evolution import Evolution

__all__ = ["STRATEGY", "HillClimb"]


class HillClimb(Evolution):
    """Evolution with one parent, which starts as the default configuration.

    Parameters
    ----------
    children : int
        Of each step.
    mutations : int
        Edits between a parent and its child (5 morphisms in the paper, of networks that grow without bound).
    inherit : {"copy", "morph"}, optional
        How a child takes over its parent's weights.
    """

    name = "hillclimb"
    multi_objective: ClassVar[bool] = False

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        children: int = 8,
        mutations: int = 2,
        inherit: Inherit | None = None,
        **options: Any,
    ) -> None:
        rule: dict[str, Any] = {"population": 1, "sample_size": 1, "survivors": "worst", **options}
        super().__init__(space, objectives, seed=seed, children=children, mutations=mutations, inherit=inherit, **rule)

    def ask(self) -> Proposal | None:
        if not self._known:
            genome = self.space.initial(np.random.default_rng(self.seed)) if self.space.open else None
            return self._proposed(Proposal(self.space.default(), genome=genome, origin=self.name))
        return super().ask()


STRATEGY = HillClimb
