"""What ``multifidelity`` knows and believes: the model of ``auto``, with all rungs in one Gaussian process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autonas.core.trial import Value
from autonas.strategies._model import Belief, Model, Scalarise
from autonas.surrogates.codes import Codes
from autonas.surrogates.gp import GaussianProcess
from autonas.surrogates.rungs import RungPoints, RungPosterior, RungProcess

__all__ = ["RungModel"]

_SCALED_BY = 5  # trials whose losses give the scale of the targets: those of the highest rungs


class RungModel(Model):
    """Trials and the surrogate of their losses.

    Parameters
    ----------
    codes, n_objectives, seed, first, cap, fit_cap
        As in :class:`~autonas.strategies._model.Model`.
    fidelities : list of float
        Of the rungs, rising; the last is 1.  A trial at another fidelity counts to the nearest rung.
    """

    def __init__(
        self,
        codes: Codes,
        n_objectives: int,
        seed: int,
        first: int,
        cap: int,
        fit_cap: int,
        fidelities: Sequence[float],
    ) -> None:
        self._places = np.log(fidelities)
        super().__init__(codes, n_objectives, seed, first, cap, fit_cap)
        self._latest: Belief | None = None

    @property
    def is_ready(self) -> bool:
        """Whether a belief is worth more than chance."""
        return self.n_ok >= self._first

    def belief(self, pending: np.ndarray, rng: np.random.Generator) -> Belief:
        """What is believed now, see :meth:`Model.belief`; it is what the other methods go by."""
        self._latest = super().belief(pending, rng)
        return self._latest

    def informed(self, row: np.ndarray, rungs: Sequence[int]) -> np.ndarray:
        """What a trial of a code at each of the rungs would explain of the variance at the last of them, (n,)."""
        assert self._latest is not None, "there was a belief before"
        posterior = self._latest.posterior
        assert isinstance(posterior, RungPosterior)
        return posterior.informed(self._at(np.repeat(row[None], len(rungs), axis=0), np.array(rungs)))

    def best(self, allowed: set[bytes], pending: np.ndarray, rng: np.random.Generator) -> dict[str, Value] | None:
        """The allowed one of the codes that were seen with the lowest predicted loss at full fidelity."""
        belief = self.belief(pending, rng)
        order = np.argsort(belief.fitted, kind="stable")
        found = (row for row in belief.rows[order] if row.tobytes() in allowed)
        row = next(found, None)
        return None if row is None else self.codes.decode(row)

    def points(self, rows: np.ndarray) -> RungPoints:
        """Codes at full fidelity, as the process sees them."""
        return self._at(rows, np.full(len(rows), len(self._places) - 1))

    def _at(self, rows: np.ndarray, rungs: np.ndarray) -> RungPoints:
        return RungPoints(self.encoding(rows), self.branches(rows), rungs)

    def _points(self, trials: np.ndarray) -> RungPoints:
        rungs = np.abs(np.log(self._fidelities[trials])[:, None] - self._places).argmin(1)
        return RungPoints(self._features[trials], self.branches(self.rows[trials]), rungs)

    def _make(self, *, with_fidelity: bool) -> GaussianProcess:
        self._has_fidelity = True
        n_branches = int(sum(self.codes.n_values[j] for j in self.roots))
        block, log_weights = self.encoding.block, self._log_weights
        return RungProcess(block, self._centre, log_weights, len(self._places), n_branches, len(self.roots))

    def _telling(self, values: np.ndarray, fidelities: np.ndarray) -> np.ndarray:
        return np.flatnonzero(np.isfinite(values[:, 0]))

    def _targets(self, values: np.ndarray, trials: np.ndarray, scalarise: Scalarise) -> np.ndarray:
        """Losses on a scale that is linear up to the median of the highest rungs and logarithmic beyond."""
        losses, fidelities = scalarise(values), self._fidelities[trials]
        losses = losses / max(float(np.abs(losses).max()), 1e-300)  # differences of huge losses must not overflow
        high = fidelities >= np.sort(fidelities)[-min(_SCALED_BY, len(fidelities))]
        bottom = losses[high].min()
        height = np.median(losses[high]) - bottom or losses[high].std() or losses.std() or 1.0
        u = (losses - bottom) / height
        u = np.where(u <= 1, u, 1 + np.log(np.maximum(u, 1)))
        return (u - u[high].mean()) / (u[high].std() or 1.0)

    def _used(self, z: np.ndarray, trials: np.ndarray, cap: int, rng: np.random.Generator) -> np.ndarray:
        """At most ``cap`` trials: half the highest and best, half any of the others."""
        if len(z) <= cap:
            return np.arange(len(z))
        order = np.lexsort((z, -self._fidelities[trials]))
        others = rng.choice(order[cap // 2 :], cap - cap // 2, replace=False)
        return np.sort(np.concatenate([order[: cap // 2], others]))
