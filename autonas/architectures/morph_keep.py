"""Weights of layers that a child has in common with its parent, for the channels that it has (see ``morph``)."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from autonas.architectures.layers import Norm
from autonas.architectures.layers_morph import Gate, PActivation
from autonas.architectures.morph_linear import collapse, expand, fit_kernel, moved, reading
from autonas.architectures.morph_steps import Step, is_depthwise, mixes
from autonas.architectures.morph_values import Channels, locate
from autonas.architectures.morph_widths import NEW

if TYPE_CHECKING:
    from autonas.architectures.morph_work import Work

__all__ = ["kept", "write"]

EPS = 1e-5  # of torch's batch normalisation


def kept(work: Work, number: int, inputs: list[Channels]) -> Channels:
    """Give a step that has a counterpart its weights; returns the channels that it then puts out."""
    step, twin = work.child.steps[number], work.twins[number]
    other = work.parent.steps[twin]
    if mixes(step) and mixes(other) and len(step.shape) == len(other.shape):
        found = _linear(work, number, inputs[0])
    elif isinstance(step.layer, Norm | Gate) or (is_depthwise(step) and is_depthwise(other)):
        found = _by_channel(work, number, inputs[0])
    else:
        found = _opaque(work, number, inputs)
    _remember(work, step, other)
    if number in work.copies:
        work.shake(step, np.arange(step.shape[0]))
    return _shared(work, number, found)


def _remember(work: Work, step: Step, other: Step) -> None:
    """Note which tensors of a step are the parent's."""
    for name, tensor in work.tensors(step):
        old = work.inherited(step, other, name)
        if old is not None and torch.equal(tensor, old):
            work.origin[name] = f"{other.prefix}{name.removeprefix(step.prefix)}"


def _linear(work: Work, number: int, given: Channels) -> Channels:
    """A linear map of all channels."""
    step, twin = work.child.steps[number], work.twins[number]
    other = work.parent.steps[twin]
    weight = expand(other, work.old[f"{other.prefix}weight"])
    read = reading(work.values, work.old_numbers[other.inputs[0]], given)
    if read.lost and bool(weight[:, read.lost].any()):
        work.note(number)
    like = expand(step, work.state[f"{step.prefix}weight"])
    fitted = fit_kernel(other, step, weight, like)
    cropped = fitted is not weight and int(fitted.count_nonzero()) < int(weight.count_nonzero())
    if cropped or moved(step, other):
        work.note(number)
    whole = read(fitted, step.shapes[0][0])
    rows = work.map(number, other.shape[0])
    write(work, number, rows, whole)
    first = np.unique(rows, return_index=True)[1]
    repeated = np.setdiff1d(np.flatnonzero(rows != NEW), first)
    work.shake(step, repeated)
    return work.named(work.old_numbers[twin], rows)


def write(work: Work, number: int, rows: np.ndarray, whole: Tensor) -> None:
    """Give a linear layer outputs of its counterpart; outputs that this does not have keep their first weights.

    Parameters
    ----------
    rows : (outputs,) int array
        Which, or ``NEW``.
    whole : Tensor
        (old outputs, inputs, *kernel).
    """
    step, other = work.child.steps[number], work.parent.steps[work.twins[number]]
    old, known = torch.from_numpy(np.maximum(rows, 0)), torch.from_numpy(rows != NEW)
    own = expand(step, work.state[f"{step.prefix}weight"])
    found = torch.where(known.view(-1, *[1] * (whole.ndim - 1)), whole[old], own)
    work.state[f"{step.prefix}weight"] = stored = collapse(step, found)
    lost = stored is not found and int(stored.count_nonzero()) < int(found.count_nonzero())
    bias = work.old.get(f"{other.prefix}bias")
    if f"{step.prefix}bias" in work.state:
        first = work.state[f"{step.prefix}bias"]
        bias = torch.zeros(other.shape[0]).to(first) if bias is None else bias
        work.state[f"{step.prefix}bias"] = torch.where(known, bias[old], first)
    else:
        lost = lost or (bias is not None and bool(bias.any()))
    if lost:
        work.note(number)


def _by_channel(work: Work, number: int, given: Channels) -> Channels:
    """A layer that treats every channel by itself."""
    step, twin = work.child.steps[number], work.twins[number]
    other = work.parent.steps[twin]
    wanted = work.old_numbers[other.inputs[0]]
    channels = locate(work.values, given, wanted)
    missing = np.flatnonzero(channels == NEW)
    lost = locate(work.values, wanted, given) == -1
    for k in missing:  # something else stands at the place of what is no longer there
        if k < len(lost) and lost[k]:
            channels[k] = k
            work.note(number)
    kept, old = torch.from_numpy(channels != NEW), torch.from_numpy(np.maximum(channels, 0))
    factor = torch.tensor([_factor(work, wanted[c], number_) for c, number_ in zip(channels, given, strict=True)])
    for name, own in work.tensors(step):
        part = work.inherited(step, other, name)
        if part is None:
            work.note(number)
        elif own.ndim == 0:
            work.state[name] = part.clone()
        else:
            if own.ndim > 1:
                part, whole = fit_kernel(other, step, part, own), part
                if int(part.count_nonzero()) < int(whole.count_nonzero()):
                    work.note(number)
            work.state[name] = torch.where(kept.view(-1, *[1] * (own.ndim - 1)), part[old], own)
    if bool((factor != 1).any()):
        _rescale(work, step, torch.where(kept, factor, 1.0))
    if not isinstance(step.layer, Norm | Gate) and moved(step, other):
        work.note(number)
    return work.named(work.old_numbers[twin], channels)


def _factor(work: Work, wanted: int, given: int) -> float:
    one, other = work.values.scaled(int(wanted)), work.values.scaled(int(given))
    return float(one[1] / other[1]) if one[0] == other[0] else 1.0


def _rescale(work: Work, step: Step, factor: Tensor) -> None:
    """Undo that the input of a layer is a multiple of what it was: the old input is ``factor`` times the new."""
    weight = f"{step.prefix}weight"
    if not isinstance(step.layer, Norm):
        work.state[weight] = work.state[weight] * factor.view(-1, *[1] * (work.state[weight].ndim - 1))
        return
    var = work.state[f"{step.prefix}running_var"]
    work.state[f"{step.prefix}running_mean"] = work.state[f"{step.prefix}running_mean"] / factor
    work.state[f"{step.prefix}running_var"] = less = var / factor.square()
    if weight in work.state:
        work.state[weight] = work.state[weight] * factor * ((less + EPS) / (var + EPS)).sqrt()


def _opaque(work: Work, number: int, inputs: list[Channels]) -> Channels:
    """A layer of which only is known that equal layers with equal weights do the same."""
    step, twin = work.child.steps[number], work.twins[number]
    other = work.parent.steps[twin]
    fits = True
    for name, own in work.tensors(step):
        old = work.inherited(step, other, name)
        if old is not None and old.shape == own.shape:
            work.state[name] = old.clone()
        else:
            fits = False
    wanted = [work.old_numbers[i] for i in other.inputs]
    same = len(inputs) == len(wanted) and all(map(np.array_equal, inputs, wanted))
    if isinstance(step.layer, PActivation) and step.layer == other.layer:
        channels = locate(work.values, inputs[0], wanted[0])
        if not set(range(len(wanted[0]))) <= set(channels):
            work.note(number)
        return work.named(work.old_numbers[twin], channels)
    if not (fits and same and repr(step.layer) == repr(other.layer)):
        work.note(number)
    old_numbers = work.old_numbers[twin]
    return old_numbers.copy() if len(old_numbers) == step.shape[0] else work.values.fresh(step.shape[0])


def _shared(work: Work, number: int, found: Channels) -> Channels:
    """Divide the output of a layer that is there several times."""
    parts = work.shares.get(number, 1)
    if parts == 1:
        return found
    step = work.child.steps[number]
    for name in ("weight", "bias"):
        if f"{step.prefix}{name}" in work.state:
            work.state[f"{step.prefix}{name}"] = work.state[f"{step.prefix}{name}"] / parts
            work.origin.pop(f"{step.prefix}{name}", None)
    return work.values.multiple(found, Fraction(1, parts))
