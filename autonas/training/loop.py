"""Steps of training and passes of validation of one stack of networks.

Each network of the stack is the model of one fold: it draws its own minibatches from its own
training rows and scores its own validation rows.  What happens in a step is a function of the seed,
the fold and the number of the step alone, so training that was interrupted goes on exactly.  When
to step and when to stop is decided in ``network.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from autonas.architectures.regularise import scheduled, set_progress
from autonas.core.trial import Value
from autonas.data.task import Folds
from autonas.training.augment import Augmentation, mix, mix_shares
from autonas.training.batches import Batches
from autonas.training.noise import Noise, keys
from autonas.training.optim import make_optimizer, parameter_groups, parameter_order, rate, set_rate
from autonas.training.stack import Stack, Weights

__all__ = ["Data", "Trainer", "combine", "losses", "private_randomness", "score"]

SETTLED = 60  # steps after which running averages of normalisations follow the weights
MEASURED = 4  # batches that measure them before that
_PLAIN_END = 0.95  # progress from which inputs are no longer changed, nor mixed


def _mix(*numbers: int) -> int:
    """One seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _like(array: np.ndarray, parameter: Tensor) -> Tensor:
    """An optimiser's array as a tensor that lies in memory as its parameter does: fused optimisers rely on that."""
    value = torch.from_numpy(np.array(array))
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value


@contextmanager
def private_randomness(device: str) -> Iterator[None]:
    """Inside, torch's global generators may be seeded; afterwards they are as before."""
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if device.startswith("cuda") else []):
        yield


def losses(outputs: Tensor, y: Tensor, smoothing: float | Tensor = 0.0) -> Tensor:
    """Loss of every row.

    Parameters
    ----------
    outputs : (..., outputs) Tensor
        Logits, or values on the fitted scale.  With members: (networks, rows, members, outputs).
    y : (networks, rows) Tensor
        int64 classes: cross-entropy.  float32 targets: squared error.
    smoothing : float or (networks, 1) Tensor
        Label smoothing.

    Returns
    -------
    (networks, rows) Tensor, the mean over members.
    """
    outputs = outputs.float()
    if outputs.ndim == 4:
        y = y[..., None].expand(outputs.shape[:-1])
    if y.is_floating_point():
        per_row = (outputs.squeeze(-1) - y).square()
    elif isinstance(smoothing, Tensor):
        logarithms = outputs.log_softmax(-1)
        share = smoothing.view(-1, *[1] * (y.ndim - 1))
        per_row = (share - 1) * logarithms.gather(-1, y[..., None]).squeeze(-1) - share * logarithms.mean(-1)
    else:
        flat = functional.cross_entropy(
            outputs.flatten(0, -2), y.flatten(), reduction="none", label_smoothing=smoothing
        )
        per_row = flat.view(y.shape)
    return per_row.mean(-1) if outputs.ndim == 4 else per_row


def combine(outputs: Tensor, classification: bool) -> Tensor:
    """(networks, rows[, members], outputs) to (networks, rows, outputs).

    Classification: logits to log of the members' mean probability.  Regression: the members' mean.
    """
    outputs = outputs.float()
    if classification:
        outputs = outputs.log_softmax(-1)
        return outputs.logsumexp(2) - np.log(outputs.shape[2]) if outputs.ndim == 4 else outputs
    return outputs.mean(2) if outputs.ndim == 4 else outputs


@dataclass(frozen=True)
class Data:
    """What is trained on, on the device: ``X`` (rows, ...), ``y`` (rows,), ``weight`` (rows,) or None."""

    X: Tensor
    y: Tensor
    weight: Tensor | None
    folds: Folds

    @property
    def classification(self) -> bool:
        """Whether y holds classes."""
        return not self.y.is_floating_point()

    def weighted(self, each: Tensor, index: Tensor) -> Tensor:
        """(networks, rows) losses times the weights of their rows."""
        return each if self.weight is None else each * self.weight[index]

    def rows(self, index: Tensor) -> Tensor:
        """(networks, rows) indices to (networks, rows, ...) inputs."""
        return self.X.index_select(0, index.flatten()).view(*index.shape, *self.X.shape[1:])


def score(
    stack: Callable[[Tensor], Tensor], inputs: Callable[[slice], Tensor], rows: int, chunk: int, classification: bool
) -> Tensor:
    """Combined outputs of ``rows`` rows, ``chunk`` at a time: (networks, rows, outputs) on the CPU."""
    with torch.no_grad():
        parts = [combine(stack(inputs(slice(i, i + chunk))), classification).cpu() for i in range(0, rows, chunk)]
    return torch.cat(parts, dim=1)


class Trainer:
    """A stack of networks with its optimiser.

    Parameters
    ----------
    build : callable
        Makes one network.
    data : Data
    folds : sequence of int
        Numbers of the folds that the networks are for.
    options : mapping
        Training hyperparameters (see ``spaces/training.yaml``) and ``augment``.
    seed : int
    device : str
    half : bool
        Whether to compute in bfloat16 where that is safe (autocast).
    fusable : bool
        Whether others may train together with these networks (``fused.py``): then what dropout keeps is a function of
        its place (``noise.py``), else torch's generator draws it.

    Attributes
    ----------
    step : int
        Steps that were taken.
    planned : int
        Steps of the whole training.
    lead : float
        Progress beyond ``step / planned`` that a clock has given away.
    total : () Tensor
        Loss of all steps since it was last found finite.
    validated : (networks, rows) Tensor
        Validation rows of each network, those of smaller folds padded with row 0.
    """

    def __init__(
        self,
        build: Callable[[], nn.Module],
        data: Data,
        folds: Sequence[int],
        options: Mapping[str, Value],
        seed: int,
        device: str,
        half: bool = False,
        fusable: bool = False,
    ) -> None:
        self.data, self.folds, self.options, self.seed, self.device, self.half = (
            data,
            folds,
            options,
            seed,
            device,
            half,
        )
        self.stack = Stack(build, [_mix(seed, fold) for fold in folds], device)
        if device == "cpu" and any(getattr(module, "groups", 1) > 1 for module in self.stack.network.modules()):
            self.half = False  # in bfloat16 the way back of grouped convolutions takes up to five times as long
        pairs = [data.folds.pairs[fold] for fold in folds]
        self.batches = Batches([train for train, _ in pairs], folds, int(options.get("batch_size", 128)), seed, device)
        self.optimizer = make_optimizer(
            options, parameter_groups(self.stack.network, self.stack.parameters, data.folds.n_rows)
        )
        self.augmentation = Augmentation(options, data.X)
        self.mixup = float(options.get("mixup_alpha", 1.0)) if options.get("mixup") == "yes" else 0.0
        self.smoothing = float(options.get("label_smoothing", 0.0))
        self._normalisations = [
            module for module in self.stack.network.modules() if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d)
        ]
        self.valid = [valid for _, valid in pairs]
        longest = max(map(len, self.valid))
        padded = [np.pad(rows, (0, longest - len(rows))) for rows in self.valid]
        self.validated = torch.from_numpy(np.stack(padded)).to(device)
        self.step, self.lead = 0, 0.0
        self.planned = int(options.get("updates", int(options.get("epochs", 40)) * self.batches.steps))
        self._scheduled = scheduled(self.stack.network)
        self.average: Weights | None = None
        self._averaged = 0
        self.total = torch.zeros((), device=device)
        self.fusable = fusable
        self._noise: Noise | None = None

    @property
    def by_steps(self) -> float:
        """Progress as far as steps count."""
        return self.lead + self.step / self.planned

    def _autocast(self) -> AbstractContextManager:
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.half)

    def stands(self, progress: float) -> float:
        """Where the schedule of the next step stands: in the middle of the step, or at ``progress`` if that is more."""
        return max(progress, self.lead + (self.step + 0.5) / self.planned)

    def take_step(self, progress: float = 0.0) -> None:
        """One step of the optimiser; ``progress`` is where the schedule stands at least."""
        progress = self.stands(progress)
        generator = _mix(self.seed, self.folds[0], self.step)
        torch.default_generator.manual_seed(generator)
        if self.device.startswith("cuda"):
            torch.cuda.manual_seed(generator)
        index = self.batches(self.step)
        loss = self._loss(index, progress < _PLAIN_END, progress)
        self.optimizer.zero_grad()
        loss.backward()
        set_rate(self.optimizer, rate(self.options, progress, self.planned / self.batches.steps))
        self.optimizer.step()
        self.total += loss.detach()
        self.step += 1

    def _loss(self, index: Tensor, changed: bool, progress: float) -> Tensor:
        """Training loss of a batch of (networks, size) rows, whose inputs may be changed and mixed."""
        x = self.data.rows(index)
        if changed and self.augmentation.changes:
            x = self.augmentation(x.flatten(0, 1)).view(x.shape)
        share = mix_shares(self.mixup, len(index), self.device) if changed and self.mixup else None
        set_progress(self._scheduled, progress)
        if self._noise is None and self.fusable:
            self._noise = self._make_noise(x)
        factors = self._noise(self.step) if self._noise is not None else {}
        with self._autocast():
            outputs = self.stack(x if share is None else mix(x, share), training=True, factors=factors)
        each = self._weighted(outputs, index)
        if share is not None:  # cross-entropy is linear in its targets: mixing the losses mixes the labels
            each = share * each + (1 - share) * self._weighted(outputs, index.roll(1, 1))
        return each.mean(1).sum()  # networks do not share parameters: the sum trains each on its own mean

    @property
    def dropped(self) -> np.ndarray:
        """(layers, networks) uint8: how many of 256 units each dropout layer drops."""
        rates = [dropout.dropped for dropout in self.stack.dropouts]
        return np.repeat(np.array(rates, dtype=np.uint8)[:, None], self.stack.size, axis=1)

    def _make_noise(self, x: Tensor) -> Noise:
        """What dropout keeps when the networks read (networks, rows, ...) inputs."""
        dropped = self.dropped
        shapes = self.stack.seen(x[0]) if dropped.any() else [None] * len(dropped)
        return Noise(keys(self.seed, self.folds), dropped, shapes, self.device)

    def _weighted(self, outputs: Tensor, index: Tensor) -> Tensor:
        """Loss of every row, given whose label it has."""
        return self.data.weighted(losses(outputs, self.data.y[index], self.smoothing), index)

    def check_finite(self) -> None:
        """Raise FloatingPointError if the loss of a step since the last check was not finite."""
        if not torch.isfinite(self.total):
            epoch = (self.step - 1) // self.batches.steps + 1
            what = "NaN" if torch.isnan(self.total) else "infinite"
            raise FloatingPointError(f"loss became {what} at epoch {epoch}; a lower learning rate may help")
        self.total.zero_()

    def wait(self) -> None:
        """Return when the device has done what was asked, so that a clock can be read."""
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()

    def state(self) -> dict[str, Any]:
        """Everything needed to go on exactly."""
        moments = self.optimizer.state_dict()["state"]
        return {
            "step": self.step,
            "lead": self.lead,
            "weights": {name: tensor.cpu().numpy() for name, tensor in self.stack.copy().items()},
            "optimizer": {
                str(number): {
                    key: value.detach().cpu().numpy().copy() for key, value in part.items() if value is not None
                }
                for number, part in moments.items()
            },
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Inverse of :meth:`state`."""
        self.step, self.lead = state["step"], state["lead"]
        self.stack.load({name: torch.from_numpy(np.array(array)) for name, array in state["weights"].items()})
        self._set_moments({int(number): part for number, part in state["optimizer"].items()})

    def carry(self, moments: Mapping[str, Mapping[str, np.ndarray]]) -> None:
        """Begin with the moments of another training: for each parameter the arrays that the optimiser keeps of it."""
        self._set_moments({n: moments[name] for n, name in enumerate(parameter_order(self.stack.network))})

    def _set_moments(self, moments: Mapping[int, Mapping[str, np.ndarray]]) -> None:
        whole = self.optimizer.state_dict()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        whole["state"] = {
            number: {key: _like(value, parameters[number]) for key, value in part.items()}
            for number, part in moments.items()
        }
        self.optimizer.load_state_dict(whole)

    def add_to_average(self) -> None:
        """Count the weights as they are now into their running mean."""
        self._averaged += 1
        if self.average is None:
            self.average = self.stack.copy()
            return
        for name, tensor in self.stack.weights.items():
            if tensor.is_floating_point():
                self.average[name].lerp_(tensor, 1 / self._averaged)

    def drop_average(self) -> None:
        """Forget the running mean."""
        self.average, self._averaged = None, 0

    @property
    def is_unsettled(self) -> bool:
        """Whether the averages of batch normalisations lag behind the weights, after few steps of a single network."""
        return self.stack.size == 1 and 0 < self.step < SETTLED and bool(self._normalisations)

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Inside, the statistics of batch normalisations are those of a few batches under the weights as they are."""
        if not self.is_unsettled:
            yield
            return
        before = {name: tensor.clone() for name, tensor in self.stack.buffers.items()}
        torch.default_generator.manual_seed(_mix(self.seed, self.folds[0], self.step, 1))
        momenta = [module.momentum for module in self._normalisations]
        for module in self._normalisations:
            module.momentum = None  # a plain mean over the batches
        with torch.no_grad(), self._autocast():
            for name, tensor in self.stack.buffers.items():
                if name.rpartition(".")[2] in ("running_mean", "num_batches_tracked"):
                    tensor.zero_()
            for step in range(max(0, self.step - MEASURED), self.step):
                self.stack(self.data.rows(self.batches(step)), training=True)
        for module, momentum in zip(self._normalisations, momenta, strict=True):
            module.momentum = momentum
        yield
        for name, tensor in before.items():
            self.stack.buffers[name].copy_(tensor)

    def look(self, rows: int) -> None:
        """Score the first validation rows for nothing, to see how long it takes."""
        self._scored(rows, rows)

    def scores(self, chunk: int) -> Tensor:
        """(networks, rows, outputs) scores of the validation rows, those of smaller folds padded."""
        return self._scored(self.validated.shape[1], chunk)

    def _scored(self, rows: int, chunk: int) -> Tensor:
        with self._autocast():
            return score(
                self.stack, lambda p: self.data.rows(self.validated[:, p]), rows, chunk, self.data.classification
            )

    def judged(self, scores: Tensor) -> tuple[list[float], list[np.ndarray]]:
        """Loss of each network on its validation rows, and its scores of them ((rows, outputs) arrays)."""
        found = []
        for number, rows in enumerate(self.valid):
            index = torch.from_numpy(rows).to(self.device)
            y, mine = self.data.y[index].cpu(), scores[number, : len(rows)]
            each = -mine.gather(1, y[:, None])[:, 0] if self.data.classification else (mine[:, 0] - y).square()
            weight = torch.ones(len(rows)) if self.data.weight is None else self.data.weight[index].cpu()
            found.append(float((each * weight).sum() / weight.sum().clamp_min(1e-12)))
        return found, [scores[number, : len(rows)].numpy() for number, rows in enumerate(self.valid)]
