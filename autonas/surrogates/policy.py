"""A stochastic policy over the decisions of a space, and its updates by policy gradients.

One piece of code for the controllers of NAS-RL (Zoph & Le 2017: LSTM, REINFORCE), NASNet (Zoph et al 2018: PPO), ENAS
(Pham et al 2018: bounded logits, a target for the rate of skip connections) and contextual policies that also see
features of the task.  Left out: anchor points with attention, because here every skip connection is a hyperparameter,
and so a token, of its own; an encoder of the parent network (EAS), because sequences start from nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autonas.errors import OptionError
from autonas.search_space.tokens import Decisions, Prefix

__all__ = ["Batch", "Lstm", "Policy", "Tabular", "Updater", "make_policy", "objective"]


class Batch:
    """Whole sequences as tensors; actions are numbered over all hyperparameters (``Decisions.offsets``).

    Attributes
    ----------
    slots : (n, length) long tensor
        Actions taken; 0 behind the end.
    legal : (n, length, slots) bool tensor
    valid : (n, length) float tensor
        1 where there is a decision, 0 behind the end.
    """

    def __init__(self, decisions: Decisions, wholes: Sequence[Prefix]) -> None:
        rows = [_steps(decisions, whole) for whole in wholes]
        shape = len(rows), max((len(row) for row in rows), default=0)
        slots, valid = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.float32)
        legal = np.zeros((*shape, sum(n for _, n in decisions.vocabulary)), dtype=bool)
        legal[..., 0] = True  # behind the end, so that no softmax is empty
        for i, row in enumerate(rows):
            for t, (offset, action, mask) in enumerate(row):
                slots[i, t], valid[i, t] = offset + action, 1
                legal[i, t, 0] = False
                legal[i, t, offset : offset + len(mask)] = mask
        self.slots, self.legal, self.valid = map(torch.from_numpy, (slots, legal, valid))


def _steps(decisions: Decisions, whole: Prefix) -> list[tuple[int, int, np.ndarray]]:
    """Offset, action and mask of every decision."""
    steps = []
    prefix = decisions.start()
    while prefix.name is not None:
        action = whole.actions[prefix.index]
        steps.append((decisions.offsets[prefix.index], action, prefix.legal))
        prefix = prefix.take(action)
    return steps


class Policy(nn.Module):
    """Distribution over the sequences of a space.

    Parameters
    ----------
    decisions : Decisions
    features : sequence of float
        What is known of the task; empty: nothing.
    """

    def __init__(self, decisions: Decisions, features: Sequence[float] = ()) -> None:
        super().__init__()
        self.decisions = decisions
        self.n_slots = sum(n for _, n in decisions.vocabulary)
        self.features: Tensor
        self.register_buffer("features", torch.tensor(list(features), dtype=torch.float32), persistent=False)

    def logits(self, slots: Tensor) -> Tensor:
        """Logits of all actions before each decision: (n, length) to (n, length, slots), or what broadcasts to it."""
        raise NotImplementedError

    def step(self, slot: int | None, memory: Any) -> tuple[np.ndarray, Any]:
        """Logits of all actions after one more decision (None: at the start), and what to hand to the next call."""
        raise NotImplementedError

    def weights(self) -> dict[str, np.ndarray]:
        """The parameters by name."""
        return {name: tensor.detach().numpy().copy() for name, tensor in self.named_parameters()}

    def log_probabilities(self, batch: Batch) -> Tensor:
        """(n, length, slots) tensor; a large negative number where an action is not legal."""
        logits = self.logits(batch.slots).expand(batch.legal.shape)
        return logits.masked_fill(~batch.legal, -1e9).log_softmax(dim=-1)

    @torch.no_grad()
    def sample(self, rng: np.random.Generator, exploration: float = 0.0) -> Prefix:
        """A sequence; every decision is uniform with probability ``exploration``."""
        prefix = self.decisions.start()
        slot = memory = None
        while prefix.name is not None:
            logits, memory = self.step(slot, memory)
            offset = self.decisions.offsets[prefix.index]
            legal = np.flatnonzero(prefix.legal)
            scores = logits[offset + legal].astype(np.float64)
            chances = np.exp(scores - scores.max())
            chances = (1 - exploration) * chances / chances.sum() + exploration / len(legal)
            action = int(rng.choice(legal, p=chances / chances.sum()))
            slot = offset + action
            prefix = prefix.take(action)
        return prefix


class Tabular(Policy):
    """Independent logits for every hyperparameter, linear in the features of the task; starts uniform."""

    def __init__(self, decisions: Decisions, features: Sequence[float] = ()) -> None:
        super().__init__(decisions, features)
        self.table = nn.Parameter(torch.zeros(self.n_slots))
        self.by_feature = nn.Parameter(torch.zeros(self.n_slots, len(self.features)))

    def logits(self, slots: Tensor) -> Tensor:
        return self.table + self.by_feature @ self.features

    def step(self, slot: int | None, memory: Any) -> tuple[np.ndarray, Any]:
        logits = self.logits(torch.empty(0)).detach().numpy() if memory is None else memory
        return logits, logits


class Lstm(Policy):
    """Every token is embedded and fed, with the features of the task, to the next step of an LSTM.

    Parameters
    ----------
    decisions, features
        As for every policy.
    generator : torch.Generator
        For the initial weights, uniform within +-0.08.
    units, layers : int
        NAS-RL has 2 layers of 35 units, NASNet 1 of 100.
    bound : float or None
        Logits become ``bound * tanh(logit / 5)`` (ENAS: 2.5), which keeps a policy from certainty.
    """

    def __init__(
        self,
        decisions: Decisions,
        features: Sequence[float] = (),
        *,
        generator: torch.Generator,
        units: int = 35,
        layers: int = 2,
        bound: float | None = None,
    ) -> None:
        super().__init__(decisions, features)
        self.bound = bound
        with torch.device("meta"):  # the initial weights that torch would draw change the global random state
            self.embedding = nn.Embedding(self.n_slots + 1, units)  # the last one is the start
            self.lstm = nn.LSTM(units + len(self.features), units, layers, batch_first=True)
            self.head = nn.Linear(units, self.n_slots)
        for part in self.children():
            part.to_empty(device="cpu")
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-0.08, 0.08, generator=generator)

    def logits(self, slots: Tensor) -> Tensor:
        before = torch.cat([torch.full_like(slots[:, :1], self.n_slots), slots[:, :-1]], dim=1)
        inputs = self.embedding(before)
        inputs = torch.cat([inputs, self.features.expand(*before.shape, -1)], dim=-1)
        logits = self.head(self.lstm(inputs)[0])
        return logits if self.bound is None else self.bound * torch.tanh(logits / 5)

    def step(self, slot: int | None, memory: Any) -> tuple[np.ndarray, Any]:
        # in numpy, since a step of torch's LSTM on one row costs ten times as much; tested to be the same
        if memory is None:
            zero = np.zeros(self.lstm.hidden_size, dtype=np.float32)
            arrays = {name: tensor.detach().numpy() for name, tensor in self.named_parameters()}
            memory = arrays, [(zero, zero)] * self.lstm.num_layers
        arrays, states = memory
        value = arrays["embedding.weight"][self.n_slots if slot is None else slot]
        value = np.concatenate([value, self.features.numpy()])
        after = []
        for layer, (hidden, cell) in enumerate(states):
            gates = arrays[f"lstm.weight_ih_l{layer}"] @ value + arrays[f"lstm.bias_ih_l{layer}"]
            gates += arrays[f"lstm.weight_hh_l{layer}"] @ hidden + arrays[f"lstm.bias_hh_l{layer}"]
            enter, forget, new, out = np.split(gates, 4)
            kept = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(new)
            value = _sigmoid(out) * np.tanh(kept)
            after.append((value, kept))
        logits = arrays["head.weight"] @ value + arrays["head.bias"]
        return logits if self.bound is None else self.bound * np.tanh(logits / 5), (arrays, after)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))


def objective(log_probability: Tensor, old: Tensor, advantage: Tensor, clip: float | None) -> Tensor:
    """What an update maximises, for every decision.

    Parameters
    ----------
    log_probability : (n, length) tensor
        Of the actions taken.
    old : (n, length) tensor
        The same before the first epoch of the update.
    advantage : (n,) tensor
    clip : float or None
        None: REINFORCE's ``A log p``.  Else PPO's ``min(r A, clip(r, 1 - clip, 1 + clip) A)`` with ``r = p / p_old``.
    """
    gain = advantage[:, None]
    if clip is None:
        return log_probability * gain
    ratio = (log_probability - old).exp()
    return torch.minimum(ratio * gain, ratio.clamp(1 - clip, 1 + clip) * gain)


class Updater:
    """Adam on a policy's objective.

    Parameters
    ----------
    policy : Policy
    learning_rate : float
    clip : float or None
        See :func:`objective`.
    epochs : int
        Steps for every batch.
    entropy : float
        Weight of the entropy of the policy.
    skips : collection of str
        Hyperparameters with two values that stand for a skip connection; the second action is "there is one".
    skip_rate, skip_weight : float
        Target for their share, and weight of the divergence from it (ENAS: 0.4, 0.8).
    """

    def __init__(
        self,
        policy: Policy,
        learning_rate: float,
        *,
        clip: float | None = None,
        epochs: int = 1,
        entropy: float = 0.0,
        skips: Collection[str] = (),
        skip_rate: float = 0.4,
        skip_weight: float = 0.8,
    ) -> None:
        self.policy = policy
        self.clip = clip
        self.epochs = epochs
        self.entropy = entropy
        self.skip_rate = skip_rate
        self.skip_weight = skip_weight
        pairs = zip(policy.decisions.vocabulary, policy.decisions.offsets, strict=True)
        if bad := [name for name, n in policy.decisions.vocabulary if name in skips and n != 2]:
            raise OptionError(f"A skip connection has two values, which {', '.join(bad)} has not. Change `skip`.")
        self._skips = torch.tensor([offset for (name, _), offset in pairs if name in skips], dtype=torch.long)
        self._adam = torch.optim.Adam(policy.parameters(), lr=learning_rate)

    def update(self, wholes: Sequence[Prefix], advantages: Sequence[float]) -> None:
        """Move the policy towards sequences of positive advantage."""
        batch = Batch(self.policy.decisions, wholes)
        if not batch.slots.shape[1]:
            return  # a space without a choice
        gains = torch.tensor(list(advantages), dtype=torch.float32)
        old: Tensor | None = None
        for _ in range(self.epochs):
            everything = self.policy.log_probabilities(batch)
            taken = everything.gather(-1, batch.slots[..., None])[..., 0]
            old = taken.detach() if old is None else old
            value = objective(taken, old, gains, self.clip)
            value = (
                value - self.entropy * (everything.exp() * everything).sum(-1) - self._skip_penalty(batch, everything)
            )
            loss = -(value * batch.valid).sum(1).mean()
            self._adam.zero_grad()
            loss.backward()
            self._adam.step()

    def _skip_penalty(self, batch: Batch, everything: Tensor) -> Tensor:
        """The divergence KL(policy, target) at the decisions on skip connections, and 0 at others."""
        if not len(self._skips):
            return torch.zeros(())
        target = torch.tensor([1 - self.skip_rate, self.skip_rate]).log()
        here = torch.stack([everything[..., self._skips], everything[..., self._skips + 1]], dim=-1)
        asked = batch.legal[..., self._skips] & batch.legal[..., self._skips + 1]
        divergence = (here.exp() * (here - target)).sum(-1)
        return self.skip_weight * torch.where(asked, divergence, 0.0).sum(-1)


def make_policy(
    decisions: Decisions,
    kind: str,
    features: Sequence[float] = (),
    *,
    seed: int,
    units: int = 35,
    layers: int = 2,
    bound: float | None = None,
    weights: Mapping[str, np.ndarray] | None = None,
) -> Policy:
    """A policy, "tabular" or "lstm"; ``weights`` are those of another one of the same shape.

    Raises
    ------
    OptionError
        If the weights do not fit.
    """
    generator = torch.Generator().manual_seed(seed)
    policy: Policy = (
        Tabular(decisions, features)
        if kind == "tabular"
        else Lstm(decisions, features, generator=generator, units=units, layers=layers, bound=bound)
    )
    if weights is not None:
        shapes = {name: tuple(tensor.shape) for name, tensor in policy.named_parameters()}
        given = {name: tuple(value.shape) for name, value in weights.items()}
        if given != shapes:
            raise OptionError(
                f"The weights of a policy must have the shapes {shapes}; given: {given}. Take them from a search with "
                "the same space, kind of policy and number of features."
            )
        policy.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
    return policy
