"""What steps and validations of a network cost, measured by its first ones; heavy networks are given up at once.

A network for which a time slice has only a handful of steps learns nothing: it is better to say so after one look at a
few rows, so that another trial has the time.
"""

from __future__ import annotations

from autonas.training.loop import MEASURED, Trainer
from autonas.training.pace import Pace

__all__ = ["FEWEST_STEPS", "FEWEST_FOLDS", "measure"]

FEWEST_STEPS = 5  # of each fold, for which it is worth to train at all
FEWEST_FOLDS = 2
_ROWS = 16  # of the first look


def measure(trainer: Trainer, pace: Pace, chunk: int, batched: bool) -> float:
    """Take the first two steps, time the second as ``pace.step``, and return the seconds of validating one stack.

    Parameters
    ----------
    trainer : Trainer
        Of the first fold, or of all folds if they are ``batched``.
    pace : Pace
        With a time limit.
    chunk : int
        Rows that are scored at once.

    Raises
    ------
    TimeoutError
        If the time is enough for less than five steps of each of two folds that train in turns.
    """

    def seconds(rows: int) -> float:
        before = pace.clock.elapsed()
        if rows:
            trainer.look(rows)
        else:
            trainer.take_step(pace.start)
        trainer.wait()
        return pace.clock.elapsed() - before

    size, longest = trainer.batches.size, max(map(len, trainer.valid))
    if not batched:
        seconds(_ROWS)  # warms up
        _refuse(seconds(_ROWS) * size / _ROWS, 0.0, pace, trainer)  # a step costs more than such a look at all its rows
    pace.step = seconds(0)
    if batched or pace.step < pace.left() / FEWEST_STEPS:
        pace.step = seconds(0)  # the first one also warmed up
    if batched:
        scoring = pace.step / 3 * longest / size  # a step is one pass forward and two back
    else:
        rows = min(chunk, longest)
        scoring = seconds(rows) * longest / rows
    scoring += pace.step / 3 * MEASURED * trainer.is_unsettled
    if not batched:
        _refuse(pace.step, scoring, pace, trainer)
    return scoring


def _refuse(step: float, scoring: float, pace: Pace, trainer: Trainer) -> None:
    """Give up where even the least training does not fit."""
    steps = min(FEWEST_STEPS, trainer.planned - trainer.step) * FEWEST_FOLDS
    needed, left = steps * step + FEWEST_FOLDS * scoring, pace.left()
    if needed > left:
        raise TimeoutError(
            f"a training of {FEWEST_STEPS} steps of {FEWEST_FOLDS} folds takes at least {needed:.1f} s "
            f"({step:.2g} s a step), and the time limit leaves {left:.1f} s: give more time or a smaller network"
        )
