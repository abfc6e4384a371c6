"""LC-Net: a Bayesian neural network whose outputs are the parameters of learning curves (Klein et al 2017b).

A trunk of three layers of 50 tanh units reads the configuration.  Heads give an asymptote, the parameters and weights
of three basis functions of progress (vapour pressure, logarithm, Hill-3), and the noise; so configurations that were
never trained have curves too.  Klein et al sample networks with SGHMC and train anew for each partial curve.  Here the
network is an ensemble on bootstrap samples of the curves, trained once as one batched network, and a partial curve
corrects it: how much of its deviation so far remains at the end, and how uncertain the end is, is a ridge regression
over the curves that a network has not been trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from autonas.surrogates.curves.base import Curve, CurveModel, LogOdds, values_at

__all__ = ["MODEL", "LcNet", "Networks"]

FEWEST = 10  # curves
MEMBERS = 12
WIDTH = 50
STEPS = 400
RATE = 0.01
DECAY = 0.1
BASES = 3
_RIDGE = 0.05  # variance of deviations, on the standardised scale, against which regression coefficients are shrunk


class Networks(nn.Module):
    """An ensemble of networks as one: weights are (members, inputs, outputs).

    Parameters
    ----------
    n_features : int
    generator : torch.Generator
        Of the initial weights.
    """

    def __init__(self, n_features: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = {
            "trunk0": (n_features, WIDTH),
            "trunk1": (WIDTH, WIDTH),
            "trunk2": (WIDTH, WIDTH),
            "asymptote": (WIDTH, 1),
            "shapes": (WIDTH, 2 * BASES),
            "weights": (WIDTH, BASES),
            "noise": (WIDTH, 2),
        }
        self.matrices = nn.ParameterDict(
            {
                name: nn.Parameter(torch.randn(MEMBERS, n, m, generator=generator) / math.sqrt(max(n, 1)))
                for name, (n, m) in sizes.items()
            }
        )
        self.offsets = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(MEMBERS, 1, m)) for name, (_, m) in sizes.items()}
        )

    def _layer(self, name: str, x: Tensor) -> Tensor:
        return torch.baddbmm(self.offsets[name], x, self.matrices[name])

    def forward(self, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance, (members, configurations, points) each.

        Parameters
        ----------
        x : (configurations, features) Tensor
        t : (configurations, points) Tensor
            Progress, in (0, 1].
        """
        h = x.expand(MEMBERS, *x.shape)
        for layer in ("trunk0", "trunk1", "trunk2"):
            h = torch.tanh(self._layer(layer, h))
        first, second = torch.tanh(self._layer("shapes", h)).chunk(2, dim=-1)
        vapour_a, log_a, hill_a = first.exp().unbind(-1)
        vapour_b, log_b, hill_b = second.exp().unbind(-1)
        bases = torch.stack(
            [
                torch.exp(-0.1 * vapour_a[..., None] / t + 0.2 * vapour_b[..., None] * t.log()),
                torch.log(log_a[..., None] * (1 + 10 * log_b[..., None] * t)) / 2,
                1 / (1 + (0.3 * hill_b[..., None] / t) ** (2 * hill_a[..., None])),
            ]
        )
        weights = self._layer("weights", h).unbind(-1)
        fall = sum(weight[..., None] * (basis - 1) for weight, basis in zip(weights, bases, strict=True))
        noise = self._layer("noise", h)
        mean = self._layer("asymptote", h) + 4 * torch.tanh(torch.as_tensor(fall) / 4)
        return mean, (noise[..., :1] + noise[..., 1:] * (1 - t) - 3).clamp(-10, 4)


class LcNet(CurveModel):
    """Learns from at least ten complete curves; before that it knows nothing."""

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._networks: Networks | None = None

    def fit(self, curves: Sequence[Curve], configs: Sequence[np.ndarray] | None = None) -> None:
        self._networks = None
        self._curves, self._odds = list(curves), LogOdds(curves)
        if len(self._curves) < FEWEST:
            return
        x = np.zeros((len(self._curves), 1)) if configs is None else np.array(configs, dtype=float)
        self._with_configs = configs is not None
        self._x_mean, scale = x.mean(0), x.std(0)
        self._x_scale = np.where(scale > 0, scale, 1.0) * math.sqrt((scale > 0).sum().clip(1))
        grid = np.unique([z for curve in self._curves for z, _ in curve])
        losses = self._odds.forward(np.array([values_at(curve, grid) for curve in self._curves]))
        seen = np.array([(grid >= curve[0][0] - 1e-9) for curve in self._curves])
        self._mean, self._scale = float(losses.mean()), max(float(losses.std()), 1e-3)
        generator = torch.Generator().manual_seed(self.seed)
        self._in_bag = torch.rand(MEMBERS, len(losses), generator=generator) < 1 - math.exp(-1)
        self._inputs = torch.tensor((x - self._x_mean) / self._x_scale, dtype=torch.float32)
        t = torch.tensor(grid, dtype=torch.float32).expand(len(losses), -1)
        y = torch.tensor((losses - self._mean) / self._scale, dtype=torch.float32)
        weight = self._in_bag[:, :, None] * torch.tensor(seen)
        self._networks = Networks(self._inputs.shape[1], generator)
        optimizer = torch.optim.AdamW(self._networks.parameters(), lr=RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            optimizer.zero_grad()
            mean, log_variance = self._networks(self._inputs, t)
            loss = (((y - mean) ** 2 / log_variance.exp() + log_variance) * weight).sum() / weight.sum()
            loss.backward()
            optimizer.step()
            schedule.step()

    def predict(self, prefix: Curve, horizon: float = 1.0, config: np.ndarray | None = None) -> tuple[float, float]:
        if self._networks is None:
            return prefix[-1][1], math.inf
        grid = [*dict.fromkeys((prefix[0][0], prefix[-1][0])), horizon]
        coefficients, noise = self._correction(grid)
        x = config if self._with_configs and config is not None else self._x_mean
        row = torch.tensor((x - self._x_mean) / self._x_scale, dtype=torch.float32)[None, :]
        mean, sd = self._predicted(row, grid, torch.ones(MEMBERS, 1))
        off = (self._odds.forward(values_at(prefix, grid[:-1])) - self._mean) / self._scale - mean[0, :-1]
        end = mean[0, -1] + off @ coefficients
        return self._odds.normal(self._mean + self._scale * float(end), self._scale * noise * float(sd[0]))

    def _correction(self, grid: Sequence[float]) -> tuple[np.ndarray, float]:
        """How deviations at the earlier progresses go on at the last one, and the noise in units of the network's."""
        out = (~self._in_bag).any(0)
        mean, sd = self._predicted(self._inputs[out], grid, (~self._in_bag[:, out]).float())
        curves = [curve for curve, left_out in zip(self._curves, out.tolist(), strict=True) if left_out]
        losses = self._odds.forward(np.array([values_at(curve, grid) for curve in curves]))
        off = ((losses - self._mean) / self._scale - mean) / sd[:, None]
        before, end = off[:, :-1], off[:, -1]
        gram = before.T @ before + _RIDGE * len(before) * np.eye(before.shape[1])
        coefficients = np.linalg.solve(gram, before.T @ end)
        leverage = np.einsum("ij,jk,ik->i", before, np.linalg.inv(gram), before)
        left_out = (end - before @ coefficients) / (1 - leverage)
        return coefficients, float(np.sqrt(np.mean(left_out**2)))

    def _predicted(self, x: Tensor, grid: Sequence[float], member: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Mean over some members, (n, len(grid)), and the sd of the noise at the last point, (n,)."""
        assert self._networks is not None
        t = torch.tensor(np.array(grid), dtype=torch.float32).expand(len(x), -1)
        with torch.no_grad():
            mean, log_variance = self._networks(x, t)
        share = (member / member.sum(0).clamp(min=1))[:, :, None]
        variance = (share[..., 0] * log_variance[..., -1].exp()).sum(0)
        return (share * mean).sum(0).double().numpy(), variance.sqrt().double().numpy()


MODEL = LcNet
