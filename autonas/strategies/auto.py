"""Bayesian optimisation for spaces of architectures: the most sample-efficient strategy here, and cheap.

A Gaussian process of our own over choices, numbers and conditions (``surrogates/``), lower confidence bounds whose
width is drawn afresh for every proposal (Srinivas et al 2010), and a local search over the moves of the space.
Fitting and searching see a bounded number of trials, so a proposal costs the same after thousands of them.
Where it is known what configurations cost, the cheapest of those that promise nearly the same is taken: a plainer rule
than improvement per second (Snoek et al 2012), which goes for cheap ones that promise less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from autonas.core.trial import Config, Proposal, Trial, config_key
from autonas.search_space.space import SearchSpace
from autonas.strategies._climb import Moves, climb
from autonas.strategies._model import Belief, Model
from autonas.strategies.base import Strategy
from autonas.strategies.random import draw
from autonas.surrogates.codes import Codes, row_keys
from autonas.surrogates.encoding import Encoding

__all__ = ["STRATEGY", "Auto", "initial_design"]

_BETAS = (1.0, 2.0, 3.0)  # widths of the confidence bound, in standard deviations
_OBSERVED = 5  # trials of lowest posterior mean whose neighbourhoods are candidates
_NEARLY = 0.1  # of the deviation of all targets: bounds that differ by less are equal where costs are known
_COSTED = 16  # so many of them at most are asked for their cost
_RULED_OUT = 3.0  # a branch that is not better than the best trial by so many standard deviations gets no quota


def initial_design(codes: Codes, encoding: Encoding, n: int, rng: np.random.Generator) -> np.ndarray:
    """``n`` codes that differ: the best spread of 20 Latin hypercubes (McKay et al 1979).

    Spread is the sum of the three smallest distances to a nearest neighbour; what is forbidden is drawn anew.
    """
    best, best_spread = np.empty((0, len(codes))), -1.0
    for _ in range(20):
        strata = rng.permuted(np.tile(np.arange(n)[:, None], (1, len(codes))), axis=0)
        rows = codes.from_unit((strata + rng.random(strata.shape)) / n)
        rows = codes.activate(rows, rng)
        legal = codes.legal(rows)
        if not legal.all():
            rows = np.concatenate([rows[legal], codes.sample(n - int(legal.sum()), rng)])
        features = encoding(rows)
        distances = ((features[:, None] - features) ** 2).sum(2)
        np.fill_diagonal(distances, np.inf)
        spread = float(np.sort(distances.min(1))[:3].sum()) if len(rows) > 1 else 0.0
        if spread > best_spread:
            best, best_spread = rows, spread
    return best


class Auto(Strategy):
    """Gaussian process, lower confidence bound, local search.

    Parameters
    ----------
    initial : int
        Configurations that are spread over the space before the model is asked, less those of a portfolio.
    seconds : callable or None
        ``seconds(config)`` is what an evaluation will probably take.
    """

    name = "auto"
    multi_objective: ClassVar[bool] = True
    uses_fidelity: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        initial: int = 6,
        seconds: Callable[[Config], float] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self.initial, self.seconds = initial, seconds
        self._codes = Codes(space)
        conditional = bool(self._codes.parents)
        cap, fit_cap = (200, 120) if conditional else (300, 150)
        self._model = self._make_model(cap, fit_cap)
        self._moves = Moves(self._codes, 48, 32) if conditional else Moves(self._codes)
        self._drawn, self._starts, self._rounds = (150, 4, 4) if conditional else (200, 5, 6)
        self._rows: dict[str, np.ndarray] = {}  # all that is known, told or pending, by key
        self._taken: set[bytes] = set()
        self._pending: set[str] = set()
        self._counts = {j: [0] * int(self._codes.n_values[j]) for j in self._model.roots}
        self._design: np.ndarray | None = None

    def _make_model(self, cap: int, fit_cap: int) -> Model:
        return Model(self._codes, len(self.objectives), self.seed, self.initial, cap, fit_cap)

    def ask(self) -> Proposal | None:
        number = len(self._rows)
        rng = np.random.default_rng((self.seed, number))
        config = None
        if number < self.initial:
            config = self._spread(number)
        elif self._model.is_ready:
            config = self._model_choice(rng)
        if config is None:
            config = draw(self.space, self._rows, (self.seed, number))
        if config is None:
            return None
        proposal = Proposal(config, origin=self.name)
        self._note(proposal)
        self._pending.add(proposal.key)
        return proposal

    def tell(self, trial: Trial) -> None:
        self._note(trial.proposal)
        self._pending.discard(trial.proposal.key)
        values = [trial.result.values[name] for name in self.objectives] if trial.ok else None
        if values is not None and not np.isfinite(values).all():
            values = None
        self._model.tell(self._rows[trial.proposal.key], trial.proposal.fidelity, values)

    def _note(self, proposal: Proposal) -> None:
        if proposal.key not in self._rows:
            row = self._codes.encode(proposal.config)
            self._rows[proposal.key] = row
            self._taken.add(row.tobytes())
            for j, counts in self._counts.items():
                counts[int(row[j])] += 1

    def _spread(self, number: int) -> dict[str, Any] | None:
        if self._design is None:
            rng = np.random.default_rng((self.seed, 0, 2))
            self._design = initial_design(self._codes, self._model.encoding, self.initial, rng)
        return self._first_new(self._design[number : number + 1])

    def _first_new(self, rows: np.ndarray) -> dict[str, Any] | None:
        for row in rows:
            config = self._codes.decode(row)
            if config_key(config) not in self._rows:
                return config
        return None

    # --- acquisition -------------------------------------------------------------------------------------------------

    def _model_choice(self, rng: np.random.Generator) -> dict[str, Any] | None:
        """The new configuration of the lowest confidence bound that was found."""
        belief = self._model.belief(self._pending_rows(), rng)
        beta = float(rng.choice(_BETAS))
        branch = self._neglected_branch(belief, rng)
        root, candidates = branch if branch is not None else ({}, self._candidates(belief, {}, rng))
        if not len(candidates):
            return None

        def value(rows: np.ndarray) -> np.ndarray:
            heights = belief.bound(rows, beta)
            heights[~self._allowed(rows, root)] = -np.inf
            return heights

        heights = value(candidates)
        order = np.argsort(-heights, kind="stable")
        starts = order[: self._starts]
        ends, tops = climb(value, candidates[starts], heights[starts], self._moves, rng, self._rounds)
        found = np.concatenate([ends[np.argsort(-tops, kind="stable")], candidates[order]])
        if self.seconds is not None:
            found = self._cheapest_first(np.concatenate([found, self._moves.around(found[:1], rng)[0]]), value)
        return self._first_new(found)

    def _cheapest_first(self, rows: np.ndarray, value: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Best first, but of those that are nearly as good as the best the cheapest first."""
        assert self.seconds is not None
        heights = value(rows)
        order = np.argsort(-heights, kind="stable")
        near = order[heights[order] >= heights[order[0]] - _NEARLY][:_COSTED]
        costs = [self.seconds(self._codes.decode(row)) for row in rows[near]]
        return np.concatenate([rows[near[np.argsort(costs, kind="stable")]], rows[order]])

    def _pending_rows(self) -> np.ndarray:
        return np.array([self._rows[key] for key in sorted(self._pending)]).reshape(-1, len(self._codes))

    def _allowed(self, rows: np.ndarray, root: dict[int, float]) -> np.ndarray:
        """Mask of the codes that are new and inside the branch."""
        allowed = np.array([key not in self._taken for key in row_keys(rows)], dtype=bool)
        for j, code in root.items():
            allowed &= rows[:, j] == code
        return allowed

    def _candidates(self, belief: Belief, root: dict[int, float], rng: np.random.Generator) -> np.ndarray:
        """Distinct new codes of a branch: random ones, and neighbours of the trials of lowest posterior mean."""
        inside = np.ones(len(belief.rows), dtype=bool)
        for j, code in root.items():
            inside &= belief.rows[:, j] == code
        observed = np.flatnonzero(inside)
        best = belief.rows[observed[np.argsort(belief.fitted[observed], kind="stable")[:_OBSERVED]]]
        rows = self._codes.sample(self._drawn, rng, root)
        if len(best):
            rows = np.concatenate([rows, self._moves.around(best, rng)[0]])
        first = list({key: i for i, key in reversed(list(enumerate(row_keys(rows))))}.values())
        rows = rows[np.sort(first)]
        return rows[self._allowed(rows, root)]

    def _neglected_branch(self, belief: Belief, rng: np.random.Generator) -> tuple[dict[int, float], np.ndarray] | None:
        """A branch with fewer trials than its quota that may still hold the best, and candidates inside it."""
        lacks = []
        for j, counts in self._counts.items():
            quota = np.sqrt(len(self._rows) / len(counts))
            lacks += [(1 - count / quota, j, code) for code, count in enumerate(counts) if count < quota]
        lacks.sort(key=lambda lack: -lack[0])
        for _, j, code in lacks[:2]:
            root = {j: float(code)}
            candidates = self._candidates(belief, root, rng)
            if len(candidates) and belief.bound(candidates, _RULED_OUT).max() >= -belief.fitted.min():
                return root, candidates
        return None


STRATEGY = Auto
