"""A separable convolution in the place of a full one: the closest that there is (Elsken et al 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from autonas.architectures.layers import Conv
from autonas.architectures.morph_keep import write
from autonas.architectures.morph_linear import expand, fit_kernel, moved, reading, separable
from autonas.architectures.morph_steps import Plan, is_depthwise, mixes
from autonas.architectures.morph_values import Channels

if TYPE_CHECKING:
    from autonas.architectures.morph_work import Work

__all__ = ["separables", "separated"]


def separables(parent: Plan, child: Plan, twins: Mapping[int, int]) -> dict[int, int]:
    """Depthwise and pointwise convolutions of the child that stand for one convolution of the parent."""
    found: dict[int, int] = {}
    for number, twin in twins.items():
        step, other = child.steps[number], parent.steps[twin]
        if not (isinstance(step.layer, Conv) and mixes(step) and isinstance(other.layer, Conv) and mixes(other)):
            continue
        first = step.inputs[0]
        pointwise = set(np.atleast_1d(step.layer.kernel)) == {1}
        was_separable = is_depthwise(parent.steps[other.inputs[0]])
        if pointwise and is_depthwise(child.steps[first]) and first not in twins and not was_separable:
            found |= {first: twin, number: twin}
    return found


def separated(work: Work, number: int) -> Channels:
    """Give one of the two convolutions its weights; returns the channels that it then puts out."""
    step, twin = work.child.steps[number], work.separables[number]
    other = work.parent.steps[twin]
    depthwise = step if is_depthwise(step) else work.child.steps[step.inputs[0]]
    given = work.channels(depthwise.inputs[0])
    weight = expand(other, work.old[f"{other.prefix}weight"])
    read = reading(work.values, work.old_numbers[other.inputs[0]], given)
    fitted = fit_kernel(other, depthwise, weight, work.state[f"{depthwise.prefix}weight"])
    spatial, pointwise, exact = separable(read(fitted, len(given)))
    if step is depthwise:
        work.state[f"{step.prefix}weight"] = spatial
        return work.values.fresh(step.shape[0])
    if not exact or moved(depthwise, other) or (read.lost and bool(weight[:, read.lost].any())):
        work.note(number)
    rows = work.map(number, other.shape[0])
    write(work, number, rows, pointwise)
    return work.named(work.old_numbers[twin], rows)
