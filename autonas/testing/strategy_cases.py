"""What every search strategy must do (after Optuna's and Vizier's suites that ship with the package).

::

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
    def test_conformance(case):
        case(lambda space, seed=0: MyStrategy(space, seed=seed))
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from autonas.core.trial import Config, Proposal, Result, Trial
from autonas.search_space.space import SearchSpace
from autonas.strategies.base import Strategy

__all__ = ["CASES", "Make", "conditional_space", "finite_space", "run", "single_space", "smooth_loss"]

N_TRIALS = 16  # past the initial design of strategies with a model


class Make(Protocol):
    """Makes a fresh strategy."""

    def __call__(self, space: SearchSpace, seed: int = 0) -> Strategy:
        """Make it for this space and seed."""


def conditional_space() -> SearchSpace:
    """Every type of hyperparameter, conditions of two levels, and forbidden combinations."""
    from ConfigSpace import ConfigurationSpace

    hyperparameters = [
        {"type": "categorical", "name": "model", "choices": ["linear", "net"], "default_value": "net"},
        {"type": "uniform_float", "name": "strength", "lower": 1e-4, "upper": 1.0, "log": True, "default_value": 0.1},
        {"type": "uniform_int", "name": "depth", "lower": 1, "upper": 5, "log": False, "default_value": 2},
        {"type": "ordinal", "name": "width", "sequence": [16, 32, 64], "default_value": 32},
        {"type": "categorical", "name": "optimizer", "choices": ["adam", "sgd"], "default_value": "adam"},
        {"type": "uniform_float", "name": "momentum", "lower": 0.0, "upper": 0.99, "default_value": 0.9},
        {"type": "categorical", "name": "bias", "choices": [True, False], "default_value": True},
        {"type": "constant", "name": "version", "value": 1},
    ]
    net = {"parent": "model", "value": "net", "type": "EQ"}
    conditions = [
        {"type": "EQ", "child": "strength", "parent": "model", "value": "linear"},
        *({**net, "child": child} for child in ("depth", "width", "optimizer")),
        {"type": "EQ", "child": "momentum", "parent": "optimizer", "value": "sgd"},
    ]
    clauses = [{"type": "EQUALS", "name": "depth", "value": 5}, {"type": "EQUALS", "name": "width", "value": 64}]
    forbiddens = [{"type": "AND", "clauses": clauses}]
    expanded = {"hyperparameters": hyperparameters, "conditions": conditions, "forbiddens": forbiddens}
    return SearchSpace(ConfigurationSpace.from_serialized_dict(expanded), name="conditional")


def finite_space() -> SearchSpace:
    """Six configurations: one alone, and three times two of the other model, less one that is forbidden."""
    from ConfigSpace import ConfigurationSpace, EqualsCondition, ForbiddenAndConjunction, ForbiddenEqualsClause

    space = ConfigurationSpace({"model": ["a", "b"], "units": (1, 3), "bias": ["with", "without"]})
    space.add(EqualsCondition(space[name], space["model"], "b") for name in ("units", "bias"))
    clauses = (ForbiddenEqualsClause(space["units"], 3), ForbiddenEqualsClause(space["bias"], "without"))
    space.add(ForbiddenAndConjunction(*clauses))
    return SearchSpace(space, name="finite")


def single_space() -> SearchSpace:
    """One configuration."""
    from ConfigSpace import Categorical, ConfigurationSpace, Constant

    return SearchSpace(ConfigurationSpace(space=[Categorical("model", ["only"]), Constant("width", 8)]), name="single")


def smooth_loss(config: Config) -> float:
    """A loss in (0, 2) of :func:`conditional_space` without ties between different numbers."""
    if config["model"] == "linear":
        return 1 + 0.1 * abs(math.log10(float(config["strength"])) + 2)
    momentum = float(config.get("momentum", 0.3))
    return 0.1 * abs(int(config["depth"]) - 3) + 0.01 * (int(config["width"]) / 16) + 0.2 * abs(momentum - 0.8)


def run(
    strategy: Strategy, n: int, loss: Callable[[Config], float] = smooth_loss, first_id: int = 0, at_once: int = 1
) -> list[Trial]:
    """``n`` trials, or fewer if the strategy finishes; NaN losses are failures.

    Parameters
    ----------
    at_once : int
        So many asks are pending before the first is told; the latest is told first.
    """
    trials: list[Trial] = []
    pending: list[tuple[int, Proposal]] = []
    number = first_id
    while number < first_id + n or pending:
        proposal = strategy.ask() if len(pending) < at_once and number < first_id + n else None
        if proposal is not None:
            pending.append((number, proposal))
            number += 1
            continue
        if not pending:
            break
        asked, proposal = pending.pop()
        value = loss(proposal.config)
        result = Result.failure("failed on purpose") if math.isnan(value) else Result({"loss": value})
        trials.append(Trial(asked, proposal, result))
        strategy.tell(trials[-1])
    return trials


def _is_proper(space: SearchSpace, trials: list[Trial]) -> None:
    known = {trial.id: trial for trial in trials}
    for trial in trials:
        proposal = trial.proposal
        assert space.validate(proposal.config) == dict(proposal.config)
        assert Proposal.from_json(proposal.to_json()) == proposal, "plain values only"
        assert json.dumps(dict(proposal.config)) == json.dumps(space.validate(proposal.config)), "in the fixed order"
        assert 0 < proposal.fidelity <= 1
        assert proposal.origin, "a proposal says who made it"
        assert (proposal.parent is None) == (proposal.inherit is None)
        if proposal.inherit == "resume":
            assert proposal.parent is not None
            parent = known[proposal.parent]
            assert parent.proposal.key == proposal.key, "resume continues the same configuration"
            assert parent.ok, "a failed trial is never continued"
            assert parent.proposal.fidelity < proposal.fidelity


def _pairs(trials: list[Trial]) -> list[tuple[str, float]]:
    return [(trial.proposal.key, trial.proposal.fidelity) for trial in trials]


def proposes_valid_configurations(make: Make) -> None:
    """Conditions and forbidden clauses hold; values are plain."""
    space = conditional_space()
    trials = run(make(space), 2 * N_TRIALS)
    assert len(trials) == 2 * N_TRIALS
    _is_proper(space, trials)


def same_seed_same_proposals(make: Make) -> None:
    """The seed decides everything; the global random state neither matters nor changes."""
    space = conditional_space()
    state = np.random.get_state()  # noqa: NPY002
    first = run(make(space, seed=3), N_TRIALS)
    assert str(np.random.get_state()) == str(state)  # noqa: NPY002
    space.sample(5, seed=9)
    assert _pairs(run(make(space, seed=3), N_TRIALS)) == _pairs(first)
    assert _pairs(run(make(space, seed=4), N_TRIALS)) != _pairs(first)


def several_asks_may_be_pending(make: Make) -> None:
    """Asks go on while results are awaited, and results come in any order."""
    space = conditional_space()
    trials = run(make(space), 2 * N_TRIALS, at_once=5)
    assert len(trials) == 2 * N_TRIALS
    _is_proper(space, trials)
    assert len(set(_pairs(trials))) == len(trials)


def survives_failed_trials(make: Make) -> None:
    """Every second trial fails, then every one."""
    space = conditional_space()
    count = iter(range(1000))
    trials = run(make(space), N_TRIALS, lambda config: smooth_loss(config) if next(count) % 2 else math.nan)
    assert len(trials) == N_TRIALS
    _is_proper(space, trials)
    trials = run(make(space), N_TRIALS, lambda config: math.nan)
    assert len(trials) == N_TRIALS
    assert all(trial.proposal.parent is None for trial in trials)


def survives_equal_results(make: Make) -> None:
    """A constant loss breaks nothing."""
    space = conditional_space()
    trials = run(make(space), N_TRIALS, lambda config: 0.5)
    assert len(trials) == N_TRIALS
    _is_proper(space, trials)


def survives_huge_and_negative_losses(make: Make) -> None:
    """Losses may have any scale and sign."""
    space = conditional_space()
    trials = run(make(space), N_TRIALS, lambda config: -1e300 if config["model"] == "net" else 1e300)
    assert len(trials) == N_TRIALS
    _is_proper(space, trials)


def finishes_a_space_of_one(make: Make) -> None:
    """One configuration, each fidelity once, then the end."""
    space = single_space()
    strategy = make(space)
    trials = run(strategy, 50, lambda config: 1.0)
    assert 1 <= len(trials) < 50
    assert len(set(_pairs(trials))) == len(trials)
    assert strategy.ask() is None
    _is_proper(space, trials)


def exhausts_a_finite_space(make: Make) -> None:
    """Every configuration is tried, none twice at the same fidelity, and then the strategy says so."""
    space = finite_space()
    for at_once in (1, 3):
        strategy = make(space)
        trials = run(strategy, 200, lambda config: float(config.get("units", 0)), at_once=at_once)
        assert len(trials) < 200
        assert len(set(_pairs(trials))) == len(trials)
        assert {trial.proposal.key for trial in trials} == {space.key(config) for config in space.grid()}
        assert strategy.ask() is None


def learns_from_trials_of_others(make: Make) -> None:
    """A portfolio is told before the first ask, failures too; it is not proposed again."""
    space = conditional_space()
    configs = [space.default(), *space.sample(N_TRIALS, seed=5)]
    results = [Result.failure("failed on purpose"), *(Result({"loss": smooth_loss(c)}) for c in configs[1:])]
    others = [
        Trial(number, Proposal(config, origin="portfolio"), result)
        for number, (config, result) in enumerate(zip(configs, results, strict=True))
    ]
    strategy = make(space)
    for trial in others:
        strategy.tell(trial)
    trials = run(strategy, N_TRIALS, first_id=len(others))
    assert len(trials) == N_TRIALS
    _is_proper(space, trials)
    assert {trial.proposal.key for trial in others}.isdisjoint(trial.proposal.key for trial in trials)


def goes_on_after_a_replay(make: Make) -> None:
    """Told the same trials in the same order, a fresh strategy proposes the same."""
    space = conditional_space()
    portfolio = Trial(0, Proposal(space.default(), origin="portfolio"), Result({"loss": 0.7}))
    for n, at_once in ((1, 1), (8, 1), (N_TRIALS + 3, 1), (N_TRIALS + 3, 4)):
        first, second = make(space), make(space)
        first.tell(portfolio)
        trials = run(first, n, first_id=1, at_once=at_once)
        for trial in (portfolio, *trials):
            second.tell(trial)
        assert second.keep() == first.keep()
        assert _pairs(run(second, 6, first_id=n + 1)) == _pairs(run(first, 6, first_id=n + 1))


def recommends_the_best(make: Make) -> None:
    """The recommendation is the lowest loss at the highest fidelity."""
    space = conditional_space()
    strategy = make(space)
    assert strategy.recommend([]) == []
    trials = run(strategy, N_TRIALS)
    top = max(trial.proposal.fidelity for trial in trials)
    best = min((t for t in trials if t.proposal.fidelity == top), key=lambda t: t.loss)
    assert strategy.recommend(trials)[0] == best.proposal


def keeps_only_trials(make: Make) -> None:
    """Checkpoints that are wanted belong to trials that are told and did not fail."""
    strategy = make(conditional_space())
    trials = run(strategy, N_TRIALS, at_once=2)
    assert strategy.keep() <= {trial.id for trial in trials if trial.ok}


CASES: tuple[Callable[[Make], None], ...] = (
    proposes_valid_configurations,
    same_seed_same_proposals,
    several_asks_may_be_pending,
    survives_failed_trials,
    survives_equal_results,
    survives_huge_and_negative_losses,
    finishes_a_space_of_one,
    exhausts_a_finite_space,
    learns_from_trials_of_others,
    goes_on_after_a_replay,
    recommends_the_best,
    keeps_only_trials,
)
