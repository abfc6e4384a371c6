"""The loop of the survey's Figure 1: ask, evaluate, tell, until the time or the trials are used up.

First proposals are the space's portfolio of strong defaults, cheapest first; then the strategy speaks.
Every step goes to the journal first, so that a search that is killed goes on where it was.  With a time
limit each trial gets a slice of it and the strategy may think for a tenth of the time; what no longer fits
stays in the journal, and variations of the best trials that do fit fill the rest.  With a number of trials
alone nothing here reads a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from autonas.core.audit import audit, lowest_trusted, summary
from autonas.core.clock import Clock
from autonas.core.trial import Proposal, Trial
from autonas.evaluators.base import Evaluator
from autonas.run.checkpoints import Checkpoints
from autonas.run.executors import Done, Executor, Job, Report
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.run.slices import GRACE, SHORTEST, Slices
from autonas.search_space.moves import mutate
from autonas.search_space.space import SearchSpace
from autonas.strategies.base import Strategy
from autonas.surrogates.cost import CostModel

__all__ = ["Limits", "Search"]

THINKING_SHARE = 0.1  # of the time so far, for the strategy
PATIENCE = 1000  # configurations in a row that are rejected before they cost any training
KEPT = 60  # trials whose weights are kept at most for the ensemble
FILLERS, MODELS = 20, 3  # variations that are considered at the end, of so many of the best trials


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
    cost : CostModel or None
        Learns what trials take; used with a time limit only.
    first_thought : float
        Seconds that the strategy is expected to need for its first proposal: it waits until a tenth of the time so far
        is as much.
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
    cost: CostModel | None = None
    first_thought: float = 0.0

    def __post_init__(self) -> None:
        for trial in self.journal.trials():
            if trial.checkpoint is not None and trial.id not in self.checkpoints:  # deleted just before a kill
                self.journal.set_checkpoint(trial.id, None)
        portfolio = self.space.portfolio(self.facts)
        shares = {Proposal(c).key: share for c, share in portfolio}
        self.slices = Slices(self.limits.clock, self.limits.trial_seconds, shares, self.cost)
        self.trials: list[Trial] = []
        self._place: dict[int, int] = {}  # of trials that have a checkpoint, in the list of all
        self._evaluated = self._searched = self._rejected = 0  # trials; those of no portfolio; rejected ones in a row
        for trial in self.journal.trials():
            self._learn(trial)
        self._running: dict[int, Proposal] = {}
        self._expected: dict[int, float] = {}  # seconds of running trials
        self._verdicts: dict[int, dict[str, Any]] = {}  # of running trials that the evaluator has stopped
        self._strategy: Strategy | None = None
        self._lowest = lowest_trusted(audit(self.trials))
        self._thought = 0.0
        self._thoughts = 0
        self._fillers = 0
        self._late = False  # something was proposed that no longer fits
        self._finished = False
        self._next = self.journal.next_id()
        # a crash left these without a result; they come first, under their old numbers
        self._again = self.journal.pending()
        known = {t.proposal.key for t in self.trials}
        self._portfolio = [
            proposal for c, _ in portfolio if (proposal := Proposal(c, origin="portfolio")).key not in known
        ]

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
        if self._finished or limits.clock.left() < SHORTEST:
            return False
        if self._rejected >= PATIENCE:
            self.progress.say(f"{PATIENCE} configurations in a row exceed the limits: the search ends.")
            return False
        if limits.n_trials is not None and self._evaluated + len(self._running) >= limits.n_trials:
            return False
        if self._again or self._portfolio or limits.n_candidates is None:
            return True
        return self._searched + len(self._running) < limits.n_candidates

    def _submit(self) -> bool:
        """Start one trial; False when there is nothing to start now."""
        following = self._following()
        if following is None:
            # nothing pending and nothing to ask: the strategy has finished, or nothing fits any more
            self._finished = not self._running
            return False
        trial_id, proposal = following
        self._running[trial_id] = proposal
        folder = self.checkpoints.new(trial_id)
        parent = None
        if proposal.parent is not None and proposal.parent in self.checkpoints:
            parent = str(self.checkpoints.path(proposal.parent))
        if (expected := self.slices.expected(proposal)) is not None:
            self._expected[trial_id] = expected
        self.progress.started(trial_id, proposal.config, proposal.fidelity, expected)
        self.executor.submit(Job(trial_id, proposal, parent, str(folder), self.slices.seconds(proposal)))
        return True

    def _following(self) -> tuple[int, Proposal] | None:
        """What an earlier session left, then the portfolio, then what the strategy proposes, as far as it fits."""
        while self._again:
            trial_id, proposal = self._again.pop(0)
            if self.slices.fits(proposal):
                return trial_id, proposal
        while self._portfolio:
            if self.slices.fits(proposal := self._portfolio.pop(0)):
                return self._asked(proposal)
        if not self._late:
            if (proposed := self._propose()) is None:
                return None
            asked = self._asked(proposed)
            if self.slices.fits(proposed):
                return asked
            self._late = True  # a search that is resumed with more time begins with it
        filler = self._filler()
        return None if filler is None else self._asked(filler)

    def _asked(self, proposal: Proposal) -> tuple[int, Proposal]:
        """The number of a new trial, which is in the journal from now on."""
        trial_id, self._next = self._next, self._next + 1
        self.journal.asked(trial_id, proposal)
        return trial_id, proposal

    def _propose(self) -> Proposal | None:
        clock = self.limits.clock
        if clock.seconds is None:
            return self._ask()
        # the strategy's next thought will take about as long as its last ones
        expected = self.first_thought if self._strategy is None else self._thought / max(1, self._thoughts)
        if self._thought + expected > THINKING_SHARE * clock.elapsed():
            return self._random()
        if self._strategy is None:
            self._strategy = self._new_strategy()  # imports are no thoughts
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
        """After a promotion: show how low fidelities rank, and raise the lowest one if ranks broke.

        What is allowed follows from the trials alone, so a search that is resumed goes on with it.
        """
        if trial.proposal.inherit != "resume":
            return
        rungs = audit(self.trials)
        self.progress.audited(summary(rungs))
        if (lowest := lowest_trusted(rungs)) == self._lowest:
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

    def _filler(self) -> Proposal | None:
        """A variation of one of the best trials that is expected to be finished in what is left."""
        best = sorted((t for t in self.trials if t.ok), key=lambda t: (-t.proposal.fidelity, t.loss))[:MODELS]
        rng = np.random.default_rng((self.seed, self._next))
        known = {t.proposal.key for t in self.trials} | {p.key for p in self._running.values()}
        for number in range(FILLERS if best else 0):
            proposal = Proposal(mutate(self.space, best[number % len(best)].config, rng), origin="filler")
            if proposal.key not in known and self.slices.fits(proposal, share=1.0):
                return proposal
        return None

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
        self._expected.pop(trial_id, None)
        self._verdicts.pop(trial_id, None)
        self.checkpoints.discard(trial_id)

    def _tell(self, event: Done) -> None:
        if event.id not in self._running:
            return
        proposal, result = self._running.pop(event.id), event.result
        verdict = self._verdicts.pop(event.id, None)
        if verdict is not None and result.status == "stopped":  # else it had ended before it was told to stop
            result = replace(result, info={**result.info, **verdict})
        if (expected := self._expected.pop(event.id, None)) is not None:
            result = replace(result, info={**result.info, "expected_seconds": round(expected, 3)})
        checkpoint = None
        if result.status == "failed" or self.checkpoints.is_empty(event.id):
            self.checkpoints.discard(event.id)  # an estimate without training leaves no weights
        else:
            checkpoint = str(self.checkpoints.commit(event.id))
        trial = Trial(event.id, proposal, result, checkpoint)
        self.journal.told(trial)
        self._learn(trial)
        if self._strategy is not None:
            self._strategy.tell(trial)
        self.progress.finished(trial)
        self._audit(trial)
        self._collect()

    def _learn(self, trial: Trial) -> None:
        """Count a finished trial, and show it to all but the strategy, which may not be there yet."""
        if trial.result.info.get("rejected"):  # before it cost any training
            self._rejected += 1
        else:
            self._rejected = 0
            self._evaluated += 1
            self._searched += trial.proposal.origin != "portfolio"
        if trial.checkpoint is not None:
            self._place[trial.id] = len(self.trials)
        self.trials.append(trial)
        self.slices.tell(trial)
        if self.evaluator is not None:
            self.evaluator.observe(trial)

    def _collect(self) -> None:
        """Delete the checkpoints of the worst trials once there are too many."""
        keep = set(self._strategy.keep()) if self._strategy is not None else set()
        keep |= {p.parent for p in self._running.values() if p.parent is not None}
        ranked = sorted(self._place, key=lambda trial_id: self.trials[self._place[trial_id]].loss)
        gone = self.checkpoints.collect(keep, ranked)
        for worst in ranked[KEPT:]:
            if worst not in keep and worst not in gone:
                self.checkpoints.discard(worst)
                gone.append(worst)
        for trial_id in gone:
            if (place := self._place.pop(trial_id, None)) is not None:  # else it was never told: killed just before
                self.journal.set_checkpoint(trial_id, None)
                self.trials[place] = replace(self.trials[place], checkpoint=None)
