"""What a fidelity means: a plan maps ``z`` in (0, 1] to epochs, rows, pixels, filters, cells, folds and seconds.

``z`` is the share of a full evaluation's cost, so that brackets may count it as such.  A plan gives the lowest share of
each of its dimensions; between that and 1 every dimension falls by the same proportion of its logarithm, and the
products of what they cost is ``z`` (a side of an image or the width of a network counts squared).  A plan of epochs
alone is ``z`` itself.  Epochs and seconds *continue*: a promotion goes on from the checkpoint.  All others *restart*:
the problem has changed, so a promotion trains anew (lower resolution: Chrabaszcz et al 2017; fewer rows: Klein et al
2017; fewer filters and cells: Zoph et al 2018; seconds: Zela et al 2018).  Left out: weights that are inherited by a
restart, which would make what a trial shows depend on its history.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autonas.errors import OptionError, unknown

__all__ = ["COSTS", "FidelityPlan", "Setting", "fidelity_plan"]

COSTS = {"epochs": 1, "data": 1, "resolution": 2, "width": 2, "depth": 1, "folds": 1, "seconds": 1}
"""The dimensions, and with which power of each the cost of training grows."""


@dataclass(frozen=True)
class Setting:
    """What one evaluation may use, as shares of a full one.

    Parameters
    ----------
    epochs : float
        Of the schedule (networks), the trees or the rounds.
    data : float
        Of each fold's training rows.
    resolution : float
        Of the sides of images.
    width, depth : float
        Of the filters of every layer, and of the number of cells or layers.
    folds : float
        Of the number of folds.
    seconds : float or None
        Wall clock from the start of training, checkpoints that it continues included; None: no limit of the plan's.
    """

    epochs: float = 1.0
    data: float = 1.0
    resolution: float = 1.0
    width: float = 1.0
    depth: float = 1.0
    folds: float = 1.0
    seconds: float | None = None


@dataclass(frozen=True)
class FidelityPlan:
    """Lowest shares by dimension.

    Parameters
    ----------
    lowest : mapping of str to float
        In (0, 1), by dimension; empty: ``z`` is the share of the epochs, down to nothing.
    seconds : float or None
        What a full evaluation may take, where seconds are a dimension.
    """

    lowest: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def fidelity(self) -> float:
        """The lowest ``z`` that makes a difference; 0 without dimensions."""
        return math.prod(low ** COSTS[name] for name, low in self.lowest.items()) if self.lowest else 0.0

    def share(self, name: str, z: float) -> float:
        """Share of one dimension at ``z``; rises with it, and is 1 at 1."""
        if name not in self.lowest:
            return 1.0
        low = math.log(self.lowest[name])
        # with one dimension the quotient is exactly 1, and z ** 1.0 is exactly z
        power = 1 / sum(COSTS[other] * (math.log(value) / low) for other, value in self.lowest.items())
        return max(self.lowest[name], z**power)

    def at(self, z: float) -> Setting:
        """What an evaluation at ``z`` may use.

        Raises
        ------
        OptionError
            If ``z`` is not in (0, 1].
        """
        if not 0 < z <= 1:
            raise OptionError(f"A fidelity in (0, 1] was required, given {z!r}.")
        if not self.lowest:
            return Setting(epochs=z)
        shares = {name: self.share(name, z) for name in self.lowest}
        if self.seconds is not None:
            share = shares.pop("seconds")
            # by the clock the schedule advances with the time, unless epochs are planned too
            return Setting(**{"epochs": share, **shares}, seconds=share * self.seconds)
        return Setting(**shares)

    def as_dict(self) -> dict[str, list[float]]:
        """As a person writes it."""
        most = {"seconds": self.seconds or 1.0}
        return {name: [low * most.get(name, 1.0), most.get(name, 1.0)] for name, low in self.lowest.items()}


def fidelity_plan(given: Any) -> FidelityPlan:
    """The plan that a person means.

    Parameters
    ----------
    given : None, FidelityPlan or mapping of str to (lowest, highest)
        ``{"epochs": [0.11, 1], "data": [0.25, 1]}``: shares of a full evaluation, so the highest is 1, but for
        ``seconds``, which are seconds.

    Raises
    ------
    OptionError
        For an unknown dimension, or what is not a range.
    """
    if given is None:
        return FidelityPlan()
    if isinstance(given, FidelityPlan):
        return given
    if not isinstance(given, Mapping) or not given:
        raise OptionError(f'fidelity is a mapping such as {{"epochs": [0.11, 1]}} or None. Given: {given!r}.')
    lowest: dict[str, float] = {}
    seconds = None
    for name, ends in given.items():
        if name not in COSTS:
            raise unknown("dimension of fidelity", str(name), COSTS)
        low, high = _range(name, ends)
        if name == "seconds":
            seconds = high
        elif high != 1:
            raise OptionError(f"fidelity: {name} goes up to 1, the whole of it. Given: {ends!r}.")
        lowest[name] = low / high
    return FidelityPlan(lowest, seconds)


def _range(name: str, ends: Any) -> tuple[float, float]:
    """Two numbers, the lower one first."""
    try:
        low, high = (float(end) for end in ends)
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0 < low < high < math.inf:
        raise OptionError(f"fidelity: {name} is a range [lowest, highest], 0 < lowest < highest. Given: {ends!r}.")
    return low, high
