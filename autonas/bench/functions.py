"""Functions with a known optimum: what tables cannot test (floats, conditions, fidelities).

Branin and Hartmann (Dixon & Szegoe 1978); the multi-fidelity Hartmann functions of MF-Prior-Bench (Mallik et al
2023); the tree-structured function of Jenatton et al 2017; and two conditional ones made here, a choice among model
kinds (``models``) and a chain of layers (``layers``), whose optima are known by construction.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.core.trial import Config
from autonas.errors import unknown
from autonas.search_space.space import SearchSpace

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace

__all__ = ["FUNCTIONS", "Function", "get_function"]

MEDIAN_SAMPLE = 4000  # configurations


@dataclass(frozen=True)
class Function:
    """A function to minimise, with the same views as a table (:class:`autonas.evaluators.benchmarks.Table`).

    Parameters
    ----------
    name : str
    space : SearchSpace
    value : callable
        ``value(config, fidelity) -> float``, without noise.
    optimum : float
        At fidelity 1.
    noise : callable or None
        ``noise(fidelity)``: standard deviation of what is added, fixed by (seed, configuration, fidelity).
    """

    name: str
    space: SearchSpace
    value: Callable[[Config, float], float]
    optimum: float
    noise: Callable[[float], float] | None = None

    @cached_property
    def median(self) -> float:
        """Of uniform random configurations."""
        return float(np.median([self.value(config, 1.0) for config in self.space.sample(MEDIAN_SAMPLE)]))

    def normalised_regret(self, config: Config) -> float:
        """0 at the optimum, 1 at a median random configuration; at fidelity 1, without noise."""
        return max(0.0, self.value(config, 1.0) - self.optimum) / (self.median - self.optimum)

    def function(self, seed: int = 0) -> Callable[..., float]:
        """``function(config, fidelity=1)``, what a search sees."""

        def evaluate(config: Config, fidelity: float = 1.0) -> float:
            value = self.value(config, fidelity)
            spread = self.noise(fidelity) if self.noise is not None else 0.0
            if spread == 0:
                return value
            point = [int(2**31 * abs(float(x))) for x in config.values()]
            return value + spread * np.random.default_rng([seed, round(1e6 * fidelity), *point]).normal()

        return evaluate


@cache
def get_function(name: str) -> Function:
    """The function of that name (:data:`FUNCTIONS`).

    Raises
    ------
    OptionError
        For a name that does not exist.
    """
    if name not in FUNCTIONS:
        raise unknown("function", name, FUNCTIONS)
    return FUNCTIONS[name](name)


# --- floats ----------------------------------------------------------------------------------------------------------


def _floats(name: str, **ranges: tuple[float, float]) -> SearchSpace:
    from ConfigSpace import ConfigurationSpace

    return SearchSpace(ConfigurationSpace(space=dict(ranges)), name=name)


def _branin(name: str) -> Function:
    def value(config: Config, fidelity: float) -> float:
        x, y = float(config["x"]), float(config["y"])
        b, c, t = 5.1 / (4 * math.pi**2), 5 / math.pi, 1 / (8 * math.pi)
        return (y - b * x**2 + c * x - 6) ** 2 + 10 * (1 - t) * math.cos(x) + 10

    return Function(name, _floats(name, x=(-5.0, 10.0), y=(0.0, 15.0)), value, 10 / (8 * math.pi))


_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_HARTMANN = {  # dimensions: (A, 10,000 P, minimum)
    3: (
        [[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]],
        [[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]],
        -3.8627797874,
    ),
    6: (
        [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]],
        [
            [1312, 1696, 5569, 124, 8283, 5886],
            [2329, 4135, 8307, 3736, 1004, 9991],
            [2348, 1451, 3522, 2883, 3047, 6650],
            [4047, 8828, 8732, 5743, 1091, 381],
        ],
        -3.3223680115,
    ),
}
_PRESETS = {"good": (2.5, 2.0), "moderate": (3.0, 3.0), "bad": (3.5, 4.0), "terrible": (4.0, 5.0)}


def _hartmann(name: str, dimensions: int, bias: float = 0.0, noise: float = 0.0) -> Function:
    """Of 3 or 6 dimensions; lower fidelities are flatter (bias) and noisier.

    The published functions have z in [3, 100], here fidelity = z / 100: the gap to full fidelity is
    1 - log z / log 100.
    """
    a, p, optimum = _HARTMANN[dimensions]
    A, P = np.array(a), 1e-4 * np.array(p)

    def gap(fidelity: float) -> float:
        return -math.log(fidelity) / math.log(100)

    def value(config: Config, fidelity: float) -> float:
        x = np.array([config[f"x{i}"] for i in range(dimensions)], dtype=np.float64)
        alpha = _ALPHA - bias * gap(fidelity) ** 2
        return -float(alpha @ np.exp(-(A * (x - P) ** 2).sum(axis=1)))

    space = _floats(name, **{f"x{i}": (0.0, 1.0) for i in range(dimensions)})
    return Function(name, space, value, optimum, (lambda z: noise * gap(z)) if noise else None)


# --- conditions ------------------------------------------------------------------------------------------------------


def _under(space: ConfigurationSpace, name: str, values: Any, parent: str, when: list[Any]) -> None:
    """Add a hyperparameter that is active where its parent has one of the values; texts or a range of floats."""
    from ConfigSpace import CategoricalHyperparameter, InCondition, UniformFloatHyperparameter

    texts = isinstance(values[0], str)
    child = CategoricalHyperparameter(name, values) if texts else UniformFloatHyperparameter(name, *values)
    space.add(child)
    space.add(InCondition(child, space[parent], when))


def _jenatton(name: str) -> Function:
    from ConfigSpace import ConfigurationSpace

    leaves = {"x4": 0.1, "x5": 0.2, "x6": 0.3, "x7": 0.4}
    space = ConfigurationSpace(space={"x1": ["0", "1"]})
    for side, inner, shared in (("0", "x2", "r8"), ("1", "x3", "r9")):
        _under(space, inner, ["0", "1"], "x1", [side])
        _under(space, shared, (0.0, 1.0), "x1", [side])
    for leaf, (inner, side) in zip(leaves, itertools.product(("x2", "x3"), ("0", "1")), strict=True):
        _under(space, leaf, (0.0, 1.0), inner, [side])

    def value(config: Config, fidelity: float) -> float:
        leaf = next(key for key in leaves if key in config)
        shared = float(config["r8" if "r8" in config else "r9"])
        return (2 * float(config[leaf]) - 1) ** 2 + leaves[leaf] + shared  # the published x^2, on [-1, 1]

    return Function(name, SearchSpace(space, name=name), value, min(leaves.values()))


def _models(name: str) -> Function:
    """Six kinds of models: the better a kind can become, the more it has to be tuned for that."""
    from ConfigSpace import ConfigurationSpace

    kinds = {"a": (0.30, 0.1, 2), "b": (0.25, 0.3, 2), "c": (0.20, 0.5, 3), "d": (0.15, 0.8, 3)}
    kinds |= {"e": (0.10, 1.2, 4), "f": (0.00, 2.0, 4)}  # lowest loss, price of mistuning, floats
    optimiser = dict(zip(kinds, "stutsu", strict=True))
    space = ConfigurationSpace(space={"kind": list(kinds), "shared": (0.0, 1.0)})
    for kind, (_, _, floats) in kinds.items():
        for i in range(floats):
            _under(space, f"{kind}{i}", (0.0, 1.0), "kind", [kind])
        _under(space, f"{kind}_optimiser", ["s", "t", "u"], "kind", [kind])

    def value(config: Config, fidelity: float) -> float:
        kind = str(config["kind"])
        lowest, price, floats = kinds[kind]
        # the best place of each float is somewhere in the middle, another one for each
        off = sum((float(config[f"{kind}{i}"]) - 0.15 - 0.7 * ((i + 1) * 0.618 % 1)) ** 2 for i in range(floats))
        wrong = config[f"{kind}_optimiser"] != optimiser[kind]
        return lowest + price * (off + 0.1 * wrong) + 0.3 * (float(config["shared"]) - 0.35) ** 2

    return Function(name, SearchSpace(space, name=name), value, 0.0)


def _layers(name: str) -> Function:
    """A chain of up to eight layers: an operation each, a width for some of them; neighbours interact."""
    from ConfigSpace import ConfigurationSpace

    best = [("conv", 0.2), ("wide", 0.4), ("pool", None), ("conv", 0.6), ("wide", 0.7), ("conv", 0.9)]
    space = ConfigurationSpace(space={"depth": (1, 8)})
    for i in range(8):
        _under(space, f"op{i}", ["conv", "wide", "pool", "skip"], "depth", list(range(i + 1, 9)))
        _under(space, f"width{i}", (0.0, 1.0), f"op{i}", ["conv", "wide"])

    def value(config: Config, fidelity: float) -> float:
        depth = int(config["depth"])
        loss, before = 0.25 * abs(depth - len(best)), True
        for i, (operation, width) in enumerate(best[:depth]):
            right = config[f"op{i}"] == operation
            if not right:
                loss += 0.15 if before else 0.25
            elif width is not None:
                loss += 0.5 * (float(config[f"width{i}"]) - width) ** 2
            before = right
        return loss

    return Function(name, SearchSpace(space, name=name), value, 0.0)


FUNCTIONS: dict[str, Callable[[str], Function]] = {
    "branin": _branin,
    "hartmann3": partial(_hartmann, dimensions=3),
    "hartmann6": partial(_hartmann, dimensions=6),
    **{
        f"hartmann{d}-{preset}": partial(_hartmann, dimensions=d, bias=bias, noise=noise)
        for d in _HARTMANN
        for preset, (bias, noise) in _PRESETS.items()
    },
    "jenatton": _jenatton,
    "models": _models,
    "layers": _layers,
}
