import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace

from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import OptionError, SpaceError
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy
from autonas.strategies._beliefs import Beliefs
from autonas.strategies.prior import Prior
from autonas.testing.strategy_cases import CASES, conditional_space

OPTIMUM = np.array([0.25, 0.7, 0.4, 0.8])
GOOD = {f"x{i}": value for i, value in enumerate(OPTIMUM + np.array([0.1, -0.1, 0.1, -0.1]))}
WRONG = {f"x{i}": float(value < 0.5) for i, value in enumerate(OPTIMUM)}  # the opposite corner


def space():
    return SearchSpace(ConfigurationSpace({f"x{i}": (0.0, 1.0) for i in range(4)}))


def quadratic(config):
    return float(((np.array([config[f"x{i}"] for i in range(4)]) - OPTIMUM) ** 2).sum())


def best_so_far(strategy, n):
    losses = []
    for i in range(n):
        proposal = strategy.ask()
        losses.append(quadratic(proposal.config))
        strategy.tell(Trial(i, proposal, Result({"loss": losses[-1]})))
    return np.minimum.accumulate(losses)


def median_best(n, seeds=10, make=Prior, **options):
    return np.median([best_so_far(make(space(), seed=seed, **options), n) for seed in range(seeds)], axis=0)


def random(space, seed):
    return make_strategy("random", space, seed=seed)


def test_a_good_prior_speeds_up():
    alone, good = median_best(150, make=random), median_best(75, prior=GOOD)
    assert good[9] < alone[49]
    assert good[74] < alone[149]


def test_a_wrong_prior_costs_a_few_dozen_evaluations():
    """All that it costs is what is drawn from it: the random sampler's proposals do not depend on it."""
    for seed in range(10):
        strategy = Prior(space(), seed=seed, prior=WRONG)
        wasted = 0
        for i in range(200):
            proposal = strategy.ask()
            wasted += proposal.origin == "prior"
            strategy.tell(Trial(i, proposal, Result({"loss": quadratic(proposal.config)})))
        assert wasted <= 30


def test_a_model_recovers_from_a_wrong_prior():
    def tpe(space, seed):
        return make_strategy("tpe", space, seed=seed)

    alone, wrong = median_best(30, 3, make=tpe), median_best(50, 3, prior=WRONG, sampler="tpe")
    assert wrong[49] <= alone[29]


def test_the_share_of_the_prior_follows_the_evidence():
    good, wrong = Prior(space(), prior=GOOD), Prior(space(), prior=WRONG)
    assert good.share == wrong.share == 0.75
    best_so_far(good, 30)
    best_so_far(wrong, 30)
    assert good.share > 0.25
    assert wrong.share < 0.18
    best_so_far(good, 400)
    assert good.share < 0.05, "in the end the sampler decides"


def test_the_most_likely_configuration_comes_first():
    strategy = Prior(space(), prior=[{"x0": 0.5, "x1": (0.25, 0.1)}, GOOD])
    assert strategy.ask().config == {"x0": 0.5, "x1": 0.25, "x2": 0.5, "x3": 0.5}
    assert strategy.ask().config == pytest.approx(GOOD)
    default = Prior(conditional_space()).ask()
    assert default == Proposal(conditional_space().default(), origin="prior")


def test_pending_draws_are_not_proposed_by_the_sampler():
    tiny = SearchSpace(ConfigurationSpace({"a": ["u", "v"], "b": [1, 2, 3]}))
    strategy = Prior(tiny, prior={"a": "v"})
    asked = [strategy.ask() for _ in range(6)]
    assert len({p.key for p in asked}) == 6
    assert strategy.ask() is None


# --- beliefs ----------------------------------------------------------------------------------------------------------


def test_draws_and_densities_agree():
    """The mean of 1 / ratio over draws from the prior is the uniform mass of where it is positive."""
    beliefs = Beliefs(
        conditional_space(),
        [
            {"model": "net", "depth": 4, "momentum": (0.5, 0.2), "optimizer": {"sgd": 3, "adam": 1}},
            {"model": "linear", "strength": 0.01},
        ],
        confidence=0.5,
    )
    rng = np.random.default_rng(0)
    drawn = [beliefs.draw(rng) for _ in range(4000)]
    assert all(conditional_space().validate(config) == config for config in drawn[:200])
    assert np.mean([np.exp(-beliefs.log_ratio(c)) for c in drawn]) == pytest.approx(1.0, abs=0.1)
    # two thirds of the weight on the first component, half of the mass of "net" there is certain
    nets = [c for c in drawn if c["model"] == "net"]
    assert len(nets) / 4000 == pytest.approx(2 / 3 * 0.75 + 1 / 3 * 0.25, abs=0.03)


def test_a_float_is_drawn_from_a_normal_distribution_that_is_cut_off():
    beliefs = Beliefs(space(), [{"x0": (0.0, 0.1)}], confidence=0.75)
    rng = np.random.default_rng(0)
    x = np.array([beliefs.draw(rng)["x0"] for _ in range(3000)])
    assert x.min() >= 0
    assert x.mean() == pytest.approx(0.1 * np.sqrt(2 / np.pi), rel=0.05)
    grid = np.linspace(0, 1, 2001)
    density = [np.exp(beliefs.log_ratio({"x0": g})) for g in grid]
    assert np.trapezoid(density, grid) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    ("prior", "error", "message"),
    [
        ({"dept": 3}, SpaceError, "depth"),
        ({"depth": 9}, SpaceError, "depth"),
        ({"optimizer": "rmsprop"}, SpaceError, "optimizer"),
        ({"optimizer": {"rmsprop": 1}}, SpaceError, "optimizer"),
        ({"optimizer": {"sgd": 0}}, OptionError, "weights"),
        ({"optimizer": ("sgd", 1)}, OptionError, "value: weight"),
        ({"depth": {1: 2}}, OptionError, "deviation"),
        ({"depth": (2, 0.0)}, OptionError, "deviation"),
        ({"depth": (2, 0.1, 3)}, OptionError, "deviation"),
    ],
)
def test_what_a_prior_cannot_be(prior, error, message):
    with pytest.raises(error, match=message):
        Prior(conditional_space(), prior=prior)


@pytest.mark.parametrize("confidence", [0, 1, -0.5])
def test_confidence_is_a_probability(confidence):
    with pytest.raises(OptionError, match="confidence"):
        Prior(space(), confidence=confidence)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.parametrize("name", ["prior(tpe)", "prior(hyperband)", "hyperband(prior)"])
def test_conformance(name, case):
    case(lambda space, seed=0: make_strategy(name, space, seed=seed))
