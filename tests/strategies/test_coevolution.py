"""Co-evolution: credit of parts on an additive toy, groups by default and by name."""

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies.coevolution import Coevolution
from autonas.testing.strategy_cases import conditional_space, run


def _modules(n_groups=3, n_parts=8):
    return SearchSpace(ConfigurationSpace({f"module{i}": [f"p{j}" for j in range(n_parts)] for i in range(n_groups)}))


def test_mean_credit_ranks_additive_modules():
    # Miikkulainen et al 2017: 100 assemblies of modules whose qualities add up; rank correlation >= 0.9
    from scipy.stats import spearmanr

    space, found = _modules(), []
    for seed in range(5):
        strategy = Coevolution(space)
        for number, config in enumerate(space.sample(100, seed=seed)):
            loss = sum(float(value[1:]) for value in config.values())
            strategy.tell(Trial(number, Proposal(config), Result({"loss": loss})))
        for name, parts in zip(space.configspace, strategy.parts, strict=True):
            quality = [float(part.values[name][1:]) for part in parts.values()]
            found.append(spearmanr(quality, [part.credit for part in parts.values()]).statistic)
            assert sum(part.n for part in parts.values()) == 100
    assert np.mean(found) >= 0.9


def test_a_group_takes_its_dependents_along():
    assert Coevolution(conditional_space()).groups == [
        ("bias",),
        ("model", "depth", "optimizer", "strength", "width", "momentum"),
        ("version",),
    ]
    groups = Coevolution(conditional_space(), groups=[("depth", "width"), ("optimizer", "momentum")]).groups
    assert groups[:2] == [("depth", "width"), ("optimizer", "momentum")]
    assert set(groups[2]) == {"model", "bias", "strength", "version"}


def test_an_unknown_name_in_a_group():
    with pytest.raises(OptionError, match=r"groups must name hyperparameters.*Given: dept"):
        Coevolution(conditional_space(), groups=[("dept",)])


def test_good_parts_of_different_trials_come_together():
    space = _modules(n_groups=6)

    def loss(config):
        return float(sum(int(value[1:]) for value in config.values()))

    found = {
        name: np.mean([min(t.loss for t in run(make_strategy(name, space, seed=seed), 120, loss)) for seed in range(4)])
        for name in ("coevolution", "random")
    }
    assert found["coevolution"] + 4 < found["random"]
