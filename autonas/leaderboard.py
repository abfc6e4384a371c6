"""The tables that a person reads after a fit: all trials, and the Pareto front of several objectives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from autonas.core.audit import audit, with_highest
from autonas.core.goals import Goals
from autonas.core.trial import Trial
from autonas.ensemble import Ensemble
from autonas.run._history import History
from autonas.search_space.space import SearchSpace

__all__ = ["front_of", "front_table", "leaderboard"]


def front_of(trials: Sequence[Trial], goals: Goals) -> list[Trial]:
    """The trials that no other dominates, at the highest fidelity; the best by the first objective comes first."""
    history = History(goals.losses)
    for trial in trials:
        history.add(trial)
    return sorted(history.pareto, key=lambda t: goals.order(t.result.values))


def front_table(front: Sequence[Trial], goals: Goals, space: SearchSpace) -> pd.DataFrame:
    """One row a trial: values, kind of model, fidelity and configuration."""
    names = dict.fromkeys([*goals.objectives, *goals.columns])
    rows = [
        {
            "trial": t.id,
            **{name: goals.shown(name, t.result.values[name]) for name in names},
            "model": space.kind_of(t.config),
            "fidelity": t.proposal.fidelity,
            "config": dict(t.config),
        }
        for t in front
    ]
    return pd.DataFrame(rows)


def leaderboard(
    trials: Sequence[Trial],
    members: Sequence[Trial],
    ensemble: Ensemble,
    goals: Goals,
    space: SearchSpace,
    name: str = "ensemble",
) -> pd.DataFrame:
    """Best first, the ensemble on top; failed trials last, with their reasons.

    With a time limit ``expected`` says how many of the ``seconds`` were foreseen; with several fidelities ``tau`` how
    well that of a trial has ranked configurations as the highest one has (Kendall's tau).

    Parameters
    ----------
    trials : sequence of Trial
    members : sequence of Trial
        Those that the ensemble could choose from, in the order of its weights.
    ensemble : Ensemble
    goals : Goals
    space : SearchSpace
    name : str
        What the model on top is called.
    """
    metric = goals.metric
    weights = {trial.id: float(w) for trial, w in zip(members, ensemble.weights, strict=True)}
    ordered = sorted(trials, key=lambda t: (not t.ok, -t.proposal.fidelity, t.loss, t.id))
    taus = {rung.fidelity: rung.tau for rung in with_highest(audit(trials))}
    rows = [
        {
            "trial": t.id,
            "model": space.kind_of(t.config),
            metric.name: metric.to_score(t.loss) if t.ok else float("nan"),
            **_further(t.result.values, goals),
            "weight": weights.get(t.id, 0.0),
            "fidelity": t.proposal.fidelity,
            "tau": taus.get(t.proposal.fidelity, math.nan),
            "seconds": round(t.result.cost_seconds, 2),
            "expected": t.result.info.get("expected_seconds", math.nan),
            "origin": t.proposal.origin,
            "status": t.result.status,
            "error": t.result.error,
        }
        for t in ordered
    ]
    used = [members[i].result.values for i in ensemble.members]
    top = {
        "trial": -1,
        "model": name,
        metric.name: metric.to_score(ensemble.loss),
        **_further(goals.together(used) if len(used) > 1 else used[0], goals),
        "weight": 1.0,
        "fidelity": 1.0,
        "tau": math.nan,
        "seconds": round(sum(t.result.cost_seconds for t in trials), 2),
        "expected": math.nan,
        "origin": "",
        "status": "ok",
        "error": "",
    }
    board = pd.DataFrame([top, *rows])
    # without a clock nothing is foreseen, and with one fidelity there are no ranks to compare
    return board.drop(columns=[name for name in ("tau", "expected") if board[name].isna().all()])


def _further(values: Mapping[str, float], goals: Goals) -> dict[str, Any]:
    """What is shown beside the main metric."""
    return {name: goals.shown(name, values.get(name, math.nan)) for name in goals.columns}
