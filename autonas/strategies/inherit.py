"""Children of trained networks around any sampler: proposals start from the weights of the nearest trial.

Weight inheritance (survey, section 4; Real et al 2017; Cai et al 2018a; Elsken et al 2017) for strategies that know
nothing of it.  A loss after inheritance is not that of the architecture alone, so a random share of the children is
trained from scratch: with them ``core.inheritance`` measures what the others gain.  Left out: how weights carry over,
which is the evaluator's part.
"""

from __future__ import annotations

import zlib
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from autonas.core.trial import Config, Proposal, Trial
from autonas.errors import OptionError, unknown
from autonas.search_space.space import SearchSpace
from autonas.strategies._species import distances
from autonas.strategies.base import Strategy
from autonas.strategies.evolution import Evolution

__all__ = ["STRATEGY", "Inherit"]


class Inherit(Strategy):
    """Gives the sampler's proposals parents.

    Evolution names the parents itself.  All else becomes a child of the nearest of the best trials of the same kind of
    model, whatever their fidelity: of those that differ in the fewest architectural hyperparameters (or in any, where
    none is marked as such) the best one.  Kinds that are no networks have no parents.  Promotions of brackets go on
    from their own checkpoints, so brackets are what is wrapped: ``"inherit(hyperband(kde))"``.  The sampler is told the
    losses as they are, and nothing of parents.

    Parameters
    ----------
    sampler : str, class or callable
        What proposes.
    how : {"morph", "copy"}
        Keep what the parent computes as far as the edit allows, or every tensor that still fits; the latter is also
        what networks do that are not made of a graph.
    control : float
        In [0, 1]: chance that a child is trained from scratch.
    parents : int
        Best trials of each kind whose weights are kept.

    Raises
    ------
    OptionError
        If an option is out of its range.
    """

    name = "inherit"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        sampler: str | type[Strategy] | Callable[..., Strategy] = "evolution",
        how: Literal["morph", "copy"] = "morph",
        control: float = 0.2,
        parents: int = 10,
        **options: Any,
    ) -> None:
        from autonas.strategies import make_strategy

        super().__init__(space, objectives, seed=seed, **options)
        if how not in ("morph", "copy"):
            raise unknown("inheritance", how, ("morph", "copy"))
        if not 0 <= control <= 1:
            raise OptionError(f"control in [0, 1] was required, given {control}.")
        if parents < 1:
            raise OptionError(f"parents must be at least 1. Given: {parents}.")
        self.wrapped: Any = sampler
        self.sampler = make_strategy(sampler, space, objectives, seed)  # type: ignore[arg-type]
        if isinstance(self.sampler, Evolution):
            self.sampler.inherit = how
        self.multi_objective = self.sampler.multi_objective  # type: ignore[misc]  # of this instance
        self.uses_fidelity = self.sampler.uses_fidelity  # type: ignore[misc]
        self.how = how
        self.control = control
        self.parents = parents
        self._kinds: dict[int, str] = {}  # of trials with weights
        # best first; who leaves never comes back, since its checkpoint may be gone
        self._pools: dict[str, list[Trial]] = defaultdict(list)

    def ask(self) -> Proposal | None:
        proposal = self.sampler.ask()
        if proposal is None or proposal.inherit == "resume":
            return proposal
        kind = self.space.kind_of(proposal.config)
        parent = proposal.parent
        if parent is None or self._kinds.get(parent) != kind:
            parent = self._nearest(proposal, self._pools[kind])
        if parent is None:
            return replace(proposal, parent=None, inherit=None)
        drawn = np.random.default_rng((self.seed, zlib.crc32(proposal.key.encode()), 5)).random()
        if drawn < self.control:
            return replace(proposal, parent=parent, inherit="scratch")
        return replace(proposal, parent=parent, inherit=self.how if self.space.has_graph(proposal.config) else "copy")

    def tell(self, trial: Trial) -> None:
        proposal = trial.proposal
        if proposal.inherit in ("copy", "morph", "scratch"):  # a bracket takes a trial with a parent for a promotion
            self.sampler.tell(replace(trial, proposal=replace(proposal, parent=None, inherit=None)))
        else:
            self.sampler.tell(trial)
        kind = self.space.kind_of(proposal.config)
        if not trial.ok or (self.space.families and kind not in self.space.networks):
            return
        pool = [
            t for t in self._pools[kind] if t.proposal.key != proposal.key or t.proposal.fidelity > proposal.fidelity
        ]
        if trial.checkpoint is not None:
            self._kinds[trial.id] = kind
            insort(pool, trial, key=lambda t: (-t.proposal.fidelity, t.loss, t.id))
        self._pools[kind] = pool[: self.parents]

    def _nearest(self, proposal: Proposal, pool: Sequence[Trial]) -> int | None:
        """The trial of a pool that is nearest to a proposal, the best of equal ones."""
        pool = [t for t in pool if (t.proposal.genome is None) == (proposal.genome is None)]
        if not pool:
            return None
        everyone = [proposal, *(t.proposal for t in pool)]
        if proposal.genome is not None:
            gaps = self.space.genomes.distances([str(p.genome) for p in everyone])
            if gaps is None:  # its family cannot say what is near
                return None
        else:
            gaps = distances(self.space, [self._architecture(p.config) for p in everyone])
        return pool[int(np.argmin(gaps[0, 1:]))].id

    def _architecture(self, config: Config) -> Config:
        found = {name: value for name, value in config.items() if self.space.is_architectural(name)}
        return found or config

    def recommend(self, trials: Sequence[Trial]) -> list[Proposal]:
        return self.sampler.recommend(trials)

    def keep(self) -> set[int]:
        return self.sampler.keep() | {trial.id for pool in self._pools.values() for trial in pool}


STRATEGY = Inherit
