"""Which channels a layer keeps when its number of channels changes.

Values that are added have to agree, so all layers whose outputs meet in sums share one map; where a concatenation or
padding is among them, that one decides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor

from autonas.architectures.layers import Drop, DropPath, GlobalPool, Norm, PadChannels, Pool, Subsample, Upsample
from autonas.architectures.layers_morph import Gate, PActivation
from autonas.architectures.merges import Add, Average, Concat, Interpolate, Multiply, ShakeShake
from autonas.architectures.morph_linear import expand, widest
from autonas.architectures.morph_steps import Plan, Shift, activation_name, is_depthwise, mixes
from autonas.architectures.morph_values import Channels, Values, locate

__all__ = ["NEW", "Widths"]

NEW = -1
"""In a map: a channel that the parent does not have."""

_BY_CHANNEL = (
    Add, Average, Drop, DropPath, Gate, GlobalPool, Interpolate, Multiply, Norm, PActivation, Pool, ShakeShake, Shift,
    Subsample, Upsample,
)  # fmt: skip


class Widths:
    """The maps from channels of the child to channels of the parent.

    Parameters
    ----------
    parent, child : Plan
    twins : mapping of int to int
    state : mapping of str to Tensor
        Of the parent.
    replicate : bool
        Whether new channels are copies of old ones.
    rng : Generator
        Draws which.
    """

    def __init__(
        self,
        parent: Plan,
        child: Plan,
        twins: Mapping[int, int],
        state: Mapping[str, Tensor],
        replicate: bool,
        rng: np.random.Generator,
    ) -> None:
        self.parent, self.child, self.twins, self.state = parent, child, twins, state
        self.replicate, self.rng = replicate, rng
        self._root = list(range(len(child.steps)))
        for number, step in enumerate(child.steps):
            if isinstance(step.layer, _BY_CHANNEL) or activation_name(step.layer) is not None or is_depthwise(step):
                for i in step.inputs:
                    self._root[self._find(number)] = self._find(i)
        self._members: dict[int, list[int]] = defaultdict(list)
        for number in range(len(child.steps)):
            self._members[self._find(number)].append(number)
        self._maps: dict[tuple[int, int], np.ndarray] = {}
        self._open: set[int] = set()
        self._drawn: dict[tuple[int, int], np.ndarray] = {}

    def _find(self, number: int) -> int:
        while self._root[number] != number:
            number = self._root[number]
        return number

    def map(
        self, number: int, old: int, values: Values, numbers: Callable[[int], Channels], old_numbers: list[Channels]
    ) -> np.ndarray:
        """For each channel of a step of the child, which of the ``old`` channels of its counterpart it is.

        Parameters
        ----------
        numbers : callable
            The channels of another step of the child, if they are needed first.
        old_numbers : list
            The channels of all steps of the parent.
        """
        group, n = self._find(number), self.child.steps[number].shape[0]
        if (group, old) in self._maps:
            return self._maps[group, old]
        found = None
        if group not in self._open:
            self._open.add(group)
            for member in self._members[group]:
                twin = self.twins.get(member)
                decides = isinstance(self.child.steps[member].layer, Concat | PadChannels)
                if decides and twin is not None and len(old_numbers[twin]) == old:
                    found = locate(values, numbers(member), old_numbers[twin])
                    break
            self._open.discard(group)
        if found is None:
            found = self._free(group, n, old)
        self._maps[group, old] = found
        return found

    def _free(self, group: int, n: int, old: int) -> np.ndarray:
        """A map that nothing decides: one for all groups of equal sizes; of fewer the largest."""
        if n < old:
            twins = [self.parent.steps[self.twins[m]] for m in self._members[group] if m in self.twins]
            weights = [expand(t, self.state[f"{t.prefix}weight"]) for t in twins if mixes(t) and t.shape[0] == old]
            return widest(weights, n) if weights else np.arange(n)
        if (n, old) not in self._drawn:
            more = self.rng.integers(old, size=n - old) if self.replicate else np.full(n - old, NEW)
            self._drawn[n, old] = np.concatenate([np.arange(old), more])
        return self._drawn[n, old]
