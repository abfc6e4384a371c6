"""How far a cheap estimate can be trusted: Kendall's rank correlation with an interval, and the audit of fidelities.

The survey (section 4) warns that low fidelities help only as long as they rank architectures as the full evaluation
does.  A search sees the same configuration at several fidelities anyway, so it can measure that as it goes.  Left out:
a correction for selection.  Where only the best of a rung go on, their ranks agree less than those of all would, so
what is said here is on the careful side: of the best third of a rung tau is about six tenths of what it is of all (a
normal distribution).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from autonas.core.trial import Trial
from autonas.errors import OptionError

__all__ = [
    "RankCorrelation",
    "RungCorrelation",
    "audit",
    "lowest_trusted",
    "rank_correlation",
    "summary",
    "with_highest",
]

FEWEST = 5  # pairs; with fewer, nothing is known
MISLEADING = 0.2  # where tau is below this, surely, a fidelity is not used: of all of a rung it would be a third
_VARIANCE = 0.437  # of atanh(tau) times (n - 4)


class RankCorrelation(NamedTuple):
    """Kendall's tau-b with a confidence interval."""

    tau: float
    low: float
    high: float


@dataclass(frozen=True)
class RungCorrelation:
    """How two fidelities agree on the order of configurations.

    Parameters
    ----------
    fidelity, full : float
        The lower and the higher one.
    n : int
        Configurations that both have seen.
    tau, low, high : float
        Kendall's tau-b and its interval.
    """

    fidelity: float
    full: float
    n: int
    tau: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """What a person may conclude: "trusted", "misleading" or "not known yet"."""
        if self.low > 0:
            return "trusted"
        return "misleading" if self.high < MISLEADING else "not known yet"

    def __str__(self) -> str:
        return (
            f"{self.fidelity:.2g} ranks as {self.full:.2g}: tau {self.tau:.2f} [{self.low:.2f}, {self.high:.2f}], "
            f"{self.n} configurations, {self.verdict}"
        )


def rank_correlation(pairs: Iterable[tuple[float, float]], confidence: float = 0.9) -> RankCorrelation:
    """Kendall's tau-b of pairs, with a two-sided confidence interval.

    Parameters
    ----------
    pairs : iterable of (float, float)
        Finite.
    confidence : float
        In (0, 1).

    Returns
    -------
    RankCorrelation
        Of fewer than 5 pairs, or where one side is constant, nothing is known: 0 in [-1, 1].

    Notes
    -----
    The interval is that of Fieller, Hartley & Pearson (1957): ``atanh(tau)`` is nearly normal with the variance
    ``0.437 / (n - 4)``.

    Raises
    ------
    OptionError
        If a number is not finite.
    """
    values = np.array(list(pairs), dtype=float).reshape(-1, 2)
    if not np.isfinite(values).all():
        raise OptionError("Kendall's tau requires finite numbers: leave failed trials out.")
    n = len(values)
    tau = _tau(values[:, 0], values[:, 1])
    if n < FEWEST or math.isnan(tau):
        return RankCorrelation(0.0, -1.0, 1.0)
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(_VARIANCE / (n - 4))
    # perfect order stands for any tau that one discordant pair would not exceed: its own atanh is infinite
    most = 1 - 4 / (n * (n - 1))
    centre = math.atanh(min(max(tau, -most), most))
    return RankCorrelation(tau, min(tau, math.tanh(centre - reach)), max(tau, math.tanh(centre + reach)))


def _tau(x: np.ndarray, y: np.ndarray) -> float:
    """Kendall's tau-b; NaN where a side is constant."""
    agreement, untied_x, untied_y = 0.0, 0, 0
    for i in range(len(x) - 1):
        over, up = np.sign(x[i + 1 :] - x[i]), np.sign(y[i + 1 :] - y[i])
        agreement += float(over @ up)
        untied_x += int(np.count_nonzero(over))
        untied_y += int(np.count_nonzero(up))
    return agreement / math.sqrt(untied_x * untied_y) if untied_x and untied_y else math.nan


def audit(trials: Iterable[Trial], confidence: float = 0.9) -> list[RungCorrelation]:
    """Rank correlations between the fidelities of a search.

    Parameters
    ----------
    trials : iterable of Trial
        Of a configuration that was evaluated twice at one fidelity the later counts; trials that failed or were
        stopped do not, since they did not reach their fidelity.
    confidence : float

    Returns
    -------
    list of RungCorrelation
        Of every two fidelities that have at least two configurations in common, the highest pair first.
    """
    losses: dict[float, dict[str, float]] = defaultdict(dict)
    for trial in trials:
        if trial.ok and trial.result.status == "ok":
            losses[trial.proposal.fidelity][trial.proposal.key] = trial.loss
    found = []
    for full, fidelity in combinations(sorted(losses, reverse=True), 2):
        common = [key for key in losses[fidelity] if key in losses[full]]
        if len(common) >= 2:
            pairs = [(losses[fidelity][key], losses[full][key]) for key in common]
            found.append(RungCorrelation(fidelity, full, len(common), *rank_correlation(pairs, confidence)))
    return found


def lowest_trusted(rungs: Sequence[RungCorrelation]) -> float:
    """The lowest fidelity that a search should use: above every rung whose ranks the next rung has not borne out.

    Parameters
    ----------
    rungs : sequence of RungCorrelation
        The audit of the search.

    Returns
    -------
    float
        One of its fidelities; 0 as long as none has proved misleading.
    """
    above: dict[float, float] = {}
    for rung in rungs:
        above[rung.fidelity] = min(rung.full, above.get(rung.fidelity, 1.0))
    broken = [rung.full for rung in rungs if rung.full == above[rung.fidelity] and rung.verdict == "misleading"]
    return max(broken, default=0.0)


def with_highest(rungs: Sequence[RungCorrelation]) -> list[RungCorrelation]:
    """How each fidelity agrees with the highest that has a rung."""
    top = max((rung.full for rung in rungs), default=0.0)
    return [rung for rung in rungs if rung.full == top]


def summary(rungs: Sequence[RungCorrelation]) -> str:
    """One line on how each fidelity agrees with the highest; empty if nothing was seen twice."""
    return "; ".join(f"fidelity {rung}" for rung in with_highest(rungs))
