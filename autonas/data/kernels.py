"""Random convolution features of series, after MiniRocket (Dempster et al 2021) and MultiRocket (Tan et al 2022).

The 84 kernels of length 9 with weights -1 and three 2s, dilated, on the series and on its first difference.  Each
kernel reads one to six channels; its biases are quantiles of its responses to a few training series; its features
are the share of responses above the bias and the mean excess over it.  Differences to the papers: every kernel is
zero padded, and long series are read at every few positions only.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

__all__ = ["RandomKernels"]

_TAPS = 9
_TRIPLES = np.array(list(combinations(range(_TAPS), 3)))  # the places of the 2s
_DILATIONS = 8  # at most
_FEATURES = 3000
_SAMPLE = 60  # series whose responses give the biases
_POSITIONS = 256  # of a series that are read, at most
_WORK = 3e8  # rows x positions x biases, above which fewer kernels are used
_BLOCK = 65_536  # numbers of a response that stay in the cache of a processor
_CHANNEL_SETS = 8
_GOLDEN = (5**0.5 - 1) / 2


class RandomKernels:
    """A fixed random set of kernels.

    Attributes
    ----------
    groups : list of dict
        ``difference`` (bool), ``dilation``, ``channels`` (list), ``triples`` (numbers of kernels) and ``biases``
        (kernels, biases of each): kernels that read the same shifted copies of the same sum of channels.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        self.groups = groups

    @classmethod
    def fit(cls, X: np.ndarray, n_rows: int, seed: int = 0) -> RandomKernels:
        """Draw kernels for series like X.

        Parameters
        ----------
        X : (series, channels, time) float32 array
            A sample of the training series.
        n_rows : int
            Training series in all: of very many, fewer kernels are drawn.
        seed : int
        """
        rng = np.random.default_rng(seed)
        length, channels = X.shape[2], X.shape[1]
        dilations = [2**i for i in range(_DILATIONS) if (_TAPS - 1) * 2**i < length] or [1]
        sources = [False, True] if length > 1 else [False]
        pairs = min(_FEATURES / 2, _WORK / (n_rows * min(length, _POSITIONS))) / (len(dilations) * len(sources))
        n_kernels = int(np.clip(pairs, 8, len(_TRIPLES)))
        n_biases = max(1, round(pairs / n_kernels))
        groups: list[dict[str, Any]] = []
        made = 0
        for difference in sources:
            for dilation in dilations:
                chosen = rng.permutation(len(_TRIPLES))[:n_kernels]
                for part in np.array_split(chosen, 1 if channels == 1 else min(_CHANNEL_SETS, n_kernels)):
                    size = int(rng.integers(1, min(6, channels) + 1))
                    group: dict[str, Any] = {
                        "difference": difference,
                        "dilation": dilation,
                        "channels": sorted(rng.permutation(channels)[:size].tolist()),
                        "triples": np.sort(part),
                    }
                    levels = np.modf(_GOLDEN * np.arange(made + 1, made + len(part) * n_biases + 1))[0]
                    made += levels.size
                    responses = _responses(X[:_SAMPLE], group)
                    group["biases"] = np.array(
                        [
                            np.quantile(response, q)
                            for response, q in zip(responses, levels.reshape(len(part), n_biases), strict=True)
                        ],
                        dtype=np.float32,
                    )
                    groups.append(group)
        return cls(groups)

    def features(self, X: np.ndarray) -> np.ndarray:
        """(n, about 3000) float32 features of (n, channels, time) series."""
        rows = max(1, _BLOCK // min(X.shape[2], _POSITIONS))
        return np.concatenate([self._features(X[start : start + rows]) for start in range(0, len(X), rows)])

    def _features(self, X: np.ndarray) -> np.ndarray:
        parts = []
        for group in self.groups:
            for response, biases in zip(_responses(X, group), group["biases"], strict=True):
                for bias in biases:
                    excess = np.maximum(response, bias)
                    parts.append(np.count_nonzero(response > bias, axis=1) / np.float32(excess.shape[1]))
                    parts.append(excess.mean(axis=1) - bias)
        return np.ascontiguousarray(np.stack(parts).T, dtype=np.float32)

    def state(self) -> dict[str, Any]:
        """Plain state."""
        return {"groups": self.groups}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RandomKernels:
        """Inverse of :meth:`state`."""
        return cls(state["groups"])


def _responses(X: np.ndarray, group: dict[str, Any]) -> Any:
    """Iterator over (n, positions) convolutions with each kernel of a group.

    With weights -1 and three 2s, a response is 3 x (three shifted copies) - (sum of all nine).
    """
    z = X[:, group["channels"]].sum(axis=1)
    if group["difference"]:
        z = np.diff(z, axis=1)
    length, dilation = z.shape[1], group["dilation"]
    reach = dilation * (_TAPS // 2)
    padded = np.pad(z, ((0, 0), (reach, reach)))
    step = -(-length // _POSITIONS)
    copies = [padded[:, tap * dilation : tap * dilation + length : step] * np.float32(3) for tap in range(_TAPS)]
    total = sum(copies[1:], copies[0]) / np.float32(-3)
    for a, b, c in _TRIPLES[group["triples"]]:
        yield total + copies[a] + copies[b] + copies[c]
