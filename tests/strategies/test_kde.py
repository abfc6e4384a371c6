"""BOHB's model: its densities, what it makes of a space, and the method that it is part of."""

import builtins
import math

import numpy as np
import pytest
from ConfigSpace import (
    AndConjunction,
    Categorical,
    Configuration,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    GreaterThanCondition,
    InCondition,
    Integer,
    OrdinalHyperparameter,
)
from statsmodels.nonparametric.kernel_density import KDEMultivariate

from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies.kde import Density, _numpy_seeded, _quiet, without_ordinals
from autonas.testing.strategy_cases import conditional_space, run, smooth_loss


@pytest.mark.parametrize("bandwidth", [0.01, 0.4, 5.0])
def test_density_of_a_choice_sums_to_one(bandwidth):
    density = Density(np.array([[0.0], [0], [2]]), np.array([bandwidth]), [4])
    values = [density.pdf([i]) for i in range(4)]
    assert sum(values) == pytest.approx(1)
    assert min(values) > 0
    if bandwidth > 1:  # wider than uniform is uniform
        assert values == pytest.approx([0.25] * 4)


def test_density_of_a_number_integrates_to_one():
    density = Density(np.array([[0.2], [0.5]]), np.array([0.05]), [0])
    grid = np.linspace(-1, 2, 3001)
    assert np.trapezoid([density.pdf([x]) for x in grid], grid) == pytest.approx(1)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_density_is_that_of_statsmodels_where_every_value_is_seen():
    rng = np.random.default_rng(0)
    data = np.column_stack([rng.random(30), np.arange(30) % 3, rng.random(30)])
    original = KDEMultivariate(data, var_type="cuc", bw=[0.1, 0.3, 0.2])
    density = Density(original.data, original.bw, [0, 3, 0])
    for point in ([0.3, 1, 0.5], [0.9, 0, 0.1]):
        assert density.pdf(point) == pytest.approx(original.pdf(point))


def test_the_generators_space_says_the_same():
    a = OrdinalHyperparameter("a", ["low", "mid", "high"], default_value="mid")
    b, c, d = Categorical("b", ["x", "y", "z"]), Float("c", (1e-3, 1.0), log=True), Integer("d", (1, 9))
    e = Constant("e", "fixed")
    space = ConfigurationSpace(space=[a, b, c, d, e])
    space.add(
        InCondition(c, a, ["mid", "high"]),
        AndConjunction(EqualsCondition(d, b, "x"), GreaterThanCondition(d, a, "low")),
        EqualsCondition(e, b, "z"),
    )
    inner = without_ordinals(space)
    assert list(inner) == list(space)
    place = {"low": 0, "mid": 1, "high": 2}
    assert inner["a"].default_value == 1
    for configuration in space.sample_configuration(100):
        config = dict(configuration)
        Configuration(inner, values={**config, "a": place[config["a"]]}).check_valid_configuration()


def test_without_a_model_it_is_random_search():
    for name in ("{}", "hyperband({})"):
        first, second = (make_strategy(name.format(inner), conditional_space(), seed=3) for inner in ("kde", "random"))
        assert [t.config for t in run(first, 12)] == [t.config for t in run(second, 12)]


def test_it_finds_the_good_branch():
    runs = [run(make_strategy("kde", conditional_space(), seed=seed), 45) for seed in range(3)]
    late = [t for trials in runs for t in trials if t.id >= 25]
    drawn = conditional_space().sample(200)
    assert np.mean([t.loss for t in late]) < 0.8 * np.mean([smooth_loss(config) for config in drawn])


def test_every_model_based_choice_succeeds():
    # choices that few good trials have made end in NaN with hpbandster's own densities
    space = SearchSpace(ConfigurationSpace(space=[Categorical(f"c{i}", list("abcdef")) for i in range(4)]))
    strategy = make_strategy("kde", space, seed=1)
    run(strategy, 60, lambda config: sum(value != "a" for value in config.values()))
    strategy._known.clear()
    assert all(strategy._model_choice((1, n)) is not None for n in range(30))


@pytest.mark.parametrize("seed", range(3))
def test_candidates_are_those_of_hpbandster(seed):
    strategy = make_strategy("kde", conditional_space(), seed=seed)
    run(strategy, 40)
    strategy._known.clear()
    for n in range(10):
        with _quiet(), _numpy_seeded((seed, n, 2, 0)):
            theirs, info = strategy._generator.get_config(1.0)
        assert info["model_based_pick"]
        assert strategy._model_choice((seed, n)) == strategy._decode(theirs)


def tell(strategy, fidelity, n, loss, seed):
    for number, config in enumerate(conditional_space().sample(n, seed=seed)):
        proposal = Proposal(config, fidelity, origin="other")
        strategy.tell(Trial(number, proposal, Result({"loss": loss(config)})))


def test_the_highest_fidelity_with_a_model_decides():
    strategy = make_strategy("kde", conditional_space(), seed=0, random_share=0)
    tell(strategy, 1 / 9, 40, lambda config: -smooth_loss(config), seed=1)  # misleading
    assert np.mean([strategy.ask().config["model"] == "linear" for _ in range(8)]) > 0.5
    tell(strategy, 1.0, 10, smooth_loss, seed=2)
    assert max(strategy._generator.kde_models) == 1 / 9, "too few for a model"
    tell(strategy, 1.0, 40, smooth_loss, seed=3)
    assert max(strategy._generator.kde_models) == 1
    assert np.mean([strategy.ask().config["model"] == "net" for _ in range(8)]) > 0.5


def test_failed_trials_are_bad_ones():
    def loss(config):
        return math.nan if config["model"] == "linear" else smooth_loss(config)

    runs = [run(make_strategy("kde", conditional_space(), seed=seed, random_share=0), 45, loss) for seed in range(3)]
    assert sum(not t.ok for trials in runs for t in trials[25:]) < 3 * 6


def counting_ones(config, fidelity, rng):
    """Falkner et al 2018: choices that are 1, and means of as many Bernoulli draws as the fidelity allows."""
    draws = round(729 * fidelity)
    numbers = [rng.binomial(draws, value) / draws for name, value in config.items() if name[0] == "x"]
    return -(sum(value for name, value in config.items() if name[0] == "c") + sum(numbers)) / len(config)


def test_bohb_counts_ones_better_than_hyperband():
    parts = [*(Categorical(f"c{i}", [0, 1]) for i in range(3)), *(Float(f"x{i}", (0.0, 1.0)) for i in range(3))]
    space = SearchSpace(ConfigurationSpace(space=parts))

    def regret(name, seed):
        strategy, rng = make_strategy(name, space, seed=seed, min_fidelity=1 / 27), np.random.default_rng(seed)
        best = (0.0, 1.0)
        for number in range(180):  # about eight brackets
            proposal = strategy.ask()
            loss = counting_ones(proposal.config, proposal.fidelity, rng)
            strategy.tell(Trial(number, proposal, Result({"loss": loss})))
            if proposal.fidelity == 1:
                best = min(best, (loss, 1 - sum(proposal.config.values()) / 6))
        return best[1]

    assert np.mean([regret("bohb", seed) for seed in range(2)]) < 0.07
    assert np.mean([regret("hyperband", seed) for seed in range(10)]) > 0.085


def test_a_missing_package_is_named(monkeypatch):
    original = builtins.__import__

    def without_hpbandster(name, *args, **kwargs):
        if name.startswith("hpbandster"):
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_hpbandster)
    with pytest.raises(OptionError, match="pip install hpbandster"):
        make_strategy("bohb", conditional_space())
