"""Weights of linear layers for other channels and kernels (Chen et al 2016; Wei et al 2016).

A weight is seen as (outputs, inputs, *kernel), whatever torch stores: groups are filled up with zeros.
"""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import product

import numpy as np
import torch
from torch import Tensor

from autonas.architectures.layers import Conv, Deconv, Dense
from autonas.architectures.morph_steps import Step
from autonas.architectures.morph_values import ZERO, Channels, Values

__all__ = ["Reading", "collapse", "expand", "fit_kernel", "moved", "reading", "separable", "widest"]


def _groups(step: Step) -> int:
    return (step.layer.groups or step.shapes[0][0]) if isinstance(step.layer, Conv) else 1


def expand(step: Step, weight: Tensor) -> Tensor:
    """(outputs, inputs, *kernel) from a weight as torch stores it."""
    if isinstance(step.layer, Deconv):
        return weight.transpose(0, 1)
    groups = _groups(step)
    if groups == 1:
        return weight
    found = weight.new_zeros(len(weight), step.shapes[0][0], *weight.shape[2:])
    for rows, columns in _blocks(step, groups):
        found[rows, columns] = weight[rows]
    return found


def collapse(step: Step, whole: Tensor) -> Tensor:
    """Inverse of :func:`expand`; what lies between groups is lost."""
    if isinstance(step.layer, Deconv):
        return whole.transpose(0, 1).contiguous()
    groups = _groups(step)
    return whole if groups == 1 else torch.cat([whole[rows, columns] for rows, columns in _blocks(step, groups)])


def _blocks(step: Step, groups: int) -> list[tuple[slice, slice]]:
    out, inputs = step.shape[0] // groups, step.shapes[0][0] // groups
    return [(slice(g * out, (g + 1) * out), slice(g * inputs, (g + 1) * inputs)) for g in range(groups)]


def fit_kernel(old: Step, new: Step, weight: Tensor, like: Tensor) -> Tensor:
    """The kernel in another one with the same middle, which may be larger, smaller or dilated.

    Parameters
    ----------
    weight : Tensor
        (outputs, inputs, *kernel) of the old layer.
    like : Tensor
        With the kernel of the new one.
    """
    if isinstance(old.layer, Dense) or (weight.shape[2:] == like.shape[2:] and _dilation(old) == _dilation(new)):
        return weight
    found = weight.new_zeros(*weight.shape[:2], *like.shape[2:])
    axes = []
    for size, more in zip(weight.shape[2:], like.shape[2:], strict=True):
        places = {(t - more // 2) * _dilation(new): t for t in range(more)}
        taps = {t: (t - size // 2) * _dilation(old) for t in range(size)}
        axes.append([(t, places[offset]) for t, offset in taps.items() if offset in places])
    for pairs in product(*axes):
        here, there = zip(*pairs, strict=True)
        found[(slice(None), slice(None), *there)] = weight[(slice(None), slice(None), *here)]
    return found


def _dilation(step: Step) -> int:
    return step.layer.dilation if isinstance(step.layer, Conv) else 1


def moved(step: Step, other: Step) -> bool:
    """Whether one convolution looks at other places than another."""
    names = ("stride", "valid")
    return any(getattr(step.layer, name, None) != getattr(other.layer, name, None) for name in names)


class Reading:
    """How a linear layer reads other channels: weights of old inputs become those of new inputs.

    Attributes
    ----------
    old, new : (pairs,) int arrays
        Places of an input of the old layer and one of the new layer that carries it.
    factor : (pairs,) float array
        On the weight.
    lost : list of int
        Old inputs that the new layer cannot read.
    """

    def __init__(self, pairs: list[tuple[int, int, float]], lost: list[int]) -> None:
        self.old = torch.tensor([p for p, _, _ in pairs], dtype=torch.long)
        self.new = torch.tensor([c for _, c, _ in pairs], dtype=torch.long)
        self.factor = torch.tensor([f for _, _, f in pairs])
        self.lost = lost
        self.plain = pairs == [(k, k, 1.0) for k in range(len(pairs))]

    def __call__(self, weight: Tensor, inputs: int) -> Tensor:
        """(outputs, old inputs, *kernel) to (outputs, inputs, *kernel)."""
        if self.plain and len(self.old) == inputs == weight.shape[1]:
            return weight
        found = weight.new_zeros(len(weight), inputs, *weight.shape[2:])
        shape = (1, -1, *[1] * (weight.ndim - 2))
        return found.index_add_(1, self.new, weight[:, self.old] * self.factor.to(weight).view(shape))


def reading(values: Values, wanted: Channels, given: Channels) -> Reading:
    """How to read ``wanted`` from ``given``, the numbers of the old and the new inputs.

    An input that is there several times is divided evenly.  What is lost is replaced by what stands at its place, if
    that is nothing else that is wanted.
    """
    places: tuple[dict[int, list[int]], dict[int, list[int]]] = (defaultdict(list), defaultdict(list))
    factors: list[list[Fraction]] = [[], []]
    bases: list[list[int]] = [[], []]
    for side, numbers in enumerate((wanted, given)):
        for place, number in enumerate(numbers):
            base, factor = values.scaled(int(number))
            places[side][base].append(place)
            factors[side].append(factor)
            bases[side].append(base)
    pairs, lost = [], []
    for base, old in places[0].items():
        new = places[1].get(base, [])
        if not new and base != ZERO:
            parts = [(places[1].get(atom, [-1])[0], share) for atom, share in values.parts(base)]
            for p in old:
                if parts and all(c >= 0 for c, _ in parts):  # the terms of a sum, now side by side
                    pairs += [(p, c, float(factors[0][p] * share / factors[1][c])) for c, share in parts]
                    continue
                lost.append(p)
                if p < len(given) and bases[1][p] not in places[0]:
                    pairs.append((p, p, 1.0))
        n = max(len(old), len(new)) if new else 0
        for k in range(n):
            p, c = old[k % len(old)], new[k % len(new)]
            share_of = n // len(old) + (k % len(old) < n % len(old))  # how many pairs this old input is in
            pairs.append((p, c, float(factors[0][p] / factors[1][c]) / share_of))
    return Reading(pairs, lost)


def separable(weight: Tensor) -> tuple[Tensor, Tensor, bool]:
    """The best depthwise and pointwise weights for a kernel (a rank of one for every input).

    Returns
    -------
    depthwise : (inputs, 1, *kernel) Tensor
    pointwise : (outputs, inputs, 1, ...) Tensor
    exact : bool
    """
    flat = weight.flatten(2).transpose(0, 1)  # (inputs, outputs, places)
    u, s, v = torch.linalg.svd(flat, full_matrices=False)
    root = s[:, :1].sqrt()
    axes = weight.ndim - 2
    depthwise = (root * v[:, 0]).view(len(flat), 1, *weight.shape[2:])
    pointwise = (root * u[:, :, 0]).T.reshape(*weight.shape[:2], *[1] * axes)
    return depthwise, pointwise, bool((s[:, 1:] <= 1e-6 * s[:, :1]).all())


def widest(weights: list[Tensor], n: int) -> np.ndarray:
    """The ``n`` outputs with the largest norms over several layers, in order."""
    norms = sum((weight.flatten(1).square().sum(1) for weight in weights), torch.zeros(len(weights[0])))
    return np.sort(norms.argsort(descending=True)[:n].numpy())
