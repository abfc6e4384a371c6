"""Scales of numbers: robust centre and width, a smooth clip, and piecewise-linear encoding.

Scaling by median and quartiles with a smooth clip is RealMLP's (Holzmüller et al 2024); the encoding is that of
Gorishniy et al 2022 with quantile edges, each bin's filled fraction mapped to -1..1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["NumberScales", "smooth_clip", "varies"]

_QUARTILES = 1.349  # interquartile range of a standard normal variable
_TINY = float(np.finfo(np.float32).tiny)  # smaller differences vanish in float32
_ROWS = 100_000  # quantiles are taken over about as many rows
_BINS = (320, 4, 24)  # bins of all columns together, at least and at most of one column


def varies(values: np.ndarray) -> bool:
    """Whether there are at least two different numbers."""
    return bool(np.fmax.reduce(values, initial=-np.inf) > np.fmin.reduce(values, initial=np.inf))


def smooth_clip(z: np.ndarray) -> np.ndarray:
    """The identity near 0 that never leaves -3..3: z / sqrt(1 + (z/3)^2)."""
    z = np.clip(z, -1e6, 1e6)  # the square of an outlier may be too large for float32
    return z / np.sqrt(1 + (z / 3) ** 2)


class NumberScales:
    """Fitted column by column.

    Attributes
    ----------
    shift : list of float
        What is subtracted first, so that float32 resolves columns far from zero (time stamps); else 0.
    median, scale : list of float
        Of the shifted column.
    missing_columns : list of int
        Columns whose missing cells get an indicator.
    edges : list of (bins + 1,) float32 arrays
        Of the shifted column, increasing.
    """

    def __init__(self) -> None:
        self.shift: list[float] = []
        self.median: list[float] = []
        self.scale: list[float] = []
        self.missing_columns: list[int] = []
        self.edges: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.shift)

    @property
    def n_bins(self) -> int:
        """Columns of the encoding."""
        return sum(len(edges) - 1 for edges in self.edges)

    def add(self, values: np.ndarray, missing: bool) -> None:
        """Fit the scale of one more column; ``missing`` asks for an indicator."""
        low, median, high = np.quantile(_known(values), [0.25, 0.5, 0.75])
        scale = (high - low) / _QUARTILES
        if scale <= 0:
            scale = (float(np.fmax.reduce(values)) - float(np.fmin.reduce(values))) / 2 or 1.0
        far = abs(median) > 1000 * scale
        if missing:
            self.missing_columns.append(len(self))
        self.shift.append(float(median) if far else 0.0)
        self.median.append(0.0 if far else float(median))
        self.scale.append(max(float(scale), _TINY))

    def fit_edges(self, columns: list[np.ndarray]) -> None:
        """Edges of the bins, once all columns are known (the more columns, the fewer bins of each)."""
        total, least, most = _BINS
        bins = int(np.clip(total // max(1, len(columns)), least, most))
        for j, values in enumerate(columns):
            known = np.sort(self.shifted(j, _known(values)))
            distinct = known[np.r_[True, known[1:] > known[:-1]]]
            if len(distinct) > bins + 1:
                distinct = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)).astype(np.float32))
            self.edges.append(distinct)

    def shifted(self, j: int, values: np.ndarray) -> np.ndarray:
        """(rows,) float32 values of column ``j`` in the units of all other attributes."""
        return (values - self.shift[j] if self.shift[j] else values).astype(np.float32, copy=False)

    def scale_(self, out: np.ndarray) -> None:
        """Scale and clip a (rows, columns) float32 array of shifted values in place; NaN becomes 0."""
        out -= np.asarray(self.median, dtype=np.float32)
        with np.errstate(over="ignore"):
            out /= np.asarray(self.scale, dtype=np.float32)
        for column in out.T:
            column[:] = np.nan_to_num(smooth_clip(column), copy=False)

    def piecewise_linear(self, j: int, values: np.ndarray) -> np.ndarray:
        """(rows, bins) encoding of shifted values; a missing value is 0 in every bin."""
        edges = self.edges[j]
        with np.errstate(over="ignore"):
            filled = (values[:, None] - edges[:-1]) / (edges[1:] - edges[:-1])
        return np.nan_to_num(np.clip(filled, 0, 1, out=filled) * 2 - 1, copy=False)

    def state(self) -> dict[str, Any]:
        """Plain state."""
        edges = np.concatenate(self.edges) if self.edges else np.zeros(0, dtype=np.float32)
        return {**self.__dict__, "edges": edges, "n_edges": [len(e) for e in self.edges]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> NumberScales:
        """Inverse of :meth:`state`."""
        scales = cls()
        scales.__dict__.update({key: value for key, value in state.items() if key != "n_edges"})
        ends = np.cumsum(state["n_edges"], dtype=np.int64)
        scales.edges = np.split(state["edges"], ends[:-1]) if len(ends) else []
        return scales


def _known(values: np.ndarray) -> np.ndarray:
    """Numbers that are not missing, of at most about 100,000 rows."""
    known = values[~np.isnan(values)]
    return known[:: max(1, len(known) // _ROWS)]
