"""Bayesian optimisation that decides what to run at which fidelity: ``auto`` with all rungs in one model.

The search opens with one bracket of successive halving (Jamieson & Talwalkar 2016).  Then the configuration of the
best confidence bound at full fidelity is run at the lowest rung, above those where it was, that still says enough of
its loss at full fidelity: else in full (after BOCA, Kandasamy et al 2017).  Promotions need no rule of their own: what
is still the best bound after a trial at a low rung goes on, and what is not waits.  Whenever low rungs have cost as
much as full trials, the configuration of the lowest predicted loss is run in full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autonas.core.trial import Proposal, Trial, config_key
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies._model import Belief
from autonas.strategies._rungs import RungModel
from autonas.strategies.auto import Auto
from autonas.strategies.halving import rungs
from autonas.strategies.random import draw

__all__ = ["STRATEGY", "MultiFidelity"]

_ENOUGH = 0.3  # share of the variance at full fidelity that a trial has to explain
_FIRST = 6  # trials before the first fit


class MultiFidelity(Auto):
    """Gaussian process over all rungs, lower confidence bound, the cheapest rung that tells enough.

    The opening bracket starts ``eta**s`` configurations at the lowest of ``s + 1`` fidelities.

    Parameters
    ----------
    eta : float
        Factor between fidelities.
    min_fidelity : float
        In (0, 1); at 1 there is one fidelity only, which is what ``auto`` is for.
    """

    name = "multifidelity"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        eta: float = 3,
        min_fidelity: float = 1 / 27,
        **options: Any,
    ) -> None:
        if not eta > 1:
            raise OptionError(f"eta > 1 was required, given {eta}.")
        if not 0 < min_fidelity * eta <= 1 + 1e-9:
            raise OptionError(
                f"min_fidelity in (0, 1 / eta] was required, given {min_fidelity} with eta = {eta}. "
                'For trials at full fidelity only use the strategy "auto".'
            )
        self.fidelities = rungs(eta, min_fidelity)
        last = len(self.fidelities) - 1
        self._opening = [math.floor(eta ** (last - rung) + 1e-9) for rung in range(last + 1)]
        super().__init__(space, objectives, seed=seed, initial=self._opening[0], **options)
        self._points: set[tuple[str, float]] = set()
        self._highest: dict[str, Trial] = {}  # by key: at the highest fidelity, of those that did not fail
        self._waiting: set[bytes] = set()  # rows that may go on
        self._fidelity: dict[int, float] = {}  # by trial
        self._full, self._cheap = 0, [0.0]  # number of full trials, and costs of the others

    def _make_model(self, cap: int, fit_cap: int) -> RungModel:
        first = min(_FIRST, self.initial)
        return RungModel(self._codes, len(self.objectives), self.seed, first, cap, fit_cap, self.fidelities)

    def _make_judge(self, cap: int, fit_cap: int) -> None:
        """None: which rung to run follows from one model of all of them."""

    def ask(self) -> Proposal | None:
        number = len(self._points)
        rng = np.random.default_rng((self.seed, number))
        config, fidelity = self._opening_start((self.seed, number)), self.fidelities[0]
        if config is None and (promoted := self._opening_promotion()) is not None:
            config, fidelity = self._codes.decode(self._rows[promoted[0]]), promoted[1]
        if config is None and self._model.is_ready:
            config, fidelity = self._believed_choice(rng)
        if config is None:
            config, fidelity = draw(self.space, self._rows, (self.seed, number)), self.fidelities[0]
        if config is None and self._waiting:  # the space has nothing new
            config, fidelity = self._codes.decode(np.frombuffer(min(self._waiting))), 1.0
        if config is None:
            return None
        before = self._highest.get(config_key(config))
        if before is None:
            proposal = Proposal(config, fidelity, origin=self.name)
        else:
            proposal = Proposal(config, fidelity, before.id, "resume", self.name)
        self._note(proposal)
        self._block(proposal.key)
        self._pending.add(proposal.key)
        return proposal

    def tell(self, trial: Trial) -> None:
        key = trial.proposal.key
        super().tell(trial)
        self._fidelity[trial.id] = trial.proposal.fidelity
        known = self._highest.get(key)
        if trial.ok and (known is None or trial.proposal.fidelity > known.proposal.fidelity):
            self._highest[key] = trial
        if trial.ok and self._highest[key].proposal.fidelity < 1:
            self._taken.discard(self._rows[key].tobytes())
            self._waiting.add(self._rows[key].tobytes())
        else:
            self._block(key)

    def keep(self) -> set[int]:
        return {trial.id for key, trial in self._highest.items() if self._rows[key].tobytes() in self._waiting}

    def _note(self, proposal: Proposal) -> None:
        super()._note(proposal)
        if (proposal.key, proposal.fidelity) not in self._points:
            self._points.add((proposal.key, proposal.fidelity))
            self._full += proposal.fidelity == 1
            if proposal.fidelity < 1:
                before = 0.0 if proposal.parent is None else self._fidelity.get(proposal.parent, 0.0)
                self._cheap.append(proposal.fidelity - before)

    def _block(self, key: str) -> None:
        """Not to be proposed: pending, failed or done."""
        self._taken.add(self._rows[key].tobytes())
        self._waiting.discard(self._rows[key].tobytes())

    def _opening_start(self, key: tuple[int, int]) -> dict[str, Any] | None:
        """A new configuration for the bracket that opens the search."""
        if len(self._rows) >= self.initial:
            return None
        spread = self._spread(len(self._rows))
        if spread is None or config_key(spread) in self._rows:
            return draw(self.space, self._rows, key)
        return spread

    def _opening_promotion(self) -> tuple[str, float] | None:
        """Key and fidelity of the next promotion of the bracket that opens the search."""
        for here, above, size in zip(self.fidelities, self.fidelities[1:], self._opening[1:], strict=False):
            if len({key for key, fidelity in self._points if fidelity >= above}) < size:
                found = [
                    (trial.loss, trial.id, key)
                    for key, trial in self._highest.items()
                    if trial.proposal.fidelity == here and self._rows[key].tobytes() in self._waiting
                ]
                if found:
                    return min(found)[2], above
        return None

    # --- acquisition -------------------------------------------------------------------------------------------------

    def _believed_choice(self, rng: np.random.Generator) -> tuple[dict[str, Any] | None, float]:
        assert isinstance(self._model, RungModel)
        if round(math.fsum(self._cheap), 9) >= self._full + 1:
            best = self._model.best(self._waiting, self._pending_rows(), rng)
            if best is not None:
                return best, 1.0
        config = self._model_choice(rng)
        if config is None:
            return None, 1.0
        known = self._highest.get(config_key(config))
        above = [i for i, z in enumerate(self.fidelities) if known is None or z > known.proposal.fidelity]
        shares = self._model.informed(self._codes.encode(config), above)
        rung = next(i for i, share in zip(above, shares, strict=True) if share >= _ENOUGH or i == above[-1])
        return config, self.fidelities[rung]

    def _first_new(self, rows: np.ndarray) -> dict[str, Any] | None:
        for row in rows:
            config = self._codes.decode(row)
            known = self._rows.get(config_key(config))
            if known is None or known.tobytes() in self._waiting:
                return config
        return None

    def _candidates(self, belief: Belief, root: dict[int, float], rng: np.random.Generator) -> np.ndarray:
        rows = super()._candidates(belief, root, rng)
        waiting = np.array([np.frombuffer(row) for row in sorted(self._waiting)]).reshape(-1, len(self._codes))
        return np.concatenate([rows, waiting[self._allowed(waiting, root)]])


STRATEGY = MultiFidelity
