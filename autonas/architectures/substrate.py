"""The substrate of HyperNEAT: sheets of nodes at coordinates, whose links a function paints (Stanley et al 2009).

The function is asked for any two places, so that one genome serves every resolution.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autonas.architectures.neatgenes import evaluate, parse, plan

__all__ = ["express", "paint", "painted", "sheet"]

INPUTS = 4  # of the function: x and y of both ends


def sheet(rows: int, columns: int) -> np.ndarray:
    """(rows x columns, 2) coordinates (x, y) in [-1, 1], row by row; a single one is in the middle."""
    x = np.linspace(-1, 1, columns) if columns > 1 else np.zeros(1)
    y = np.linspace(-1, 1, rows) if rows > 1 else np.zeros(1)
    return np.stack([np.tile(x, rows), np.repeat(y, columns)], axis=1)


def express(values: np.ndarray, threshold: float, largest: float) -> np.ndarray:
    """Weights from values: no link up to the threshold, then from 0 to ``largest`` at 1 and beyond."""
    size = np.clip((np.abs(values) - threshold) / (1 - threshold), 0, 1)
    return np.sign(values) * size * largest


def paint(
    function: Callable[[np.ndarray], np.ndarray],
    source: np.ndarray,
    target: np.ndarray,
    threshold: float = 0.2,
    largest: float = 3.0,
) -> np.ndarray:
    """(targets, sources) weights of all links between two sets of places.

    Parameters
    ----------
    function : callable
        From (n, 4) coordinates x1, y1, x2, y2 of source and target to (n,) values.
    source, target : (n, 2) array
    """
    ends = np.hstack([np.tile(source, (len(target), 1)), np.repeat(target, len(source), axis=0)])
    return express(function(ends), threshold, largest).reshape(len(target), len(source))


def painted(
    cppn: str,
    output: int,
    source: tuple[int, int],
    target: tuple[int, int],
    channels: int,
    threshold: float,
    largest: float,
) -> np.ndarray:
    """Weights by an output of the function that a genome encodes; channels of the source share them equally."""
    steps, _ = plan(parse(cppn), INPUTS, output + 1)

    def function(ends: np.ndarray) -> np.ndarray:
        found: np.ndarray = evaluate(steps, ends, output + 1)[:, output]
        return found

    weights = paint(function, sheet(*source), sheet(*target), threshold, largest)
    return np.tile(weights / channels, (1, channels))
