"""What a person believes of good configurations, as a distribution over a space: to draw from, and to compare with.

Hyperparameters are independent given what is active, as in the priors of Hvarfner et al (2022) and Mallik et al (2023);
several configurations make a mixture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autonas.core.trial import Config, Value
from autonas.errors import OptionError, SpaceError
from autonas.search_space.space import SearchSpace
from autonas.search_space.strict import near
from autonas.search_space.table import TRIES, Listed, Number
from autonas.search_space.values import legal

__all__ = ["Belief", "Beliefs"]

Belief = Value | Mapping[Any, float] | tuple[float, float]
"""A value, weights of values, or (centre, deviation as a share of the range, after the logarithm)."""


@dataclass(frozen=True)
class _Weighted:
    """Over a list of values."""

    domain: Listed
    weights: np.ndarray  # they sum to 1

    def draw(self, rng: np.random.Generator) -> Value:
        return self.domain.values[int(rng.choice(len(self.weights), p=self.weights))]

    def log_ratio(self, value: Value) -> float:
        weight = float(self.weights[self.domain.values.index(value)]) * len(self.weights)
        return math.log(weight) if weight > 0 else -math.inf

    @property
    def mode(self) -> Value:
        return self.domain.values[int(self.weights.argmax())]


@dataclass(frozen=True)
class _Normal:
    """Over positions in a range, cut off at its ends."""

    domain: Number
    centre: float
    deviation: float

    def draw(self, rng: np.random.Generator) -> Value:
        position = -1.0
        while not 0 <= position <= 1:  # at least about one draw in two is inside, as the centre is
            position = rng.normal(self.centre, self.deviation)
        return self.domain.from_unit(position)

    def log_ratio(self, value: Value) -> float:
        z = (self.domain.to_unit(value) - self.centre) / self.deviation
        ends = [(end - self.centre) / (self.deviation * math.sqrt(2)) for end in (0.0, 1.0)]
        inside = 0.5 * (math.erf(ends[1]) - math.erf(ends[0]))
        return -0.5 * z * z - math.log(self.deviation * math.sqrt(2 * math.pi) * inside)

    @property
    def mode(self) -> Value:
        return self.domain.from_unit(self.centre)


class Beliefs:
    """Mixture of independent distributions, the first component the most likely.

    Parameters
    ----------
    space : SearchSpace
    components : sequence of mapping of str to belief
        By hyperparameter; one that is not named is believed nothing of.  Weights fall linearly.
    confidence : float
        In (0, 1): the probability that a stated value of a list is right, the rest being spread over all values.  A
        stated number is the centre of a normal distribution with a deviation of ``(1 - confidence) / 2`` of the range.

    Raises
    ------
    OptionError
        For a confidence outside (0, 1) or a belief of another form.
    SpaceError
        For an unknown name or an impossible value.
    """

    def __init__(self, space: SearchSpace, components: Sequence[Mapping[str, Belief]], confidence: float) -> None:
        if not 0 < confidence < 1:
            raise OptionError(f"confidence in (0, 1) was required, given {confidence}.")
        self.space = space
        self.components = [
            {name: _distribution(space, name, belief, confidence) for name, belief in component.items()}
            for component in components
        ]
        self.weights = np.arange(len(components), 0, -1) / (len(components) * (len(components) + 1) / 2)

    def modes(self) -> list[dict[str, Value]]:
        """The most likely configuration of every component, with defaults for what is not named."""
        table, modes = self.space.table, []
        for component in self.components:
            values: dict[str, Value] = {}
            for name in table.domains:
                if table.is_active(name, values):
                    values[name] = component[name].mode if name in component else table.defaults[name]
            if table.violated(values) is None:  # what is most likely by itself may be forbidden together
                modes.append(values)
        return modes

    def draw(self, rng: np.random.Generator) -> dict[str, Value] | None:
        """A configuration; None if forbidden clauses exclude all of several."""
        table = self.space.table
        for _ in range(TRIES):
            component = self.components[int(rng.choice(len(self.components), p=self.weights))]
            values: dict[str, Value] = {}
            for name, domain in table.domains.items():
                if table.is_active(name, values):
                    values[name] = component[name].draw(rng) if name in component else domain.draw(rng)
            if table.violated(values) is None:
                return values
        return None

    def log_ratio(self, config: Config) -> float:
        """Logarithm of how much more likely a configuration is than under uniform draws."""
        logs = [
            math.log(weight) + sum(found.log_ratio(config[name]) for name, found in component.items() if name in config)
            for weight, component in zip(self.weights, self.components, strict=True)
        ]
        top = max(logs)
        return top if math.isinf(top) else top + math.log(sum(math.exp(value - top) for value in logs))


def _distribution(space: SearchSpace, name: str, belief: Belief, confidence: float) -> _Weighted | _Normal:
    if name not in space.configspace:
        raise SpaceError(f"The prior names the hyperparameter {name!r}. {near(name, list(space.configspace))}")
    hyperparameter, domain = space.configspace[name], space.table.domains[name]
    if isinstance(domain, Listed):
        if isinstance(belief, Mapping):
            stated = {legal(hyperparameter, value): float(weight) for value, weight in belief.items()}
            weights = np.array([stated.get(value, 0.0) for value in domain.values])
            if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.sum() > 0):
                raise OptionError(f"The prior of {name!r} needs weights >= 0, one of them above. Given: {belief}.")
            return _Weighted(domain, weights / weights.sum())
        if isinstance(belief, tuple):
            raise OptionError(f"The prior of {name!r} is a value or {{value: weight}}. Given: {belief!r}.")
        right = domain.values.index(legal(hyperparameter, belief))
        weights = np.full(len(domain.values), (1 - confidence) / len(domain.values))
        weights[right] += confidence
        return _Weighted(domain, weights)
    centre, deviation = belief if isinstance(belief, tuple) and len(belief) == 2 else (belief, (1 - confidence) / 2)
    if isinstance(centre, Mapping | tuple) or not deviation > 0:
        raise OptionError(
            f"The prior of {name!r} is a number or (number, deviation as a share of the range). Given: {belief!r}."
        )
    return _Normal(domain, domain.to_unit(legal(hyperparameter, centre)), float(deviation))
