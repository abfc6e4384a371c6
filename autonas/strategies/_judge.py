"""The second model of ``auto`` where networks are graphs: it sees them, and ranks the few that the first has found.

To see a network takes a millisecond or more, so the first model, which compares codes, searches thousands of them.
Nothing is seen, nor the space sampled, before the first ranking.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autonas.strategies._model import Belief, Model
from autonas.surrogates.codes import Codes

__all__ = ["Judge"]


class Judge:
    """A model over codes and features of the networks.

    Parameters
    ----------
    codes, seed, first, cap, fit_cap
        As in :class:`~autonas.strategies._model.Model`.
    """

    def __init__(self, codes: Codes, seed: int, first: int, cap: int, fit_cap: int) -> None:
        self._codes, self._options = codes, (1, seed, first, cap, fit_cap)
        self._model: Model | None = None
        self._untold: list[tuple[np.ndarray, float, Sequence[float] | None]] = []

    def tell(self, row: np.ndarray, fidelity: float, values: Sequence[float] | None) -> None:
        """Learn the loss of a code at a fidelity, None if it failed, when it is needed."""
        self._untold.append((row, fidelity, values))

    def belief(self, pending: np.ndarray, rng: np.random.Generator) -> Belief:
        """What is believed now, see :meth:`Model.belief`."""
        if self._model is None:
            from autonas.surrogates.networks import NetworkEncoding

            self._model = Model(self._codes, *self._options, encoding=NetworkEncoding(self._codes))
        for told in self._untold:
            self._model.tell(*told)
        self._untold.clear()
        return self._model.belief(pending, rng)
