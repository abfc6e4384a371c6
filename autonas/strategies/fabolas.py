"""Bayesian optimisation across shares of the data: information per cost (FABOLAS: Klein et al 2017a).

One Gaussian process for losses and one for costs, over configurations and fidelities; what is evaluated next is the
pair that tells most about where the minimum at full fidelity lies, for what it costs.  A proposal starts afresh, since
another share of the data is another problem.  In place of the paper's final training, the incumbent (the lowest
predicted loss at full fidelity) is evaluated in full whenever lower fidelities have cost as much again, so that a
search may end at any time.  Fidelities are powers of two apart.  Left out: samples of the processes' parameters, and
the cost of the strategy itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from autonas.core.trial import Proposal, Trial, config_key
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies._pool import mark, pool
from autonas.strategies.auto import initial_design
from autonas.strategies.base import Strategy
from autonas.strategies.random import draw
from autonas.surrogates.codes import Codes
from autonas.surrogates.encoding import Encoding
from autonas.surrogates.entropy import expected_improvement, information_gain
from autonas.surrogates.fabolas import FidelityPosterior, FidelityProcess, Points
from autonas.surrogates.targets import bent, standardised

__all__ = ["STRATEGY", "Fabolas", "levels"]

_CAP = 150  # trials that the processes see: the best and the latest
_REPRESENTERS = 50
_DRAWN, _NEAR, _KNOWN = 20, 20, 10  # candidates: random, neighbours of the best, the best


def levels(min_fidelity: float) -> list[float]:
    """Fidelities from the lowest, each twice the one before, to 1."""
    n = math.ceil(-math.log2(min_fidelity) - 1e-9)
    return [min_fidelity * 2.0**k for k in range(n)] + [1.0]


class Fabolas(Strategy):
    """Entropy search per cost over configurations and fidelities.

    Parameters
    ----------
    min_fidelity : float
        In (0, 1].
    initial : int
        Configurations of the initial design, each evaluated at all fidelities up to a sixth of the full one.
    cost : {"seconds", "fidelity"}
        What a trial is said to cost: ``Result.cost_seconds`` (where that is known of all), or its fidelity.  Measured
        seconds differ from run to run, and so do the proposals that follow from them.
    """

    name = "fabolas"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        min_fidelity: float = 1 / 27,
        initial: int = 4,
        cost: Literal["seconds", "fidelity"] = "fidelity",
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        if not 0 < min_fidelity <= 1:
            raise OptionError(f"min_fidelity in (0, 1] was required, given {min_fidelity}.")
        if cost not in ("seconds", "fidelity"):
            raise OptionError(f'cost "seconds" or "fidelity" was required, given {cost!r}.')
        self.fidelities = levels(min_fidelity)
        self.initial = initial
        self.cost = cost
        self._codes = Codes(space)
        self._encoding = Encoding(self._codes)
        block = self._encoding.block
        self._losses, self._costs = FidelityProcess(block, "loss"), FidelityProcess(block, "cost")
        self._spread: list[dict[str, Any]] | None = None
        self._rows: dict[str, np.ndarray] = {}  # of all known configurations
        self._reached: dict[str, float] = {}  # the highest fidelity that was asked for or told
        self._failed: set[str] = set()
        self._known: set[tuple[str, float]] = set()
        self._pending: set[tuple[str, float]] = set()
        self._full = 0  # own proposals at full fidelity
        self._cheap: list[float] = []  # fidelities of the others
        self._told: list[Trial] = []
        self._theta: tuple[int, list[np.ndarray]] = (0, [])

    def ask(self) -> Proposal | None:
        rng = np.random.default_rng((self.seed, len(self._known)))
        found = next(self._design(), None)
        if found is None and sum(trial.ok for trial in self._told) >= 2:
            found = self._informative(rng)
        if found is None:
            found = self._any()
        if found is None:
            return None
        proposal = Proposal(found[0], fidelity=found[1], origin=self.name)
        self._note(proposal)
        self._pending.add((proposal.key, proposal.fidelity))
        return proposal

    def tell(self, trial: Trial) -> None:
        self._note(trial.proposal)
        self._pending.discard((trial.proposal.key, trial.proposal.fidelity))
        if not trial.ok:
            self._failed.add(trial.proposal.key)
        self._told.append(trial)

    def incumbent(self) -> Proposal | None:
        """The configuration of the lowest predicted loss at full fidelity, evaluated there or not."""
        if not any(trial.ok for trial in self._told):
            return None
        losses = self._believed()[0]
        return Proposal(self._codes.decode(self._rows[self._ranked(losses)[0]]), origin=self.name)

    # --- what is known -----------------------------------------------------------------------------------------------

    def _note(self, proposal: Proposal) -> None:
        key, point = proposal.key, (proposal.key, proposal.fidelity)
        if point in self._known:
            return
        self._known.add(point)
        if key not in self._rows:
            self._rows[key] = self._codes.encode(proposal.config)
        self._reached[key] = max(self._reached.get(key, 0), proposal.fidelity)
        if proposal.origin == self.name:
            self._full += proposal.fidelity == 1
            self._cheap += [proposal.fidelity] if proposal.fidelity < 1 else []

    def _is_open(self, key: str, fidelity: float) -> bool:
        return key not in self._failed and self._reached.get(key, 0) < fidelity

    def _design(self) -> Iterator[tuple[dict[str, Any], float]]:
        """What is left of the initial design."""
        if self._spread is None:
            rng = np.random.default_rng((self.seed, 0, 2))
            rows = initial_design(self._codes, self._encoding, self.initial, rng)
            self._spread = [self._codes.decode(row) for row in rows]
        low = [fidelity for fidelity in self.fidelities if fidelity <= 1 / 6] or self.fidelities[:1]
        for config in self._spread:
            key = config_key(config)
            yield from ((config, fidelity) for fidelity in low if self._is_open(key, fidelity))

    def _any(self) -> tuple[dict[str, Any], float] | None:
        """A new configuration at the lowest fidelity, or one of the known ones at the next."""
        config = draw(self.space, self._rows, (self.seed, len(self._known)))
        if config is not None:
            return config, self.fidelities[0]
        return min(
            (
                (self._codes.decode(row), fidelity)
                for key, row in sorted(self._rows.items())
                for fidelity in self.fidelities
                if self._is_open(key, fidelity)
            ),
            key=lambda found: found[1],
            default=None,
        )

    # --- models ------------------------------------------------------------------------------------------------------

    def _place(self, fidelities: Sequence[float] | np.ndarray) -> np.ndarray:
        """Logarithms of fidelities, 0 at the lowest and 1 at the full one."""
        lowest = min(self.fidelities[0], 0.5)
        return 1 - np.log(np.asarray(fidelities)) / math.log(lowest)

    def _points(self, known: Sequence[tuple[str, float]]) -> Points:
        """Known configurations at some fidelities as the processes see them."""
        rows = np.array([self._rows[key] for key, _ in known]).reshape(-1, len(self._codes))
        return self._encoding(rows), self._place([fidelity for _, fidelity in known])

    def _data(self, trials: Sequence[Trial]) -> tuple[tuple[Points, np.ndarray], tuple[Points, np.ndarray]]:
        """What the two processes see: losses, a failure being as bad as the worst, and logarithms of costs."""
        order = sorted(range(len(trials)), key=lambda i: (trials[i].loss, i))
        best = set(order[: _CAP // 2])
        latest = [i for i in reversed(range(len(trials))) if i not in best][: _CAP - len(best)]
        used = [trials[i] for i in sorted([*best, *latest])]
        points = self._points([(trial.proposal.key, trial.proposal.fidelity) for trial in used])
        ok = np.array([trial.ok for trial in used])
        losses = np.empty(len(used))
        losses[ok] = bent(np.array([trial.loss for trial in used if trial.ok]))
        losses[~ok] = losses[ok].max()
        costs = np.array([trial.result.cost_seconds for trial in used])[ok]
        if self.cost == "fidelity" or not (costs > 0).all():
            costs = np.array([trial.proposal.fidelity for trial in used])[ok]
        return (points, losses), ((points[0][ok], points[1][ok]), np.log(costs))

    def _believed(self) -> tuple[FidelityPosterior, FidelityPosterior, float]:
        """Posteriors of the loss, and of the logarithm of the cost, standardised; and the deviation of the latter."""
        n = mark(len(self._told))
        while not any(trial.ok for trial in self._told[:n]):
            n += 1
        if self._theta[0] != n:
            fitted = zip((self._losses, self._costs), self._data(self._told[:n]), strict=True)
            self._theta = n, [process.fit(*points, standardised(y)) for process, (points, y) in fitted]
        loss, cost = self._data(self._told)
        return (
            FidelityPosterior(self._losses, loss[0], standardised(loss[1]), self._theta[1][0]),
            FidelityPosterior(self._costs, cost[0], standardised(cost[1]), self._theta[1][1]),
            float(cost[1].std()),
        )

    def _ranked(self, losses: FidelityPosterior) -> list[str]:
        """Configurations that did not fail, the lowest predicted loss at full fidelity first."""
        keys = sorted(key for key in {trial.proposal.key for trial in self._told} if key not in self._failed)
        means = losses.mean(*self._points([(key, 1.0) for key in keys]))
        return [keys[i] for i in np.argsort(means, kind="stable")]

    # --- acquisition -------------------------------------------------------------------------------------------------

    def _informative(self, rng: np.random.Generator) -> tuple[dict[str, Any], float] | None:
        """The incumbent in full if that is due, else the pair of most information per cost."""
        losses, costs, cost_deviation = self._believed()
        ranked = self._ranked(losses)
        if ranked and self._is_open(ranked[0], 1.0) and round(math.fsum(self._cheap), 9) >= self._full + 1:
            return self._codes.decode(self._rows[ranked[0]]), 1.0
        best = np.array([self._rows[key] for key in ranked[:_KNOWN]]).reshape(-1, len(self._codes))
        if self._pending:
            losses = losses.extended(*self._points(sorted(self._pending)))
        rows = np.concatenate([pool(self._codes, best[:3], _DRAWN, _NEAR, rng), best])
        pairs = self._pairs(rows)
        if not pairs:
            return None
        features = self._encoding(rows)
        chosen = np.array([i for i, _ in pairs])
        candidates = features[chosen], self._place([fidelity for _, fidelity in pairs])
        representers = self._representers(losses, best, rng)
        full = representers, np.ones(len(representers))
        deviations = np.sqrt(losses.variance(*candidates) + losses.noise(candidates[1]))
        effects = losses.covariance(candidates, full) / deviations[:, None]
        gains = information_gain(losses.mean(*full), losses.covariance(full, full), effects, rng)
        prices = np.exp(cost_deviation * costs.mean(*candidates))
        i, fidelity = pairs[int(np.argmax(gains / prices))]
        return self._codes.decode(rows[i]), fidelity

    def _pairs(self, rows: np.ndarray) -> list[tuple[int, float]]:
        """Rows and fidelities that are still open."""
        found, seen = [], set()
        for i, row in enumerate(rows):
            key = config_key(self._codes.decode(row))
            if key not in seen:
                seen.add(key)
                found += [(i, fidelity) for fidelity in self.fidelities if self._is_open(key, fidelity)]
        return found

    def _representers(self, losses: FidelityPosterior, best: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Features of points where the minimum may be: drawn by expected improvement at full fidelity."""
        rows = np.concatenate([best, pool(self._codes, best[:3], 200, 100, rng)])
        features = self._encoding(rows)
        full = np.ones(len(rows))
        mean, deviation = losses.mean(features, full), np.sqrt(losses.variance(features, full))
        top = float(mean[: len(best)].min()) if len(best) else float(mean.min())
        weights = np.log(np.maximum(expected_improvement(mean, deviation, top), 1e-300))
        order = np.argsort(-(weights + rng.gumbel(size=len(rows))), kind="stable")
        return features[order[:_REPRESENTERS]]


STRATEGY = Fabolas
