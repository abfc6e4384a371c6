"""BOHB's kernel density model, with hpbandster's configuration generator underneath (Falkner et al 2018).

``"hyperband(kde)"``, or ``"bohb"``, is the published method: the generator keeps a model for every fidelity, and the
highest one is sampled from.  It knows no ordered choices, so those are whole numbers to it; forbidden clauses are
checked here; and its densities are replaced by :class:`Density`, since the original ones end in NaN, or below zero,
where a choice has not been seen or a bandwidth passes that of the uniform distribution.  All candidates are sampled
and compared at once, with the numbers that the generator would draw, which takes them one by one.  Left out:
hpbandster's brackets (``hyperband`` has them), its workers and its name server.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from autonas.core.trial import Config, Proposal, Trial, Value, config_key
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.search_space.values import listed_values, plain
from autonas.strategies.base import Strategy
from autonas.strategies.random import draw

if TYPE_CHECKING:
    from ConfigSpace import ConfigurationSpace
    from hpbandster.optimizers.config_generators.bohb import BOHB

__all__ = ["STRATEGY", "Density", "Kde", "without_ordinals"]

_TRIES = 3  # samples of a configuration that is not known yet
_LEAST = 1e-32  # density, as hpbandster has it


class Kde(Strategy):
    """Density of good configurations over density of bad ones, of the highest fidelity that has a model.

    A model needs more trials of one fidelity than twice the number of hyperparameters; until then configurations are
    drawn at random.  A failed trial is a bad one; a pending one is only not proposed again.

    Parameters
    ----------
    random_share : float
        Share of the proposals that are drawn at random even when there is a model.
    candidates : int
        Samples of the good density among which the best ratio wins.

    Raises
    ------
    OptionError
        If hpbandster is not installed.
    """

    name = "kde"
    uses_fidelity: ClassVar[bool] = True

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        random_share: float = 1 / 3,
        candidates: int = 64,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self.random_share = random_share
        self._known: set[str] = set()
        self._told = 0
        self._inner = without_ordinals(space.configspace)
        with _quiet():
            self._generator = _generator(self._inner, candidates)
        self._sizes = [len(getattr(hp, "choices", ())) for hp in self._inner.values()]
        ordered = [(name, listed_values(hp)) for name, hp in space.configspace.items() if hasattr(hp, "sequence")]
        self._ordered = {name: values for name, values in ordered if values is not None}

    def ask(self) -> Proposal | None:
        key = (self.seed, len(self._known))
        config: Config | None = None
        if self._generator.kde_models and np.random.default_rng(key).random() >= self.random_share:
            config = self._model_choice(key)
        if config is None:
            config = draw(self.space, self._known, key)
        if config is None:
            return None
        self._known.add(config_key(config))
        return Proposal(config, origin=self.name)

    def tell(self, trial: Trial) -> None:
        self._known.add(trial.proposal.key)
        self._told += 1
        kwargs = {"config": self._encode(trial.config), "budget": trial.proposal.fidelity}
        # what hpbandster reads of its own job, whose module starts Pyro
        job = SimpleNamespace(kwargs=kwargs, result={"loss": trial.loss} if trial.ok else None, exception=None)
        with _quiet(), _numpy_seeded((self.seed, self._told, 1)):
            self._generator.new_result(job)
        for model in self._generator.kde_models.values():
            for part, density in model.items():
                if not isinstance(density, Density):
                    model[part] = Density(density.data, density.bw, self._sizes)

    def _model_choice(self, key: tuple[int, int]) -> dict[str, Value] | None:
        """The first new configuration that is sampled and not forbidden."""
        from ConfigSpace import Configuration
        from ConfigSpace.util import deactivate_inactive_hyperparameters

        models = self._generator.kde_models
        good, bad = models[max(models)]["good"], models[max(models)]["bad"]
        for attempt in range(_TRIES):
            with _numpy_seeded((*key, 2, attempt)):
                points = self._candidates(good)
            ratios = np.maximum(bad.pdfs(points), _LEAST) / np.maximum(good.pdfs(points), _LEAST)
            whole = Configuration(self._inner, vector=points[ratios.argmin()])
            config = self._decode(dict(deactivate_inactive_hyperparameters(dict(whole), self._inner)))
            if config_key(config) not in self._known and self.space.table.violated(config) is None:
                return config
        return None

    def _candidates(self, good: Density) -> np.ndarray:
        """Points around those of the good density, (n, d), from numbers in the order in which the generator draws."""
        from scipy.stats import truncnorm

        generator, chosen = self._generator, np.array(self._sizes) > 0
        bw = np.maximum(good.bw, generator.min_bandwidth)
        centres, uniform = np.empty((2, generator.num_samples, len(bw)))
        np.random.rand()  # noqa: NPY002 - the generator asks itself whether to draw at random
        for i in range(len(centres)):
            centres[i] = good.data[np.random.randint(0, len(good.data))]  # noqa: NPY002
            for j, size in enumerate(self._sizes):
                uniform[i, j] = np.random.rand()  # noqa: NPY002
                if size and uniform[i, j] >= 1 - bw[j]:
                    centres[i, j] = np.random.randint(size)  # noqa: NPY002
        wide, numbers = generator.bw_factor * bw[~chosen], centres[:, ~chosen]
        drawn = truncnorm.ppf(uniform[:, ~chosen], -numbers / wide, (1 - numbers) / wide, loc=numbers, scale=wide)
        centres[:, ~chosen] = np.clip(drawn, 0, 1)
        return centres

    def _encode(self, config: Config) -> dict[str, Any]:
        """The configuration in the generator's space, which has places in a list for ordered values."""
        places = self._ordered
        return {name: places[name].index(v) if name in places else v for name, v in config.items()}

    def _decode(self, sampled: dict[str, Any]) -> dict[str, Value]:
        return {
            name: self._ordered[name][int(sampled[name])] if name in self._ordered else plain(hp, sampled[name])
            for name, hp in self.space.configspace.items()
            if name in sampled
        }


class Density:
    """A product of kernels around data: Gaussian for numbers, Aitchison and Aitken's over all values of a choice.

    Parameters
    ----------
    data : (n, d) array
        Numbers in the unit interval, choices by their place in the list.
    bw : (d,) array
        Bandwidths; that of a choice is cut where the kernel is uniform.
    sizes : sequence of int
        Number of values of a choice, 0 for a number.
    """

    def __init__(self, data: np.ndarray, bw: np.ndarray, sizes: Sequence[int]) -> None:
        self.data = np.asarray(data, dtype=float)
        self._sizes = np.asarray(sizes)
        self._chosen = self._sizes > 0
        uniform = 1 - 1 / np.maximum(self._sizes, 1)
        self.bw = np.where(self._chosen, np.minimum(bw, uniform), bw)

    def pdf(self, point: Sequence[float]) -> float:
        """Density at a point."""
        return float(self.pdfs(np.asarray(point, dtype=float)[None])[0])

    def pdfs(self, points: np.ndarray) -> np.ndarray:
        """Densities at (m, d) points, (m,)."""
        steps = points[:, None] - self.data
        bw, chosen = self.bw, self._chosen
        kernels = np.empty_like(steps)
        scaled = steps[..., ~chosen] / bw[~chosen]
        kernels[..., ~chosen] = np.exp(-0.5 * scaled**2) / (math.sqrt(2 * math.pi) * bw[~chosen])
        missed = bw[chosen] / np.maximum(self._sizes[chosen] - 1, 1)
        kernels[..., chosen] = np.where(steps[..., chosen] == 0, 1 - bw[chosen], missed)
        return np.asarray(kernels.prod(2).mean(1))


def without_ordinals(space: ConfigurationSpace) -> ConfigurationSpace:
    """The space with places in a list for ordered values, constants as choices of one, and nothing forbidden."""
    from ConfigSpace import ConfigurationSpace

    expanded = space.to_serialized_dict()
    listed = {hp["name"]: list(hp["sequence"]) for hp in expanded["hyperparameters"] if hp["type"] == "ordinal"}

    def hyperparameter(stated: dict[str, Any]) -> dict[str, Any]:
        name = stated["name"]
        if stated["type"] == "constant":
            return {"type": "categorical", "name": name, "choices": [stated["value"]]}
        if name not in listed:
            return stated
        places = {"lower": 0, "upper": len(listed[name]) - 1, "log": False}
        default = listed[name].index(stated["default_value"])
        if not places["upper"]:
            return {"type": "categorical", "name": name, "choices": [0]}
        return {"type": "uniform_int", "name": name, "default_value": default, **places}

    def condition(stated: dict[str, Any]) -> dict[str, Any]:
        if "conditions" in stated:
            return {**stated, "conditions": [condition(part) for part in stated["conditions"]]}
        places = listed.get(stated["parent"])
        if places is None:
            return stated
        if "values" in stated:
            return {**stated, "values": [places.index(value) for value in stated["values"]]}
        return {**stated, "value": places.index(stated["value"])}

    return ConfigurationSpace.from_serialized_dict(
        {
            "hyperparameters": [hyperparameter(stated) for stated in expanded["hyperparameters"]],
            "conditions": [condition(stated) for stated in expanded["conditions"]],
            "forbiddens": [],
        }
    )


def _generator(space: ConfigurationSpace, candidates: int) -> BOHB:
    try:
        from hpbandster.optimizers.config_generators.bohb import BOHB
    except ImportError as error:
        raise OptionError(
            f'The strategy "kde" (and "bohb") needs the package hpbandster ({error}): pip install hpbandster.'
        ) from error
    # it logs what it cannot do, and then draws at random, which ``_model_choice`` notices
    silent = logging.Logger("hpbandster", level=logging.CRITICAL + 1)  # noqa: LOG001 - known to nobody else
    return BOHB(space, num_samples=candidates, random_fraction=0, logger=silent)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings of hpbandster, which is written for older versions of what it stands on."""
    with warnings.catch_warnings():
        for category in (DeprecationWarning, FutureWarning, RuntimeWarning):
            warnings.simplefilter("ignore", category)
        yield


@contextmanager
def _numpy_seeded(key: tuple[int, ...]) -> Iterator[None]:
    """Numpy's global generator, which hpbandster draws from, seeded for a while."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(np.random.SeedSequence(key).generate_state(4))  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002


STRATEGY = Kde
