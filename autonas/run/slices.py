"""How much of the time a trial may take, and whether what is left is enough for it.

Every trial gets a share of the limit: the portfolio says how much its entries get, what a strategy proposes gets a
fixed part.  A cost model learns from each trial what others will take, so that near the end only such trials begin as
still can be of use.  Without a time limit nothing here reads a clock or predicts anything.
"""

from __future__ import annotations

from collections.abc import Mapping

from autonas.core.clock import Clock
from autonas.core.trial import Proposal, Trial
from autonas.surrogates.cost import CostModel

__all__ = ["GRACE", "SHORTEST", "Slices"]

SEARCH_SHARE = 0.15  # of the time limit, for a configuration that a strategy proposed
ALONE_SHARE = 0.35  # of the first trial where no portfolio has given a model yet
GRACE = 0.02  # of the time limit, for running trials to end by themselves
SHORTEST = 0.3  # seconds; less is not worth a start
USEFUL = 0.5  # of what a trial would take, without which it is not begun
UNKNOWN = 1.0  # a standard deviation of so many means says nothing: the kind of model was never seen


class Slices:
    """Time slices of the trials of one search.

    Parameters
    ----------
    clock : Clock
        Of the search.
    trial_seconds : float or None
        Limit of one trial.
    shares : mapping of str to float
        By the key of a proposal, its part of the time limit.
    cost : CostModel or None
        Used with a time limit only.
    """

    def __init__(
        self, clock: Clock, trial_seconds: float | None, shares: Mapping[str, float], cost: CostModel | None
    ) -> None:
        self.clock, self.trial_seconds, self.shares = clock, trial_seconds, shares
        self.cost = cost if clock.seconds is not None else None
        self._alone = not shares  # no model yet, and no portfolio to bring one

    def tell(self, trial: Trial) -> None:
        """Learn what a trial took."""
        self._alone = False
        if self.cost is not None:
            self.cost.tell([trial])

    def seconds(self, proposal: Proposal) -> float | None:
        """The slice of a trial that begins now."""
        clock, own = self.clock, self.trial_seconds
        if clock.seconds is None:
            return own
        left = (1 - GRACE) * clock.left()
        slice_ = min(self._usual(proposal, clock.seconds), left)
        if proposal.fidelity == 1 and clock.left() - slice_ < slice_ / 2:
            slice_ = left  # what would be left is too little for another one
        return max(slice_ if own is None else min(slice_, own), 0.1)

    def _usual(self, proposal: Proposal, limit: float) -> float:
        """The slice of a trial, were there time enough."""
        share = self.shares.get(proposal.key, ALONE_SHARE if self._alone else SEARCH_SHARE)
        slice_ = share * limit * proposal.fidelity
        return slice_ if self.trial_seconds is None else min(slice_, self.trial_seconds)

    def expected(self, proposal: Proposal) -> float | None:
        """Seconds that a trial will take if it begins now; None if too little is known."""
        slice_, predicted = self.seconds(proposal), self._predicted(proposal)
        return predicted if predicted is None or slice_ is None else min(predicted, slice_)

    def fits(self, proposal: Proposal, share: float = USEFUL) -> bool:
        """Whether a trial that begins now can have at least a share of what it would take, were there time enough."""
        clock = self.clock
        if clock.seconds is None:
            return True
        needed, left = self._usual(proposal, clock.seconds), (1 - GRACE) * clock.left()
        if left < share * needed and (predicted := self._predicted(proposal)) is not None:
            needed = min(needed, predicted)
        return left >= max(share * needed, SHORTEST)

    def _predicted(self, proposal: Proposal) -> float | None:
        """What the cost model says, once it knows something."""
        if self.cost is None or (predicted := self.cost.seconds(proposal)) is None:
            return None
        mean, sd = predicted
        return mean if sd < UNKNOWN * mean else None
