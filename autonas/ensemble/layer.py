"""The second layer reads the members' out-of-fold predictions: in what form, and what every layer offers.

Layers add to the scores of the greedy average (log odds, log probabilities, or values), so that whatever
is regularised is regularised towards it; and they bring scores of the rows by models that have not seen
them, so that their loss is honest (Wolpert 1992).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ["Fitted", "Layer", "inputs", "base_scores", "outputs", "fold_of"]

CLIP = 1e-4  # of the probabilities that a layer reads; nearer to 0 the logarithm is mostly noise


class Layer(Protocol):
    """A fitted second layer."""

    def add(self, X: np.ndarray, base: np.ndarray) -> np.ndarray:
        """(rows, columns) scores: ``base`` and what the layer adds to it."""

    def state(self) -> dict[str, Any]:
        """Plain state (see ``autonas.core.state``)."""


@dataclass
class Fitted:
    """What fitting a layer brings.

    Attributes
    ----------
    layer : Layer
    scores : (rows, columns) array
        Of the rows that it was fitted on, by models that had not seen them.
    use : (inputs,) array
        How much it uses each column of its inputs.
    """

    layer: Layer
    scores: np.ndarray
    use: np.ndarray


def inputs(members: list[np.ndarray], average: np.ndarray, kind: str, scale: float) -> np.ndarray:
    """What the second layer reads, member by member.

    Parameters
    ----------
    members : list of (rows, outputs) arrays
        Probabilities or values.
    average : (rows, outputs) array
        The greedy average.
    kind : {"classification", "regression"}
    scale : float
        Standard deviation of the target (regression).

    Returns
    -------
    (rows, members x columns) array: log odds (two classes), centred log probabilities (more), or
    differences to the average in standard deviations.
    """
    if kind == "regression":
        return np.hstack([(m - average) / scale for m in members]).astype(np.float64)
    return np.hstack([base_scores(m, kind, scale, CLIP) for m in members])


def base_scores(average: np.ndarray, kind: str, scale: float, clip: float = 1e-7) -> np.ndarray:
    """Scores that the layers add to: log odds, centred log probabilities, or values in standard deviations."""
    if kind == "regression":
        return average.astype(np.float64) / scale
    logs = np.log(np.clip(average.astype(np.float64), clip, 1 - clip))
    return logs[:, 1:] - logs[:, :1] if logs.shape[1] == 2 else logs - logs.mean(axis=1, keepdims=True)


def outputs(scores: np.ndarray, kind: str, scale: float) -> np.ndarray:
    """Inverse of :func:`base_scores`: probabilities or values."""
    if kind == "regression":
        return scores * scale
    z = np.hstack([np.zeros_like(scores), scores]) if scores.shape[1] == 1 else scores
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def fold_of(y: np.ndarray, n_folds: int, kind: str, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """(rows,) number of the fold of every row; random, and stratified for classes unless groups stay together."""
    rng = np.random.default_rng(seed)
    if groups is not None:
        _, code, size = np.unique(groups, return_inverse=True, return_counts=True)
        filled, of_group = np.zeros(n_folds), np.empty(len(size), dtype=np.int64)
        for group in sorted(rng.permutation(len(size)), key=lambda g: -size[g]):  # large first: equal folds
            of_group[group] = filled.argmin()
            filled[of_group[group]] += size[group]
        return of_group[code.ravel()]
    noise = rng.random(len(y))
    order = np.lexsort((noise, y)) if kind == "classification" else np.argsort(noise)
    fold = np.empty(len(y), dtype=np.int64)
    fold[order] = np.arange(len(y)) % n_folds
    return fold
