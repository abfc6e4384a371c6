"""SMAC: Bayesian optimisation with a random forest (Hutter et al 2011; Lindauer et al 2022).

SMAC's own forest, expected improvement and local search propose; its optimisation loop is left out, because that
cannot be replayed, races over seeds and writes files.  Every ask fits the forest anew to what was told, with
randomness keyed by the number of the ask, so a search that is replayed from its trials goes on as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.core.trial import Config, Proposal, Trial, config_key
from autonas.search_space.space import SearchSpace
from autonas.search_space.table import Number
from autonas.search_space.values import listed_values
from autonas.strategies.base import Strategy
from autonas.strategies.random import draw

if TYPE_CHECKING:
    from ConfigSpace import Configuration
    from smac.model import AbstractModel

__all__ = ["STRATEGY", "Smac", "climb", "configurations", "neighbours", "normal_scores"]

# finer than SMAC's (10 trees, leaves of 3, 5/6 of the columns): a search of AutoML has tens of trials, not thousands
_FOREST: dict[str, Any] = {"n_trees": 20, "min_samples_leaf": 1, "min_samples_split": 2, "ratio_features": 0.5}
_STARTS = 5  # of the local search, from the trials and from the random candidates each
_STEPS = 20
_NUMBERS = 4  # steps of a number that has more values than
_LISTED = 10
_WIDTH = 0.1  # standard deviation of a step of a number, in units of its range


class Smac(Strategy):
    """Random forest surrogate, expected improvement, local search from the best trials.

    The default configuration comes first, then random ones until ``initial`` trials are told.  The surrogate models
    normal scores of the losses, so neither scale nor outliers matter; a failed trial ranks behind the worst
    loss seen, and a pending one counts as the median, which keeps simultaneous asks apart.

    Parameters
    ----------
    initial : int
        Trials (also those of a portfolio) before the surrogate is asked.
    random_share : float
        Share of the later proposals that are drawn at random, SMAC's guard against a wrong model.
    candidates : int
        Random configurations that each ask ranks before the local search starts from the best of them.
    """

    name = "smac"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        initial: int = 10,
        random_share: float = 0.2,
        candidates: int = 1000,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self.initial = initial
        self.random_share = random_share
        self.candidates = candidates
        self._losses: dict[str, float] = {}  # by key: infinite for a failure, NaN while pending
        self._points: dict[str, Configuration] = {}

    def ask(self) -> Proposal | None:
        key = (self.seed, len(self._losses))
        rng = np.random.default_rng(key)
        told = sum(not math.isnan(loss) for loss in self._losses.values())
        config: Config | None = None
        if not self._losses:
            config = self.space.default()
        elif told >= self.initial and rng.random() >= self.random_share:
            config = self._model_choice(rng)
        if config is None:
            config = draw(self.space, self._losses, key)
        if config is None:
            return None
        proposal = Proposal(config, origin=self.name)
        self._note(proposal, math.nan)
        return proposal

    def tell(self, trial: Trial) -> None:
        self._note(trial.proposal, trial.loss if trial.ok else math.inf)

    def _note(self, proposal: Proposal, loss: float) -> None:
        if proposal.key not in self._points:
            self._points[proposal.key] = self.space.to_configuration(proposal.config)
        self._losses[proposal.key] = loss

    def predict(self, configs: Sequence[Config]) -> np.ndarray:
        """Losses that are expected, on the scale that the surrogate learns, (n,): lower is better.

        At least one trial must be told.
        """
        points = [self.space.to_configuration(config) for config in configs]
        return self._fitted().predict_marginalized(np.array([point.get_array() for point in points]))[0].ravel()

    def _fitted(self) -> AbstractModel:
        keys = sorted(self._losses)  # not in the order of the asks, which a replay does not know
        X = np.array([self._points[key].get_array() for key in keys])
        scores = self._targets(np.array([self._losses[key] for key in keys]))
        number = int(np.random.SeedSequence((self.seed, len(keys), 2)).generate_state(1)[0] >> 1)
        model = self._surrogate(number, len(keys))
        model.train(X, scores[:, None])
        return model

    def _targets(self, losses: np.ndarray) -> np.ndarray:
        """What the surrogate learns of losses, which are infinite for a failure and NaN while pending."""
        return normal_scores(losses)

    def _surrogate(self, seed: int, n: int) -> AbstractModel:
        """SMAC's model, to be trained on ``n`` trials."""
        from smac.model.random_forest import RandomForest

        # as many leaves as there are trials: scikit-learn sets memory aside for SMAC's limit of a million
        return RandomForest(self.space.configspace, seed=seed, n_jobs=1, max_leaf_nodes=n, **_FOREST)

    def _drawn(self, n: int) -> list[Configuration]:
        """Random candidates when ``n`` configurations are known."""
        return self.space.sample_configurations(self.candidates, (self.seed, n, 1))

    def _model_choice(self, rng: np.random.Generator) -> Config | None:
        """The new configuration of the highest expected improvement that was found."""
        from smac.acquisition.function import EI

        model = self._fitted()
        points = [self._points[key] for key in sorted(self._losses)]
        expected = model.predict_marginalized(np.array([point.get_array() for point in points]))[0].ravel()
        improvement = EI()
        improvement.update(model=model, eta=expected.min())

        drawn = self._drawn(len(points))
        order = np.argsort(-improvement(drawn).ravel(), kind="stable")
        drawn = [drawn[i] for i in order]
        starts = [points[i] for i in np.argsort(expected, kind="stable")[:_STARTS]] + drawn[:_STARTS]
        for configuration in climb(self.space, improvement, starts, rng) + drawn:
            config = self.space.from_configuration(configuration)
            if config_key(config) not in self._losses:
                return config
        return None


def normal_scores(losses: np.ndarray) -> np.ndarray:
    """Quantiles of the normal distribution at the ranks of the losses; 0, the median, where a loss is NaN."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    told = ~np.isnan(losses)
    scores = np.zeros(len(losses))
    scores[told] = ndtri((rankdata(losses[told]) - 0.5) / told.sum())
    return scores


def climb(
    space: SearchSpace,
    value: Callable[[list[Configuration]], np.ndarray],
    starts: list[Configuration],
    rng: np.random.Generator,
) -> list[Configuration]:
    """Local search: every start goes to its best one-exchange neighbour until none is better.

    SMAC's own keeps its starts in a set of texts, whose order differs from process to process, and ConfigSpace's
    neighbours fail on whole numbers of a short range.

    Parameters
    ----------
    space : SearchSpace
    value : callable
        (n, 1) array of what to maximise.
    starts : list of Configuration

    Returns
    -------
    list of Configuration
        Where the searches ended, the best first.
    """
    places = list(starts)
    heights = value(places).ravel()
    climbing = list(range(len(places)))
    for _ in range(_STEPS):
        around = [configurations(space, neighbours(space, places[i], rng)) for i in climbing]
        flat = [neighbour for found in around for neighbour in found]
        if not flat:
            break
        found = np.split(value(flat).ravel(), np.cumsum([len(found) for found in around])[:-1])
        going_on = []
        for i, near, values in zip(climbing, around, found, strict=True):
            if len(near) and values.max() > heights[i]:
                places[i], heights[i] = near[int(values.argmax())], values.max()
                going_on.append(i)
        climbing = going_on
    return [places[i] for i in np.argsort(-heights, kind="stable")]


def neighbours(space: SearchSpace, configuration: Configuration, rng: np.random.Generator) -> list[Config]:
    """What differs in one hyperparameter: all other values of a list, a few small steps of a number."""
    table, config = space.table, space.from_configuration(configuration)
    found = []
    for name, value in config.items():
        domain = table.domains[name]
        if isinstance(domain, Number) and domain.size > _LISTED:
            steps = domain.to_unit(value) + _WIDTH * rng.standard_normal(_NUMBERS)
            others = list(dict.fromkeys(map(domain.from_unit, steps)))
        else:
            others = list(domain.others(value, rng, _LISTED))
        found += [table.edit(config, name, other, rng) for other in others if other != value]
    return [neighbour for neighbour in found if neighbour is not None]


def configurations(space: SearchSpace, configs: Sequence[Config]) -> list[Configuration]:
    """As :meth:`SearchSpace.to_configuration`, unchecked and many at once."""
    from ConfigSpace import Configuration

    vectors = np.full((len(configs), len(space.configspace)), np.nan)
    for column, (name, hyperparameter) in enumerate(space.configspace.items()):
        rows = [row for row, config in enumerate(configs) if name in config]
        if rows:
            values = [configs[row][name] for row in rows]
            listed = listed_values(hyperparameter)
            if listed is None:
                vectors[rows, column] = hyperparameter.to_vector(np.array(values))
            else:
                codes = [hyperparameter.to_vector(value) for value in listed]
                vectors[rows, column] = [codes[listed.index(value)] for value in values]
    return [Configuration(space.configspace, vector=vector) for vector in vectors]


STRATEGY = Smac
