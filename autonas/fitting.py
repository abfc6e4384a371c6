"""From a task and the options of a fit to a model: search, ensemble, assembly, all within the limit.

The time that comes after the search is predicted from the size of the data and reserved; whatever
happens there, the best single trial is a model already.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import autonas
from autonas.core.clock import Clock
from autonas.core.goals import Goals
from autonas.core.objective import Metric
from autonas.core.state import load_state
from autonas.core.trial import Trial
from autonas.data.prepare import data_hash
from autonas.data.task import Task
from autonas.ensemble import Ensemble, fit_ensemble
from autonas.ensemble.fit import STACK_MEMBERS
from autonas.ensemble.honest import honest_loss
from autonas.errors import AutoNASError
from autonas.evaluators import make_evaluator
from autonas.evaluators.costs import Costed
from autonas.evaluators.train import LEARNER_FILE, PREDICTIONS_FILE
from autonas.leaderboard import front_of, front_table, leaderboard
from autonas.model import Member, Model
from autonas.refit import refitted
from autonas.run._compose import composed, taken
from autonas.run._front import KeepsFront
from autonas.run.checkpoints import Checkpoints
from autonas.run.executors import Executor, InProcess, Pool
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.run.search import Limits, Search
from autonas.run.slices import SEARCH_SHARE
from autonas.search_space.genome import sized
from autonas.search_space.space import SearchSpace
from autonas.surrogates.cost import CostModel

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["JOURNAL", "Fit", "Options", "fit"]

JOURNAL = "journal.db"
QUOTA_BYTES = 4 * 2**30
FEW_CANDIDATES, ROWS_PER_CANDIDATE = 4, 40  # more candidates than this overfit the validation rows
FIRST_THOUGHT = 3.0  # seconds of the default strategy, which brought no gain with less of a history
REFIT_SHARE = 0.15  # of the time limit, for one more training on all rows
MOST_AT_ONCE = 16  # trials; more bring little
PENDING_SHARE = 1 / 8  # of all trials, whose results a strategy can do without: it learns from the others
REASONS = 3  # of failures that an error names
_IDENTITY = ("space", "data", "metric", "objectives", "kind", "seed", "evaluator")


@dataclass(frozen=True)
class Options:
    """What a person asked for; the names are those of the estimators' constructors."""

    space: SearchSpace
    strategy: Any
    evaluator: Any
    goals: Goals
    n_trials: int | None
    trial_time_limit: float | None
    ensemble_size: int
    refit: str | None
    device: str
    n_jobs: int
    workdir: str | None
    seed: int

    @property
    def metric(self) -> Metric:
        """The main one."""
        return self.goals.metric


@dataclass
class Fit:
    """What a fit brings: the model, all trials, and the table that a person reads."""

    model: Model
    trials: list[Trial]
    leaderboard: pd.DataFrame
    best_config: dict[str, Any]
    best_score: float
    pareto_front: pd.DataFrame | None = None
    front: dict[int, Model] = field(default_factory=dict)


def fit(task: Task, options: Options, clock: Clock, progress: Progress) -> Fit:
    """Search, combine and assemble.

    Parameters
    ----------
    task : Task
    options : Options
    clock : Clock
        Of the whole fit; it began before the data were prepared.
    progress : Progress

    Raises
    ------
    AutoNASError
        If not one trial succeeded; the reasons of the first ones are named.
    """
    options = replace(options, space=_for_task(options.space, task))
    with ExitStack() as stack:
        workdir = options.workdir or stack.enter_context(tempfile.TemporaryDirectory(prefix="autonas-"))
        folder = Path(workdir)
        journal = stack.enter_context(_journal(folder, task, options))
        checkpoints = Checkpoints(folder, QUOTA_BYTES)
        trials = _search(task, options, clock, progress, journal, checkpoints, stack)
        progress.phase("combining the models")
        usable = [t for t in trials if t.ok and t.checkpoint is not None]
        if not usable:
            raise _nothing(trials)
        goals = options.goals
        front = front_of(usable, goals) if goals.stated else []
        members = front[:1] if goals.several else _within_limits(_candidates(usable), goals)
        size = _size(options)
        try:
            part = Clock(None) if clock.seconds is None else clock.part(0.8)
            ensemble = _combine(members, task, options, part, size)
        except KeyboardInterrupt:
            progress.say("Interrupted: taking the best single model.")
            ensemble = _combine(members, task, options, Clock(None), size=1)
        model = _assemble(members, ensemble, task, options.space)
        if options.refit == "one":
            _refit(model, members, task, options, clock, progress)
        name = options.space.kind_of(members[ensemble.members[0]].config) if options.refit else "ensemble"
        board = leaderboard(trials, members, ensemble, goals, options.space, name)
        best = front[0] if front else min(usable, key=lambda t: (-t.proposal.fidelity, t.loss))
        # without a folder of the person's own, the checkpoints end here
        kept = trials if options.workdir else [Trial(t.id, t.proposal, t.result, None) for t in trials]
        outcome = Fit(model, kept, board, dict(best.config), options.metric.to_score(ensemble.loss))
        if front:
            outcome.pareto_front = front_table(front, goals, options.space)
            outcome.front = {t.id: _alone(t, task, options) for t in front}
        return outcome


def _for_task(space: SearchSpace, task: Task) -> SearchSpace:
    """The space; where genomes have a node for every number that comes in, they are told how many there are."""
    if not space.open:
        return space
    view = task.view(space.build(space.default(), task.problem).view)
    return sized(space, view.shape[1:], task.problem.n_outputs)


def _journal(folder: Path, task: Task, options: Options) -> Journal:
    meta = {
        "autonas": autonas.__version__,
        "space": options.space.hash,
        "space_name": options.space.name,
        "space_source": options.space.source,
        "data": data_hash(task) if options.workdir else "",
        "metric": options.metric.name,
        "objectives": list(options.goals.stated) or None,
        "kind": task.problem.kind,
        "seed": options.seed,
        "strategy": str(options.strategy),
        "evaluator": str(options.evaluator),
    }
    return Journal.open_or_create(folder / JOURNAL, meta, identity=_IDENTITY)


def _search(
    task: Task,
    options: Options,
    clock: Clock,
    progress: Progress,
    journal: Journal,
    checkpoints: Checkpoints,
    stack: ExitStack,
) -> list[Trial]:
    space, goals = options.space, options.goals
    evaluator = make_evaluator(options.evaluator, options.metric, seed=options.seed, device=options.device)
    if goals.stated:
        evaluator = Costed(evaluator, goals)
    pre = task.preprocessor
    facts = {
        "rows": len(task.folds.pairs[0][0]) + len(task.folds.pairs[0][1]),
        "columns": task.n_features,
        "kind": task.problem.kind,
        "text": bool(getattr(pre, "has_text", False)),
        "categories": bool(getattr(pre, "has_categories", False)),
    }
    searching = Clock(None)
    if clock.seconds is not None:
        searching = Clock(max(0.0, clock.left() - _reserve(task, options, clock.seconds)))
    candidates = None
    if options.strategy == "auto" and options.n_trials is None:
        candidates = max(FEW_CANDIDATES, task.n_rows // ROWS_PER_CANDIDATE)
    executor: Executor
    if options.n_jobs > 1:
        executor = Pool(evaluator, space, task, options.n_jobs)
        evaluator.prepare(space, task)  # it also judges in this process
    else:
        executor = InProcess(evaluator, space, task, most=_at_once(options, clock))
    stack.callback(executor.close)

    cost = None if clock.seconds is None else CostModel(space, task, with_torch=options.n_jobs == 1)

    def strategy(min_fidelity: float = 0.0) -> Any:
        lowest = max(min_fidelity, space.fidelity.fidelity)
        wanted: dict[str, Any] = {"min_fidelity": lowest} if lowest else {}
        if cost is not None and searching.seconds is not None:
            slice_ = SEARCH_SHARE * searching.seconds  # beyond it, all cost the same
            wanted["seconds"] = lambda config: min(cost.predict(config)[0], slice_)
        own = taken(options.strategy, space, **wanted) if wanted else {}
        make = composed(options.strategy, own, space, goals.losses, goals.constraints, (), 0.0)
        if not goals.stated:
            return make(space, goals.losses, seed=options.seed)
        return KeepsFront(space, goals.losses, seed=options.seed, sampler=make)

    limits = Limits(searching, options.n_trials, options.trial_time_limit, candidates)
    search = Search(
        space,
        strategy,
        executor,
        journal,
        checkpoints,
        limits,
        progress,
        facts=facts,
        seed=options.seed,
        evaluator=evaluator,
        cost=cost,
        first_thought=FIRST_THOUGHT if options.strategy == "auto" else 0.0,
    )
    if isinstance(executor, InProcess):
        executor.on_report = search.heard
    return search.run()


def _at_once(options: Options, clock: Clock) -> int:
    """How many trials may begin before the strategy hears of them, to train as one network where that is faster.

    With a time limit one after the other: each trial has a clock of its own, by which its schedule ends, and plans its
    folds by steps that it measures alone.  Trials that train as one would need one clock and one plan in common; and
    where the slice ends a training rather than its epochs, faster steps become more epochs, not more trials.
    """
    if clock.seconds is not None or options.trial_time_limit is not None or options.n_trials is None:
        return 1
    return max(1, min(MOST_AT_ONCE, int(PENDING_SHARE * options.n_trials)))


def _reserve(task: Task, options: Options, seconds: float) -> float:
    """Seconds to keep for the ensemble and the assembly: measured on the second layer, more for more rows."""
    if options.refit == "one":
        return REFIT_SHARE * seconds
    combining = 4.5 if task.n_rows > 4000 else 2.0 if task.n_rows > 1500 else 1.0
    return min(combining + 0.5 + 0.01 * seconds, 0.25 * seconds)


def _candidates(trials: list[Trial]) -> list[Trial]:
    """One trial per configuration: its highest fidelity."""
    best: dict[str, Trial] = {}
    for trial in trials:
        other = best.get(trial.proposal.key)
        if other is None or trial.proposal.fidelity > other.proposal.fidelity:
            best[trial.proposal.key] = trial
    return sorted(best.values(), key=lambda t: t.loss)


def _within_limits(members: list[Trial], goals: Goals) -> list[Trial]:
    """The best of the members, as many as keep to the limits even if all of them are used."""
    if not goals.constraints:
        return members
    chosen: list[Trial] = []
    for trial in members:
        together = [t.result.values for t in (*chosen, trial)]
        if not goals.exceeded(goals.together(together)):
            chosen.append(trial)
    return chosen


def _size(options: Options) -> int:
    """Largest number of members; with limits too few for a second layer, whose own costs nobody would have counted."""
    if options.goals.several or options.refit == "one":
        return 1
    return min(options.ensemble_size, STACK_MEMBERS - 1) if options.goals.constraints else options.ensemble_size


def _alone(trial: Trial, task: Task, options: Options) -> Model:
    """The model of one trial."""
    ensemble = _combine([trial], task, options, Clock(None), size=1)
    return _assemble([trial], ensemble, task, options.space)


def _refit(model: Model, members: list[Trial], task: Task, options: Options, clock: Clock, progress: Progress) -> None:
    """Replace the one member by a model on all rows if there is time, and its loss by an honest one."""
    trial = members[model.ensemble.members[0]]
    seen = _validated(members, task)
    model.ensemble.loss = honest_loss(
        seen.predictions,
        seen.y,
        metric=options.metric,
        kind=task.problem.kind,
        weight=seen.weight,
        clock=clock.part(0.2),
        seed=options.seed,
    )
    how = "as the search has left it"
    try:
        found = refitted(trial, task, options.space, clock.part(0.9), options.seed, options.device)
        if found is not None:
            model.members[0] = replace(model.members[0], options=found[0], state=found[1])
            how = "trained on all rows"
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - there is a model already, whatever went wrong
        how += f" ({type(error).__name__}: {error})"
    progress.say(f"One model, {options.space.kind_of(trial.config)}, {how}.")


def _nothing(trials: list[Trial]) -> AutoNASError:
    reasons = list(dict.fromkeys(t.result.error for t in trials if t.result.error)) or ["no time for one"]
    more = f"; and {len(reasons) - REASONS} more reasons" if len(reasons) > REASONS else ""
    return AutoNASError(
        f"No model could be trained ({len(trials)} trials): {'; '.join(reasons[:REASONS])}{more}. "
        "Give more time, or another space."
    )


@dataclass(frozen=True)
class _Validated:
    """The rows that validate, and what the members predict for them."""

    predictions: list[np.ndarray]
    y: np.ndarray
    weight: np.ndarray | None
    groups: np.ndarray | None


def _validated(members: list[Trial], task: Task) -> _Validated:
    rows = task.folds.covered  # few of a large task's
    files = (Path(str(trial.checkpoint)) / PREDICTIONS_FILE for trial in members)
    predictions = [np.load(file, allow_pickle=False)[rows] for file in files]
    weight, groups = (None if each is None else each[rows] for each in (task.weight, task.groups))
    return _Validated(predictions, task.y[rows], weight, groups)


def _combine(members: list[Trial], task: Task, options: Options, clock: Clock, size: int) -> Ensemble:
    seen = _validated(members, task)
    return fit_ensemble(
        seen.predictions,
        seen.y,
        metric=options.metric,
        kind=task.problem.kind,
        weight=seen.weight,
        clock=clock,
        size=size,
        seed=options.seed,
        groups=seen.groups,
    )


def _assemble(trials: list[Trial], ensemble: Ensemble, task: Task, space: SearchSpace) -> Model:
    members = []
    for index in ensemble.members:
        trial = trials[index]
        saved = load_state(Path(str(trial.checkpoint)) / LEARNER_FILE)
        kind = space.kind_of(trial.config)
        family = space.families.get(kind, "")
        own, final = None if family else space, space.final.get(kind, {})
        members.append(Member(family, saved["options"], saved["learner"], saved["temperature"], own, final))
    return Model(task.problem, task.classes, task.preprocessor, members, ensemble)
