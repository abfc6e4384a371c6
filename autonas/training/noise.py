"""The random numbers of dropout as a function of (network, step, layer, row, unit), and of nothing else.

Hence a network drops the same units wherever it trains: alone, with its other folds, or fused with the networks of
other configurations, of which some are wider.  Eight units share the bytes of one 64-bit word, and a word is the hash
of its place (SplitMix64, Steele et al 2014), computed for all layers of all networks at once: as fast as torch's
generator, which knows no places.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

__all__ = ["Noise", "keys"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))
_LAST_SHIFT = np.uint64(31)
_BYTES = 8  # of a word
_STEP, _LAYER, _ROW = 44, 36, 12  # bits of a place from which these are counted; words of a row come below


def keys(seed: int, folds: Sequence[int]) -> np.ndarray:
    """(networks,) uint64: one key for the network of each fold."""
    return np.array([np.random.SeedSequence((seed, fold)).generate_state(1, np.uint64)[0] for fold in folds])


class _Layer(NamedTuple):
    """What a layer drops, and memory that every step uses again: fresh pages would take longer than the hash."""

    number: int
    part: slice  # of the bytes of a network
    rates: Tensor
    scale: Tensor
    kept: Tensor
    factor: Tensor


class Noise:
    """What the dropout layers of networks keep.

    Parameters
    ----------
    keys : (networks,) uint64 array
    dropped : (layers, networks) uint8 array
        Of 256 units, how many each layer of each network drops.
    shapes : sequence of (tuple of int or None)
        Shape of what each layer sees in one network; wider ones than a network has draw the same for its units.  None
        leaves a layer out.
    device : str
    """

    def __init__(
        self, keys: np.ndarray, dropped: np.ndarray, shapes: Sequence[tuple[int, ...] | None], device: str
    ) -> None:
        self.keys, self.device = keys, device
        self._layers: list[_Layer] = []
        networks, begin, places = len(keys), 0, list[np.ndarray]()
        for number, shape in enumerate(shapes):
            if shape is None or not dropped[number].any():
                continue
            rows = np.arange(math.prod(shape[:-1]), dtype=np.uint64)[:, None] << np.uint64(_ROW)
            words = rows + np.arange(-(-shape[-1] // _BYTES), dtype=np.uint64) + np.uint64(number << _LAYER)
            places.append(words.flatten() * _GOLDEN)
            part = slice(begin, begin := begin + _BYTES * words.size)
            rates = torch.from_numpy(dropped[number].reshape(networks, *[1] * len(shape))).to(device)
            kept, factor = (
                torch.empty(networks, *shape, dtype=kind, device=device) for kind in (torch.bool, torch.float32)
            )
            self._layers.append(_Layer(number, part, rates, 256 / (256 - rates.float()), kept, factor))
        self._places = np.concatenate(places) if places else np.zeros(0, dtype=np.uint64)
        self._words, self._shifted = (np.empty((networks, len(self._places)), dtype=np.uint64) for _ in range(2))
        self._drawn = torch.from_numpy(self._words.view(np.uint8))

    def __call__(self, step: int | np.ndarray) -> dict[int, Tensor]:
        """What each layer multiplies its input with, until the next call.

        Parameters
        ----------
        step : int or (networks,) uint64 array

        Returns
        -------
        dict of int to (networks, *shape) float32 Tensor
            By number of the layer: 0 or 1 / (1 - p).  Layers that drop nothing are left out.
        """
        if not self._layers:
            return {}
        x, shifted = self._words, self._shifted
        steps = np.asarray(step, dtype=np.uint64).reshape(-1) << np.uint64(_STEP)
        np.add((self.keys + steps * _GOLDEN)[:, None], self._places, out=x)
        for shift, factor in _ROUNDS:
            np.bitwise_xor(x, np.right_shift(x, shift, out=shifted), out=x)
            np.multiply(x, factor, out=x)
        np.bitwise_xor(x, np.right_shift(x, _LAST_SHIFT, out=shifted), out=x)
        drawn, found = self._drawn.to(self.device), {}
        for layer in self._layers:
            shape = layer.kept.shape
            mine = drawn[:, layer.part].view(*shape[:-1], -1)[..., : shape[-1]]
            torch.ge(mine, layer.rates, out=layer.kept)
            found[layer.number] = torch.mul(layer.kept, layer.scale, out=layer.factor)
        return found
