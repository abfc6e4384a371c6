"""The trials of a search for a person to read: the best of them, the Pareto front, a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from autonas.core.constraints import Constraint, violation
from autonas.core.pareto import non_dominated
from autonas.core.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["History"]


class History:
    """Finished trials, in the order in which they were told.

    Parameters
    ----------
    objectives : sequence of str
        Names of the losses, the main one first.
    constraints : sequence of Constraint
        A trial that exceeds one is never the best.

    Attributes
    ----------
    trials : list of Trial
    """

    def __init__(self, objectives: Sequence[str], constraints: Sequence[Constraint] = ()) -> None:
        self.objectives = tuple(objectives)
        self.constraints = tuple(constraints)
        self.trials: list[Trial] = []
        self._best: Trial | None = None

    def add(self, trial: Trial) -> None:
        """Append a finished trial."""
        self.trials.append(trial)
        best = self._best
        if self.feasible(trial) and (best is None or _rank(trial) < _rank(best)):
            self._best = trial

    def feasible(self, trial: Trial) -> bool:
        """Whether a trial succeeded and keeps to all limits."""
        return trial.ok and violation(self.constraints, trial.result.values) == 0

    @property
    def best(self) -> Trial | None:
        """The feasible trial of the lowest first loss at the highest fidelity so far; None before there is one."""
        return self._best

    @property
    def pareto(self) -> list[Trial]:
        """The feasible trials at the highest fidelity that no other dominates, by the first loss."""
        good = [t for t in self.trials if self.feasible(t)]
        top = max((t.proposal.fidelity for t in good), default=1.0)
        good = sorted((t for t in good if t.proposal.fidelity == top), key=lambda t: t.loss)
        values = np.array([[t.result.values[name] for name in self.objectives] for t in good])
        mask = non_dominated(values.reshape(len(good), len(self.objectives)))
        return [trial for trial, on_front in zip(good, mask, strict=True) if on_front]

    def to_frame(self) -> pd.DataFrame:
        """One row a trial: losses and other values, then the hyperparameters (missing where not active).

        Hyperparameters are in columns ``config.NAME``.
        """
        import pandas as pd

        rows = [
            {
                "trial": t.id,
                **{name: t.result.values.get(name, math.nan) for name in self.objectives},
                **{name: value for name, value in t.result.values.items() if name not in self.objectives},
                "fidelity": t.proposal.fidelity,
                "status": t.result.status,
                "feasible": self.feasible(t),
                "origin": t.proposal.origin,
                "seconds": t.result.cost_seconds,
                "error": t.result.error,
                **{f"config.{name}": value for name, value in t.config.items()},
            }
            for t in self.trials
        ]
        return pd.DataFrame(rows)

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def __repr__(self) -> str:
        failed = [t for t in self.trials if not t.ok]
        lines = [f"{len(self.trials)} trials" + (f", {len(failed)} failed" if failed else "")]
        if self.constraints:
            outside = sum(t.ok and not self.feasible(t) for t in self.trials)
            lines[0] += f", {outside} infeasible ({', '.join(map(str, self.constraints))})"
        if (best := self.best) is not None:
            lines.append(f"best: {_values(best, self.objectives)} (trial {best.id})")
            lines.append(f"      {dict(best.config)}")
            if len(self.objectives) > 1:
                lines.append(f"Pareto front: {len(self.pareto)} trials")
        elif failed:
            lines.append(f"first failure: {failed[0].result.error}")
        return "\n".join(lines)


def _rank(trial: Trial) -> tuple[float, float]:
    return -trial.proposal.fidelity, trial.loss


def _values(trial: Trial, names: Sequence[str]) -> str:
    return ", ".join(f"{name} = {trial.result.values[name]:.6g}" for name in names)
