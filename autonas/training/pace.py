"""How far training should be by the clock.

A slice of training goes from one progress to another within a clock's seconds; the share of the
time that has passed is mapped to progress linearly, so schedules end with the time.  Several
trainers that take turns get equal parts of what is left of a section.
"""

from __future__ import annotations

from autonas.core.clock import Clock

__all__ = ["Pace"]


class Pace:
    """Map from a clock to progress, for one slice of training that starts now.

    Parameters
    ----------
    clock : Clock
        Without a limit, progress by the clock stays at ``start``.
    start, until : float
        Progress at the start and at the end of the slice.
    reserve : float
        Seconds before the end of the clock at which training must be over; may be changed as
        better estimates come in.

    Attributes
    ----------
    step : float
        Seconds that the last step took.
    """

    def __init__(self, clock: Clock, start: float, until: float, reserve: float = 0.0) -> None:
        self.clock, self.start, self.until, self.reserve = clock, start, until, reserve
        self.step = 0.0
        self.began = clock.elapsed()
        self._turn = (start, until, self.began, self.began)

    @property
    def timed(self) -> bool:
        """Whether there is a limit."""
        return self.clock.seconds is not None

    def left(self) -> float:
        """Seconds until training must be over; infinite without a limit."""
        return self.clock.left() - self.reserve

    @property
    def is_over(self) -> bool:
        """Whether there is no time for one more step."""
        return self.timed and self.left() < self.step

    def now(self) -> float:
        """Progress by the clock, in [start, until]."""
        if not self.timed:
            return self.start
        passed, left = self.clock.elapsed() - self.began, self.left()
        return self.until if left <= 0 else self.start + (self.until - self.start) * passed / (passed + left)

    def begin_turn(self, start: float, goal: float, turns: int) -> None:
        """Start one trainer's turn, from ``start`` to ``goal``; ``turns`` are still to come, this one included."""
        if self.timed:
            now = self.clock.elapsed()
            whole = now - self.began + self.left()
            end = self.began + whole * (goal - self.start) / (self.until - self.start)
            self._turn = (start, goal, now, now + max(0.0, end - now) / turns)

    def in_turn(self) -> float:
        """Progress by the clock within the turn: from its start to its goal; its start without a limit."""
        start, goal, begin, end = self._turn
        if not self.timed:
            return self.start
        now = self.clock.elapsed()
        return goal if now >= end else start + (goal - start) * (now - begin) / (end - begin)
