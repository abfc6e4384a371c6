"""Evolution: parents are selected, mutated and recombined; survivors make the population (survey, section 3).

One loop with the menu of the survey's systems as options; the defaults are regularized evolution (Real et al 2018).
The population is a function of the trials in the order in which they were told, so a replay rebuilds it, and children
of slow trials simply come later.  In an open space members are genomes (see ``_genomes``).  Left out: the sharing of
weights itself, which is the evaluator's part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from autonas.core.trial import Config, Inherit, Proposal, Trial
from autonas.errors import OptionError, unknown
from autonas.search_space.space import SearchSpace
from autonas.strategies._genomes import Point, cross, gaps, mutated, started
from autonas.strategies._selection import PARENTS, SURVIVORS, inverse_density, pick, surviving
from autonas.strategies._species import divide, species_chances
from autonas.strategies.base import Strategy

__all__ = ["STRATEGY", "Evolution", "Individual"]

ATTEMPTS = 25  # children that turn out to be known, before a random configuration takes their place


@dataclass(frozen=True)
class Individual:
    """A member of the population."""

    trial: int
    key: str
    config: Config
    values: tuple[float, ...]
    genome: str | None = None

    @property
    def point(self) -> Point:
        """Where the member is."""
        return Point(self.config, self.genome)


class Evolution(Strategy):
    """A population, its parents and its survivors.

    Random configurations come first, until the population is full.  Then every ask selects a parent (two for a
    crossover), and its child is a configuration that nobody proposed before.  Failed trials have no offspring.

    Parameters
    ----------
    population : int
        Members; ``"none"`` and ``"nondominated"`` begin with so many and are not bound by it later.
    parents : {"tournament", "roulette", "pareto"}
        The best of ``sample_size`` members drawn with replacement (Goldberg & Deb 1991); chances in proportion to
        how much better than the worst a member is (Xie & Yuille 2017); members of the Pareto front by the inverse
        density of their objectives but the first (Elsken et al 2018).
    sample_size : int
        Of a tournament.
    survivors : {"oldest", "worst", "loser", "generational", "none", "nondominated"}, optional
        Who leaves when there are too many: the oldest (Real et al 2018), the worst, the worse of a random pair (Real
        et al 2017, there with ``sample_size=2``), all parents at once, nobody (Liu et al 2018a), or all that are
        dominated (Elsken et al 2018).  Of equal ones the older leaves: neutral drift.  Default: the first, of
        several objectives the last.
    children : int
        Results that are awaited before survivors are chosen: ``population=1, survivors="worst"`` with ``children=4``
        is a (1 + 4) evolution strategy.
    crossover : float
        Chance that a child has two parents, each hyperparameter from one of them.
    mutation : float
        Chance that a child is mutated.
    mutations : int
        Edits of a mutation.
    rate : float, optional
        Instead: the chance of each hyperparameter to be edited (Suganuma et al 2017).
    species : float, optional
        Distance in [0, 1], as the share of hyperparameters that differ, or of genomes in the units of their family, up
        to which two members are of one species.  Species then have offspring in proportion to their mean fitness, and
        crossover stays inside them (Stanley & Miikkulainen 2002).
    cheap : callable, optional
        ``cheap(config)``, in an open space ``cheap(config, genome)``: the objectives but the first, where they can be
        had without training.  Then of several children the one to be trained is drawn by the inverse density of theirs
        among the population's (Elsken et al 2018).
    proposals : int
        So many children.
    inherit : {"copy", "morph"}, optional
        How a child takes over weights of its first parent.
    """

    name = "evolution"
    multi_objective: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        population: int = 20,
        parents: Literal["tournament", "roulette", "pareto"] = "tournament",
        sample_size: int = 10,
        survivors: Literal["oldest", "worst", "loser", "generational", "none", "nondominated"] | None = None,
        children: int = 1,
        crossover: float = 0.0,
        mutation: float = 1.0,
        mutations: int = 1,
        rate: float | None = None,
        species: float | None = None,
        cheap: Callable[..., Sequence[float]] | None = None,
        proposals: int = 5,
        inherit: Inherit | None = None,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        if parents not in PARENTS:
            raise unknown("rule for parents", parents, PARENTS)
        if survivors is None:
            survivors = "nondominated" if self.multi_objective and len(self.objectives) > 1 else "oldest"
        if survivors not in SURVIVORS:
            raise unknown("rule for survivors", survivors, SURVIVORS)
        counts = {"population": population, "sample_size": sample_size, "children": children, "mutations": mutations}
        counts["proposals"] = proposals
        for option, number in counts.items():
            if number < 1:
                raise OptionError(f"{option} must be at least 1. Given: {number}.")
        if cheap is not None and len(self.objectives) < 2:
            raise OptionError(f"cheap needs an objective beside the loss. Given: objectives={self.objectives}.")
        self.population = population
        self.parents = parents
        self.sample_size = sample_size
        self.survivors = survivors
        self.children = children
        self.crossover = crossover
        self.mutation = mutation
        self.mutations = mutations
        self.rate = rate
        self.species = species
        self.cheap = cheap
        self.proposals = proposals
        self.inherit = inherit
        self.members: list[Individual] = []
        self._fresh: list[Individual] = []  # told since survivors were chosen
        self._known: set[str] = set()
        self._pending: set[str] = set()
        self._told = 0
        self._first = 0.0  # loss

    # --- ask ---------------------------------------------------------------------------------------------------------

    def ask(self) -> Proposal | None:
        seed = (self.seed, len(self._known))
        proposal = None
        if self.members and self._is_grown():
            proposal = self._next(np.random.default_rng(seed))
        if proposal is None:
            point = started(self.space, self._known, seed)
            if point is None:
                return None
            proposal = Proposal(point.config, genome=point.genome, origin=self.name)
        return self._proposed(proposal)

    def _proposed(self, proposal: Proposal) -> Proposal:
        self._known.add(proposal.key)
        self._pending.add(proposal.key)
        return proposal

    def _is_grown(self) -> bool:
        """Whether the random beginning is over."""
        return self._told + len(self._pending) >= self.population

    def _next(self, rng: np.random.Generator) -> Proposal | None:
        """The child to be trained; None if no new one was found."""
        if self.cheap is None:
            return self._child(rng)
        found = [self._child(rng) for _ in range(self.proposals)]
        children = list({child.key: child for child in found if child is not None}.values())
        if not children:
            return None
        given = [(child.config, child.genome) if self.space.open else (child.config,) for child in children]
        sizes = np.array([tuple(self.cheap(*arguments)) for arguments in given], dtype=float)
        among = np.array([member.values[1:] for member in self.members])
        return children[rng.choice(len(children), p=inverse_density(sizes, among))]

    def _child(self, rng: np.random.Generator) -> Proposal | None:
        """A new configuration from the population; None if all attempts are known."""
        values = np.array([member.values for member in self.members])
        species = None if self.species is None else self._divided()
        for attempt in range(ATTEMPTS):
            rows = np.arange(len(values))
            if species is not None:
                chances = species_chances(values, species)
                rows = np.flatnonzero(species == rng.choice(len(chances), p=chances))
            parent = self.members[rows[pick(self.parents, values[rows], self.sample_size, rng)]]
            point, heat = parent.point, self._temperature(parent)
            if rng.random() < self.crossover:
                other = self.members[rows[pick(self.parents, values[rows], self.sample_size, rng)]]
                better, worse = sorted((parent, other), key=lambda member: member.values[0])
                point = cross(self.space, better.point, worse.point, rng)
            if rng.random() < self.mutation or attempt > 0:
                point = mutated(self.space, point, rng, self.mutations, self.rate, heat)
            if further := attempt // 5:  # where the near ones are known
                point = mutated(self.space, point, rng, further, temperature=heat)
            if point.key not in self._known:
                proposal = Proposal(point.config, genome=point.genome, origin=self.name)
                if self.inherit is None:
                    return proposal
                return replace(proposal, parent=parent.trial, inherit=self.inherit)
        return None

    def _temperature(self, parent: Individual) -> float:
        """The share of the first trial's loss that is left (Angeline et al 1994, with 0 as the aim)."""
        return min(1.0, max(0.0, parent.values[0] / self._first)) if self._first > 0 else 1.0

    def _divided(self) -> np.ndarray:
        return divide(gaps(self.space, [member.point for member in self.members]), self.species or 0.0)

    # --- tell --------------------------------------------------------------------------------------------------------

    def tell(self, trial: Trial) -> None:
        key = trial.proposal.key
        self._known.add(key)
        self._pending.discard(key)
        values = self._values(trial)
        if not all(map(math.isfinite, values)):
            return
        if not self._told:
            self._first = values[0]
        self._told += 1
        # a result at a higher fidelity replaces the earlier one
        self.members = [member for member in self.members if member.key != key]
        self._fresh = [member for member in self._fresh if member.key != key]
        self._fresh.append(Individual(trial.id, key, trial.config, values, trial.proposal.genome))
        wanted = self.population if self.survivors == "generational" else self.children
        if len(self._fresh) >= wanted or self._told <= self.population:
            self._select()

    def _values(self, trial: Trial) -> tuple[float, ...]:
        if not trial.ok or not self.multi_objective or len(self.objectives) == 1:
            return (trial.loss,)
        return tuple(trial.result.values[name] for name in self.objectives)

    def _select(self) -> None:
        everyone = self.members + self._fresh
        values = np.array([individual.values for individual in everyone])
        rng = np.random.default_rng((self.seed, self._told, 1))
        rows = surviving(self.survivors, values, len(self._fresh), self.population, rng)
        self.members, self._fresh = [everyone[row] for row in rows], []

    def keep(self) -> set[int]:
        return {member.trial for member in self.members} if self.inherit else set()


STRATEGY = Evolution
