"""Bayesian optimisation for spaces of architectures: the most sample-efficient strategy here, and cheap.

A Gaussian process of our own over choices, numbers and conditions (``surrogates/``), lower confidence bounds whose
width is drawn afresh for every proposal (Srinivas et al 2010), and a local search over the moves of the space.
Fitting and searching see a bounded number of trials, so a proposal costs the same after thousands of them.
Where it is known what configurations cost, the cheapest of those that promise nearly the same is taken: a plainer rule
than improvement per second (Snoek et al 2012), which goes for cheap ones that promise less.
Encodings of one network with the same other values are one (after Ying et al 2019): only the first is proposed.
Where networks are graphs, the best that the search finds are ranked anew by a second process, which sees the networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from autonas.core.trial import Config, Proposal, Trial, config_key
from autonas.search_space.space import MODEL, SearchSpace
from autonas.strategies._climb import Moves, climb
from autonas.strategies._judge import Judge
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
_LOOKS = 64  # at most so many candidates are compiled until one is a network that is not known
_REDRAWS = 8  # so many random configurations at most are drawn for a network that is not known
_SHORTLIST = 16  # so many candidates are ranked by what their networks are made of
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
        self._judge = self._make_judge(cap, fit_cap)
        self._moves = Moves(self._codes, 48, 32) if conditional else Moves(self._codes)
        self._drawn, self._starts, self._rounds = (150, 4, 4) if conditional else (200, 5, 6)
        self._rows: dict[str, np.ndarray] = {}  # all that is known, told or pending, by key
        self._taken: set[bytes] = set()
        self._forms: dict[str, str] = {}  # canonical forms of networks made of graphs, by key of the configuration
        self._networks: set[str] = set()  # those of all that is known
        self._pending: set[str] = set()
        self._counts = {j: [0] * int(self._codes.n_values[j]) for j in self._model.roots}
        self._design: np.ndarray | None = None

    def _make_model(self, cap: int, fit_cap: int) -> Model:
        return Model(self._codes, len(self.objectives), self.seed, self.initial, cap, fit_cap)

    def _make_judge(self, cap: int, fit_cap: int) -> Judge | None:
        """What ranks the shortlist anew, where it pays: one objective, and networks that are graphs."""
        graphs = any(self.space.has_graph({MODEL: kind}) for kind in self.space.families)
        if not graphs or self.space.open or len(self.objectives) > 1:
            return None
        return Judge(self._codes, self.seed, self.initial, cap, fit_cap)

    def ask(self) -> Proposal | None:
        number = len(self._rows)
        rng = np.random.default_rng((self.seed, number))
        config = None
        if number < self.initial:
            config = self._spread(number)
        elif self._model.is_ready:
            config = self._model_choice(rng)
        if config is None:
            config = self._any_new(number)
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
        row = self._rows[trial.proposal.key]
        self._model.tell(row, trial.proposal.fidelity, values)
        if self._judge is not None:
            self._judge.tell(row, trial.proposal.fidelity, values)

    def _note(self, proposal: Proposal) -> None:
        if proposal.key not in self._rows:
            row = self._codes.encode(proposal.config)
            self._rows[proposal.key] = row
            self._taken.add(row.tobytes())
            form = self._form(proposal.key, proposal.config)
            if form is not None:
                self._networks.add(form)
            for j, counts in self._counts.items():
                counts[int(row[j])] += 1

    def _spread(self, number: int) -> dict[str, Any] | None:
        if self._design is None:
            rng = np.random.default_rng((self.seed, 0, 2))
            self._design = initial_design(self._codes, self._model.encoding, self.initial, rng)
        return self._first_new(self._design[number : number + 1])

    def _first_new(self, rows: np.ndarray) -> dict[str, Any] | None:
        refused: set[str] = set()
        for row in rows:
            config = self._codes.decode(row)
            key = config_key(config)
            if key in self._rows or key in refused:
                continue
            if self._form(key, config) not in self._networks:
                return config
            refused.add(key)
            if len(refused) == _LOOKS:
                break
        return None

    def _any_new(self, number: int) -> dict[str, Any] | None:
        """A random configuration that is new; its network too, unless a few draws find none."""
        known = set(self._rows)
        config = draw(self.space, known, (self.seed, number))
        for look in range(1, _REDRAWS):
            if config is None:
                break
            key = config_key(config)
            if self._form(key, config) not in self._networks:
                break
            known.add(key)
            config = draw(self.space, known, (self.seed, number, look)) or config
        return config

    def _form(self, key: str, config: Config) -> str | None:
        """The canonical form; None where a configuration is no other's network, or its genome decides."""
        if self.space.open or not self.space.has_graph(config):
            return None
        if key not in self._forms:
            self._forms[key] = self.space.canonical(config)
        return self._forms[key]

    # --- acquisition -------------------------------------------------------------------------------------------------

    def _model_choice(self, rng: np.random.Generator) -> dict[str, Any] | None:
        """The new configuration of the lowest confidence bound that was found."""
        belief = self._model.belief(self._pending_rows(), rng)
        beta = float(rng.choice(_BETAS))
        branch = self._neglected_branch(belief, rng)
        root, candidates = branch if branch is not None else ({}, self._candidates(belief, {}, rng))
        if not len(candidates):
            return None

        value = self._value(belief, beta, root)
        heights = value(candidates)
        order = np.argsort(-heights, kind="stable")
        starts = order[: self._starts]
        ends, tops = climb(value, candidates[starts], heights[starts], self._moves, rng, self._rounds)
        found = np.concatenate([ends[np.argsort(-tops, kind="stable")], candidates[order]])
        if self._judge is not None:
            value = self._value(self._judge.belief(self._pending_rows(), rng), beta, root)
            short = _distinct(found)[:_SHORTLIST]
            ranked = short[np.argsort(-value(short), kind="stable")]
            found = np.concatenate([ranked if self.seconds is None else self._cheapest_first(ranked, value), found])
        elif self.seconds is not None:
            found = self._cheapest_first(np.concatenate([found, self._moves.around(found[:1], rng)[0]]), value)
        return self._first_new(found)

    def _value(self, belief: Belief, beta: float, root: dict[int, float]) -> Callable[[np.ndarray], np.ndarray]:
        """Confidence bounds of codes; of those that are known, or outside the branch, minus infinity."""

        def value(rows: np.ndarray) -> np.ndarray:
            heights = belief.bound(rows, beta)
            heights[~self._allowed(rows, root)] = -np.inf
            return heights

        return value

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
        rows = _distinct(rows)
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


def _distinct(rows: np.ndarray) -> np.ndarray:
    """Each code once, where it comes first."""
    first = list({key: i for i, key in reversed(list(enumerate(row_keys(rows))))}.values())
    return rows[np.sort(first)]


STRATEGY = Auto
