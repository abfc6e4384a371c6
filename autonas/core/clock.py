"""Wall-clock budgets.

A clock without a limit never asks the time: searches that are limited by a number of trials
therefore repeat exactly, whatever the speed of the machine.
"""

from __future__ import annotations

import math
import time

__all__ = ["Clock"]


class Clock:
    """Budget of seconds that starts when the object is made.

    Parameters
    ----------
    seconds : float or None
        The limit; None means none, and then no method reads the time.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds
        self.start = time.monotonic() if seconds is not None else 0.0

    def elapsed(self) -> float:
        """Seconds since the start; 0 without a limit."""
        return time.monotonic() - self.start if self.seconds is not None else 0.0

    def left(self) -> float:
        """Seconds that remain (never negative); infinite without a limit."""
        return max(0.0, self.seconds - self.elapsed()) if self.seconds is not None else math.inf

    def spent(self) -> float:
        """Share of the limit that is used, in [0, 1]; 0 without a limit."""
        if self.seconds is None:
            return 0.0
        return min(1.0, self.elapsed() / self.seconds) if self.seconds > 0 else 1.0

    def over(self) -> bool:
        """Whether the limit has passed."""
        return self.seconds is not None and self.elapsed() >= self.seconds

    def part(self, share: float) -> Clock:
        """A new clock over ``share`` of what is left, starting now; unlimited if this one is."""
        return Clock(None if self.seconds is None else self.left() * share)
