"""The loss that the best of many members will have on new rows, without the luck of being chosen.

The lowest of many out-of-fold losses is too low.  The bootstrap of Tsamardinos et al (2018) repeats the choice on
rows drawn with replacement and scores its outcome on the rows that were not drawn; nothing is trained again.
"""

from __future__ import annotations

import numpy as np

from autonas.core.clock import Clock
from autonas.core.objective import Metric
from autonas.ensemble.rows import common_rows

__all__ = ["honest_loss"]

ROUNDS = (20, 100)  # fewest and most
SCORES = 2000  # that the bootstrap computes about; some metrics take milliseconds
MAX_ROWS = 5000  # they tell members apart well enough


def honest_loss(
    members: list[np.ndarray],
    y: np.ndarray,
    *,
    metric: Metric,
    kind: str,
    weight: np.ndarray | None = None,
    clock: Clock | None = None,
    seed: int = 0,
) -> float:
    """Expected loss of the member that is best out of fold.

    Parameters
    ----------
    members : list of (rows, outputs) arrays
        Out-of-fold predictions of all that were compared; NaN in rows that a member does not predict.
    y : (rows,) array
    metric : Metric
    kind : {"classification", "regression"}
    weight : (rows,) array or None
    clock : Clock or None
        The bootstrap ends with it, but not before its first round.
    seed : int

    Returns
    -------
    float
        The loss of the best member, plus how much worse the choices of the bootstrap were on rows that had no part
        in them than the best member was there (0 if there is no choice).
    """
    clock = clock or Clock()
    rows, usable = common_rows(members, y, weight, kind)
    given = np.ones(len(rows)) if weight is None or not np.any(weight[rows] > 0) else weight[rows].astype(np.float64)
    y, pool = y[rows], [members[i][rows] for i in usable]
    losses = [metric.loss(y, member, given) for member in pool]
    best = int(np.argmin(losses))
    rng = np.random.default_rng(seed)
    n = min(len(rows), MAX_ROWS)
    luck = []
    rounds = int(np.clip(SCORES // len(pool), *ROUNDS)) if len(pool) > 1 else 0
    for _ in range(rounds):
        some = rng.choice(len(rows), n, replace=False)
        counts = np.bincount(rng.integers(0, n, n), minlength=n)
        drawn, rest = some[counts > 0], some[counts == 0]
        inside = [metric.loss(y[drawn], member[drawn], given[drawn] * counts[counts > 0]) for member in pool]
        # scored on the same rows as the best, so that most of what the rows themselves bring cancels
        outside = [metric.loss(y[rest], pool[i][rest], given[rest]) for i in (int(np.argmin(inside)), best)]
        if np.isfinite(outside).all():
            luck.append(outside[0] - outside[1])
        if clock.over():
            break
    return losses[best] + max(0.0, float(np.mean(luck))) if luck else losses[best]
