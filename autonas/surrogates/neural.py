"""Ensembles of small networks as predictors, five members that each see another four fifths (PNAS: Liu et al 2017).

The perceptron reads the features of an architecture; the LSTM reads its decisions one after the other, so that it
takes longer sequences than it has seen.  Hyperparameters with equal values share their embeddings (PNAS shares them
between blocks), which lets a model extrapolate to larger architectures.  All members train as one batched network.
Unlike in PNAS the output is linear and the loss the squared error, since targets are standardised losses, not
accuracies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from autonas.core.trial import Config
from autonas.search_space.space import SearchSpace
from autonas.search_space.tokens import Decisions
from autonas.surrogates.features import Features
from autonas.surrogates.predictors import Predictor

__all__ = ["LstmPredictor", "MlpPredictor"]

MEMBERS = 5
UNITS = 64
STEPS = 200
_MLP_RATE, _LSTM_RATE = 3e-3, 1e-2
_DECAY = 1e-2


def _weight(*shape: int, fan: int) -> nn.Parameter:
    return nn.Parameter((torch.rand(MEMBERS, *shape) * 2 - 1) / fan**0.5)


class _Perceptrons(nn.Module):
    """Two hidden layers; (members, rows, d) to (members, rows)."""

    def __init__(self, d: int) -> None:
        super().__init__()
        widths = (d, UNITS, UNITS, 1)
        pairs = list(pairwise(widths))
        self.weights = nn.ParameterList(_weight(i, o, fan=max(i, 1)) for i, o in pairs)
        self.biases = nn.ParameterList(_weight(1, o, fan=max(i, 1)) for i, o in pairs)

    def forward(self, x: Tensor) -> Tensor:
        for number, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, torch.relu(x) if number else x, weight)
        return x[..., 0]


class _Lstms(nn.Module):
    """Tokens (members, rows, length), -1 where a sequence has ended, to (members, rows)."""

    def __init__(self, n_tokens: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(0.5 * torch.randn(MEMBERS, n_tokens, UNITS))
        self.inward = _weight(UNITS, 4 * UNITS, fan=UNITS)
        self.onward = _weight(UNITS, 4 * UNITS, fan=UNITS)
        self.bias = _weight(1, 4 * UNITS, fan=UNITS)
        self.out = _weight(UNITS, 1, fan=UNITS)
        self.offset = _weight(1, 1, fan=UNITS)

    def forward(self, tokens: Tensor) -> Tensor:
        members, rows, length = tokens.shape
        h = c = torch.zeros(members, rows, UNITS)
        table = torch.baddbmm(self.bias, self.embedding, self.inward)  # what a token adds, the same at every place
        for place in range(length):
            here = tokens[:, :, place]
            index = here.clamp(min=0)[..., None].expand(-1, -1, 4 * UNITS)
            gates = torch.baddbmm(table.gather(1, index), h, self.onward)
            i, f, g, o = gates.chunk(4, dim=-1)
            later = torch.sigmoid(f + 1) * c + torch.sigmoid(i) * torch.tanh(g)
            on = (here >= 0)[..., None]
            c, h = torch.where(on, later, c), torch.where(on, torch.sigmoid(o) * torch.tanh(later), h)
        return torch.baddbmm(self.offset, h, self.out)[..., 0]


class _Ensemble(Predictor):
    """What both share: the folds, the training, the spread.

    Members agree more than they should where all are wrong; so to their variance comes that of the errors which each
    makes on the fifth that it has not seen.
    """

    rate: float

    def _train(self, build: Callable[[], nn.Module], inputs: Tensor, z: np.ndarray) -> None:
        rng = np.random.default_rng(self.seed)
        left_out = rng.permutation(len(z)) % MEMBERS
        kept = torch.from_numpy((left_out != np.arange(MEMBERS)[:, None]).astype(np.float32))
        target = torch.from_numpy(z.astype(np.float32))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._network = build()
        optimizer = torch.optim.AdamW(self._network.parameters(), lr=self.rate, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.rate, total_steps=STEPS)
        batch = inputs.expand(MEMBERS, *inputs.shape)
        for _ in range(STEPS):
            loss = ((self._network(batch) - target).square() * kept).sum() / kept.sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            errors = (self._network(batch) - target).square() * (1 - kept)
        self._unseen = float(errors.sum() / (1 - kept).sum())

    def _members(self, inputs: Tensor) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            outputs = self._network(inputs.expand(MEMBERS, *inputs.shape)).double().numpy()
        return outputs.mean(axis=0), np.sqrt(outputs.var(axis=0, ddof=1) + self._unseen)


class MlpPredictor(_Ensemble):
    """Perceptrons over features (``features``: see :class:`Predictor`)."""

    rate = _MLP_RATE

    def _learn(self, configs: Sequence[Config], z: np.ndarray) -> None:
        inputs = self._inputs(configs, fit=True)
        self._train(lambda: _Perceptrons(inputs.shape[1]), inputs, z)

    def _foresee(self, configs: Sequence[Config]) -> tuple[np.ndarray, np.ndarray]:
        return self._members(self._inputs(configs))

    def _inputs(self, configs: Sequence[Config], *, fit: bool = False) -> Tensor:
        features = self.features.fit(configs) if fit else self.features
        return torch.from_numpy(features(configs).astype(np.float32))


class LstmPredictor(_Ensemble):
    """LSTMs over the decisions that lead to an architecture; it takes no features."""

    rate = _LSTM_RATE

    def __init__(self, space: SearchSpace, *, seed: int = 0) -> None:
        super().__init__(space, Features(space), seed=seed)
        self.decisions = Decisions(space)
        first: dict[tuple[str, ...], int] = {}
        self._offsets: dict[str, int] = {}
        self._n_tokens = 0
        for axis in self.decisions.axes:
            values = tuple(map(repr, axis.values))
            if values not in first:
                first[values] = self._n_tokens
                self._n_tokens += len(values)
            self._offsets[axis.name] = first[values]

    def _learn(self, configs: Sequence[Config], z: np.ndarray) -> None:
        sequences = [self.decisions.tokens(config) for config in configs]
        seen: dict[str, set[int | None]] = {axis.name: set() for axis in self.decisions.axes}
        for sequence in sequences:
            actions = dict(sequence)
            for name, values in seen.items():
                values.add(actions.get(name))
        self._read = {name for name, values in seen.items() if len(values) > 1}  # the rest says nothing
        self._train(lambda: _Lstms(self._n_tokens), self._inputs(configs), z)

    def _foresee(self, configs: Sequence[Config]) -> tuple[np.ndarray, np.ndarray]:
        return self._members(self._inputs(configs))

    def _inputs(self, configs: Sequence[Config]) -> Tensor:
        sequences = [
            [self._offsets[name] + action for name, action in self.decisions.tokens(config) if name in self._read]
            for config in configs
        ]
        tokens = np.full((len(sequences), max(1, *map(len, sequences)) if sequences else 1), -1, dtype=np.int64)
        for row, sequence in zip(tokens, sequences, strict=True):
            row[: len(sequence)] = sequence
        return torch.from_numpy(tokens)
