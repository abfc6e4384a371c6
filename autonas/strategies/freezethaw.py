"""Bayesian optimisation that pauses training runs and goes on with them (freeze-thaw: Swersky et al 2014).

Every run is trained one step at a time.  A Gaussian process predicts where all learning curves end
(``surrogates/freezethaw.py``); the next step goes to the run, old or new, that would tell most about which of them ends
lowest.  Considered are ten old runs and three new ones, those of highest expected improvement.  So that a search may
end at any time, every other step goes to a run that is predicted to end lowest: of those that cannot be told apart to
the most advanced, until the best is complete.  Left out: slice sampling of the process's parameters, and the costs of
steps, which count as equal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

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
from autonas.surrogates.freezethaw import Curve, CurvePosterior, CurveProcess
from autonas.surrogates.targets import bent, standardised

__all__ = ["STRATEGY", "FreezeThaw"]

_CAP = 100  # runs that the process sees: the best and the latest
_POINTS = 20  # losses of one curve that it sees
_OLD, _NEW = 10, 3
_ALIKE = 0.25  # standard deviations within which runs cannot be told apart from the best


class FreezeThaw(Strategy):
    """Entropy search over paused and new runs.

    Parameters
    ----------
    min_fidelity : float
        In (0, 1]: one step of training.
    initial : int
        Runs that are started before the process is asked.
    """

    name = "freezethaw"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        min_fidelity: float = 1 / 27,
        initial: int = 5,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        if not 0 < min_fidelity <= 1:
            raise OptionError(f"min_fidelity in (0, 1] was required, given {min_fidelity}.")
        self.min_fidelity = min_fidelity
        self.initial = initial
        self._codes = Codes(space)
        self._encoding = Encoding(self._codes)
        self._process = CurveProcess(self._encoding.block)
        self._spread: list[dict[str, Any]] | None = None
        self._rows: dict[str, np.ndarray] = {}  # of all known configurations
        self._known: set[tuple[str, float]] = set()
        self._pending: dict[str, float] = {}
        self._latest: dict[str, Trial] = {}  # of every run; a failed one is not continued
        self._told: list[Trial] = []
        self._theta: tuple[int, np.ndarray] = (0, np.empty(0))

    def ask(self) -> Proposal | None:
        key: str | None = None
        config = next(self._design(), None)
        if config is None and sum(trial.ok for trial in self._told) >= 2:
            key, config = self._informative(np.random.default_rng((self.seed, len(self._known))))
        if key is None and config is None:
            config = draw(self.space, self._rows, (self.seed, len(self._known)))
        if key is None and config is None:
            key = min(self._paused(), key=lambda k: (self._latest[k].proposal.fidelity, k), default=None)
        if config is not None:
            proposal = Proposal(config, fidelity=self._next(0.0), origin=self.name)
        elif key is not None:
            trial = self._latest[key]
            fidelity = self._next(trial.proposal.fidelity)
            proposal = Proposal(trial.config, fidelity, parent=trial.id, inherit="resume", origin=self.name)
        else:
            return None
        self._note(proposal)
        self._pending[proposal.key] = proposal.fidelity
        return proposal

    def tell(self, trial: Trial) -> None:
        key = trial.proposal.key
        self._note(trial.proposal)
        self._pending.pop(key, None)
        before = self._latest.get(key)
        if before is None or trial.proposal.fidelity > before.proposal.fidelity or not trial.ok:
            self._latest[key] = trial
        self._told.append(trial)

    def keep(self) -> set[int]:
        return {self._latest[key].id for key in self._paused(pending=True)}

    def incumbent(self) -> Proposal | None:
        """The rest of the run that is predicted to end lowest; where that is complete, the run itself."""
        if not any(trial.ok for trial in self._told):
            return None
        curves, posterior = self._believed()
        keys = [key for key in curves if self._is_sound(key)]
        if not keys:
            return None
        trial = self._latest[keys[int(np.argmin(posterior.marginals(self._features(keys))[0]))]]
        if trial.proposal.fidelity == 1:
            return trial.proposal
        return Proposal(trial.config, parent=trial.id, inherit="resume", origin=self.name)

    # --- runs --------------------------------------------------------------------------------------------------------

    def _note(self, proposal: Proposal) -> None:
        self._known.add((proposal.key, proposal.fidelity))
        if proposal.key not in self._rows:
            self._rows[proposal.key] = self._codes.encode(proposal.config)

    def _next(self, fidelity: float) -> float:
        """One step on."""
        following = self.min_fidelity * (math.floor(fidelity / self.min_fidelity + 1e-6) + 1)
        return following if following < 1 - 1e-9 else 1.0

    def _paused(self, pending: bool = False) -> list[str]:
        """Runs that can go on."""
        return [
            key
            for key, trial in sorted(self._latest.items())
            if trial.ok and trial.proposal.fidelity < 1 and (pending or key not in self._pending)
        ]

    def _design(self) -> Iterator[dict[str, Any]]:
        """What is left of the initial design."""
        if self._spread is None:
            rng = np.random.default_rng((self.seed, 0, 2))
            rows = initial_design(self._codes, self._encoding, self.initial, rng)
            self._spread = [self._codes.decode(row) for row in rows]
        return (config for config in self._spread if config_key(config) not in self._rows)

    # --- curves ------------------------------------------------------------------------------------------------------

    def _curves(self, trials: Sequence[Trial]) -> dict[str, Curve]:
        """By configuration, as the process sees them: losses with the bad end drawn in, standardised."""
        points: dict[str, dict[float, float]] = {}
        for trial in trials:
            curve = points.setdefault(trial.proposal.key, {})
            curve.update({round(z / self.min_fidelity, 6): loss for z, loss in trial.result.curve if z > 0})
            curve[round(trial.proposal.fidelity / self.min_fidelity, 6)] = trial.loss
        lowest = {key: min(curve.values()) for key, curve in points.items()}
        best = sorted(points, key=lambda key: (lowest[key], key))[: _CAP // 2]
        chosen = set(best) | set([key for key in reversed(points) if key not in best][: _CAP - len(best)])
        points = {key: dict(sorted(points[key].items())) for key in points if key in chosen}
        for curve in points.values():
            if len(curve) > _POINTS:
                kept = np.unique(np.linspace(0, len(curve) - 1, _POINTS).round().astype(int))
                times = [list(curve)[i] for i in kept]
                for time in set(curve).difference(times):
                    del curve[time]
        losses = np.array([loss for curve in points.values() for loss in curve.values()])
        ok = np.isfinite(losses)
        losses[ok] = bent(losses[ok])
        losses[~ok] = losses[ok].max()
        ends = np.cumsum([len(curve) for curve in points.values()])[:-1]
        parts = np.split(standardised(losses), ends)
        return {key: Curve(tuple(points[key]), part) for key, part in zip(points, parts, strict=True)}

    def _features(self, keys: Sequence[str]) -> np.ndarray:
        return self._encoding(np.array([self._rows[key] for key in keys]).reshape(-1, len(self._codes)))

    def _believed(self) -> tuple[dict[str, Curve], CurvePosterior]:
        """The curves, and what is believed of them; steps that are pending count as if their mean had come true."""
        n = mark(len(self._told))
        while not any(trial.ok for trial in self._told[:n]):
            n += 1
        if self._theta[0] != n:
            curves = self._curves(self._told[:n])
            self._theta = n, self._process.fit(self._features(list(curves)), list(curves.values()))
        curves = self._curves(self._told)
        posterior = self._posterior(curves)
        for key, fidelity in sorted(self._pending.items()):
            time = round(fidelity / self.min_fidelity, 6)
            offset, slope, _ = posterior.step(curves.get(key), time)
            value = offset + slope * posterior.marginals(self._features([key]))[0]
            before = curves.get(key, Curve((), np.empty(0)))
            curves[key] = Curve((*before.times, time), np.concatenate([before.values, value]))
        return curves, self._posterior(curves) if self._pending else posterior

    def _posterior(self, curves: dict[str, Curve]) -> CurvePosterior:
        return CurvePosterior(self._process, self._features(list(curves)), list(curves.values()), self._theta[1])

    # --- acquisition -------------------------------------------------------------------------------------------------

    def _informative(self, rng: np.random.Generator) -> tuple[str | None, dict[str, Any] | None]:
        """A run to go on with, or the configuration of a new one."""
        curves, posterior = self._believed()
        keys = list(curves)
        means, deviations = posterior.marginals(self._features(keys))
        paused = [key for key in self._paused() if key in curves]
        order = [keys[i] for i in np.argsort(means, kind="stable") if self._is_sound(keys[i])]
        if len(self._known) % 2 and order and self._latest[order[0]].proposal.fidelity < 1:
            at = keys.index(order[0])
            rivals = [key for key, mean in zip(keys, means, strict=True) if mean <= means[at] + _ALIKE * deviations[at]]
            rivals = [key for key in order if key in rivals and key in paused]
            if rivals:
                return max(rivals, key=lambda key: self._latest[key].proposal.fidelity), None
        best = float(means.min())
        improvement = dict(zip(keys, expected_improvement(means, deviations, best), strict=True))
        by_improvement = sorted(improvement, key=lambda key: -improvement[key])
        old = [key for key in by_improvement if key in paused][:_OLD]
        others = [key for key in by_improvement if key not in old and self._is_sound(key)][:_OLD]
        top = np.array([self._rows[key] for key in order[:3]]).reshape(-1, len(self._codes))
        new = self._new(posterior, top, best, rng)
        if not old and not len(new):
            return None, None
        features = np.concatenate([self._features(old), self._encoding(new), self._features(others)])
        mean, covariance = posterior.asymptotes(features)
        effects = np.empty((len(old) + len(new), len(features)))
        for i in range(len(effects)):
            curve = curves[old[i]] if i < len(old) else None
            reached = self._latest[old[i]].proposal.fidelity if i < len(old) else 0.0
            _, slope, variance = posterior.step(curve, self._next(reached) / self.min_fidelity)
            effects[i] = slope * covariance[i] / math.sqrt(variance + slope**2 * covariance[i, i])
        chosen = int(np.argmax(information_gain(mean, covariance, effects, rng)))
        return (old[chosen], None) if chosen < len(old) else (None, self._codes.decode(new[chosen - len(old)]))

    def _is_sound(self, key: str) -> bool:
        return key in self._latest and self._latest[key].ok

    def _new(self, posterior: CurvePosterior, top: np.ndarray, best: float, rng: np.random.Generator) -> np.ndarray:
        """Codes of the new configurations of highest expected improvement."""
        rows = pool(self._codes, top, 200, 100, rng)
        values = expected_improvement(*posterior.marginals(self._encoding(rows)), best)
        found: dict[str, np.ndarray] = {}
        for i in np.argsort(-values, kind="stable"):
            key = config_key(self._codes.decode(rows[i]))
            if key not in self._rows:
                found.setdefault(key, rows[i])
            if len(found) == _NEW:
                break
        return np.array(list(found.values())).reshape(-1, len(self._codes))


STRATEGY = FreezeThaw
