"""Proposals that are pending without a strategy's knowledge: of a wrapper, or from before it was rebuilt."""

from __future__ import annotations

from collections.abc import Collection

from autonas.core.trial import Proposal
from autonas.strategies.base import Strategy

__all__ = ["Point", "ask_other", "point"]

Point = tuple[str, float]


def point(proposal: Proposal) -> Point:
    """What is evaluated: the key and the fidelity."""
    return proposal.key, proposal.fidelity


def ask_other(strategy: Strategy, pending: Collection[Point]) -> Proposal | None:
    """The strategy's next proposal that is not pending; of those that are it learns on the way.

    No strategy repeats what it has asked for itself, so that as many tries as there are pending are enough.
    """
    proposal = strategy.ask()
    for _ in range(len(pending)):
        if proposal is None or point(proposal) not in pending:
            break
        proposal = strategy.ask()
    return proposal
