"""What a person sees while a search runs.

A board holds the few facts (time, counts, best score, what runs now), and one of three views shows
them: a live display in a terminal (rich, at most four times a second), plain lines anywhere else
(logs, notebooks; their rate falls with time, so that no log fills up), or nothing.  The clock is
read for showing only; nothing here steers the search.
"""

from __future__ import annotations

import math
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from autonas.core.trial import Config, Trial

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console, RenderableType

__all__ = ["Progress"]

_MAX_REASONS = 10  # different reasons of failure that are shown; the journal has them all
_SHOWN = 3  # running trials that are named


class Scored(Protocol):
    """What is shown of a metric."""

    @property
    def name(self) -> str:
        """Name of the score."""

    def to_score(self, loss: float) -> float:
        """The score that a person knows, from the loss that is minimised."""


@dataclass
class _Running:
    label: str
    progress: float = 0.0
    expected: float | None = None

    def __str__(self) -> str:
        of = "" if self.expected is None else f" of {self.expected:.1f} s"
        return f"{self.label} {self.progress:.0%}{of}"


@dataclass
class _Board:
    """The facts, and how each reads."""

    metric: Scored
    limit: float | None
    n_trials: int | None
    done: int = 0
    failed: int = 0
    running: dict[int, _Running] = field(default_factory=dict)
    best: Trial | None = None
    phase: str = ""
    ranks: str = ""

    def __post_init__(self) -> None:
        self.start = time.monotonic()

    def elapsed(self) -> float:
        return time.monotonic() - self.start

    def score(self, trial: Trial) -> str:
        return f"{self.metric.name} {self.metric.to_score(trial.loss):.4g}"

    def best_text(self) -> str:
        if self.best is None:
            return "no model yet"
        return f"{self.score(self.best)} by {label(self.best.config)} (trial {self.best.id})"

    def counts(self) -> str:
        of = f" of {self.n_trials}" if self.n_trials is not None else ""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done}{of} done{failed}, {len(self.running)} running"

    def now(self) -> str:
        if self.phase:
            return self.phase
        running = list(self.running.values())  # a copy: the live view reads this from its own thread
        more = f" and {len(running) - _SHOWN} more" if len(running) > _SHOWN else ""
        return ", ".join(map(str, running[:_SHOWN])) + more

    def share(self) -> float | None:
        """Share of the budget that is used, of whichever limit is nearer."""
        shares = []
        if self.limit:
            shares.append(self.elapsed() / self.limit)
        if self.n_trials:
            shares.append((self.done + self.failed) / self.n_trials)
        return min(1.0, max(shares)) if shares else None


def label(config: Config) -> str:
    """The kind of model of a configuration, as a person calls it."""
    return str(config.get("model", "model"))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class _View(ABC):
    """Where the board is shown."""

    @abstractmethod
    def open(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def write(self, text: str) -> None:
        """A line that stays."""

    @abstractmethod
    def update(self, *, at_once: bool = False) -> None:
        """The board has changed."""


class _Silent(_View):
    def open(self) -> None: ...

    def close(self) -> None: ...

    def write(self, text: str) -> None: ...

    def update(self, *, at_once: bool = False) -> None: ...


class _Lines(_View):
    """Status lines whose interval grows: every 2 s at first, some 50 in a day."""

    def __init__(self, board: _Board, stream: TextIO) -> None:
        self.board, self.stream = board, stream
        self.last = -math.inf

    def open(self) -> None: ...

    def close(self) -> None: ...

    def write(self, text: str) -> None:
        print(text, file=self.stream, flush=True)

    def update(self, *, at_once: bool = False) -> None:
        elapsed = self.board.elapsed()
        if at_once or elapsed - self.last >= max(2.0, elapsed / 5):
            self.last = elapsed
            now = self.board.now()
            self.write(
                f"[{_clock(elapsed)}] best {self.board.best_text()}; {self.board.counts()}{now and f'; now {now}'}"
            )


class _Live(_View):
    """A few lines at the foot of the terminal, redrawn by rich's own thread."""

    def __init__(self, board: _Board, console: Console) -> None:
        from rich.live import Live

        self.board, self.console = board, console
        self.live = Live(console=console, get_renderable=self.render, refresh_per_second=4, transient=True)

    def open(self) -> None:
        self.live.start()

    def close(self) -> None:
        self.live.stop()

    def write(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False)

    def update(self, *, at_once: bool = False) -> None: ...  # the thread looks at the board by itself

    def render(self) -> RenderableType:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        board = self.board
        elapsed, share = board.elapsed(), board.share()
        head = Table.grid(padding=(0, 2))
        clock = _clock(elapsed) + (f" of {_clock(board.limit)}" if board.limit is not None else "")
        bar = "" if share is None else ProgressBar(total=1.0, completed=share, width=30)
        head.add_row(Text(clock, style="bold"), bar, Text(board.counts()))
        body = Table.grid(padding=(0, 2))
        body.add_row(Text("best", style="dim"), Text(board.best_text(), style="green" if board.best else ""))
        body.add_row(Text("now", style="dim"), Text(board.now(), no_wrap=True, overflow="ellipsis"))
        if board.ranks:
            body.add_row(Text("ranks", style="dim"), Text(board.ranks, no_wrap=True, overflow="ellipsis"))
        return Group(head, body)


class Progress:
    """Shows a search: live in a terminal, in plain lines elsewhere, or not at all.

    Use as a context manager around the search; the methods say what happened.

    Parameters
    ----------
    limit_seconds : float or None
        Wall-clock limit, counted from the making of this object.
    n_trials : int or None
        Number of trials to run.
    metric : object with ``name`` and ``to_score(loss)``
    verbose : int
        0: silent (rich is not even imported); 1: as above; 2: a line for every trial besides.
    stream : text stream, optional
        Default: the standard output.  The live display needs a stream that is a terminal.
    """

    def __init__(
        self,
        limit_seconds: float | None,
        n_trials: int | None,
        metric: Scored,
        verbose: int = 1,
        stream: TextIO | None = None,
    ) -> None:
        self.board = _Board(metric, limit_seconds, n_trials)
        self.verbose = int(verbose)
        self._view = _view(self.board, sys.stdout if stream is None else stream) if verbose else _Silent()
        self._reasons: set[str] = set()

    def __enter__(self) -> Self:
        self._view.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._view.close()

    def say(self, text: str) -> None:
        """State a fact (what was inferred, what was left out)."""
        self._view.write(text)

    def phase(self, text: str) -> None:
        """Name what happens now that is not a trial ("ensembling"); an empty text ends it."""
        self.board.phase = text
        self._view.update(at_once=bool(text))

    def earlier(self, trials: Sequence[Trial]) -> None:
        """Count the trials of an earlier session, which the search goes on from."""
        board, good = self.board, [t for t in trials if t.ok]
        board.done, board.failed = len(good), len(trials) - len(good)
        board.best = min(good, key=lambda t: t.loss, default=None)
        if trials:
            self.say(f"Going on after {len(trials)} trials.")

    def started(
        self, trial_id: int, config: Config, fidelity: float = 1.0, expected_seconds: float | None = None
    ) -> None:
        """A trial has begun, and how long it will take, if that is known."""
        part = "" if fidelity >= 1 else f" at {fidelity:.2g}"
        self.board.running[trial_id] = _Running(label(config) + part, expected=expected_seconds)
        self._view.update()

    def reported(self, trial_id: int, progress: float, values: Mapping[str, float]) -> None:
        """A trial trains.

        ``values`` are not shown: a learner reports the loss that it trains on, which need not be
        the metric.
        """
        if trial_id in self.board.running:
            self.board.running[trial_id].progress = progress
            self._view.update()

    def finished(self, trial: Trial) -> None:
        """A trial has ended, well or not."""
        board = self.board
        board.running.pop(trial.id, None)
        name = f"Trial {trial.id} ({label(trial.config)})"
        if trial.ok:
            board.done += 1
            if board.best is None or trial.loss < board.best.loss:
                board.best = trial
            if self.verbose > 1:
                self._view.write(f"{name}: {board.score(trial)} in {trial.result.cost_seconds:.1f} s")
        else:
            board.failed += 1
            reason = trial.result.error or "the loss is not finite"
            if self.verbose > 1 or (reason not in self._reasons and len(self._reasons) < _MAX_REASONS):
                self._view.write(f"{name} failed: {reason}")
            self._reasons.add(reason)
        self._view.update()

    def audited(self, summary: str) -> None:
        """How low fidelities rank as higher ones do, as far as it is known; one line."""
        self.board.ranks = summary

    def done(self, summary: str) -> None:
        """End the display and leave this summary."""
        self._view.close()
        self._view.write(summary)


def _view(board: _Board, stream: TextIO) -> _View:
    """The live view if the stream is a terminal that can be redrawn."""
    if stream.isatty():
        from rich.console import Console

        console = Console(file=stream)
        if not console.is_dumb_terminal:
            return _Live(board, console)
    return _Lines(board, stream)
