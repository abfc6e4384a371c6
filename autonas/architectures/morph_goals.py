"""What new layers of a child should compute so that the whole stays the same, found from the output backwards.

A layer that both networks have wants to read what its counterpart reads.  So a layer that is new on the way should be
the identity, a term that is new in a sum zero, and what is new in a concatenation may be anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autonas.architectures.layers import Conv, Deconv, Dense, Norm, PadChannels
from autonas.architectures.layers_morph import Gate
from autonas.architectures.merges import Add, Average, Concat, ShakeShake
from autonas.architectures.morph_steps import Plan, Step, activation_name
from autonas.architectures.morph_values import keeps_zero

__all__ = ["NOTHING", "Goal", "goals", "replicas"]


@dataclass(frozen=True)
class Goal:
    """Channels ``first`` to ``last`` of what a step of the parent puts out; of no step: zeros."""

    step: int
    first: int = 0
    last: int = 0


NOTHING = Goal(-1)


def goals(parent: Plan, child: Plan, twins: Mapping[int, int]) -> dict[int, Goal]:
    """For steps of the child, what they should compute; a step that is missing may compute anything."""
    return _Goals(parent, child, twins).found


class _Goals:
    def __init__(self, parent: Plan, child: Plan, twins: Mapping[int, int]) -> None:
        self.parent, self.child, self.twins = parent, child, twins
        self.old = set(twins.values())
        self.found: dict[int, Goal] = {}
        self._origins: dict[int, set[int]] = {}
        self._offer(child.result, self._whole(parent.result))
        for number in range(len(child.steps) - 1, 0, -1):
            step, goal = child.steps[number], self.found.get(number)
            if number in twins:
                self._align(step, parent.steps[twins[number]].inputs)
            elif goal is not None:
                self._hand_on(step, goal)

    def _whole(self, number: int) -> Goal:
        return Goal(number, 0, self.parent.steps[number].shape[0])

    def _offer(self, number: int, goal: Goal) -> None:
        if self.found.get(number, NOTHING) == NOTHING:
            self.found[number] = goal

    def _hand_on(self, step: Step, goal: Goal) -> None:
        """The goals of what a new step reads."""
        layer = step.layer
        if goal == NOTHING:
            if not isinstance(layer, Conv | Deconv | Dense | Gate) and not (isinstance(layer, Norm) and layer.affine):
                for i in step.inputs if step.weighted or keeps_zero(layer) else ():
                    self._offer(i, NOTHING)
            return
        wanted = self.parent.steps[goal.step]
        if isinstance(layer, Add | Average | ShakeShake | Concat):
            same = type(wanted.layer) is type(layer)
            self._align(step, wanted.inputs if same else [goal.step], goal)
        elif not step.weighted and wanted.layer == layer:
            self._align(step, wanted.inputs)
        elif isinstance(layer, PadChannels):
            self._offer(step.inputs[0], Goal(goal.step, goal.first, goal.first + step.shapes[0][0]))
        elif len(step.inputs) == 1 and (step.weighted or activation_name(layer) is not None):
            self._offer(step.inputs[0], goal)

    def _align(self, step: Step, wanted: Sequence[int], goal: Goal | None = None) -> None:
        """Give the inputs of a step goals among the values that its counterpart reads."""
        if len(step.inputs) == 1 and len(wanted) == 1:
            self._offer(step.inputs[0], self._whole(wanted[0]))
            return
        left = list(wanted)
        for i in step.inputs:
            if self.twins.get(i) in left:
                left.remove(self.twins[i])
        new = [i for i in step.inputs if self.twins.get(i) not in wanted]
        for i in list(new):
            origins = self._sources(i)
            match = next((w for w in left if self._old_source(w) in origins), None)
            if match is not None:
                self._offer(i, self._whole(match))
                left.remove(match)
                new.remove(i)
        if isinstance(step.layer, Add | Average | ShakeShake):
            for i in new:
                self._offer(i, NOTHING)
        elif goal is not None and len(wanted) == 1 and step.shape[0] == goal.last - goal.first:
            at = goal.first
            for i, shape in zip(step.inputs, step.shapes, strict=True):
                self._offer(i, Goal(goal.step, at, at + shape[0]))
                at += shape[0]

    def _sources(self, number: int) -> set[int]:
        """The counterparts of the last steps on the ways to it that both networks have."""
        if number in self.twins:
            return {self.twins[number]}
        if number not in self._origins:
            self._origins[number] = set().union(*(self._sources(i) for i in self.child.steps[number].inputs))
        return self._origins[number]

    def _old_source(self, number: int) -> int:
        while number not in self.old:
            number = self.parent.steps[number].inputs[0]
        return number


def replicas(child: Plan, twins: Mapping[int, int], sums: bool) -> tuple[dict[int, int], dict[int, int]]:
    """New terms of sums and means with the layers and the input of a term that both networks have (Cai et al 2018b).

    Parameters
    ----------
    sums : bool
        Whether of sums, too; a new term of a sum may as well be zero.

    Returns
    -------
    copies : dict of int to int
        For steps of the child that are to be copies of a step of the parent, that one.
    shares : dict of int to int
        For the last layer with weights of copies in sums and their original, into how many equal parts it is split.
    """
    copies: dict[int, int] = {}
    shares: dict[int, int] = {}
    merges = (Add, Average, ShakeShake) if sums else (Average, ShakeShake)
    for step in child.steps:
        if not isinstance(step.layer, merges):
            continue
        groups: dict[tuple, list[list[int]]] = {}
        for i in dict.fromkeys(step.inputs):
            part = child.parts[child.steps[i].node]
            if part[-1] == i and _splits(child, part):
                key = (child.steps[part[0]].inputs, tuple(child.steps[p].layer for p in part))
                groups.setdefault(key, []).append(part)
        for parts in groups.values():
            known = [part for part in parts if all(p in twins for p in part)]
            new = [part for part in parts if not any(p in twins for p in part)]
            if len(known) != 1 or not new:
                continue
            last = max(k for k, p in enumerate(known[0]) if child.steps[p].weighted)
            for part in (known[0], *new):
                copies |= {p: twins[q] for p, q in zip(part, known[0], strict=True)}
                if isinstance(step.layer, Add):
                    shares[part[last]] = 1 + len(new)
    return copies, shares


def _splits(child: Plan, part: Sequence[int]) -> bool:
    """Whether a node can be divided by dividing its last weights."""
    weighted = [k for k, p in enumerate(part) if child.steps[p].weighted]
    if not weighted:
        return False
    last = child.steps[part[weighted[-1]]].layer
    tail = [activation_name(child.steps[p].layer) for p in part[weighted[-1] + 1 :]]
    affine = isinstance(last, Conv | Dense | Gate) or (isinstance(last, Norm) and last.affine)
    return affine and all(name in ("relu", "leaky", "identity", "linear") for name in tail)
