"""Budgets of seconds, with time itself replaced by a counter."""

from __future__ import annotations

import math
import time

import pytest

from autonas.core.clock import Clock


@pytest.fixture
def at(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] = 100.0 + seconds

    return move


def test_a_limit_is_used_up(at):
    clock = Clock(10)
    at(4)
    assert (clock.elapsed(), clock.left(), clock.spent(), clock.over()) == (4, 6, pytest.approx(0.4), False)
    at(10)
    assert (clock.left(), clock.spent(), clock.over()) == (0, 1, True)
    at(25)
    assert (clock.left(), clock.spent()) == (0, 1)


def test_a_part_starts_now_and_shares_what_is_left(at):
    clock = Clock(10)
    at(4)
    part = clock.part(0.5)
    assert (part.seconds, part.elapsed()) == (3, 0)
    at(7)
    assert part.over()
    assert not clock.over()


def test_nothing_is_left_of_no_time(at):
    clock = Clock(0)
    assert (clock.over(), clock.spent(), clock.left()) == (True, 1, 0)


def test_without_a_limit_the_time_is_never_read(monkeypatch):
    def forbidden():
        raise AssertionError("the time was read")

    monkeypatch.setattr(time, "monotonic", forbidden)
    for clock in (Clock(), Clock().part(0.1)):
        assert (clock.elapsed(), clock.left(), clock.spent(), clock.over()) == (0, math.inf, 0, False)
