"""What a fit is asked for: a metric, further objectives, and limits on what a model costs.

``objectives=["log_loss", "n_params < 1e6"]`` of the estimators.  The costs that can be named are listed here with what
each counts; :mod:`autonas.evaluators.costs` finds their values.  A model averages the networks of all folds, so what it
costs is counted over all of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from autonas.core.constraints import Constraint, split_objectives
from autonas.core.objective import Metric, Scorer, get_metric
from autonas.errors import OptionError, unknown

__all__ = ["BATCH", "COSTS", "Cost", "Goals", "get_goals"]

BATCH = 128  # rows of ``batch_latency``


@dataclass(frozen=True)
class Cost:
    """A cost that may be an objective or limited.

    Attributes
    ----------
    meaning : str
        What it counts, with its unit.
    before_training : bool
        Whether the dry run knows it.  Only networks have a dry run.
    together : {"sum", "max"}
        What several members of an ensemble cost.
    """

    meaning: str
    before_training: bool = False
    together: Literal["sum", "max"] = "sum"


COSTS: Mapping[str, Cost] = {
    "n_params": Cost("trainable numbers of the networks of all folds", before_training=True),
    "macs": Cost("multiply-accumulates of one row through the networks of all folds", before_training=True),
    "memory": Cost("bytes of one step of training of one network", before_training=True, together="max"),
    "latency": Cost("seconds of one row through the models of all folds, on the device"),
    "batch_latency": Cost(f"seconds of {BATCH} rows through the models of all folds, on the device"),
    "train_seconds": Cost("seconds of training and validation, all folds"),
    "disk_bytes": Cost("bytes of the trained models' file, with what training needs to go on"),
}


@dataclass(frozen=True, eq=False)
class Goals:
    """Objectives in the person's order, and limits; made by :func:`get_goals`.

    Attributes
    ----------
    objectives : tuple of str
        Names of metrics and costs, the one that decides first.
    metrics : mapping of str to Metric
        Those that are metrics, the main one first.
    constraints : tuple of Constraint
        On costs.
    stated : tuple of str
        What the person wrote, as canonical texts; empty for a metric alone.
    """

    objectives: tuple[str, ...]
    metrics: Mapping[str, Metric]
    constraints: tuple[Constraint, ...] = ()
    stated: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        """The main one: what validation, ensemble and leaderboard go by."""
        return next(iter(self.metrics.values()))

    @property
    def losses(self) -> tuple[str, ...]:
        """Names of what the search minimises, the main metric first."""
        return (self.metric.name, *(name for name in self.objectives if name != self.metric.name))

    @property
    def costs(self) -> tuple[str, ...]:
        """Names of all costs that are asked for, each once."""
        names = [*self.losses, *(constraint.name for constraint in self.constraints)]
        return tuple(dict.fromkeys(name for name in names if name in COSTS))

    @property
    def columns(self) -> tuple[str, ...]:
        """What a table shows beside the main metric."""
        return tuple(dict.fromkeys([*self.losses[1:], *self.costs]))

    @property
    def several(self) -> bool:
        """Whether there is more than one objective."""
        return len(self.objectives) > 1

    def shown(self, name: str, value: float) -> float:
        """A value as a person reads it: metrics in their own direction."""
        return self.metrics[name].to_score(value) if name in self.metrics else value

    def exceeded(self, values: Mapping[str, float]) -> str:
        """Which limits the values exceed; empty if they keep to all.  A value that is missing counts as inside."""
        broken = [c for c in self.constraints if c.name in values and not c.holds(values[c.name])]
        return "; ".join(f"{c.name} is {values[c.name]:g}, required {c}" for c in broken)

    def together(self, members: Sequence[Mapping[str, float]]) -> dict[str, float]:
        """What several models cost as one."""
        values = {name: [member[name] for member in members] for name in self.costs}
        return {name: max(all_) if COSTS[name].together == "max" else sum(all_) for name, all_ in values.items()}

    def order(self, values: Mapping[str, float]) -> tuple[float, ...]:
        """By what the best of several models comes first: the objectives in the person's order."""
        return tuple(values[name] for name in self.objectives)


def get_goals(
    objectives: str | Sequence[str] | None,
    metric: str | Scorer | None,
    kind: Literal["classification", "regression"],
    classes: np.ndarray | None = None,
) -> Goals:
    """Objectives and limits as a person states them.

    Parameters
    ----------
    objectives : str, sequence of str or None
        Names of metrics and of :data:`COSTS`, and limits on costs (``"n_params < 1e6"``).
    metric : str, callable or None
        The main metric, where ``objectives`` names none; it then comes first.
    kind, classes
        See :func:`get_metric`.

    Raises
    ------
    OptionError
        If an entry names neither metric nor cost, or ``metric`` contradicts the first metric among the objectives.
    """
    if objectives is None:
        alone = get_metric(metric, kind, classes)
        return Goals((alone.name,), {alone.name: alone})
    names, constraints = split_objectives(objectives)
    for constraint in constraints:
        if constraint.name not in COSTS:
            raise unknown("cost", constraint.name, COSTS, f"Only costs can be limited. Given: {str(constraint)!r}.")
    given = None if metric is None else get_metric(metric, kind, classes)
    metrics = {name: _metric(name, given, kind, classes) for name in names if name not in COSTS}
    if not metrics:
        main = get_metric(metric, kind, classes)
        names, metrics = (main.name, *names), {main.name: main}
    first = next(iter(metrics))
    if given is not None and given.name != first:
        raise OptionError(
            f"metric is {given.name!r}, but the first metric among the objectives is {first!r}. Leave metric out, or "
            f"name {given.name!r} first."
        )
    return Goals(names, metrics, constraints, (*names, *map(str, constraints)))


def _metric(name: str, given: Metric | None, kind: Any, classes: np.ndarray | None) -> Metric:
    if given is not None and given.name == name:
        return given  # perhaps a scorer of one's own, which has no name that could be looked up
    try:
        return get_metric(name, kind, classes)
    except OptionError:
        if difflib.get_close_matches(name, COSTS, n=1):
            raise unknown("objective", name, COSTS, "Names of metrics are objectives too.") from None
        raise
