"""The walk over a child's layers that gives each its weights (see ``morph``), and what is known on the way."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from autonas.architectures.graph import Graph
from autonas.architectures.layers import Deconv
from autonas.architectures.morph_goals import goals, replicas
from autonas.architectures.morph_insert import inserted
from autonas.architectures.morph_keep import kept
from autonas.architectures.morph_match import match_steps
from autonas.architectures.morph_separable import separables, separated
from autonas.architectures.morph_steps import Step, is_depthwise, mixes, plan
from autonas.architectures.morph_values import Channels, Values
from autonas.architectures.morph_widths import NEW, Widths

__all__ = ["Work"]


class Work:
    """The two networks, what is known about their values, and the weights so far.

    Parameters
    ----------
    parent, child : Graph
    pairs : mapping of str to str
        The parent's nodes that nodes of the child come from.
    old : mapping of str to Tensor
        State of the parent's network.
    own : mapping of str to Tensor
        First weights of the child.
    replicate : bool
        Whether new channels and branches are copies.
    rng : Generator
    noise : float
        Relative to the standard deviation of a weight.

    Attributes
    ----------
    state : dict of str to Tensor
        The child's weights.
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
        self.parent, self.child = plan(parent, old), plan(child, own)
        self.old, self.state = old, dict(own)
        self.twins = match_steps(self.parent, self.child, pairs)
        copies, self.shares = replicas(self.child, self.twins, sums=replicate)
        self.copies = set(copies) - set(self.twins)
        self.twins |= copies
        self.separables = separables(self.parent, self.child, self.twins)
        self.goals = goals(self.parent, self.child, self.twins)
        self.readers = self.child.readers()
        self.values = Values()
        self._numbers: dict[int, Channels] = {}
        self.old_numbers = self._number_parent()
        self.changed: set[str] = set()
        self.origin: dict[str, str] = {}
        self.inserted_norms: list[str] = []
        self.noise: dict[str, Tensor] = {}
        self._noise, self._rng = noise, rng
        self._widths = Widths(self.parent, self.child, self.twins, old, replicate, rng)
        self._live = self.child.live()

    def _number_parent(self) -> list[Channels]:
        found: list[Channels] = []
        for number, step in enumerate(self.parent.steps):
            weightless = number and not step.weighted
            inputs = [found[i] for i in step.inputs]
            found.append(self.values.apply(step, inputs) if weightless else self.values.fresh(step.shape[0]))
        return found

    def run(self) -> None:
        """Give all layers their weights."""
        for number in range(len(self.child.steps)):
            self.channels(number)
        if not np.array_equal(self._numbers[self.child.result], self.old_numbers[self.parent.result]):
            self.note(self.child.result)

    def channels(self, number: int) -> Channels:
        """The channels of a step of the child, which then has its weights."""
        if number not in self._numbers:
            step = self.child.steps[number]
            inputs = [self.channels(i) for i in step.inputs]
            if number == 0:
                found = self.old_numbers[0]
            elif not step.weighted:
                found = self.values.apply(step, inputs)
            elif number in self.separables:
                found = separated(self, number)
            elif number in self.twins:
                found = kept(self, number, inputs)
            else:
                found = inserted(self, number, inputs)
            self._numbers[number] = found
        return self._numbers[number]

    def note(self, number: int) -> None:
        """A step computes something else than its counterpart."""
        if number in self._live:
            self.changed.add(self.child.steps[number].node)

    def map(self, number: int, old: int) -> np.ndarray:
        """For each channel of a step, which of the ``old`` channels of its counterpart it is (see ``Widths``)."""
        return self._widths.map(number, old, self.values, self.channels, self.old_numbers)

    def named(self, numbers: Channels, channels: np.ndarray) -> Channels:
        """The numbers of the parent's channels, and fresh ones for channels that it does not have."""
        found = numbers[channels]
        found[channels == NEW] = self.values.fresh(int((channels == NEW).sum()))
        return found

    def tensors(self, step: Step) -> list[tuple[str, Tensor]]:
        """The child's tensors of a step, by name."""
        return [(name, tensor) for name, tensor in self.state.items() if name.startswith(step.prefix)]

    def inherited(self, step: Step, other: Step, name: str) -> Tensor | None:
        """The parent's tensor that corresponds to one of the child's."""
        return self.old.get(f"{other.prefix}{name.removeprefix(step.prefix)}")

    def shake(self, step: Step, rows: np.ndarray) -> None:
        """Note noise for some outputs of a linear layer."""
        name = f"{step.prefix}weight"
        if not self._noise or not len(rows) or not (mixes(step) or is_depthwise(step)):
            return
        weight = self.state[name]
        drawn = torch.from_numpy(self._rng.standard_normal(tuple(weight.shape))).to(weight)
        mask = torch.zeros(step.shape[0]).index_fill_(0, torch.from_numpy(rows), self._noise).to(weight)
        shape = (1, -1) if isinstance(step.layer, Deconv) else (-1, 1)
        self.noise[name] = drawn * weight.std(unbiased=False) * mask.view(*shape, *[1] * (weight.ndim - 2))
