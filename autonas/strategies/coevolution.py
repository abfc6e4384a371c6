"""Co-evolution: parts of a configuration evolve side by side, each judged by all trials in which it took part.

CoDeepNEAT's credit assignment (Miikkulainen et al 2017) on groups of hyperparameters, which take the part of its
blueprints and modules: a configuration is assembled from one part of every group, and a part is worth the mean loss
of its trials.  Left out: the graphs inside blueprints and modules, which the space decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autonas.core.trial import Proposal, Trial, Value, config_key
from autonas.errors import OptionError
from autonas.search_space.moves import mutate
from autonas.search_space.space import SearchSpace
from autonas.search_space.table import TRIES
from autonas.strategies.base import Strategy
from autonas.strategies.random import draw

__all__ = ["STRATEGY", "Coevolution", "Part"]

ATTEMPTS = 25  # assemblies that turn out to be known, before a random configuration takes their place


@dataclass
class Part:
    """Values of one group, and what its trials brought."""

    values: dict[str, Value]
    total: float = 0.0
    n: int = 0

    @property
    def credit(self) -> float:
        """Mean loss of its trials."""
        return self.total / self.n


class Coevolution(Strategy):
    """A population of parts for every group of hyperparameters.

    Random configurations come first.  Then the parts of the last ``population`` successful trials compete: of every
    group the winner of a tournament by mean loss is assembled, what is missing is drawn, and the result is mutated
    with some probability.

    Parameters
    ----------
    groups : sequence of sequence of str, optional
        Which hyperparameters make a part; those in none make one more.  Default: each that is always active begins a
        group, and takes those along that depend on it.
    population : int
        Trials whose parts are alive.
    sample_size : int
        Of a tournament.
    mutation : float
        Chance that an assembly is mutated.
    """

    name = "coevolution"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        groups: Sequence[Sequence[str]] | None = None,
        population: int = 20,
        sample_size: int = 5,
        mutation: float = 0.7,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        for option, number in {"population": population, "sample_size": sample_size}.items():
            if number < 1:
                raise OptionError(f"{option} must be at least 1. Given: {number}.")
        self.groups = _groups(space, groups)
        self.population = population
        self.sample_size = sample_size
        self.mutation = mutation
        self.parts: list[dict[str, Part]] = [{} for _ in self.groups]
        self._alive: list[list[str]] = []  # keys of the parts of each living trial
        self._known: set[str] = set()
        self._pending: set[str] = set()

    def ask(self) -> Proposal | None:
        seed = (self.seed, len(self._known))
        config = None
        if self._alive and len(self._alive) + len(self._pending) >= self.population:
            config = self._assembly(np.random.default_rng(seed))
        if config is None:
            config = draw(self.space, self._known, seed)
        if config is None:
            return None
        self._known.add(config_key(config))
        self._pending.add(config_key(config))
        return Proposal(config, origin=self.name)

    def _assembly(self, rng: np.random.Generator) -> dict[str, Value] | None:
        """A new configuration from the best parts; None if all attempts are known."""
        for attempt in range(ATTEMPTS):
            config = self._assembled(rng)
            if config is None:
                continue
            if rng.random() < self.mutation or attempt > 0:
                config = mutate(self.space, config, rng, n=1 + attempt // 5)
            if config_key(config) not in self._known:
                return config
        return None

    def _assembled(self, rng: np.random.Generator) -> dict[str, Value] | None:
        table = self.space.table
        for _ in range(TRIES):
            wanted: dict[str, Value] = {}
            for group, parts in enumerate(self.parts):
                keys = [self._alive[row][group] for row in rng.integers(len(self._alive), size=self.sample_size)]
                wanted |= min((parts[key] for key in keys), key=lambda part: part.credit).values
            config: dict[str, Value] = {}
            for name, domain in table.domains.items():
                if table.is_active(name, config):
                    config[name] = wanted[name] if name in wanted else domain.draw(rng)
            if table.violated(config) is None:
                return config
        return None

    def tell(self, trial: Trial) -> None:
        key = trial.proposal.key
        self._known.add(key)
        self._pending.discard(key)
        if not trial.ok:
            return
        keys = []
        for names, parts in zip(self.groups, self.parts, strict=True):
            values = {name: trial.config[name] for name in names if name in trial.config}
            keys.append(config_key(values))
            part = parts.setdefault(keys[-1], Part(values))
            part.total += trial.loss
            part.n += 1
        self._alive = [*self._alive, keys][-self.population :]


def _groups(space: SearchSpace, groups: Sequence[Sequence[str]] | None) -> list[tuple[str, ...]]:
    table = space.table
    if groups is None:
        groups = [(name, *table.dependents[name]) for name, rules in table.conditions.items() if not rules]
    elif missing := {name for names in groups for name in names} - set(table.domains):
        raise OptionError(
            f"groups must name hyperparameters of the space {space.name!r}. Given: {', '.join(sorted(missing))}."
        )
    taken: set[str] = set()
    parts = []
    for names in [*groups, list(table.domains)]:  # what is in no group makes one more
        part = tuple(name for name in names if name not in taken)
        taken.update(part)
        if part:
            parts.append(part)
    return parts


STRATEGY = Coevolution
