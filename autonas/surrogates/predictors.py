"""Predictors: from architectures to losses without training, with an idea of how sure they are.

All have ``fit(configs, losses)`` and ``predict(configs) -> (mean, sd)``.  Here are the random forest (as in Siems et al
2020) and the Gaussian process (Ru et al 2021: a kernel on features of the graph); ensembles of networks (Liu et al
2017) are in ``neural.py``.  Losses are standardised, with the bad tail drawn in, and what is said comes back in the
loss's own units.  Left out: genomes of open spaces, which are no configurations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from autonas.core.trial import Config
from autonas.errors import OptionError, unknown
from autonas.search_space.space import SearchSpace
from autonas.surrogates.features import Features, default_parts

if TYPE_CHECKING:
    from autonas.surrogates.gp import Points

__all__ = ["PREDICTORS", "ForestPredictor", "GpPredictor", "Predictor", "make_predictor"]

FEWEST = 3
_CALLS = 40  # evaluations of the posterior density in a fit of the process
_SMALLEST_SD = 1e-3


class Scale:
    """Losses as they are learned: linear from the best one to the median, logarithmic beyond, then standardised.

    As :func:`autonas.surrogates.targets.bent`, with a way back, also to losses below the best.

    Parameters
    ----------
    losses : (n,) array
        Finite.
    """

    def __init__(self, losses: np.ndarray) -> None:
        self._bottom = float(losses.min())
        self._height = float(np.median(losses)) - self._bottom or float(losses.mean()) - self._bottom or 1.0
        self._mean, self._sd = 0.0, 1.0
        u = self.forward(losses)
        self._most = float(u.max()) + 1
        self._mean, self._sd = float(u.mean()), float(u.std()) or 1.0

    def forward(self, losses: np.ndarray) -> np.ndarray:
        """Losses to learn from."""
        u = (losses - self._bottom) / self._height
        return (np.where(u <= 1, u, 1 + np.log(np.maximum(u, 1))) - self._mean) / self._sd

    def inverse(self, z: np.ndarray) -> np.ndarray:
        """What was learned, as losses."""
        u = np.minimum(z * self._sd + self._mean, self._most)  # far beyond what was seen, the exponential explodes
        return self._bottom + self._height * np.where(u <= 1, u, np.exp(np.maximum(u, 1) - 1))


class Predictor(ABC):
    """Losses of architectures that were not trained.

    Parameters
    ----------
    space : SearchSpace
    features : Features or None
        What it sees; None: by default the vector, and paths and cost where there are graphs.
    seed : int
    """

    def __init__(self, space: SearchSpace, features: Features | None = None, *, seed: int = 0) -> None:
        self.space = space
        self.features = features or Features(space, default_parts(space))
        self.seed = seed

    def fit(self, configs: Sequence[Config], losses: Sequence[float] | np.ndarray) -> None:
        """Learn from trained architectures.

        Parameters
        ----------
        configs : sequence of mapping
        losses : (n,) array
            Finite.

        Raises
        ------
        OptionError
            For fewer than 3, or losses that are not finite.
        """
        values = np.asarray(losses, dtype=float)
        if len(values) < FEWEST or len(values) != len(configs) or not np.isfinite(values).all():
            raise OptionError(
                f"A predictor needs a finite loss for each of at least {FEWEST} configurations. Given: {len(configs)} "
                f"configurations and {int(np.isfinite(values).sum())} finite losses. Leave failed trials out."
            )
        self._scale = Scale(values)
        self._learn(configs, self._scale.forward(values))

    def predict(self, configs: Sequence[Config]) -> tuple[np.ndarray, np.ndarray]:
        """Expected loss and its standard deviation, (n,) arrays.

        The deviation is half of what the loss would change from one deviation below to one above on the scale of the
        fit.
        """
        z, deviation = self._foresee(configs)
        deviation = np.maximum(deviation, _SMALLEST_SD)
        low, mean, high = (self._scale.inverse(z + step * deviation) for step in (-1.0, 0.0, 1.0))
        return mean, (high - low) / 2

    @abstractmethod
    def _learn(self, configs: Sequence[Config], z: np.ndarray) -> None:
        """Fit to standardised losses."""

    @abstractmethod
    def _foresee(self, configs: Sequence[Config]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the standardised losses."""


class ForestPredictor(Predictor):
    """Random forest; it is unsure where its trees disagree (Hutter et al 2011), and by what they all miss out of bag.

    Parameters
    ----------
    space, features, seed
        See :class:`Predictor`.
    trees : int
    """

    def __init__(
        self, space: SearchSpace, features: Features | None = None, *, seed: int = 0, trees: int = 100
    ) -> None:
        super().__init__(space, features, seed=seed)
        self.trees = trees

    def _learn(self, configs: Sequence[Config], z: np.ndarray) -> None:
        from sklearn.ensemble import ExtraTreesRegressor

        X = self.features.fit(configs)(configs)
        self._forest = ExtraTreesRegressor(
            self.trees, max_features=0.5, bootstrap=True, oob_score=True, random_state=self.seed
        ).fit(X, z)
        errors = (z - self._forest.oob_prediction_) ** 2
        self._unseen = max(0.0, float(errors.mean() - self._spread(X)[1].mean()))

    def _foresee(self, configs: Sequence[Config]) -> tuple[np.ndarray, np.ndarray]:
        mean, variance = self._spread(self.features(configs))
        return mean, np.sqrt(variance + self._unseen)

    def _spread(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance over the trees."""
        trees = np.array([tree.predict(X.astype(np.float32)) for tree in self._forest.estimators_])
        return trees.mean(axis=0), trees.var(axis=0)


class GpPredictor(Predictor):
    """Gaussian process with a length scale for each block of the features."""

    def _learn(self, configs: Sequence[Config], z: np.ndarray) -> None:
        from autonas.surrogates.gp import GaussianProcess

        self.features.fit(configs)
        block = self.features.block
        sizes = np.bincount(block)
        self._width = np.sqrt(2 * sizes[block])  # two configurations are about 1 apart in every block
        process = GaussianProcess(block, np.zeros(len(block)), np.zeros(len(sizes)))
        points = self._points(configs)
        theta = process.fit(points, z, process.prior, _CALLS)
        self._posterior = process.posterior(points, z, theta)
        self._noise = self._posterior.variance * float(np.exp(theta[len(sizes)]))

    def _foresee(self, configs: Sequence[Config]) -> tuple[np.ndarray, np.ndarray]:
        mean, sd = self._posterior.predict(self._points(configs))
        return mean, np.sqrt(sd**2 + self._noise)  # of a loss, which is noisy, not of the function

    def _points(self, configs: Sequence[Config]) -> Points:
        from autonas.surrogates.gp import Points

        return Points(self.features(configs) / self._width, np.zeros((len(configs), 0)))


PREDICTORS = ("forest", "gp", "mlp", "lstm")


def make_predictor(name: str, space: SearchSpace, features: Features | None = None, *, seed: int = 0) -> Predictor:
    """A predictor by name.

    Raises
    ------
    OptionError
        If there is none of that name.
    """
    if name == "forest":
        return ForestPredictor(space, features, seed=seed)
    if name == "gp":
        return GpPredictor(space, features, seed=seed)
    if name not in PREDICTORS:
        raise unknown("predictor", name, PREDICTORS)
    from autonas.surrogates.neural import LstmPredictor, MlpPredictor

    return MlpPredictor(space, features, seed=seed) if name == "mlp" else LstmPredictor(space, seed=seed)
