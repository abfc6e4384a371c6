"""Weights of layers that are new in a child: the identity, zero, or as they are drawn (see ``morph``)."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from autonas.architectures.layers import Drop, Norm
from autonas.architectures.layers_morph import Gate, PActivation
from autonas.architectures.morph_goals import NOTHING, Goal
from autonas.architectures.morph_linear import collapse, expand
from autonas.architectures.morph_steps import activation_name, is_depthwise, mixes
from autonas.architectures.morph_values import ZERO, Channels, locate
from autonas.architectures.morph_widths import NEW

if TYPE_CHECKING:
    from autonas.architectures.morph_work import Work

__all__ = ["inserted"]

EPS = 1e-5  # of torch's batch normalisation
ALMOST_ZERO = 1e-7  # what a closed branch that ends in relu puts out, since relu has no gradient at zero


def inserted(work: Work, number: int, inputs: list[Channels]) -> Channels:
    """Give a new step its weights; returns the channels that it then puts out."""
    step, goal = work.child.steps[number], work.goals.get(number)
    if goal is None or len(inputs) != 1:
        return work.values.fresh(step.shape[0])
    return _closed(work, number) if goal == NOTHING else _identity(work, number, inputs[0], goal)


def _closed(work: Work, number: int) -> Channels:
    """Zeros, from the last layer of a branch that can give them."""
    step = work.child.steps[number]
    affine = isinstance(step.layer, Norm) and step.layer.affine
    if not (affine or isinstance(step.layer, Gate) or mixes(step)):
        return work.values.fresh(step.shape[0])
    work.state[f"{step.prefix}weight"].zero_()
    if f"{step.prefix}bias" in work.state:
        ends = [activation_name(work.child.steps[r].layer) for r in work.readers[number]]
        work.state[f"{step.prefix}bias"].fill_(ALMOST_ZERO if "relu" in ends else 0.0)
    return np.full(step.shape[0], ZERO)


def _identity(work: Work, number: int, given: Channels, goal: Goal) -> Channels:
    """What comes in, in the order and number of channels that the goal has."""
    step = work.child.steps[number]
    weight = f"{step.prefix}weight"
    if isinstance(step.layer, Norm):
        work.inserted_norms.append(step.prefix)
        if weight in work.state:
            work.state[weight].fill_(sqrt(1 + EPS))
        else:
            work.state[f"{step.prefix}running_var"].fill_(1 - EPS)
        return given
    if isinstance(step.layer, Gate):
        return given
    if isinstance(step.layer, PActivation):
        work.state[f"{step.prefix}a"].fill_(1.0)
        return given
    if getattr(step.layer, "stride", 1) != 1 or getattr(step.layer, "valid", False):
        return work.values.fresh(step.shape[0])
    if is_depthwise(step):
        flat = work.state[weight].zero_().view(step.shape[0], -1)
        flat[:, flat.shape[1] // 2] = 1.0
        work.shake(step, np.arange(step.shape[0]))
        return given
    if mixes(step) and len(step.shape) == len(step.shapes[0]):
        return _selection(work, number, given, goal)
    return work.values.fresh(step.shape[0])


def _selection(work: Work, number: int, given: Channels, goal: Goal) -> Channels:
    """A linear layer whose every output is one of its inputs, or the opposite of one."""
    step = work.child.steps[number]
    numbers = work.old_numbers[goal.step][goal.first : goal.last]
    rows, signs = work.map(number, len(numbers)), np.ones(step.shape[0])
    n = len(numbers)
    if 2 * n <= len(rows) and _next_activation(work, number) == "relu" and not all(map(work.values.positive, numbers)):
        rows = np.concatenate([np.arange(n), np.arange(n), np.full(len(rows) - 2 * n, NEW)])
        signs[n : 2 * n] = -1  # x = relu(x) - relu(-x)
    places = locate(work.values, work.named(numbers, rows), given)
    same = (places == -1) & (np.arange(len(places)) < len(given)) & (rows != NEW)
    places = np.where(same, np.arange(len(places)), places)
    whole = expand(step, work.state[f"{step.prefix}weight"].clone())
    found = work.values.fresh(step.shape[0])
    kept = [k for k, place in enumerate(places) if place != -1]
    middle = whole[0, 0].numel() // 2
    for k in kept:
        whole[k] = 0.0
        whole[k, places[k]].view(-1)[middle] = signs[k]
        found[k] = work.values.multiple(given[places[k] :][:1], Fraction(int(signs[k])))[0]
        if f"{step.prefix}bias" in work.state:
            work.state[f"{step.prefix}bias"][k] = 0.0
    work.state[f"{step.prefix}weight"] = stored = collapse(step, whole)
    if stored is not whole and int(stored.count_nonzero()) < int(whole.count_nonzero()):
        return work.values.fresh(step.shape[0])
    work.shake(step, np.array(kept, dtype=int))
    return found


def _next_activation(work: Work, number: int) -> str | None:
    """The activation that follows on a layer."""
    while len(work.readers[number]) == 1:
        (number,) = work.readers[number]
        name = activation_name(work.child.steps[number].layer)
        if name is not None or not isinstance(work.child.steps[number].layer, Norm | Drop):
            return name
    return None
