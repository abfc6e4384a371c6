"""What inherited weights do to losses: children that inherit against a control group that was trained from scratch.

A child of a trained network looks better than its architecture is, or worse, and so do all comparisons with networks
that had no such start (survey, section 4).  A strategy that draws by lot which of its children start from scratch
(``inherit``) allows to measure that.  Every child, also of the control group, has a parent, and what is compared is how
much its loss exceeds the parent's: most of what the region of the space and the time of the search explain falls out.
Left out: what inheritance saves in time, and how it changes the order of architectures.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from autonas.core.trial import Trial

__all__ = ["Inheritance", "Shift", "inheritance", "shift"]


class Shift(NamedTuple):
    """By how much one sample lies above another, with a confidence interval."""

    effect: float
    low: float
    high: float


@dataclass(frozen=True)
class Inheritance:
    """By how much inherited weights change a loss.

    Parameters
    ----------
    fidelity : float
        Of the children that were compared: that of most of the control group.
    n_inherited, n_control : int
        Children with and without the weights of their parents.
    effect, low, high : float
        Loss of a child with inherited weights less that of one without, and its interval; below zero, inheritance makes
        networks look better.  NaN in an infinite interval: a group is empty.
    """

    fidelity: float
    n_inherited: int
    n_control: int
    effect: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What a person may conclude: "flatters", "handicaps" or "not known yet"."""
        if self.high < 0:
            return "flatters"
        return "handicaps" if self.low > 0 else "not known yet"

    def __str__(self) -> str:
        counts = f"{self.n_inherited} children with, {self.n_control} without"
        if math.isnan(self.effect):
            return f"effect on the loss not known ({counts})"
        return f"{self.effect:+.3g} on the loss [{self.low:.3g}, {self.high:.3g}] ({counts}), {self.verdict}"


def shift(a: Sequence[float], b: Sequence[float], confidence: float = 0.9) -> Shift:
    """The median of all differences between two samples, with a two-sided interval (Hodges & Lehmann 1963).

    Parameters
    ----------
    a, b : sequence of float
    confidence : float
        In (0, 1).

    Returns
    -------
    Shift
        Of ``a`` over ``b``; NaN where one is empty.  The interval is that of the rank-sum test, by its normal
        approximation: it supposes no distribution, and a loss that has diverged moves it no further than any other.
        Too few numbers for it leave it infinite.
    """
    differences = np.sort(np.subtract.outer(np.asarray(a, dtype=float), np.asarray(b, dtype=float)), axis=None)
    n, m = len(a), len(b)
    if not len(differences):
        return Shift(math.nan, -math.inf, math.inf)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    outside = math.floor(n * m / 2 - z * math.sqrt(n * m * (n + m + 1) / 12))
    effect = float(np.median(differences))
    if outside < 0:
        return Shift(effect, -math.inf, math.inf)
    return Shift(effect, float(differences[outside]), float(differences[-1 - outside]))


def inheritance(trials: Iterable[Trial], confidence: float = 0.9) -> Inheritance | None:
    """What inheritance did in a search.

    Parameters
    ----------
    trials : iterable of Trial
        Those that failed or were stopped do not count, nor what has the parents of a promotion.
    confidence : float

    Returns
    -------
    Inheritance or None
        None without children that inherited.
    """
    trials = list(trials)
    losses = {trial.id: trial.loss for trial in trials if trial.ok}
    groups: dict[float, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for trial in trials:
        proposal = trial.proposal
        if not trial.ok or trial.result.status != "ok" or proposal.parent not in losses:
            continue
        above = trial.loss - losses[proposal.parent]
        if proposal.inherit == "scratch":
            groups[proposal.fidelity][1].append(above)
        elif proposal.inherit in ("copy", "morph") and trial.result.info.get("inherited"):
            groups[proposal.fidelity][0].append(above)
    if not any(inherited for inherited, _ in groups.values()):
        return None
    fidelity = max(groups, key=lambda z: (len(groups[z][1]), len(groups[z][0]), z))
    inherited, control = groups[fidelity]
    return Inheritance(fidelity, len(inherited), len(control), *shift(inherited, control, confidence))
