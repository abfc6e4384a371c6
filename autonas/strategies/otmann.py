"""Bayesian optimisation with a distance between architectures, searched by evolution (NASBOT: Kandasamy et al 2018).

A Gaussian process over the optimal transport distances of ``surrogates/otmann.py``, and expected improvement, which
is maximised by mutating the best trials: one to five random edits, most often one.  Architectures are compared with
one cell a stage, since repeated cells say nothing new.  Works on any space: without graphs, hyperparameters are
compared instead.  Left out: the paper's own mutations of graphs, which are the edits of the space here, and old trials
that are not among the best, so that the cost of a proposal is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.core.trial import Config, Proposal, Trial, config_key
from autonas.search_space.moves import mutate
from autonas.search_space.space import SearchSpace
from autonas.strategies.base import Strategy
from autonas.strategies.random import draw

if TYPE_CHECKING:
    from autonas.surrogates.distances import DistanceProcess, Point

__all__ = ["STRATEGY", "Otmann"]

_CAP = 100  # trials that the process sees: the best and the latest
_POOL = 10  # trials from which evolution starts
_ROUNDS = 4
_EDITS = (0.5, 0.25, 0.125, 0.075, 0.05)  # chances of 1, 2, ... edits


class Otmann(Strategy):
    """Gaussian process over distances, expected improvement, evolution.

    Parameters
    ----------
    initial : int
        Trials (also those of a portfolio) before the process is asked.
    candidates : int
        Configurations whose expected improvement is computed for a proposal.
    """

    name = "otmann"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        initial: int = 10,
        candidates: int = 60,
        **options: Any,
    ) -> None:
        from autonas.surrogates.distances import Geometry

        super().__init__(space, objectives, seed=seed, **options)
        self.initial = initial
        self.candidates = candidates
        self._geometry = Geometry(space)
        self._known: set[str] = set()
        self._pending: dict[str, Config] = {}
        self._told: list[tuple[Config, float]] = []  # NaN: failed
        self._seen: list[int] = []  # trials that the process saw last, as it sees them, and the terms between them
        self._points: list[Point] = []
        self._terms = np.empty((0, 0, 0))

    def ask(self) -> Proposal | None:
        key = (self.seed, len(self._known))
        config = None
        if len(self._known) >= self.initial and np.isfinite([loss for _, loss in self._told]).sum() >= 2:
            config = self._evolved(np.random.default_rng(key))
        if config is None:
            config = draw(self.space, self._known, key)
        if config is None:
            return None
        proposal = Proposal(config, origin=self.name)
        self._known.add(proposal.key)
        self._pending[proposal.key] = config
        return proposal

    def tell(self, trial: Trial) -> None:
        self._known.add(trial.proposal.key)
        self._pending.pop(trial.proposal.key, None)
        self._told.append((trial.config, trial.loss if trial.ok else np.nan))

    # --- inside ------------------------------------------------------------------------------------------------------

    def _evolved(self, rng: np.random.Generator) -> dict[str, Any] | None:
        """The new configuration of the highest expected improvement that was found."""
        from autonas.surrogates.entropy import expected_improvement

        process, points = self._believed()
        best = float(process.fitted.min())

        def improvement(terms: np.ndarray) -> np.ndarray:
            return expected_improvement(*process.predict(terms), best)

        order = np.argsort(process.fitted[: len(self._seen)], kind="stable")[:_POOL]
        pool = [dict(self._told[self._seen[i]][0]) for i in order]
        values = improvement(self._geometry.terms([points[i] for i in order], points))
        found: dict[str, dict[str, Any]] = {}
        first = len(pool)
        for _ in range(_ROUNDS):
            spread = float(values.std())
            chances = np.exp((values - values.max()) / spread) if spread > 0 else np.ones(len(values))
            parents = rng.choice(len(pool), self.candidates // _ROUNDS, p=chances / chances.sum())
            children = []
            for parent in parents:
                child = mutate(self.space, pool[parent], rng, int(rng.choice(len(_EDITS), p=_EDITS)) + 1)
                key = config_key(child)
                if key not in self._known and key not in found:
                    found[key] = child
                    children.append(child)
            if children:
                terms = self._geometry.terms([self._geometry.point(child) for child in children], points)
                values = np.concatenate([values, improvement(terms)])
                pool += children
        return pool[first + int(np.argmax(values[first:]))] if len(pool) > first else None

    def _believed(self) -> tuple[DistanceProcess, list[Point]]:
        """The posterior, and the points that it has seen: trials, then those that are pending."""
        from autonas.surrogates.distances import DistanceProcess

        self._see()
        losses = np.array([self._told[i][1] for i in self._seen])
        process = DistanceProcess(self._terms, _targets(losses))
        if not self._pending:
            return process, self._points
        waiting = [self._geometry.point(self._pending[key]) for key in sorted(self._pending)]
        terms = self._geometry.terms
        return process.extended(terms(waiting, self._points), terms(waiting, waiting)), [*self._points, *waiting]

    def _see(self) -> None:
        """Choose the trials that the process sees, and compute what is new of the terms between them."""
        losses = np.array([loss for _, loss in self._told])
        best = np.argsort(losses, kind="stable")[: _CAP // 2].tolist()  # NaN comes last
        latest = [i for i in reversed(range(len(losses))) if i not in best][: _CAP - len(best)]
        chosen = sorted([*best, *latest])
        place = {trial: old for old, trial in enumerate(self._seen)}
        kept = [new for new, trial in enumerate(chosen) if trial in place]
        added = [new for new, trial in enumerate(chosen) if trial not in place]
        olds = [place[chosen[new]] for new in kept]
        points = [
            self._points[place[trial]] if trial in place else self._geometry.point(self._told[trial][0])
            for trial in chosen
        ]
        fresh = self._geometry.terms([points[i] for i in added], points)
        terms = np.zeros((len(chosen), len(chosen), fresh.shape[2]))
        if kept:
            terms[np.ix_(kept, kept)] = self._terms[np.ix_(olds, olds)]
        terms[added] = fresh
        terms[:, added] = fresh.swapaxes(0, 1)
        self._seen, self._points, self._terms = chosen, points, terms


def _targets(losses: np.ndarray) -> np.ndarray:
    """Standardised losses with the bad end drawn in; a failure is as bad as the worst."""
    from autonas.surrogates.targets import bent, standardised

    ok = np.isfinite(losses)
    z = np.empty(len(losses))
    z[ok] = bent(losses[ok])
    z[~ok] = z[ok].max()
    return standardised(z)


STRATEGY = Otmann
