"""A strategy with the wrappers that a search needs: prior beliefs, several objectives, limits, from the inside out.

Inheritance stays outside of them all: its parents are trials as they are, and none that lost its weights comes back.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from autonas.core.constraints import Constraint
from autonas.core.trial import Trial
from autonas.errors import SpaceError
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies._beliefs import Belief
from autonas.strategies.base import Strategy
from autonas.strategies.halving import Halving
from autonas.strategies.inherit import Inherit

__all__ = ["composed", "taken", "transferred"]

TRANSFERRED = 5  # best configurations of an earlier search


def taken(spec: str | type[Strategy], space: SearchSpace, **options: Any) -> dict[str, Any]:
    """Those of the options that a strategy has, or what inherits around it."""
    strategy = make_strategy(spec, space)
    known = _options(strategy)
    if isinstance(strategy, Inherit):
        known |= _options(strategy.sampler)
    return {name: value for name, value in options.items() if name in known}


def _options(strategy: Strategy) -> set[str]:
    return set(inspect.signature(type(strategy)).parameters)


def composed(
    spec: str | type[Strategy],
    options: Mapping[str, Any],
    space: SearchSpace,
    objectives: Sequence[str],
    constraints: Sequence[Constraint],
    beliefs: Sequence[Mapping[str, Belief]],
    confidence: float,
) -> Callable[..., Strategy]:
    """What makes the strategy, wrapped where that is needed: ``make(space, objectives, seed=seed)``."""
    bare = make_strategy(spec, space, objectives)
    if isinstance(bare, Inherit):
        own = {name: value for name, value in options.items() if name in _options(bare)}
        rest = {name: value for name, value in options.items() if name not in own}
        rest = {**taken(bare.wrapped, space, inherit=bare.how), **rest}
        inside = composed(bare.wrapped, rest, space, objectives, constraints, beliefs, confidence)
        return partial(make_strategy, type(bare), sampler=inside, **own)
    make: Callable[..., Strategy] = partial(make_strategy, spec, **options)
    if beliefs:
        from autonas.strategies.prior import Prior

        believing = partial(Prior, prior=beliefs, confidence=confidence)
        if isinstance(bare, Halving):  # a bracket draws from the prior at low fidelities too
            sampler = partial(believing, sampler=partial(_bracket_sampler, spec))
            make = partial(make_strategy, type(bare), sampler=sampler, **options)
        else:
            make = partial(believing, sampler=make)
    if len(objectives) > 1 and not bare.multi_objective:
        from autonas.strategies.parego import Parego

        make = partial(Parego, sampler=make)
    if constraints:
        from autonas.strategies._constrained import Constrained

        make = partial(Constrained, sampler=make, constraints=constraints)
    return make


def transferred(trials: Iterable[Trial], space: SearchSpace) -> list[dict[str, Any]]:
    """The best configurations of an earlier search as far as they exist in this space, best first."""
    best: dict[str, dict[str, Any]] = {}
    for trial in sorted((t for t in trials if t.ok), key=lambda t: (-t.proposal.fidelity, t.loss)):
        known = {name: value for name, value in trial.config.items() if name in space.configspace}
        try:
            config = space.complete(known)
        except SpaceError:  # a value that this space does not allow
            continue
        best.setdefault(space.key(config), config)
        if len(best) == TRANSFERRED:
            break
    return list(best.values())


def _bracket_sampler(spec: str | type[Strategy], space: SearchSpace, objectives: Sequence[str], seed: int) -> Strategy:
    """A fresh sampler of the brackets that a name stands for."""
    strategy = make_strategy(spec, space, objectives, seed)
    assert isinstance(strategy, Halving)
    return strategy.sampler
