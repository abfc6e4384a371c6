"""Which channels of two networks carry the same numbers: value numbering, as compilers do it.

Every channel of every value gets a number; equal numbers mean equal values for every input.  Channels of layers with
weights get new ones; the rest follows from what is read: a sum of a value and zeros is that value, ``relu`` of what is
not negative is that.  A multiple of a channel remembers of what, since weights can undo a factor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from autonas.architectures.layers import (
    Drop,
    DropPath,
    Flatten,
    GlobalPool,
    Layer,
    PadChannels,
    Part,
    Pool,
    Subsample,
    Upsample,
)
from autonas.architectures.merges import Add, Average, Concat, ShakeShake, Zeros
from autonas.architectures.morph_steps import Shift, Step, activation_name

__all__ = ["ZERO", "Channels", "Values", "keeps_zero", "locate"]

Channels = np.ndarray
"""The numbers of all channels of one value."""

ZERO = 0
_ONE = Fraction(1)
_HOMOGENEOUS = ("relu", "leaky", "identity", "linear")  # phi(c x) = c phi(x) for c > 0
_KEEPS_POSITIVE = ("relu", "leaky", "elu", "identity", "linear")  # phi(x) = x for x >= 0
_POSITIVE = ("relu", "sigmoid")
_BY_CHANNEL = (Pool, Subsample, Upsample, GlobalPool, Shift, Flatten)


def keeps_zero(layer: Layer) -> bool:
    """Whether a layer without weights makes zeros of zeros."""
    return activation_name(layer) != "sigmoid"


class Values:
    """The numbers that are known; both networks share one."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._terms: list[tuple[tuple[int, Fraction], ...]] = []  # of a number that is a sum or a multiple
        self._positive: list[bool] = []
        self._halves: dict[int, dict[int, int]] = defaultdict(dict)  # relu of a number, and of its opposite
        self._new((), True)  # zero

    def _new(self, terms: tuple[tuple[int, Fraction], ...], positive: bool) -> int:
        self._terms.append(terms)
        self._positive.append(positive)
        return len(self._terms) - 1

    def fresh(self, n: int) -> Channels:
        """Numbers of ``n`` channels that are like no other."""
        return np.array([self._new((), False) for _ in range(n)], dtype=int)

    def _intern(self, key: Hashable, positive: bool = False, terms: tuple[tuple[int, Fraction], ...] = ()) -> int:
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = self._new(terms, positive)
        return found

    def total(self, parts: Sequence[tuple[int, Fraction]]) -> int:
        """The number of a weighted sum."""
        parts = [part for part in parts if part[0] != ZERO]
        if len(parts) < 2 and all(factor is _ONE for _, factor in parts):
            return parts[0][0] if parts else ZERO
        sums: dict[int, Fraction] = defaultdict(Fraction)
        for number, factor in parts:
            for atom, share in self._terms[number] or ((number, _ONE),):
                sums[atom] += factor * share
        terms = tuple(sorted((atom, share) for atom, share in sums.items() if share))
        if not terms:
            return ZERO
        if len(terms) == 1 and terms[0][1] == 1:
            return terms[0][0]
        positive = all(self._positive[atom] and share > 0 for atom, share in terms)
        return self._intern(("sum", terms), positive, terms)

    def scaled(self, number: int) -> tuple[int, Fraction]:
        """The number as a multiple of another: that one, and the factor."""
        terms = self._terms[number]
        if not terms or terms[0][1] == 1:
            return number, _ONE
        factor = terms[0][1]
        return self.total([(atom, share / factor) for atom, share in terms]), factor

    def parts(self, number: int) -> tuple[tuple[int, Fraction], ...]:
        """Numbers of which it is a weighted sum: x = relu(x) - relu(-x)."""
        halves = self._halves.get(number, {})
        return ((halves[1], _ONE), (halves[-1], -_ONE)) if len(halves) == 2 else self._terms[number]

    def positive(self, number: int) -> bool:
        """Whether it is known not to be negative."""
        return self._positive[number]

    def multiple(self, numbers: Channels, factor: Fraction) -> Channels:
        """The numbers of channels times a factor."""
        return np.array([self.total([(int(number), factor)]) for number in numbers], dtype=int)

    # --- layers without weights ----------------------------------------------------------------------------------

    def apply(self, step: Step, inputs: Sequence[Channels]) -> Channels:
        """The channels that a step without weights puts out."""
        layer = step.layer
        if isinstance(layer, Drop | DropPath):
            return inputs[0]
        if isinstance(layer, Concat):
            return np.concatenate(inputs)
        if isinstance(layer, Add | Average | ShakeShake):
            share = _ONE if isinstance(layer, Add) else Fraction(1, len(inputs))
            each = zip(*inputs, strict=True)
            return np.array([self.total([(int(number), share) for number in numbers]) for numbers in each], dtype=int)
        if isinstance(layer, Part):
            return inputs[0][layer.first : layer.last]
        if isinstance(layer, PadChannels):
            return np.pad(inputs[0], (0, step.shape[0] - len(inputs[0])))
        if isinstance(layer, Zeros):
            return np.zeros(step.shape[0], dtype=int)
        name = activation_name(layer)
        if name is not None:
            return np.array([self._activated(int(number), layer, name) for number in inputs[0]], dtype=int)
        if isinstance(layer, _BY_CHANNEL):
            block = step.shape[0] // len(inputs[0])  # more than one channel of each: a flattened map
            return np.array([self._moved(int(n), layer, b) for n in inputs[0] for b in range(block)], dtype=int)
        return self._any(layer, inputs, step.shape[0])

    def _activated(self, number: int, layer: Any, name: str) -> int:
        if name in ("identity", "linear") or (number == ZERO and keeps_zero(layer)):
            return number
        if name in _KEEPS_POSITIVE and self._positive[number]:
            return number
        if name not in _HOMOGENEOUS:
            return self._intern((layer, number), name in _POSITIVE)
        base, factor = self.scaled(number)
        sign = -1 if factor < 0 else 1
        found = self._intern((layer, base, sign), name in _POSITIVE)
        if name == "relu":
            self._halves[base][sign] = found
        return found if factor is _ONE else self.total([(found, abs(factor))])

    def _moved(self, number: int, layer: Any, part: int) -> int:
        if number == ZERO:
            return ZERO
        base, factor = self.scaled(number)
        sign = -1 if factor < 0 else 1
        found = self._intern((layer, base, part, sign), sign > 0 and self._positive[base])
        return found if factor is _ONE else self.total([(found, abs(factor))])

    def _any(self, layer: Any, inputs: Sequence[Channels], n: int) -> Channels:
        """A layer of which nothing is known: equal for equal inputs."""
        if all(len(given) == n for given in inputs):
            return np.array(
                [self._intern((repr(layer), *map(int, row))) for row in zip(*inputs, strict=True)], dtype=int
            )
        key = tuple(tuple(map(int, given)) for given in inputs)
        return np.array([self._intern((repr(layer), key, place)) for place in range(n)], dtype=int)


def locate(values: Values, wanted: Channels, given: Channels) -> np.ndarray:
    """For each wanted channel, where a multiple of it is given, at the same place if possible; -1: nowhere."""
    bases = [values.scaled(int(number))[0] for number in given]
    places: dict[int, list[int]] = defaultdict(list)
    for place, base in enumerate(bases):
        places[base].append(place)
    used: dict[int, int] = defaultdict(int)
    found = np.full(len(wanted), -1)
    for k, number in enumerate(wanted):
        base = values.scaled(int(number))[0]
        if k < len(bases) and bases[k] == base:
            found[k] = k
        elif places[base]:
            found[k] = places[base][used[base] % len(places[base])]
            used[base] += 1
    return found
