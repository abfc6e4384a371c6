"""Which fidelities the strategy chooses: a bracket first, then what tells enough for its cost."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from autonas.core.trial import Result, Trial
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies.multifidelity import MultiFidelity


def _space() -> SearchSpace:
    return SearchSpace(ConfigurationSpace({"x": (0.0, 1.0), "y": (0.0, 1.0)}), name="square")


def _search(n: int, noise: float, seed: int = 0) -> list[Trial]:
    """A parabola with noise that falls to none at full fidelity."""
    strategy, trials = MultiFidelity(_space(), seed=seed), []
    for number in range(n):
        proposal = strategy.ask()
        assert proposal is not None
        x, y = float(proposal.config["x"]), float(proposal.config["y"])
        draw = np.random.default_rng((seed, number)).standard_normal()
        loss = (x - 0.3) ** 2 + (y - 0.6) ** 2 - noise * draw * math.log(proposal.fidelity) / math.log(27)
        trials.append(Trial(number, proposal, Result({"loss": loss})))
        strategy.tell(trials[-1])
    return trials


def test_opens_with_a_bracket_of_halving() -> None:
    fidelities = [round(1 / t.proposal.fidelity) for t in _search(40, 0.01)]
    assert fidelities == [27] * 27 + [9] * 9 + [3] * 3 + [1]


def test_promotes_the_best_of_a_rung() -> None:
    trials = _search(40, 0.01)
    best = sorted(trials[:27], key=lambda t: t.loss)[:9]
    assert {t.proposal.parent for t in trials[27:36]} == {t.id for t in best}
    assert all(t.proposal.inherit == "resume" for t in trials[27:])


def test_low_rungs_never_cost_more_than_full_trials() -> None:
    """But for what they cost before the first full one."""
    trials = _search(70, 0.01)
    known = {t.id: t.proposal.fidelity for t in trials}
    cheap = sum(t.proposal.fidelity - known.get(t.proposal.parent, 0) for t in trials if t.proposal.fidelity < 1)
    full = sum(t.proposal.fidelity == 1 for t in trials)
    assert cheap <= full + 2


def test_finds_the_minimum() -> None:
    done = [t for t in _search(70, 0.1) if t.proposal.fidelity == 1]
    assert min(t.loss for t in done) < 2e-3


@pytest.mark.parametrize("options", [{"min_fidelity": 1.0}, {"min_fidelity": 0.0}, {"eta": 1.0}])
def test_options(options: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="required"):
        MultiFidelity(_space(), **options)  # type: ignore[arg-type]
