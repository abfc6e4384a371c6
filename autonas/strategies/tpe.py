"""TPE: tree-structured Parzen estimator, with Optuna's underneath (Bergstra et al 2011; Akiba et al 2019).

Hyperparameters that are active together form a block, which Optuna's multivariate estimator samples jointly, given
the blocks above it, from the trials in which it was active; so a condition is part of the model, and an inactive
hyperparameter influences nothing.  Optuna's storages, its handling of failures and its generator state are left out:
every ask samples with a generator of its own, so a search that is replayed from its trials goes on as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.core.trial import Config, Proposal, Trial, Value, config_key
from autonas.search_space.space import SearchSpace
from autonas.search_space.table import Listed, Number
from autonas.strategies.base import Strategy
from autonas.strategies.random import draw

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study
    from optuna.trial import FrozenTrial

__all__ = ["STRATEGY", "Tpe"]

_TRIES = 8  # samples of a configuration that is not known yet


class Tpe(Strategy):
    """Density of good configurations over density of the others, from few random candidates.

    The default configuration comes first, then random ones until ``initial`` trials are told.  Failed trials rank
    behind all others, and pending ones count as not good.

    Parameters
    ----------
    initial : int
        Trials (also those of a portfolio) before the densities are asked.
    candidates : int
        Samples of the good density among which the best ratio wins.  A configuration that is known already is sampled
        again with half as many, and so on, which makes the choice less greedy.
    """

    name = "tpe"

    def __init__(
        self,
        space: SearchSpace,
        objectives: Sequence[str] = ("loss",),
        *,
        seed: int = 0,
        initial: int = 10,
        candidates: int = 24,
        **options: Any,
    ) -> None:
        super().__init__(space, objectives, seed=seed, **options)
        self.initial = initial
        self.candidates = candidates
        self._blocks = _blocks(space)
        self._losses: dict[str, float] = {}  # by key: infinite for a failure, NaN while pending
        self._codes: dict[str, dict[str, Any]] = {}
        self._study: Study | None = None
        self._numbers: dict[str, int] = {}  # of the study's trials

    def ask(self) -> Proposal | None:
        key = (self.seed, len(self._losses))
        told = sum(not math.isnan(loss) for loss in self._losses.values())
        config: Config | None = None
        if not self._losses:
            config = self.space.default()
        elif told >= self.initial:
            config = self._model_choice(key)
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
        before = self._losses.pop(proposal.key, math.nan)
        self._losses[proposal.key] = loss  # now the last: the order of the tells, which a replay knows
        if proposal.key not in self._codes:
            self._codes[proposal.key] = self._encode(proposal.config)
        if not math.isnan(before):  # told again: a study takes nothing back
            self._study = None
        elif self._study is not None:
            self._show(self._study, proposal.key)

    # --- Optuna ------------------------------------------------------------------------------------------------------

    def _model_choice(self, key: tuple[int, int]) -> dict[str, Value] | None:
        """The first new configuration that is sampled and not forbidden."""
        from optuna.samplers import TPESampler

        study, scratch = self._opened()
        numbers = np.random.SeedSequence(key).generate_state(_TRIES)
        for attempt, number in enumerate(numbers):
            sampler = TPESampler(
                n_startup_trials=0,
                n_ei_candidates=max(1, self.candidates >> attempt),
                multivariate=True,
                constant_liar=True,
                seed=int(number),
            )
            config = self._sample(sampler, study, scratch)
            if config_key(config) not in self._losses and self.space.table.violated(config) is None:
                return config
        return None

    def _sample(self, sampler: Any, study: Study, scratch: FrozenTrial) -> dict[str, Value]:
        table = self.space.table
        values: dict[str, Value] = {}
        for block in self._blocks:
            if not table.is_active(next(iter(block)), values):
                continue
            codes = sampler.sample_relative(study, scratch, {n: d for n, d in block.items() if not d.single()})
            values.update({name: _decode(table.domains[name], codes.get(name, 0)) for name in block})
        return {name: values[name] for name in table.domains if name in values}

    def _opened(self) -> tuple[Study, FrozenTrial]:
        """The study with all trials, and the one that Optuna thinks it samples for."""
        import optuna

        if self._study is None:
            level = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every study
            self._study = optuna.create_study()
            optuna.logging.set_verbosity(level)
            self._study.ask()
            self._numbers.clear()
            for key in self._losses:
                self._show(self._study, key)
        return self._study, self._study.get_trials(deepcopy=False)[0]

    def _show(self, study: Study, key: str) -> None:
        """Add a trial to the study: a running one now, another when it is told."""
        from optuna.trial import TrialState, create_trial

        if key in self._numbers:
            study.tell(self._numbers[key], state=TrialState.FAIL)  # hides it
        loss, codes = self._losses[key], self._codes[key]
        distributions = {name: block[name] for block in self._blocks for name in block if name in codes}
        told = {"state": TrialState.RUNNING} if math.isnan(loss) else {"state": TrialState.COMPLETE, "value": loss}
        study.add_trial(create_trial(params=codes, distributions=distributions, **told))
        self._numbers[key] = len(study.get_trials(deepcopy=False)) - 1

    def _encode(self, config: Config) -> dict[str, Any]:
        domains = self.space.table.domains
        return {name: _encode(domains[name], value) for name, value in config.items()}


def _blocks(space: SearchSpace) -> list[dict[str, BaseDistribution]]:
    """Hyperparameters with equal conditions, parents before children."""
    found: dict[Any, dict[str, BaseDistribution]] = {}
    for name, domain in space.table.domains.items():
        found.setdefault(space.table.conditions[name], {})[name] = _distribution(domain)
    return list(found.values())


def _distribution(domain: Listed | Number) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Listed):
        last = len(domain.values) - 1
        return IntDistribution(0, last) if domain.ordered else CategoricalDistribution(range(last + 1))
    if domain.whole:
        return IntDistribution(int(domain.lower), int(domain.upper), log=domain.log)
    return FloatDistribution(0.0, 1.0)


def _encode(domain: Listed | Number, value: Value) -> Value:
    """What Optuna sees: the place in a list, a whole number, or a position in the unit interval."""
    if isinstance(domain, Listed):
        return domain.values.index(value)
    return value if domain.whole else domain.to_unit(value)


def _decode(domain: Listed | Number, code: Any) -> Value:
    if isinstance(domain, Listed):
        return domain.values[code]
    return int(code) if domain.whole else domain.from_unit(code)


STRATEGY = Tpe
