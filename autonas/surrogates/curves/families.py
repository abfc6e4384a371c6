"""The eleven families of learning curves of Domhan et al (2015), as shapes that rise with training.

A family here is what is left of the published formula after an offset and a factor are taken out, so ``offset +
factor * shape(x)`` with x = 1 .. 100 (percent of the training) covers the formula; that is why the scale of the losses
does not matter.  With an offset Hill3, log power and MMF are the same curves, and so are exp4, Janoschek and Weibull:
they remain apart by where their parameters are expected, and together weigh as much as they do in the paper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["FAMILIES", "Family"]

Array = np.ndarray


@dataclass(frozen=True)
class Family:
    """One family.

    Attributes
    ----------
    shape : callable
        ``shape(x, *parameters) -> values``; arguments broadcast.
    ranges : tuple of (low, high)
        Of each parameter, which is log-uniform in it.
    """

    shape: Callable[..., Array]
    ranges: tuple[tuple[float, float], ...] = ()

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """Parameters from the prior, (len(ranges), n)."""
        low, high = np.log(self.ranges).T.reshape(2, len(self.ranges), 1)
        return np.exp(rng.uniform(low, high, (len(self.ranges), n)))


def _hill3(x: Array, eta: Array, kappa: Array) -> Array:
    """``y_max x^eta / (kappa^eta + x^eta)``."""
    return 1 / (1 + (kappa / x) ** eta)


def _vapor_pressure(x: Array, b: Array, c: Array) -> Array:
    """``exp(a - b / x + c ln x)``; the published b is negative."""
    return np.exp(-b / x + c * np.log(x))


def _pow3(x: Array, alpha: Array) -> Array:
    """``c - a x^-alpha``."""
    return -(x**-alpha)


def _pow4(x: Array, alpha: Array, b: Array) -> Array:
    """``c - (a x + b)^-alpha``, where b is the published b / a."""
    return -((x + b) ** -alpha)


def _log_log_linear(x: Array, b: Array) -> Array:
    """``ln(a ln x + b)``, where b is the published b / a."""
    return np.log(np.log(x) + b)


def _log_power(x: Array, b: Array, c: Array) -> Array:
    """``a / (1 + (x / e^b)^-c)``, where b is the published e^b and c the published -c."""
    return 1 / (1 + (x / b) ** -c)


def _mmf(x: Array, kappa: Array, delta: Array) -> Array:
    """``alpha - (alpha - beta) / (1 + (kappa x)^delta)``."""
    return -1 / (1 + (kappa * x) ** delta)


def _exp4(x: Array, a: Array, alpha: Array) -> Array:
    """``c - exp(-a x^alpha + b)``; Janoschek is ``alpha - (alpha - beta) exp(-kappa x^delta)``."""
    return -np.exp(-a * x**alpha)


def _weibull(x: Array, kappa: Array, delta: Array) -> Array:
    """``alpha - (alpha - beta) exp(-(kappa x)^delta)``."""
    return -np.exp(-((kappa * x) ** delta))


def _ilog2(x: Array) -> Array:
    """``c - a / ln(x + 1)``."""
    return -1 / np.log(x + 1)


FAMILIES: dict[str, Family] = {
    "vapor_pressure": Family(_vapor_pressure, ((0.1, 100.0), (0.001, 0.5))),
    "pow3": Family(_pow3, ((0.01, 3.0),)),
    "log_log_linear": Family(_log_log_linear, ((1.0, 20.0),)),
    "hill3": Family(_hill3, ((0.5, 8.0), (1.0, 300.0))),
    "log_power": Family(_log_power, ((1.0, 300.0), (0.3, 5.0))),
    "pow4": Family(_pow4, ((0.01, 5.0), (0.1, 100.0))),
    "mmf": Family(_mmf, ((0.003, 1.0), (0.5, 8.0))),
    "exp4": Family(_exp4, ((0.01, 2.0), (0.2, 1.0))),
    "janoschek": Family(_exp4, ((1e-4, 1.0), (0.3, 2.0))),
    "weibull": Family(_weibull, ((0.003, 1.0), (0.5, 5.0))),
    "ilog2": Family(_ilog2),
}
