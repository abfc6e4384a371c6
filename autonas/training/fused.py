"""Networks of several configurations that train as one batched network.

A step of a small network is mostly overhead, which one stack of networks pays once for all.  What configurations
differ in is data here: learning rates, decays and schedules are rows of the optimiser, dropout has a rate for each
network, batches and seeds are each network's own, and narrow networks lie in the corner of wide ones, with zeros
around them.  These zeros have no gradient where all activations of zero are zero, so that a network is what it is
alone up to the order of sums.  Networks that differ in more than that have different signatures and are not fused.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from autonas.architectures.dense import ScaledTanh
from autonas.architectures.embeddings import Periodic
from autonas.architectures.ops import Dropout, Scale
from autonas.architectures.regularise import DropPath, ShakeShake
from autonas.architectures.tabm import MemberLinear, SharedLinear
from autonas.training.layout import Layout, widest
from autonas.training.loop import Trainer, losses, score
from autonas.training.noise import Noise, keys
from autonas.training.optim import rate
from autonas.training.section import Section
from autonas.training.stack import Stack
from autonas.training.stacked import make_stacked, stackable

__all__ = ["Fused", "alike", "signature", "train_together"]

LARGEST = 3_000_000
"""Multiply-accumulates of a step of one configuration, above which its overhead is too small to share.

Measured on one core with perceptrons of two layers and batches of 64 rows, fused against alone: width 32 (0.1 million)
6.5 times as fast, 128 (1.2) twice, 192 (2.7) 1.4 times, 256 (4.6) as fast, 384 slower."""
CHUNK = 8192  # rows, over all networks, that are scored at once
_WIDTHS = ("in_features", "out_features", "num_features")
_FREE = {"training", "dropped"}  # what modules that are fused may differ in, beside widths
_RANDOM = (DropPath, ShakeShake, nn.Dropout)  # draw from torch's generator, whatever the network
_ZERO_TO_ZERO = (
    nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.SiLU, nn.GELU, nn.SELU, nn.Mish, nn.Tanh, nn.ELU, nn.LeakyReLU, nn.Identity,
    nn.Flatten, nn.Unflatten, Dropout, MemberLinear, Periodic, Scale, ScaledTanh, SharedLinear,
)  # fmt: skip
"""Modules of which padding with zeros stays zero, where it begins as zeros."""


def alike(trainers: Sequence[Trainer], folds: int | None = None) -> list[list[int]]:
    """Numbers of the trainers that are worth fusing, group by group; the others are alone.

    Parameters
    ----------
    trainers : sequence of Trainer
    folds : int, optional
        How many networks each has, if they are only a part of it.
    """
    found: dict[Hashable, list[int]] = {}
    for number, trainer in enumerate(trainers):
        work = _row_work(trainer.stack) * trainer.batches.size * (folds or trainer.stack.size)
        own = signature(trainer) if work <= LARGEST else None
        found.setdefault(number if own is None else own, []).append(number)
    return list(found.values())


def _row_work(stack: Stack) -> int:
    """Multiply-accumulates of one row in one network, about: each member of TabM uses all shared weights."""
    shared = (module for module in stack.network.modules() if isinstance(module, SharedLinear))
    return stack.n_parameters * max((len(module.input_factor) for module in shared), default=1)


def signature(trainer: Trainer) -> Hashable | None:
    """What trainers have in common that can be fused; None for one that cannot."""
    network = trainer.stack.network
    modules = list(network.modules())
    draws = any(isinstance(module, _RANDOM) for module in modules) or trainer.augmentation.changes or trainer.mixup
    if draws or trainer.half or not trainer.fusable or not stackable(trainer.optimizer):
        return None
    parts = tuple((type(module), _numbers(module)) for module in modules)
    leaves = [module for module in modules if not list(module.children())]
    shapes: Hashable = None
    if not all(isinstance(module, _ZERO_TO_ZERO) for module in leaves):
        shapes = tuple(parameter.shape for parameter in network.parameters())
    frequencies = tuple(module.frequency.shape for module in modules if isinstance(module, Periodic))
    names = tuple(trainer.stack.parameters)
    batches = (trainer.batches.size, trainer.stack.size, trainer.validated.shape, trainer.data.X.data_ptr())
    return (parts, names, shapes, frequencies, batches, type(trainer.optimizer))


def _numbers(module: nn.Module) -> Hashable:
    """Plain attributes of a module, without widths."""
    return tuple(
        (name, value)
        for name, value in sorted(vars(module).items())
        if isinstance(value, bool | int | float | str)
        and not name.startswith("_")
        and name not in _WIDTHS
        and name not in _FREE
    )


class Fused:
    """Trainers of one signature whose networks take their steps together.

    While they are fused their weights are views of one matrix; :meth:`part` gives one of them its own again.

    Parameters
    ----------
    trainers : sequence of Trainer
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        self.trainers = list(trainers)
        first = trainers[0]
        self.data, self.device = first.data, first.device
        stacks = [trainer.stack for trainer in trainers]
        parameters = [stack.parameters for stack in stacks]
        self.layout = Layout(parameters)
        self.weights = self.layout.matrix(parameters, next(iter(first.stack.parameters.values())).detach())
        self.optimizer = make_stacked(self.layout, [trainer.optimizer for trainer in trainers], parameters)
        self.buffers = {name: _corner([stack.buffers[name] for stack in stacks]) for name in first.stack.buffers}
        # the network of any of them will do: what a module computes with is its weights
        self.stack = first.stack
        for member, stack in enumerate(stacks):
            for name, view in self.layout.views(self.weights, member).items():
                stack.parameters[name].data = view
            for name, whole in self.buffers.items():
                own = stack.buffers[name].shape[1:]
                stack.buffers[name] = whole[self.layout.members[member]][:, *map(slice, own)]
        self.smoothing = self.optimizer.per_network([trainer.smoothing for trainer in trainers])
        self._total = self.weights.new_zeros(self.layout.networks)
        self._noise: Noise | None = None
        self.weights.requires_grad_()

    def settle(self) -> None:
        """Tell the trainers the losses of the steps that were taken."""
        for trainer, rows in zip(self.trainers, self.layout.members, strict=True):
            trainer.total += self._total[rows].sum()
        self._total.zero_()

    def take_step(self, progress: Sequence[float]) -> None:
        """One step of each trainer; ``progress`` is where the schedule of each stands at least."""
        trainers = self.trainers
        index = torch.cat([trainer.batches(trainer.step) for trainer in trainers])
        x = self.data.rows(index)
        if self._noise is None:
            shapes = self.stack.seen(x[0], {**self.layout.tensors(self.weights.detach()), **self.buffers})
            every = np.concatenate([keys(trainer.seed, trainer.folds) for trainer in trainers])
            dropped = np.concatenate([trainer.dropped for trainer in trainers], axis=1)
            self._noise = Noise(every, dropped, shapes, self.device)
        steps = np.repeat([t.step for t in trainers], [t.stack.size for t in trainers])
        outputs = self.stack.batched(
            self.layout.tensors(self.weights), self.buffers, x, training=True, factors=self._noise(steps)
        )
        each = self.data.weighted(losses(outputs, self.data.y[index], self.smoothing), index).mean(1)
        (gradient,) = torch.autograd.grad(each.sum(), self.weights)
        stands = [trainer.stands(least) for trainer, least in zip(trainers, progress, strict=True)]
        factor = self.optimizer.per_network(
            [rate(t.options, p, t.planned / t.batches.steps) for t, p in zip(trainers, stands, strict=True)]
        )
        with torch.no_grad():
            self.optimizer.step(self.weights, gradient, factor)
        self._total += each.detach()
        for trainer in trainers:
            trainer.step += 1

    def scores(self, members: Sequence[int]) -> list[Tensor]:
        """Scores of the validation rows of some of the trainers, as :meth:`Trainer.scores` has them."""
        trainers = [self.trainers[member] for member in members]
        rows = torch.cat([trainer.validated for trainer in trainers])
        weights, buffers = self.weights.detach(), self.buffers
        if len(members) < len(self.trainers):
            mine = torch.cat([torch.arange(self.layout.networks)[self.layout.members[member]] for member in members])
            weights, buffers = weights[mine], {name: buffer[mine] for name, buffer in buffers.items()}
        parameters = self.layout.tensors(weights)
        whole = score(
            lambda x: self.stack.batched(parameters, buffers, x, training=False, factors={}),
            lambda part: self.data.rows(rows[:, part]),
            rows.shape[1],
            max(32, CHUNK // len(rows)),
            self.data.classification,
        )
        return list(whole.split([trainer.stack.size for trainer in trainers]))

    def part(self) -> None:
        """Give all trainers weights and moments of their own."""
        for member, trainer in enumerate(self.trainers):
            for parameter in trainer.stack.parameters.values():
                parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
            for name, view in trainer.stack.buffers.items():
                trainer.stack.buffers[name] = view.clone(memory_format=torch.contiguous_format)
            self.optimizer.give_back(member)


def _corner(tensors: Sequence[Tensor]) -> Tensor:
    """All networks' tensors of one name, each in the corner of the widest."""
    shape = widest([tensor.shape[1:] for tensor in tensors])
    whole = tensors[0].new_zeros(sum(map(len, tensors)), *shape)
    begin = 0
    for tensor in tensors:
        whole[begin : begin + len(tensor)][:, *map(slice, tensor.shape[1:])] = tensor
        begin += len(tensor)
    return whole


class _Trainings:
    """Several trainings, each with the section that it wants trained."""

    def __init__(self, trainings: Sequence[Iterator[Section]]) -> None:
        self.trainings = trainings
        self.errors: list[Exception | None] = [None] * len(trainings)
        self.running: dict[int, Section] = {}
        for number in range(len(trainings)):
            self.advance(number)

    def advance(self, number: int, work: Callable[[], None] = lambda: None) -> None:
        """Do the last work of a section, and go on to the next one, if there is one."""
        self.running.pop(number, None)
        try:
            work()
            section = next(self.trainings[number], None)
        except Exception as error:  # noqa: BLE001 - of this training alone; whoever asked for it is told
            self.errors[number] = error
            return
        if section is not None:
            self.running[number] = section
            section.begin()

    def alone(self, number: int) -> None:
        """One training to its end."""
        while (section := self.running.get(number)) is not None:
            self.advance(number, section.run)

    def together(self, numbers: Sequence[int]) -> None:
        """Trainings of one signature until the first of them ends."""
        trainers = [self.running[number].trainers[0] for number in numbers]
        fused = Fused(trainers)
        while all(number in self.running for number in numbers):
            sections = [self.running[number] for number in numbers]
            progress = [section.due(trainer) for section, trainer in zip(sections, trainers, strict=True)]
            over = [place for place, due in enumerate(progress) if due is None]
            if not over:
                fused.take_step([due for due in progress if due is not None])
                for section, trainer, due in zip(sections, trainers, progress, strict=True):
                    section.taken(trainer, due or 0.0)
                continue
            fused.settle()
            looking = [place for place in over if sections[place].looks]
            for place, scores in zip(looking, fused.scores(looking) if looking else [], strict=True):
                sections[place].scores = [scores]
            for place in over:
                self.advance(numbers[place], partial(sections[place].end, trainers[place]))
        fused.part()


def train_together(trainings: Sequence[Iterator[Section]]) -> list[Exception | None]:
    """Take the steps of several trainings, fused wherever their networks have one signature.

    Parameters
    ----------
    trainings : sequence of iterator of Section
        As :meth:`~autonas.training.network.NetworkLearner.sections` makes them, in private randomness; all folds of a
        configuration are one stack.

    Returns
    -------
    list of (Exception or None)
        Why each one failed; a failure stops no other.
    """
    every = _Trainings(trainings)
    places = list(every.running)
    for group in alike([every.running[place].trainers[0] for place in places]):
        numbers = [places[member] for member in group]
        while len(together := [number for number in numbers if number in every.running]) > 1:
            every.together(together)
        for number in together:
            every.alone(number)
    return every.errors
