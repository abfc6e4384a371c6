"""Moves in a space: one-edit neighbours, uniform mutation, uniform crossover.

An edit gives one active hyperparameter another value.  Children that this activates are drawn at random, those that
it deactivates are dropped, and what a forbidden clause excludes is never returned.  All moves work on any space of
ConfigSpace; morphisms, which need more than a configuration, live with the architectures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from autonas.core.trial import Config, Value
from autonas.search_space.space import SearchSpace
from autonas.search_space.table import TRIES, Table

__all__ = ["crossover", "mutate", "neighbours"]

STEPS = 8  # different steps of a number that a mutation may try against forbidden clauses


def neighbours(
    space: SearchSpace, config: Config, rng: np.random.Generator, n_numeric: int = 4
) -> Iterator[dict[str, Value]]:
    """All configurations that are one edit away, in random order; of numbers a sample.

    Parameters
    ----------
    n_numeric : int
        So many Gaussian steps of every number that has more values (standard deviation 0.2 of its range, after the
        logarithm).

    Yields
    ------
    dict
        Valid, not forbidden, and never the configuration itself.
    """
    table = space.table
    edits = [(name, v) for name, value in config.items() for v in table.domains[name].others(value, rng, n_numeric)]
    for place in rng.permutation(len(edits)):
        name, value = edits[place]
        neighbour = table.edit(config, name, value, rng)
        if neighbour is not None:
            yield neighbour


def mutate(
    space: SearchSpace, config: Config, rng: np.random.Generator, n: int = 1, rate: float | None = None
) -> dict[str, Value]:
    """The configuration after ``n`` random edits.

    An edit picks one of the active hyperparameters that can change, uniformly, then one of its other values: of a
    list uniformly, of a range by a Gaussian step.  Where forbidden clauses exclude each of them, the value is kept
    and other hyperparameters of those clauses are redrawn.

    Parameters
    ----------
    n : int
    rate : float or None
        Instead of ``n``: each active hyperparameter is edited with this probability, and at least one (the gene
        mutation of Suganuma et al 2017).

    Returns
    -------
    dict
        Not the configuration itself, unless it is the only one of the space that edits can reach.
    """
    table = space.table
    values: dict[str, Value] | None = dict(config)
    if rate is not None:
        for name in [name for name in config if rng.random() < rate]:
            if values is not None and name in values:
                values = _other(table, values, name, rng) or values
    else:
        for _ in range(n):
            values = values and _edited(table, values, rng)
    if not values or values == config:
        values = _edited(table, dict(config), rng)
    return values or dict(config)


def crossover(space: SearchSpace, a: Config, b: Config, rng: np.random.Generator) -> dict[str, Value]:
    """A configuration that takes every hyperparameter from one of two, with equal chances.

    One that only one of them has comes from there; one that is active in neither is drawn.  If forbidden clauses
    exclude all of several attempts, the result is ``a``.
    """
    table = space.table
    for _ in range(TRIES):
        values: dict[str, Value] = {}
        for (name, domain), first in zip(table.domains.items(), rng.random(len(table.domains)) < 0.5, strict=True):
            if table.is_active(name, values):
                one, other = (a, b) if first else (b, a)
                values[name] = one[name] if name in one else other[name] if name in other else domain.draw(rng)
        if table.violated(values) is None:
            return values
    return dict(a)


def _edited(table: Table, config: Mapping[str, Value], rng: np.random.Generator) -> dict[str, Value] | None:
    """One random edit; None if there is none."""
    names = list(config)
    for place in rng.permutation(len(names)):
        values = _other(table, config, names[place], rng)
        if values is not None:
            return values
    return None


def _other(table: Table, config: Mapping[str, Value], name: str, rng: np.random.Generator) -> dict[str, Value] | None:
    """The configuration with another value of one hyperparameter; None if it can have no other."""
    others = []
    for value in table.domains[name].others(config[name], rng, STEPS):
        values = table.edit(config, name, value, rng)
        if values is not None:
            return values
        others.append(value)
    for value in others:
        values = _forced(table, config, name, value, rng)
        if values is not None:
            return values
    return None


def _forced(
    table: Table, config: Mapping[str, Value], name: str, value: Value, rng: np.random.Generator
) -> dict[str, Value] | None:
    """The configuration with the value, and the others of violated clauses redrawn until none is violated."""
    values, _ = table.replace(config, name, value, rng)
    for _ in range(TRIES):
        clause = table.violated(values)
        if clause is None:
            return values
        free = [other for other in clause.names if other != name and other in values]
        if not free:
            return None
        redrawn = free[rng.integers(len(free))]
        values, _ = table.replace(values, redrawn, table.domains[redrawn].draw(rng), rng)
        if values.get(name) != value:  # a parent was redrawn
            return None
    return None
