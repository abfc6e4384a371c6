"""Images and series: one layout, one scale, and flat or summary views for learners that are not convolutional.

image       (n, channels, height, width), standardised per channel; image@16: its shorter side shrunk to 16 pixels
series      (n, channels, time), standardised per channel
dense       flat, standardised per pixel or point, at most 4096 numbers (means over blocks above that)
statistics  of each channel: moments, extremes and their places, Fourier magnitudes, slope, segment means
kernels     random convolutions (see ``kernels.py``)
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np

from autonas.data.kernels import RandomKernels
from autonas.data.modality import Layout, arrange, infer_layout
from autonas.data.scaling import smooth_clip
from autonas.data.task import Preprocessor

__all__ = ["ImagePreprocessor", "SeriesPreprocessor"]

_FLAT = 4096
_FOURIER = _SEGMENTS = 8


class _ArrayPreprocessor(Preprocessor):
    """What images and series share.

    Attributes
    ----------
    layout : Layout
    summary : str
        One sentence on how the data was read.
    shape : tuple of int
        (channels, height, width) or (channels, time).
    """

    modality: ClassVar[str]

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.scales: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    @classmethod
    def fit(cls, X: Any, layout: Layout | None = None, seed: int = 0) -> Any:
        """A preprocessor for data like X; ``layout`` is inferred if it is not given."""
        return cls.fit_check(X, layout, seed)[0]

    @classmethod
    def fit_check(cls, X: Any, layout: Layout | None = None, seed: int = 0) -> tuple[Any, np.ndarray]:
        """Fitted preprocessor, and what its ``check(X)`` gives."""
        self = cls(layout or infer_layout(X, cls.modality))
        array = arrange(X, self.layout)
        axes = (0, *range(2, array.ndim))
        channels = [array[:, c] for c in range(array.shape[1])]
        centre = np.array([_mean(c) for c in channels], dtype=np.float32)
        spread = np.array([_spread(c) for c in channels], dtype=np.float32)
        self.scales["channel"] = np.expand_dims(centre, axes), np.expand_dims(spread, axes)
        array = self._standardise(array)
        self._fit_scale("dense", self._flat(array))
        self._fit_more(array, seed)
        return self, array

    def _fit_more(self, array: np.ndarray, seed: int) -> None:
        """Fit views beyond ``dense``."""

    @property
    def summary(self) -> str:
        """One sentence on how the data was read."""
        return self.layout.sentence

    @property
    def n_features(self) -> int:
        """Length of the first axis of one image or series, as it was given."""
        return int(self.layout.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width) or (channels, time)."""
        size = dict(zip(self.layout.axes[1:], self.layout.shape, strict=True))
        return tuple(size.get(axis, 1) for axis in ("chw" if self.modality == "image" else "ct"))

    def check(self, X: Any) -> np.ndarray:
        """New data in one layout, standardised per channel, missing values filled.

        Raises
        ------
        DataError
            Another shape than the fitted one, infinite values, or not numbers.
        """
        return self._standardise(arrange(X, self.layout))

    def _standardise(self, array: np.ndarray) -> np.ndarray:
        centre, spread = self.scales["channel"]
        array -= centre
        array /= spread
        return self._fill(array)

    def _fill(self, array: np.ndarray) -> np.ndarray:
        return np.nan_to_num(array, copy=False)

    def view(self, name: str, X: np.ndarray) -> np.ndarray:
        """The named view of what :meth:`check` returned."""
        if name == self.modality:
            return X
        return self._scaled(name, self._flat(X))

    def _flat(self, X: np.ndarray) -> np.ndarray:
        """(n, numbers), as means over blocks of the trailing axes if there would be too many numbers."""
        block, (n, channels, *sides) = 1, X.shape
        while channels * np.prod([side // block for side in sides]) > _FLAT and 2 * block <= min(sides):
            block += 1
        for axis, side in enumerate(sides, start=2):
            kept = np.take(X, np.arange(side // block * block), axis) if side % block else X
            X = kept.reshape(*kept.shape[:axis], -1, block, *kept.shape[axis + 1 :]).mean(axis + 1)
        return X.reshape(n, -1)

    def _fit_scale(self, name: str, features: np.ndarray) -> None:
        spread = features.std(axis=0, dtype=np.float64)
        spread = np.where(spread > 1e-6, spread, 1.0).astype(np.float32)
        self.scales[name] = features.mean(axis=0, dtype=np.float64).astype(np.float32), spread

    def _scaled(self, name: str, features: np.ndarray) -> np.ndarray:
        centre, spread = self.scales[name]
        return smooth_clip((features - centre) / spread).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """Plain state."""
        return {"layout": asdict(self.layout), "scales": {key: list(pair) for key, pair in self.scales.items()}}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Any:
        """Inverse of :meth:`state`."""
        self = cls(Layout(**{**state["layout"], "shape": tuple(state["layout"]["shape"])}))
        self.scales = {key: (pair[0], pair[1]) for key, pair in state["scales"].items()}
        return self


class ImagePreprocessor(_ArrayPreprocessor):
    """Images; a missing pixel is the mean of its channel."""

    modality = "image"
    views = ("image", "dense")

    def view(self, name: str, X: np.ndarray) -> np.ndarray:
        """The named view of what :meth:`check` returned."""
        whole, _, side = name.partition("@")
        return _shrunk(super().view(whole, X), int(side)) if side else super().view(whole, X)


class SeriesPreprocessor(_ArrayPreprocessor):
    """Series; a missing point is interpolated, a series without any point is the mean of its channel."""

    modality = "series"
    views = ("series", "dense", "statistics", "kernels")
    random: RandomKernels

    def _fit_more(self, array: np.ndarray, seed: int) -> None:
        self._fit_scale("statistics", _statistics(array))
        sample = array[np.random.default_rng(seed).permutation(len(array))[:500]]
        self.random = RandomKernels.fit(sample, len(array), seed)
        self._fit_scale("kernels", self.random.features(sample))

    def _fill(self, array: np.ndarray) -> np.ndarray:
        points = np.arange(array.shape[2])
        for row, channel in zip(*np.nonzero(np.isnan(array).any(axis=2)), strict=True):
            line = array[row, channel]
            known = ~np.isnan(line)
            line[:] = np.interp(points, points[known], line[known]) if known.any() else 0.0
        return array

    def view(self, name: str, X: np.ndarray) -> np.ndarray:
        """The named view of what :meth:`check` returned."""
        if name == "statistics":
            return self._scaled(name, _statistics(X))
        if name == "kernels":
            return self._scaled(name, self.random.features(X))
        return super().view(name, X)

    def state(self) -> dict[str, Any]:
        """Plain state."""
        return {**super().state(), "random": self.random.state()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> SeriesPreprocessor:
        """Inverse of :meth:`state`."""
        self: SeriesPreprocessor = super().from_state(state)
        self.random = RandomKernels.from_state(state["random"])
        return self


def _shrunk(X: np.ndarray, side: int) -> np.ndarray:
    """(n, channels, height, width) images whose shorter side has so many pixels: means over boxes."""
    height, width = X.shape[2:]
    share = side / min(height, width)
    rows, columns = _boxes(height, max(1, round(share * height))), _boxes(width, max(1, round(share * width)))
    return np.asarray(rows @ X @ columns.T, dtype=np.float32)


def _boxes(old: int, new: int) -> np.ndarray:
    """(new, old) weights of the pixels that ``new`` boxes of equal size cover, pixels at their ends in part."""
    ends = np.arange(new + 1) * old / new
    pixels = np.arange(old)
    covered = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return (np.maximum(covered, 0) * new / old).astype(np.float32)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean(dtype=np.float64)) if known.size else 0.0


def _spread(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    spread = float(known.std(dtype=np.float64)) if known.size else 0.0
    return spread if spread > 1e-12 else 1.0


def _statistics(X: np.ndarray) -> np.ndarray:
    """(n, channels x 24) summary numbers of (n, channels, time) series."""
    n, channels, length = X.shape
    time = np.linspace(-1, 1, length, dtype=np.float32) if length > 1 else np.zeros(1, dtype=np.float32)
    fourier = np.zeros((n, channels, _FOURIER), dtype=np.float32)
    found = np.abs(np.fft.rfft(X, axis=2))[:, :, 1 : _FOURIER + 1] / length
    fourier[:, :, : found.shape[2]] = found
    segments = np.array_split(X, min(_SEGMENTS, length), axis=2)
    single = [
        X.mean(axis=2),
        X.std(axis=2),
        X.min(axis=2),
        X.max(axis=2),
        X.argmin(axis=2) / length,
        X.argmax(axis=2) / length,
        np.diff(X, axis=2).std(axis=2) if length > 1 else np.zeros((n, channels)),
        X @ time / max(float(time @ time), 1e-12),
        *[segment.mean(axis=2) for segment in segments],
    ]
    return np.concatenate([np.stack(single, axis=2), fourier], axis=2, dtype=np.float32).reshape(n, -1)
