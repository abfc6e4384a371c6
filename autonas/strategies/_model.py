"""What ``auto`` knows and believes: all trials, their targets, and a Gaussian process over them.

The parameters of the process are refitted when the number of trials passes marks that depend on it alone, on the
trials as they stood then.  A fit starts from that of the last *anchor*, a mark at which the number had doubled since
the anchor before; an anchor starts from the prior.  So a search that is replayed ends with the same parameters after
two fits at most.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autonas.surrogates.codes import Codes
from autonas.surrogates.encoding import Encoding
from autonas.surrogates.gp import LITTLE_NOISE, NOISE, GaussianProcess, Points, Posterior
from autonas.surrogates.targets import bent, knee, ranked, standardised

__all__ = ["Belief", "Model", "Scalarise"]

_NUMBER, _GROUP, _OTHER = 1.25, 0.5, -0.5  # prior means of ln w
_PAIRS = 0.3  # share of the effects of pairs where all is choices and orders
_EVERY = 30  # up to so many trials the parameters are refitted for each
_CALLS, _ANCHOR_CALLS = 8, 20  # evaluations of the posterior density in a fit
_SIMILAR = 300  # trials that the odds of success look at
_LOWEST_FIDELITY = 27.0


class Scalarise:
    """One loss out of several, with weights that are drawn for each proposal (ParEGO, Knowles 2006)."""

    def __init__(self, rng: np.random.Generator, n_objectives: int) -> None:
        self.weights = rng.dirichlet(np.ones(n_objectives)) if n_objectives > 1 else np.ones(1)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """(n,) losses from (n, n_objectives) ones."""
        if len(self.weights) == 1:
            return values[:, 0]
        from autonas.core.pareto import scalarise

        return scalarise(values, self.weights)


@dataclass(frozen=True)
class _Mark:
    """The trials when a refit was due."""

    values: np.ndarray
    fidelities: np.ndarray


class Model:
    """Trials and the surrogate of their losses.

    Parameters
    ----------
    codes : Codes
    n_objectives : int
    seed : int
    first : int
        Trials before the first fit.
    cap, fit_cap : int
        Trials that the process sees, and that a fit of its parameters sees, at most: half of them the best.
    encoding : Encoding or None
        What the process compares; None: the codes alone.
    """

    def __init__(
        self,
        codes: Codes,
        n_objectives: int,
        seed: int,
        first: int,
        cap: int,
        fit_cap: int,
        encoding: Encoding | None = None,
    ) -> None:
        self.codes = codes
        self.encoding = encoding or Encoding(codes)
        parents = [j for children in codes.parents.values() for j in children]
        self.roots = [
            j for j, p in enumerate(codes.parameters) if p.kind == "choice" and not p.conditional and j in parents
        ]
        self._flat = not codes.parents and all(len(parameter.values) for parameter in codes.parameters)
        self._seed, self._cap, self._fit_cap = seed, cap, fit_cap
        self.rows = np.empty((0, len(codes)))
        self._features = np.empty((0, len(self.encoding.block)))
        self._values = np.empty((0, n_objectives))  # NaN for a failure
        self._fidelities = np.empty(0)
        self._n = 0
        self._place: dict[tuple[bytes, float], int] = {}
        self._first = max(first, 2)
        self._next = self._next_anchor = self._first
        self._mark: _Mark | None = None  # where a fit is due
        self._anchor_mark: _Mark | None = None
        kinds = np.where(self.encoding.is_group, _GROUP, np.where(self.encoding.is_number, _NUMBER, _OTHER))
        self._log_weights = kinds.astype(float)
        self._centre = self.encoding.centre()
        self._process = self._make(with_fidelity=False)
        self._theta = self._anchor = self._process.prior

    def tell(self, row: np.ndarray, fidelity: float, values: Sequence[float] | None) -> None:
        """Learn the losses of a code at a fidelity, None if it failed; the latest word counts."""
        key = (row.tobytes(), fidelity)
        i = self._place.setdefault(key, self._n)
        if i == self._n:
            if self._n == len(self.rows):
                self._grow()
            self.rows[i], self._fidelities[i] = row, fidelity
            self._features[i] = self.encoding(row[None])[0]
            self._n += 1
        self._values[i] = math.nan if values is None else values
        n_ok = self.n_ok
        if n_ok >= self._next:
            self._next = n_ok + (1 if n_ok < _EVERY else max(1, n_ok // 15))
            self._mark = _Mark(self._values[: self._n].copy(), self._fidelities[: self._n])
            if n_ok >= self._next_anchor:
                self._next_anchor = 2 * n_ok
                self._anchor_mark, self._mark = self._mark, None

    @property
    def n_ok(self) -> int:
        """Trials that did not fail."""
        return int(np.isfinite(self._values[: self._n, 0]).sum())

    @property
    def is_ready(self) -> bool:
        """Whether a belief is worth more than chance: low fidelities alone may be noise."""
        fidelities = self._fidelities[: self._n]
        full = np.isfinite(self._values[: self._n, 0]) & (fidelities == 1)
        return self.n_ok >= 2 and (bool((fidelities == 1).all()) or int(full.sum()) >= self._first)

    def _grow(self) -> None:
        size = max(64, 2 * len(self.rows))
        for name in ("rows", "_features", "_values", "_fidelities"):
            array = getattr(self, name)
            larger = np.empty((size, *array.shape[1:]))
            larger[: len(array)] = array
            setattr(self, name, larger)

    # --- belief ------------------------------------------------------------------------------------------------------

    def belief(self, pending: np.ndarray, rng: np.random.Generator) -> Belief:
        """What is believed now; at least one trial must have succeeded.

        Parameters
        ----------
        pending : (n, n_parameters) array
            Codes whose results are awaited.
        """
        if self._anchor_mark is not None:
            self._theta = self._anchor = self._fitted(self._anchor_mark, None, _ANCHOR_CALLS)
            self._anchor_mark = None
        if self._mark is not None:
            self._theta = self._fitted(self._mark, self._anchor, _CALLS)
            self._mark = None
        values = self._values[: self._n]
        ok = self._telling(values, self._fidelities[: self._n])
        z = self._targets(values[ok], ok, Scalarise(rng, values.shape[1]))
        used = self._used(z, ok, self._cap, rng)
        seen = self._points(ok[used])
        posterior = self._process.posterior(seen, z[used], self._theta)
        fitted = posterior.fitted
        if self._has_fidelity:
            fitted = posterior.predict(self.points(self.rows[ok[used]]))[0]
        belief = Belief(self, posterior, self.rows[ok[used]], fitted, float(z.max()))
        if len(pending):
            # pessimistic, so that simultaneous asks spread out
            waiting = self.points(pending)
            mean, deviation = posterior.predict(waiting)
            belief.posterior = posterior.extended(waiting, mean + deviation)
        if self.n_ok < self._n:
            finished = np.arange(self._n)
            if self._n > _SIMILAR:
                finished = np.sort(rng.choice(self._n, _SIMILAR, replace=False))
            belief.finished = self._points(finished)
            belief.success = np.isfinite(values[finished, 0]).astype(float)
            belief.rate = self.n_ok / self._n
        return belief

    def _telling(self, values: np.ndarray, fidelities: np.ndarray) -> np.ndarray:
        """Successful trials, without those of low fidelity once there are enough above them.

        As in BOHB (Falkner et al 2018): low rungs may be mostly noise, and there are many of them.
        """
        ok = np.flatnonzero(np.isfinite(values[:, 0]))
        enough = len(self.codes) + 2
        if len(ok) <= enough:
            return ok
        return ok[fidelities[ok] >= np.sort(fidelities[ok])[-enough]]

    def _fitted(self, mark: _Mark, start: np.ndarray | None, calls: int) -> np.ndarray:
        """Theta after a fit to the trials of a mark; None starts from the prior."""
        ok = self._telling(mark.values, mark.fidelities)
        if not self._has_fidelity and (mark.fidelities < 1).any():
            self._process = self._make(with_fidelity=True)
        prior = self._process.prior
        if start is None:
            start = prior
        elif len(start) < len(prior):  # the anchor knew full fidelities only
            start = np.insert(start, len(self._log_weights), prior[len(self._log_weights)])
        rng = np.random.default_rng((self._seed, len(ok), 1))
        z = self._targets(mark.values[ok], ok, Scalarise(rng, mark.values.shape[1]))
        used = self._used(z, ok, self._fit_cap, rng)
        return self._process.fit(self._points(ok[used]), z[used], start, calls)

    def _targets(self, values: np.ndarray, trials: np.ndarray, scalarise: Scalarise) -> np.ndarray:
        losses = scalarise(values)
        if self._flat:
            return standardised(standardised(ranked(losses)) + standardised(bent(losses)))
        branches = self.branches(self.rows[trials]).T > 0
        return standardised(bent(losses, knee(losses, branches)))

    def _used(self, z: np.ndarray, trials: np.ndarray, cap: int, rng: np.random.Generator) -> np.ndarray:
        """At most ``cap`` of the trials: half the best, half any of the others."""
        if len(z) <= cap:
            return np.arange(len(z))
        order = np.argsort(z, kind="stable")
        others = rng.choice(order[cap // 2 :], cap - cap // 2, replace=False)
        return np.sort(np.concatenate([order[: cap // 2], others]))

    # --- points ------------------------------------------------------------------------------------------------------

    def _make(self, *, with_fidelity: bool) -> GaussianProcess:
        self._has_fidelity = with_fidelity
        block, centre, log_weights = self.encoding.block, self._centre, self._log_weights
        if with_fidelity:
            block, centre = np.append(block, len(log_weights)), np.append(centre, 0.0)
            log_weights = np.append(log_weights, _OTHER)
        n_branches = int(sum(self.codes.n_values[j] for j in self.roots))
        # a function of numbers alone may well be smooth; low fidelities are noisy
        smooth = not with_fidelity and not self.codes.parents and not self.codes.n_values.any()
        noise = LITTLE_NOISE if smooth else NOISE
        pairs = _PAIRS if self._flat else 0.0
        return GaussianProcess(block, centre, log_weights, n_branches, len(self.roots), noise, pairs)

    def branches(self, rows: np.ndarray) -> np.ndarray:
        """Indicators of the values of the roots, (n, n_branches)."""
        if not self.roots:
            return np.zeros((len(rows), 0))
        return np.concatenate([rows[:, [j]] == np.arange(self.codes.n_values[j]) for j in self.roots], axis=1) * 1.0

    def points(self, rows: np.ndarray) -> Points:
        """Codes at full fidelity, as the process sees them."""
        features = self.encoding(rows)
        if self._has_fidelity:
            features = np.concatenate([features, np.zeros((len(rows), 1))], axis=1)
        return Points(features, self.branches(rows))

    def _points(self, trials: np.ndarray) -> Points:
        features = self._features[trials]
        if self._has_fidelity:
            place = -np.log(self._fidelities[trials]) / math.log(_LOWEST_FIDELITY)
            features = np.concatenate([features, place[:, None]], axis=1)
        return Points(features, self.branches(self.rows[trials]))


class Belief:
    """The posterior at one ask.

    Attributes
    ----------
    posterior : Posterior
        Pending trials included.
    rows, fitted : arrays
        Codes of the trials that it has seen, and its mean there.
    worst : float
        Highest target.
    """

    def __init__(self, model: Model, posterior: Posterior, rows: np.ndarray, fitted: np.ndarray, worst: float) -> None:
        self.model, self.posterior, self.rows, self.fitted, self.worst = model, posterior, rows, fitted, worst
        self.finished: Points | None = None
        self.success, self.rate = np.empty(0), 1.0

    def bound(self, rows: np.ndarray, beta: float) -> np.ndarray:
        """How good codes may be: minus the lower confidence bound, drawn in by the odds that they fail."""
        points = self.model.points(rows)
        mean, deviation = self.posterior.predict(points)
        value = beta * deviation - mean
        if self.finished is not None:
            near = self.posterior.similarity(points, self.finished)
            odds = (near @ self.success + self.rate) / (near.sum(1) + 1)
            value = -self.worst + odds * (value + self.worst)
        return value
