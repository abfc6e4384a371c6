"""One small model in place of an ensemble: the best learner of a search, trained once more on all rows.

It predicts with one model where the search had one for each fold, and in place of the score that made it the best,
which is the luckiest of many, it has an honest one (Tsamardinos et al 2018, see ``ensemble/honest.py``).  The rows
that stop training early are then training rows, so it trains as long as the fold models did on average.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from autonas.core.clock import Clock
from autonas.core.state import load_state
from autonas.core.trial import Trial, Value
from autonas.data.task import Folds, Task
from autonas.evaluators._reduced import affordable
from autonas.evaluators.base import device_of
from autonas.evaluators.train import LEARNER_FILE
from autonas.search_space.learners import make_learner
from autonas.search_space.space import SearchSpace

__all__ = ["refitted"]

_WATCHED = 1000  # rows that a learner looks at while it trains
_SLOWER = 1.5  # than a fold model is one on all rows, with a margin


def _seconds(trial: Trial, task: Task) -> float:
    """Seconds that training on all rows will take, by what the trial took."""
    return _SLOWER * trial.result.cost_seconds / int(trial.result.info.get("folds", len(task.folds)))


def refitted(
    trial: Trial, task: Task, space: SearchSpace, clock: Clock, seed: int = 0, device: str = "cpu"
) -> tuple[dict[str, Value], dict[str, Any]] | None:
    """Options and state of the trial's learner, trained on all rows.

    Parameters
    ----------
    trial : Trial
        With its checkpoint.
    task : Task
    space : SearchSpace
    clock : Clock
        Of what is left for it.
    seed : int
    device : str

    Returns
    -------
    (options, state) or None
        None where the model of the trial is to stay: it is one model already, or there was no time.
    """
    saved = load_state(Path(str(trial.checkpoint)) / LEARNER_FILE)
    kind = space.kind_of(trial.config)
    if not space.families.get(kind) or clock.left() < _seconds(trial, task):
        return None
    old = make_learner(space.families[kind], saved["options"], task.problem)
    old.restore(saved["learner"])
    plan = old.for_all_rows()
    if plan is None:
        return None
    options, until = plan
    on = device_of(device) if kind in space.networks else "cpu"
    learner = make_learner(space.families[kind], options, task.problem, seed, on)
    rows = np.arange(task.n_rows)
    watched = rows[:: -(-task.n_rows // _WATCHED)]
    whole = replace(task, folds=Folds(((rows, watched),), task.n_rows))
    seconds = None if clock.seconds is None else trial.result.cost_seconds
    whole, _, _ = affordable(whole, learner, seconds, seed)  # of a large task as many as the trial has seen
    # its own clock has no limit, which would compress the schedule: a model that is late is dropped
    learner.train(whole, until, Clock(None), lambda progress, values: not clock.over())
    return None if clock.over() else (options, learner.state())
