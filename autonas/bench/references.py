"""Optuna's own samplers behind the ask and tell of ``autonas.Optimizer``, as references in the same run.

``optuna-random``, ``optuna-tpe`` (TPE with its defaults; with several objectives the multi-objective TPE of Ozaki et al
2020) and ``optuna-nsga2`` (Deb et al 2002).  Left out: conditional spaces and fidelities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from autonas.errors import OptionError, unknown
from autonas.search_space.space import SearchSpace
from autonas.search_space.values import listed_values

__all__ = ["OptunaReference"]

_SAMPLERS = {"optuna-random": "RandomSampler", "optuna-tpe": "TPESampler", "optuna-nsga2": "NSGAIISampler"}


class OptunaReference:
    """A sampler of Optuna on a flat space.

    Parameters
    ----------
    space : SearchSpace
    name : str
    seed : int
    objectives : sequence of str
    **options
        For Optuna's sampler.

    Raises
    ------
    OptionError
        For an unknown name, or a space with conditions.
    """

    def __init__(
        self, space: SearchSpace, name: str, *, seed: int = 0, objectives: Sequence[str] = ("loss",), **options: Any
    ) -> None:
        import optuna

        if name not in _SAMPLERS:
            raise unknown("reference", name, _SAMPLERS)
        if space.configspace.conditions:
            raise OptionError(f"{name} is a reference for flat spaces only, and {space.name} has conditions.")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = getattr(optuna.samplers, _SAMPLERS[name])(seed=seed, **options)
        self.objectives = tuple(objectives)
        self.study = optuna.create_study(sampler=sampler, directions=["minimize"] * len(self.objectives))
        self.distributions = {key: _distribution(value) for key, value in space.configspace.items()}
        self.listed = {key: listed_values(value) for key, value in space.configspace.items()}

    def ask(self) -> SimpleNamespace:
        """The next trial: ``config`` and ``fidelity``."""
        trial = self.study.ask(self.distributions)
        config = {}
        for name, listed in self.listed.items():
            value = trial.params[name]
            config[name] = listed[value] if listed is not None and isinstance(value, int) else value
        return SimpleNamespace(config=config, fidelity=1.0, trial=trial)

    def tell(self, trial: SimpleNamespace, seen: float | Mapping[str, float] | None) -> None:
        """Hand over the loss, or the losses by name; None if the trial failed."""
        from optuna.trial import TrialState

        if seen is None:
            self.study.tell(trial.trial, state=TrialState.FAIL)
            return
        values = [seen[name] for name in self.objectives] if isinstance(seen, Mapping) else [seen]
        self.study.tell(trial.trial, values)


def _distribution(hyperparameter: Any) -> Any:
    """Texts as categories, ordered values as their places, numbers as they are."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    listed = listed_values(hyperparameter)
    if listed is not None:
        return CategoricalDistribution(listed) if isinstance(listed[0], str) else IntDistribution(0, len(listed) - 1)
    whole = isinstance(hyperparameter.default_value, int)
    kind = IntDistribution if whole else FloatDistribution
    return kind(hyperparameter.lower, hyperparameter.upper, log=hyperparameter.log)
