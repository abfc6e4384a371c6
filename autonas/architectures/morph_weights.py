"""The walk over the child's layers that gives each its weights (see ``morph``)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import sqrt

import numpy as np
import torch
from torch import Tensor

from autonas.architectures.graph import Graph
from autonas.architectures.layers import Conv, Deconv, Drop, Norm
from autonas.architectures.layers_morph import Gate, PActivation
from autonas.architectures.morph_goals import NOTHING, Goal, goals, replicas
from autonas.architectures.morph_linear import centre, collapse, expand, fit_kernel, reading, separable
from autonas.architectures.morph_match import match_steps
from autonas.architectures.morph_steps import Plan, Step, activation_name, has_weights, is_depthwise, mixes, plan
from autonas.architectures.morph_values import ZERO, Channels, Values, locate
from autonas.architectures.morph_widths import NEW, Widths

__all__ = ["Transfer"]

EPS = 1e-5  # of torch's batch normalisation
ALMOST_ZERO = 1e-7  # what a closed branch that ends in relu puts out, since relu has no gradient at zero


class Transfer:
    """Weights for a child that keep what its parent computes, as far as they can.

    Attributes
    ----------
    state : dict of str to Tensor
    changed : set of str
        Nodes that compute something else.
    origin : dict of str to str
        Tensors that were copied unchanged, and from which.
    inserted_norms : list of str
        Prefixes of normalisations that are the identity.
    noise : dict of str to Tensor
        What breaks the symmetry of copies.
    """

    def __init__(
        self,
        parent: Graph,
        child: Graph,
        pairs: Mapping[str, str],
        old: Mapping[str, Tensor],
        own: Mapping[str, Tensor],
        replicate: bool,
        rng: np.random.Generator,
        noise: float,
    ) -> None:
        self.parent, self.child = plan(parent), plan(child)
        self.old, self.state = old, dict(own)
        self.twins = match_steps(self.parent, self.child, pairs)
        copies, self.shares = replicas(self.child, self.twins) if replicate else ({}, {})
        self._copies = set(copies) - set(self.twins)
        self.twins |= copies
        self.factors = self._separables()
        self.goals = goals(self.parent, self.child, self.twins)
        self.values = Values()
        self.rng, self._noise = rng, noise
        self.noise: dict[str, Tensor] = {}
        self.changed: set[str] = set()
        self.origin: dict[str, str] = {}
        self.inserted_norms: list[str] = []
        self._numbers: dict[int, Channels] = {}
        self._old_numbers = self._number_parent()
        self._widths = Widths(self.parent, self.child, self.twins, old, replicate, rng)
        self._live = self.child.live()
        self._readers = self.child.readers()
        if parent.shape != child.shape:
            self.changed.add("input")

    def run(self) -> None:
        """Give all layers their weights."""
        for number in range(len(self.child.steps)):
            self._number(number)
        result, wanted = self._numbers[self.child.result], self._old_numbers[self.parent.result]
        if not np.array_equal(result, wanted):
            self.changed.add(self.child.steps[self.child.result].node)

    def _number_parent(self) -> list[Channels]:
        found: list[Channels] = []
        for number, step in enumerate(self.parent.steps):
            weightless = number and not has_weights(step)
            inputs = [found[i] for i in step.inputs]
            found.append(self.values.apply(step, inputs) if weightless else self.values.fresh(step.shape[0]))
        return found

    def _number(self, number: int) -> Channels:
        """The channels of a step of the child, which gets its weights."""
        if number not in self._numbers:
            step = self.child.steps[number]
            inputs = [self._number(i) for i in step.inputs]
            if number == 0:
                found = self._old_numbers[0]
            elif not has_weights(step):
                found = self.values.apply(step, inputs)
            elif number in self.factors:
                found = self._separated(number, inputs[0])
            elif number in self.twins:
                found = self._kept(number, inputs)
            else:
                found = self._new(number, inputs)
            self._numbers[number] = found
        return self._numbers[number]

    def _note(self, number: int) -> None:
        """A step computes something else than its counterpart."""
        if number in self._live:
            self.changed.add(self.child.steps[number].node)

    def _map(self, number: int, old: int) -> np.ndarray:
        return self._widths.map(number, old, self.values, self._number, self._old_numbers)

    def _named(self, numbers: Channels, channels: np.ndarray) -> Channels:
        """The numbers of the parent's channels, and fresh ones for channels that it does not have."""
        found = numbers[channels]
        found[channels == NEW] = self.values.fresh(int((channels == NEW).sum()))
        return found

    # --- layers that both have ---------------------------------------------------------------------------------------

    def _kept(self, number: int, inputs: list[Channels]) -> Channels:
        step, twin = self.child.steps[number], self.twins[number]
        other = self.parent.steps[twin]
        if mixes(step) and mixes(other) and len(step.shape) == len(other.shape):
            found = self._linear(number, inputs[0])
        elif isinstance(step.layer, Norm | Gate) or (is_depthwise(step) and is_depthwise(other)):
            found = self._by_channel(number, inputs[0])
        else:
            found = self._opaque(number, inputs)
        self._remember(step, other)
        if number in self._copies:
            self._shake(step, np.arange(step.shape[0]))
        return self._shared(number, found)

    def _remember(self, step: Step, other: Step) -> None:
        for name, tensor in self._tensors(step):
            old = f"{other.prefix}{name.removeprefix(step.prefix)}"
            if old in self.old and torch.equal(tensor, self.old[old]):
                self.origin[name] = old

    def _tensors(self, step: Step) -> list[tuple[str, Tensor]]:
        return [(name, tensor) for name, tensor in self.state.items() if name.startswith(step.prefix)]

    def _linear(self, number: int, given: Channels) -> Channels:
        step, twin = self.child.steps[number], self.twins[number]
        other = self.parent.steps[twin]
        weight = expand(other, self.old[f"{other.prefix}weight"])
        read = reading(self.values, self._old_numbers[other.inputs[0]], given)
        if read.lost and bool(weight[:, read.lost].any()):
            self._note(number)
        like = expand(step, self.state[f"{step.prefix}weight"])
        fitted = fit_kernel(other, step, weight, like)
        if int(fitted.count_nonzero()) < int(weight.count_nonzero()) or _moved(step, other):
            self._note(number)
        whole = read(fitted, step.shapes[0][0])
        rows = self._map(number, other.shape[0])
        self._write(step, other, rows, whole, like)
        repeated = np.array([k for k, row in enumerate(rows) if row in rows[:k] and row != NEW], dtype=int)
        self._shake(step, repeated)
        return self._named(self._old_numbers[twin], rows)

    def _write(self, step: Step, other: Step, rows: np.ndarray, whole: Tensor, like: Tensor) -> None:
        """Outputs of the old layer as outputs of the new one, which keeps its own weights for new outputs."""
        old = torch.from_numpy(np.maximum(rows, 0))
        kept = torch.from_numpy(rows != NEW)
        mask = kept.view(-1, *[1] * (whole.ndim - 1))
        found = torch.where(mask, whole[old], like)
        self.state[f"{step.prefix}weight"] = stored = collapse(step, found)
        if int(stored.count_nonzero()) < int(found.count_nonzero()):
            self.changed.add(step.node)
        if f"{step.prefix}bias" in self.state:
            own = self.state[f"{step.prefix}bias"]
            bias = self.old.get(f"{other.prefix}bias", torch.zeros(other.shape[0]).to(own))
            self.state[f"{step.prefix}bias"] = torch.where(kept, bias[old], own)
        elif bool(self.old.get(f"{other.prefix}bias", torch.zeros(1)).any()):
            self.changed.add(step.node)

    def _by_channel(self, number: int, given: Channels) -> Channels:
        """A layer that treats every channel by itself."""
        step, twin = self.child.steps[number], self.twins[number]
        other = self.parent.steps[twin]
        wanted = self._old_numbers[other.inputs[0]]
        channels = locate(self.values, given, wanted)
        missing = np.flatnonzero(channels == NEW)
        lost = locate(self.values, wanted, given) == -1
        for k in missing:  # something else stands at the place of what is no longer there
            if k < len(lost) and lost[k]:
                channels[k] = k
                self._note(number)
        kept, old = torch.from_numpy(channels != NEW), torch.from_numpy(np.maximum(channels, 0))
        factor = torch.tensor([self._factor(wanted[c], number_) for c, number_ in zip(channels, given, strict=True)])
        for name, own in self._tensors(step):
            part = self.old.get(f"{other.prefix}{name.removeprefix(step.prefix)}")
            if part is None:
                self._note(number)
            elif own.ndim == 0:
                self.state[name] = part.clone()
            else:
                if own.ndim > 1:
                    part, whole = fit_kernel(other, step, part, own), part
                    if int(part.count_nonzero()) < int(whole.count_nonzero()):
                        self._note(number)
                self.state[name] = torch.where(kept.view(-1, *[1] * (own.ndim - 1)), part[old], own)
        if bool((factor != 1).any()):
            self._rescale(step, torch.where(kept, factor, 1.0))
        if not isinstance(step.layer, Norm | Gate) and _moved(step, other):
            self._note(number)
        return self._named(self._old_numbers[twin], channels)

    def _factor(self, wanted: int, given: int) -> float:
        one, other = self.values.scaled(int(wanted)), self.values.scaled(int(given))
        return float(one[1] / other[1]) if one[0] == other[0] else 1.0

    def _rescale(self, step: Step, factor: Tensor) -> None:
        """Undo that the input of a layer is a multiple of what it was: the old input is ``factor`` times the new."""
        weight = f"{step.prefix}weight"
        if not isinstance(step.layer, Norm):
            self.state[weight] = self.state[weight] * factor.view(-1, *[1] * (self.state[weight].ndim - 1))
            return
        var = self.state[f"{step.prefix}running_var"]
        self.state[f"{step.prefix}running_mean"] = self.state[f"{step.prefix}running_mean"] / factor
        self.state[f"{step.prefix}running_var"] = less = var / factor.square()
        if weight in self.state:
            self.state[weight] = self.state[weight] * factor * ((less + EPS) / (var + EPS)).sqrt()

    def _opaque(self, number: int, inputs: list[Channels]) -> Channels:
        """A layer of which only is known that equal layers with equal weights do the same."""
        step, twin = self.child.steps[number], self.twins[number]
        other = self.parent.steps[twin]
        fits = True
        for name, own in self._tensors(step):
            old = self.old.get(f"{other.prefix}{name.removeprefix(step.prefix)}")
            if old is not None and old.shape == own.shape:
                self.state[name] = old.clone()
            else:
                fits = False
        wanted = [self._old_numbers[i] for i in other.inputs]
        same = len(inputs) == len(wanted) and all(map(np.array_equal, inputs, wanted))
        if isinstance(step.layer, PActivation) and step.layer == other.layer:
            channels = locate(self.values, inputs[0], wanted[0])
            if not set(range(len(wanted[0]))) <= set(channels):
                self._note(number)
            return self._named(self._old_numbers[twin], channels)
        if not (fits and same and repr(step.layer) == repr(other.layer)):
            self._note(number)
        old_numbers = self._old_numbers[twin]
        return old_numbers.copy() if len(old_numbers) == step.shape[0] else self.values.fresh(step.shape[0])

    def _shared(self, number: int, found: Channels) -> Channels:
        """Divide the output of a layer that is there several times."""
        parts = self.shares.get(number, 1)
        if parts == 1:
            return found
        step = self.child.steps[number]
        for name in ("weight", "bias"):
            if f"{step.prefix}{name}" in self.state:
                self.state[f"{step.prefix}{name}"] = self.state[f"{step.prefix}{name}"] / parts
                self.origin.pop(f"{step.prefix}{name}", None)
        return self.values.multiple(found, Fraction(1, parts))

    def _shake(self, step: Step, rows: np.ndarray) -> None:
        """Note noise for some outputs of a linear layer."""
        name = f"{step.prefix}weight"
        if not self._noise or not len(rows) or not (mixes(step) or is_depthwise(step)):
            return
        weight = self.state[name]
        drawn = torch.from_numpy(self.rng.standard_normal(tuple(weight.shape))).to(weight)
        mask = torch.zeros(step.shape[0]).index_fill_(0, torch.from_numpy(rows), self._noise).to(weight)
        shape = (1, -1) if isinstance(step.layer, Deconv) else (-1, 1)
        self.noise[name] = drawn * weight.std() * mask.view(*shape, *[1] * (weight.ndim - 2))

    # --- layers that are new -----------------------------------------------------------------------------------------

    def _new(self, number: int, inputs: list[Channels]) -> Channels:
        step, goal = self.child.steps[number], self.goals.get(number)
        if goal is None or len(inputs) != 1:
            return self.values.fresh(step.shape[0])
        return self._closed(number) if goal == NOTHING else self._identity(number, inputs[0], goal)

    def _closed(self, number: int) -> Channels:
        """Zeros, from the last layer of a branch that can give them."""
        step = self.child.steps[number]
        affine = isinstance(step.layer, Norm) and step.layer.affine
        if not (affine or isinstance(step.layer, Gate) or mixes(step)):
            return self.values.fresh(step.shape[0])
        self.state[f"{step.prefix}weight"].zero_()
        if f"{step.prefix}bias" in self.state:
            ends = [activation_name(self.child.steps[r].layer) for r in self._readers[number]]
            self.state[f"{step.prefix}bias"].fill_(ALMOST_ZERO if "relu" in ends else 0.0)
        return np.full(step.shape[0], ZERO)

    def _identity(self, number: int, given: Channels, goal: Goal) -> Channels:
        """What comes in, in the order and number of channels that the goal has."""
        step = self.child.steps[number]
        weight = f"{step.prefix}weight"
        if isinstance(step.layer, Norm):
            self.inserted_norms.append(step.prefix)
            if weight in self.state:
                self.state[weight].fill_(sqrt(1 + EPS))
            else:
                self.state[f"{step.prefix}running_var"].fill_(1 - EPS)
            return given
        if isinstance(step.layer, Gate):
            return given
        if isinstance(step.layer, PActivation):
            self.state[f"{step.prefix}a"].fill_(1.0)
            return given
        if getattr(step.layer, "stride", 1) != 1 or getattr(step.layer, "valid", False):
            return self.values.fresh(step.shape[0])
        if is_depthwise(step):
            self.state[weight].zero_()[(slice(None), 0, *centre(self.state[weight]))] = 1.0
            self._shake(step, np.arange(step.shape[0]))
            return given
        if mixes(step) and len(step.shape) == len(step.shapes[0]):
            return self._selection(number, given, goal)
        return self.values.fresh(step.shape[0])

    def _selection(self, number: int, given: Channels, goal: Goal) -> Channels:
        """A linear layer whose every output is one of its inputs, or the opposite of one."""
        step = self.child.steps[number]
        numbers = self._old_numbers[goal.step][goal.first : goal.last]
        rows, signs = self._map(number, len(numbers)), np.ones(step.shape[0])
        n = len(numbers)
        if 2 * n <= len(rows) and self._activated(number) == "relu" and not all(map(self.values.positive, numbers)):
            rows = np.concatenate([np.arange(n), np.arange(n), np.full(len(rows) - 2 * n, NEW)])
            signs[n : 2 * n] = -1  # x = relu(x) - relu(-x)
        wanted = np.where(rows == NEW, -1, numbers[np.maximum(rows, 0)])
        places = locate(self.values, wanted, given)
        same = (places == -1) & (np.arange(len(places)) < len(given)) & (rows != NEW)
        places = np.where(same, np.arange(len(places)), places)
        whole = expand(step, self.state[f"{step.prefix}weight"].clone())
        found = self.values.fresh(step.shape[0])
        kept = [k for k, place in enumerate(places) if place != -1]
        for k in kept:
            whole[k] = 0.0
            whole[(k, places[k], *centre(whole))] = signs[k]
            found[k] = self.values.multiple(given[places[k] :][:1], Fraction(int(signs[k])))[0]
            if f"{step.prefix}bias" in self.state:
                self.state[f"{step.prefix}bias"][k] = 0.0
        self.state[f"{step.prefix}weight"] = stored = collapse(step, whole)
        if int(stored.count_nonzero()) < int(whole.count_nonzero()):
            return self.values.fresh(step.shape[0])
        self._shake(step, np.array(kept, dtype=int))
        return found

    def _activated(self, number: int) -> str | None:
        """The activation that follows on a layer."""
        while len(self._readers[number]) == 1:
            (number,) = self._readers[number]
            name = activation_name(self.child.steps[number].layer)
            if name is not None or not isinstance(self.child.steps[number].layer, Norm | Drop):
                return name
        return None

    # --- separable convolutions --------------------------------------------------------------------------------------

    def _separables(self) -> dict[int, int]:
        """Depthwise and pointwise convolutions of the child that stand for one convolution of the parent."""
        found: dict[int, int] = {}
        for number, twin in list(self.twins.items()):
            step, other = self.child.steps[number], self.parent.steps[twin]
            if not (isinstance(step.layer, Conv) and mixes(step) and isinstance(other.layer, Conv) and mixes(other)):
                continue
            before = self.child.steps[step.inputs[0]]
            old_before = self.parent.steps[other.inputs[0]]
            one = set(np.atleast_1d(step.layer.kernel)) == {1}
            if one and is_depthwise(before) and step.inputs[0] not in self.twins and not is_depthwise(old_before):
                found |= {step.inputs[0]: twin, number: twin}
        return found

    def _separated(self, number: int, given: Channels) -> Channels:
        step, twin = self.child.steps[number], self.factors[number]
        other = self.parent.steps[twin]
        first = number if is_depthwise(step) else step.inputs[0]
        depthwise = self.child.steps[first]
        source = self._number(depthwise.inputs[0])
        weight = expand(other, self.old[f"{other.prefix}weight"])
        like = self.state[f"{depthwise.prefix}weight"]
        read = reading(self.values, self._old_numbers[other.inputs[0]], source)
        whole = read(fit_kernel(other, depthwise, weight, like), len(source))
        spatial, pointwise, exact = separable(whole)
        if number == first:
            self.state[f"{step.prefix}weight"] = spatial
            return self.values.fresh(step.shape[0])
        if (
            not exact
            or (read.lost and bool(weight[:, read.lost].any()))
            or depthwise.layer.stride != other.layer.stride
        ):  # type: ignore[attr-defined]
            self._note(number)
        rows = self._map(number, other.shape[0])
        self._write(step, other, rows, pointwise, self.state[f"{step.prefix}weight"])
        return self._named(self._old_numbers[twin], rows)


def _moved(step: Step, other: Step) -> bool:
    """Whether a convolution looks at other places."""
    names = ("stride", "valid")
    return any(getattr(step.layer, name, None) != getattr(other.layer, name, None) for name in names)
