"""The loop of the survey's Figure 1: ask, evaluate, tell, until the time or the trials are used up.

First proposals are the space's portfolio of strong defaults, cheapest first; then the strategy speaks.
Every step goes to the journal first, so that a search that is killed goes on where it was.  With a time
limit each trial gets a slice of it and the strategy may think for a tenth of the time; with a number of
trials alone nothing here reads a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autonas.core.audit import lowest_trusted
from autonas.core.clock import Clock
from autonas.core.trial import Proposal, Trial
from autonas.evaluators.base import Evaluator
from autonas.run.checkpoints import Checkpoints
from autonas.run.executors import Done, Executor, Job, Report
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.search_space.space import SearchSpace
from autonas.strategies.base import Strategy

__all__ = ["Limits", "Search"]

SEARCH_SHARE = 0.15  # of the time limit, for a configuration that a strategy proposed
ALONE_SHARE = 0.35  # of the first trial where no portfolio has given a model yet
THINKING_SHARE = 0.1  # of the time so far, for the strategy
FIRST_THOUGHT = 3.0  # seconds that a strategy's imports may take
GRACE = 0.02  # of the time limit, for running trials to end by themselves
SHORTEST_SLICE = 0.3  # seconds; less is not worth a start
PATIENCE = 1000  # configurations in a row that are rejected before they cost any training
KEPT = 60  # trials whose weights are kept at most for the ensemble


@dataclass(frozen=True)
class Limits:
    """When a search ends.

    Parameters
    ----------
    clock : Clock
        Of the search, without what comes after it.
    n_trials : int or None
        Finished trials, those of earlier sessions included; what was rejected before any training does not count.
    trial_seconds : float or None
        For one trial.
    n_candidates : int or None
        Proposals of the strategy, beyond the portfolio.
    """

    clock: Clock
    n_trials: int | None = None
    trial_seconds: float | None = None
    n_candidates: int | None = None


@dataclass
class Search:
    """One search; :meth:`run` returns all finished trials.

    Parameters
    ----------
    space : SearchSpace
    make_strategy : callable
        Makes the strategy when it is first needed, since its imports take time; and anew with ``min_fidelity=`` when
        lower fidelities have misled.
    executor : Executor
    journal : Journal
    checkpoints : Checkpoints
    limits : Limits
    progress : Progress
    facts : mapping
        What the portfolio asks about the data.
    seed : int
    evaluator : Evaluator or None
        Hears in this process what trials bring, and may stop one by its reports.  An executor in this process hands its
        reports to :meth:`heard`.
    """

    space: SearchSpace
    make_strategy: Callable[..., Strategy]
    executor: Executor
    journal: Journal
    checkpoints: Checkpoints
    limits: Limits
    progress: Progress
    facts: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    evaluator: Evaluator | None = None

    def __post_init__(self) -> None:
        for trial in self.journal.trials():
            if trial.checkpoint is not None and trial.id not in self.checkpoints:  # deleted just before a kill
                self.journal.set_checkpoint(trial.id, None)
        self.trials: list[Trial] = self.journal.trials()
        self._known = {t.proposal.key for t in self.trials}
        self._running: dict[int, Proposal] = {}
        self._verdicts: dict[int, dict[str, Any]] = {}  # of running trials that the evaluator has stopped
        self._strategy: Strategy | None = None
        self._lowest = lowest_trusted(self.trials)
        self._thought = 0.0
        self._thoughts = 0
        self._fillers = 0
        self._finished = False
        self._next = self.journal.next_id()
        # a crash left these without a result; they come first, under their old numbers
        self._again = self.journal.pending()
        portfolio = self.space.portfolio(self.facts)
        self._portfolio = [(c, s) for c, s in portfolio if Proposal(c).key not in self._known]
        self._shares = {Proposal(c).key: share for c, share in portfolio}
        if self.evaluator is not None:
            for trial in self.trials:
                self.evaluator.observe(trial)

    def run(self) -> list[Trial]:
        """Search until a limit; Ctrl-C ends it early and loses nothing that is finished."""
        self.progress.earlier(self.trials)
        try:
            while True:
                while self.executor.free and self._more() and self._submit():
                    pass
                if not self._running:
                    break
                self._listen()
        except KeyboardInterrupt:
            self.progress.say("Interrupted: going on with the trials that are finished.")
        return self.trials

    # --- asking ------------------------------------------------------------------------------------------------------

    def _more(self) -> bool:
        """Whether another trial may start."""
        limits = self.limits
        if self._finished or (limits.clock.seconds is not None and limits.clock.left() < self._shortest()):
            return False
        if all(map(_rejected, self.trials[-PATIENCE:])) and len(self.trials) >= PATIENCE:
            self.progress.say(f"{PATIENCE} configurations in a row exceed the limits: the search ends.")
            return False
        evaluated = [t for t in self.trials if not _rejected(t)]
        if limits.n_trials is not None and len(evaluated) + len(self._running) >= limits.n_trials:
            return False
        if self._again or self._portfolio or limits.n_candidates is None:
            return True
        searched = sum(t.proposal.origin != "portfolio" for t in evaluated)
        return searched + len(self._running) < limits.n_candidates

    def _shortest(self) -> float:
        """Seconds below which no trial is started: what the quickest one took, since models have a least time."""
        costs = [trial.result.cost_seconds for trial in self.trials if trial.ok]
        return max(SHORTEST_SLICE, min(costs, default=0.0))

    def _submit(self) -> bool:
        """Start one trial; False when there is nothing to start now."""
        if self._again:
            trial_id, proposal = self._again.pop(0)
        else:
            next_proposal = self._propose()
            if next_proposal is None:
                # nothing pending and nothing to ask: the strategy has finished
                self._finished = not self._running
                return False
            trial_id, proposal = self._next, next_proposal
            self._next += 1
            self.journal.asked(trial_id, proposal)
        self._known.add(proposal.key)
        self._running[trial_id] = proposal
        folder = self.checkpoints.new(trial_id)
        parent = None
        if proposal.parent is not None and proposal.parent in self.checkpoints:
            parent = str(self.checkpoints.path(proposal.parent))
        self.progress.started(trial_id, proposal.config, proposal.fidelity)
        self.executor.submit(Job(trial_id, proposal, parent, str(folder), self._seconds(proposal)))
        return True

    def _propose(self) -> Proposal | None:
        if self._portfolio:
            return Proposal(self._portfolio.pop(0)[0], origin="portfolio")
        clock = self.limits.clock
        if clock.seconds is None:
            return self._ask()
        # the strategy's next thought will take about as long as its last ones
        expected = FIRST_THOUGHT if self._strategy is None else self._thought / max(1, self._thoughts)
        if self._thought + expected > THINKING_SHARE * clock.elapsed():
            return self._random()
        start = time.monotonic()
        proposal = self._ask()
        self._thought += time.monotonic() - start
        self._thoughts += 1
        return proposal

    def _ask(self) -> Proposal | None:
        if self._strategy is None:
            self._strategy = self._new_strategy()
        return self._strategy.ask()

    def _new_strategy(self) -> Strategy:
        """A strategy that knows all trials, at the fidelities that may be used."""
        strategy = self.make_strategy(min_fidelity=self._lowest) if self._lowest else self.make_strategy()
        for trial in self.trials:
            strategy.tell(trial)
        return strategy

    def _audit(self, trial: Trial) -> None:
        """After a promotion: raise the lowest fidelity if ranks broke.

        What is allowed follows from the trials alone, so a search that is resumed goes on with it.
        """
        if trial.proposal.inherit != "resume" or (lowest := lowest_trusted(self.trials)) == self._lowest:
            return
        self._lowest = lowest
        said = f"do not rank as higher ones do: the lowest is now {lowest:.2g}" if lowest else "rank well again"
        self.progress.say(f"Low fidelities {said}.")
        if self._strategy is not None:
            self._strategy = self._new_strategy()

    def _random(self) -> Proposal:
        """Fills the gap while the strategy's thinking time is used up."""
        self._fillers += 1
        config = self.space.sample(1, (self.seed, self._next, self._fillers))[0]
        return Proposal(config, origin="random")

    def _seconds(self, proposal: Proposal) -> float | None:
        """The time slice of a trial."""
        clock, own = self.limits.clock, self.limits.trial_seconds
        if clock.seconds is None:
            return own
        usual = SEARCH_SHARE if self._shares or self.trials else ALONE_SHARE
        share = self._shares.get(proposal.key, usual)
        slice_ = min(share * clock.seconds * proposal.fidelity, (1 - GRACE) * clock.left())
        if proposal.fidelity == 1 and clock.left() - slice_ < slice_ / 2:
            slice_ = (1 - GRACE) * clock.left()  # what would be left is too little for another one
        return max(slice_ if own is None else min(slice_, own), 0.1)

    # --- telling -----------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        clock = self.limits.clock
        for event in self.executor.events(None if clock.seconds is None else 0.2):
            if isinstance(event, Report):
                if not self.heard(event.id, event.progress, event.values):
                    self.executor.stop(event.id)
            elif isinstance(event, Done):
                self._tell(event)
        if clock.seconds is not None and clock.elapsed() > (1 + GRACE) * clock.seconds:
            for trial_id in list(self._running):
                self.executor.kill(trial_id, "the time was over")
                self._drop(trial_id)

    def heard(self, trial_id: int, progress: float, values: Mapping[str, float]) -> bool:
        """What a running trial reports; whether it may go on."""
        self.progress.reported(trial_id, progress, values)
        if self.evaluator is not None and trial_id in self._running and trial_id not in self._verdicts:
            verdict = self.evaluator.judge(trial_id, self._running[trial_id], progress, values)
            if verdict is not None:
                self._verdicts[trial_id] = verdict
        return trial_id not in self._verdicts and not self.limits.clock.over()

    def _drop(self, trial_id: int) -> None:
        """Forget a trial that had no time to finish; the journal keeps it as asked."""
        self._running.pop(trial_id)
        self._verdicts.pop(trial_id, None)
        self.checkpoints.discard(trial_id)

    def _tell(self, event: Done) -> None:
        if event.id not in self._running:
            return
        proposal, result = self._running.pop(event.id), event.result
        verdict = self._verdicts.pop(event.id, None)
        if verdict is not None and result.status == "stopped":  # else it had ended before it was told to stop
            result = replace(result, info={**result.info, **verdict})
        checkpoint = None
        if result.status == "failed" or self.checkpoints.is_empty(event.id):
            self.checkpoints.discard(event.id)  # an estimate without training leaves no weights
        else:
            checkpoint = str(self.checkpoints.commit(event.id))
        trial = Trial(event.id, proposal, result, checkpoint)
        self.journal.told(trial)
        self.trials.append(trial)
        if self.evaluator is not None:
            self.evaluator.observe(trial)
        if self._strategy is not None:
            self._strategy.tell(trial)
        self.progress.finished(trial)
        self._audit(trial)
        self._collect()

    def _collect(self) -> None:
        """Delete the checkpoints of the worst trials once there are too many."""
        keep = set(self._strategy.keep()) if self._strategy is not None else set()
        keep |= {p.parent for p in self._running.values() if p.parent is not None}
        ranked = [t.id for t in sorted(self.trials, key=lambda t: t.loss) if t.checkpoint is not None]
        gone = self.checkpoints.collect(keep, ranked)
        for worst in ranked[KEPT:]:
            if worst not in keep and worst not in gone:
                self.checkpoints.discard(worst)
                gone.append(worst)
        if gone:
            for trial_id in gone:
                self.journal.set_checkpoint(trial_id, None)
            self.trials = [Trial(t.id, t.proposal, t.result, None) if t.id in gone else t for t in self.trials]


def _rejected(trial: Trial) -> bool:
    """Whether a configuration was refused before it cost any training."""
    return bool(trial.result.info.get("rejected"))
