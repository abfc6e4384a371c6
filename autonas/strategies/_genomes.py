"""Configurations with or without a genome: what evolution and hill climbing move in, in closed and in open spaces.

In an open space the start is a small genome under a random configuration, most edits are structural, and a
configuration changes only in what a genome does not replace.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from autonas.core.trial import Config, Proposal
from autonas.search_space import genome as genomes
from autonas.search_space import moves
from autonas.search_space.space import SearchSpace
from autonas.strategies._species import distances
from autonas.strategies.random import draw

__all__ = ["Point", "cross", "gaps", "mutated", "started"]

STRUCTURAL = 0.9  # of the edits, where others are possible: one mutation in eleven of Real et al 2017 is of the rate
ATTEMPTS = 25
STEPS = 8  # values of a number that are tried against forbidden clauses


class Point(NamedTuple):
    """What is evaluated: a configuration, and the genome in an open space."""

    config: Config
    genome: str | None = None

    @property
    def key(self) -> str:
        """As that of the proposal."""
        return Proposal(self.config, genome=self.genome).key


def started(space: SearchSpace, known: Collection[str], seed: tuple[int, ...]) -> Point | None:
    """A point to begin with that is not known; None if there is none."""
    if not space.open:
        config = draw(space, known, seed)
        return None if config is None else Point(config)
    rng = np.random.default_rng(seed)
    config = genomes.with_defaults(space, space.sample(1, seed)[0])
    genome = space.initial(rng)
    for _ in range(ATTEMPTS):
        point = Point(config, genome)
        if point.key not in known:
            return point
        genome, _ = space.mutate_genome(genome, rng)
    return None


def mutated(
    space: SearchSpace,
    point: Point,
    rng: np.random.Generator,
    n: int = 1,
    rate: float | None = None,
    temperature: float | None = None,
) -> Point:
    """The point after ``n`` edits.

    Parameters
    ----------
    rate : float or None
        Instead of ``n``: chance of each hyperparameter to be edited, in a closed space.
    temperature : float or None
        In (0, 1]: how far from the aim the point is (see ``Genomes.mutate``).
    """
    if not space.open:
        return Point(moves.mutate(space, point.config, rng, n=n, rate=rate))
    config, genome = point.config, _genome(space, point)
    config = genomes.with_defaults(space, config) if point.genome is None else config
    names = [name for name in genomes.free(space) if name in config]
    for _ in range(n):
        if names and rng.random() >= STRUCTURAL:
            config = _edited(space, config, names, rng)
        else:
            genome, _ = space.genomes.mutate(genome, rng, temperature)
    return Point(config, genome)


def _genome(space: SearchSpace, point: Point) -> str:
    """The point's genome, or that of its configuration."""
    return space.genomes.from_options(space.options(point.config)) if point.genome is None else point.genome


def _edited(space: SearchSpace, config: Config, names: Sequence[str], rng: np.random.Generator) -> Config:
    for place in rng.permutation(len(names)):
        name = names[place]
        for value in space.table.domains[name].others(config[name], rng, STEPS) if name in config else ():
            edited = space.table.edit(config, name, value, rng)
            if edited is not None:
                return edited
    return config


def cross(space: SearchSpace, better: Point, other: Point, rng: np.random.Generator) -> Point:
    """A child of two points."""
    config = moves.crossover(space, better.config, other.config, rng)
    if not space.open:
        return Point(config)
    genome = space.genomes.crossover(_genome(space, better), _genome(space, other), rng)
    return Point(genomes.with_defaults(space, config), genome)


def gaps(space: SearchSpace, points: Sequence[Point]) -> np.ndarray:
    """(n, n) distances: of the genomes where their family knows them, else of the configurations."""
    between = space.genomes.distances([_genome(space, point) for point in points]) if space.open else None
    return distances(space, [point.config for point in points]) if between is None else between
