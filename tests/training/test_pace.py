"""A clock mapped to progress, with scripted times."""

from __future__ import annotations

import math

import pytest

from autonas.core.clock import Clock
from autonas.training.pace import Pace


class Scripted(Clock):
    """A clock whose time is set by hand."""

    def __init__(self, seconds):
        super().__init__(seconds)
        self.now = 0.0

    def elapsed(self):
        return self.now


def test_progress_is_the_share_of_the_time_that_has_passed():
    clock = Scripted(12.0)
    clock.now = 2.0  # time that was spent before does not count
    pace = Pace(clock, 0.2, 1.0)
    for now, expected in [(2, 0.2), (7, 0.6), (12, 1.0), (20, 1.0)]:
        clock.now = now
        assert pace.now() == pytest.approx(expected)


def test_the_reserve_ends_training_earlier():
    clock = Scripted(10.0)
    pace = Pace(clock, 0.0, 1.0, reserve=2.0)
    clock.now = 4.0
    assert pace.now() == pytest.approx(0.5)
    assert pace.left() == pytest.approx(4.0)
    clock.now = 8.0
    assert (pace.now(), pace.left()) == (1.0, 0.0)


def test_turns_share_what_is_left_of_a_section():
    clock = Scripted(10.0)
    pace = Pace(clock, 0.0, 1.0)
    pace.begin_turn(0.0, 0.4, turns=2)  # the section ends at 4 s, the first of two turns at 2 s
    clock.now = 1.0
    assert pace.in_turn() == pytest.approx(0.2)
    clock.now = 3.0  # late
    assert pace.in_turn() == pytest.approx(0.4)
    pace.begin_turn(0.0, 0.4, turns=1)
    clock.now = 3.5
    assert pace.in_turn() == pytest.approx(0.2)
    clock.now = 5.0
    pace.begin_turn(0.0, 0.4, turns=1)  # no time is left: the turn is over as it begins
    assert pace.in_turn() == 0.4


def test_without_a_limit_the_clock_says_nothing():
    pace = Pace(Clock(), 0.3, 1.0)
    pace.begin_turn(0.3, 0.5, turns=3)
    assert (pace.timed, pace.now(), pace.in_turn(), pace.left()) == (False, 0.3, 0.3, math.inf)
