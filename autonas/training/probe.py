"""What steps and validations of a network cost, measured by its first ones; heavy networks are given up at once.

A network for which a time slice has only a handful of steps learns nothing: it is better to say so after one look at a
few rows, so that another trial has the time.  Of networks that train as one stack all folds step together, so before
a stack is made one of its networks is looked at, unless the work of a step is small on any machine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from autonas.data.task import Folds
from autonas.training.loop import MEASURED, Trainer
from autonas.training.pace import Pace

__all__ = ["FEWEST_STEPS", "FEWEST_FOLDS", "affordable_folds", "measure", "multiply_accumulates"]

FEWEST_STEPS = 5  # of each fold, for which it is worth to train at all
FEWEST_FOLDS = 2
_ROWS = 16  # of the first look
_SMALL = 5e8  # multiply-accumulates of a stack's pass forward, for which no machine needs much more than a second
_FEW_STEPS = 50  # leave out repeats of the folds rather than take fewer
_MOST_BYTES = 2**30  # of a stack's weights, their gradients, the optimiser's moments and copies that are kept
_BYTES = 24  # of each weight


def multiply_accumulates(build: Callable[[], nn.Module], X: Tensor) -> float:
    """Of a pass forward of one row of ``X``; nothing is computed."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        network = build().eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.empty_like(X[:1], device="meta"))
    return counter.get_total_flops() / 2


def affordable_folds(macs: float, alone: Callable[[], Trainer], folds: Folds, n_folds: int, pace: Pace) -> int:
    """How many of the folds should train as one stack, so that there is time for some steps, and memory.

    Parameters
    ----------
    macs : float
        Multiply-accumulates of a pass forward of a batch of one network.
    alone : callable
        Makes the trainer of one fold, to look at.
    folds : Folds
    n_folds : int
        Those that are wanted.
    pace : Pace
        With a time limit.

    Raises
    ------
    TimeoutError
        If the time is enough for less than five steps of each of two folds.
    """
    if n_folds * macs < _SMALL:
        return n_folds
    trainer = alone()
    size, longest = trainer.batches.size, max(map(len, trainer.valid))
    row = _look(trainer, pace) / _ROWS  # a stack of wide layers takes as long as its networks in turns
    step, scoring = 3 * row * size, row * longest  # a step is one pass forward and two back
    _refuse(step, scoring, pace, trainer)
    many, few = (int(pace.left() / (min(n, trainer.planned) * step + scoring)) for n in (_FEW_STEPS, FEWEST_STEPS))
    affordable = min(
        max(many, min(few, _covering(folds, n_folds))), _MOST_BYTES // (_BYTES * trainer.stack.n_parameters)
    )
    return min(n_folds, max(FEWEST_FOLDS, affordable))


def _look(trainer: Trainer, pace: Pace) -> float:
    """Seconds of scoring a few rows."""
    seconds = []
    for _ in range(2):  # the first one warms up
        before = pace.clock.elapsed()
        trainer.look(_ROWS)
        trainer.wait()
        seconds.append(pace.clock.elapsed() - before)
    return seconds[1]


def _covering(folds: Folds, n_folds: int) -> int:
    """How many folds validate every row that all of them validate."""
    valid = [rows for _, rows in folds.pairs[:n_folds]]
    counts = [len(np.unique(np.concatenate(valid[: n + 1]))) for n in range(n_folds)]
    return 1 + counts.index(counts[-1])


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
        _refuse(_look(trainer, pace) * size / _ROWS, 0.0, pace, trainer)  # a step costs more than a look at its rows
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
