from __future__ import annotations

import io
import os
import subprocess
import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from autonas.core.trial import Proposal, Result, Trial
from autonas.run import progress as module
from autonas.run.progress import Progress


@dataclass
class Accuracy:
    """The loss of an accuracy is one minus it."""

    name: str = "accuracy"

    def to_score(self, loss: float) -> float:
        return 1 - loss


class Hands:
    """A clock that moves only when told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


def trial(number: int, loss: float | None = None, error: str = "", model: str = "mlp") -> Trial:
    result = Result.failure(error) if loss is None else Result({"accuracy": loss}, cost_seconds=1.5)
    return Trial(number, Proposal({"model": model}), result)


def lines_of(stream: io.StringIO) -> list[str]:
    return stream.getvalue().splitlines()


def test_plain_lines_name_best_counts_and_what_runs(hands: Hands) -> None:
    stream = io.StringIO()
    with Progress(60, None, Accuracy(), stream=stream) as progress:
        progress.say("40 rows, 3 columns: classification")
        progress.started(0, {"model": "linear"})
        progress.finished(trial(0, 0.25, model="linear"))
        hands.now = 5.0
        progress.started(1, {"model": "mlp"}, 1 / 3, expected_seconds=12.34)
        hands.now = 10.0
        progress.reported(1, 0.45, {"accuracy": 0.2})
        progress.done("accuracy 0.75")
    assert lines_of(stream) == [
        "40 rows, 3 columns: classification",
        "[0:00] best no model yet; 0 done, 1 running; now linear 0%",
        "[0:05] best accuracy 0.75 by linear (trial 0); 1 done, 1 running; now mlp at 0.33 0% of 12.3 s",
        "[0:10] best accuracy 0.75 by linear (trial 0); 1 done, 1 running; now mlp at 0.33 45% of 12.3 s",
        "accuracy 0.75",
    ]


@pytest.mark.parametrize("seconds", [100, 3600, 86400])
def test_lines_are_rare_however_many_trials_there_are(hands: Hands, seconds: int) -> None:
    stream = io.StringIO()
    with Progress(seconds, None, Accuracy(), stream=stream) as progress:
        for number in range(5000):
            hands.now = number * seconds / 5000
            progress.started(number, {"model": "mlp"})
            failed = number % 2
            progress.finished(trial(number, None if failed else 1 / (number + 1), error=f"reason {number % 200}"))
        progress.done("summary")
    lines = lines_of(stream)
    assert len(lines) <= 70
    assert sum("failed: reason" in line for line in lines) == 10
    stamps = [line for line in lines if line.startswith("[")]
    assert len(stamps) >= 10
    assert "[" not in lines[-1]


def test_the_best_is_the_lowest_loss_and_failures_never_are() -> None:
    stream = io.StringIO()
    with Progress(None, 4, Accuracy(), stream=stream) as progress:
        for one in [trial(0, 0.5), trial(1, 0.1, model="trees"), trial(2, error="NaN"), trial(3, 0.3)]:
            progress.finished(one)
        progress.phase("ensembling")
    assert lines_of(stream)[-1] == (
        "[0:00] best accuracy 0.9 by trees (trial 1); 3 of 4 done, 1 failed, 0 running; now ensembling"
    )


def test_trials_of_an_earlier_session_count() -> None:
    stream = io.StringIO()
    with Progress(None, 5, Accuracy(), stream=stream) as progress:
        progress.earlier([trial(0, 0.3), trial(1, error="broke"), trial(2, 0.2)])
        progress.finished(trial(3, 0.25))
    assert "Going on after 3 trials." in stream.getvalue()
    assert progress.board.best is not None
    assert progress.board.best.id == 2
    assert progress.board.counts() == "3 of 5 done, 1 failed, 0 running"


def test_a_reason_is_shown_once_and_every_trial_when_verbose() -> None:
    outcome = {}
    for verbose in (1, 2):
        stream = io.StringIO()
        with Progress(None, 3, Accuracy(), verbose, stream) as progress:
            progress.finished(trial(0, error="out of memory"))
            progress.finished(trial(1, error="out of memory"))
            progress.finished(trial(2, 0.5))
        outcome[verbose] = lines_of(stream)
    assert sum("failed: out of memory" in line for line in outcome[1]) == 1
    assert sum("failed: out of memory" in line for line in outcome[2]) == 2
    assert "Trial 2 (mlp): accuracy 0.5 in 1.5 s" in outcome[2]


def test_reports_of_trials_that_do_not_run_are_ignored() -> None:
    with Progress(None, 1, Accuracy(), stream=io.StringIO()) as progress:
        progress.reported(7, 0.5, {})
        assert not progress.board.running


def test_share_follows_the_nearer_limit(hands: Hands) -> None:
    board = Progress(100, 10, Accuracy(), 0).board
    hands.now = 20.0
    board.done = 5
    assert board.share() == 0.5
    hands.now = 80.0
    assert board.share() == 0.8
    assert Progress(None, None, Accuracy(), 0).board.share() is None


def test_silence_and_plain_lines_do_not_import_rich() -> None:
    code = """
import io, sys
from autonas.run.progress import Progress
class M:
    name = "m"
    def to_score(self, loss): return loss
for verbose in (0, 1):
    stream = io.StringIO()
    with Progress(1, 1, M(), verbose, stream) as p:
        p.say("x"); p.started(0, {}); p.phase("y"); p.done("z")
    assert bool(stream.getvalue()) == bool(verbose)
assert "rich" not in sys.modules
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""


def test_live_display_shows_everything_and_clears_itself() -> None:
    from rich.console import Console

    file = io.StringIO()
    board = Progress(60, None, Accuracy(), 0).board
    board.best = trial(3, 0.1, model="boosting")
    board.running[4] = module._Running("mlp", 0.45)
    board.ranks = "fidelity 0.11 ranks as 1: tau 0.8"
    view = module._Live(board, Console(file=file, force_terminal=True, width=100))
    view.open()
    view.write("[said] as is")
    view.close()
    view.close()  # ending twice is harmless
    shown = file.getvalue()
    best = "accuracy 0.9 by boosting (trial 3)"
    for part in ("of 1:00", best, "mlp 45%", "0 done, 1 running", "[said] as is", "━", "tau 0.8"):
        assert part in shown
    assert view.live.refresh_per_second <= 4
    assert shown.endswith("\x1b[2K")  # the display is erased, what was written stays


def test_a_terminal_gets_the_live_display(monkeypatch: pytest.MonkeyPatch) -> None:
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    with open(slave, "w") as terminal:  # noqa: PTH123
        for term, view in [("xterm", module._Live), ("dumb", module._Lines)]:
            monkeypatch.setenv("TERM", term)
            assert isinstance(Progress(1, None, Accuracy(), stream=terminal)._view, view)
    os.close(master)


def test_an_interrupted_search_leaves_the_terminal_in_order() -> None:
    from rich.console import Console

    file = io.StringIO()
    progress = Progress(60, None, Accuracy(), 0)
    progress._view = module._Live(progress.board, Console(file=file, force_terminal=True))
    with pytest.raises(KeyboardInterrupt), progress:
        raise KeyboardInterrupt
    assert file.getvalue().count("\x1b[?25l") == file.getvalue().count("\x1b[?25h") == 1  # cursor hidden, shown
