"""Predictors on NAS-Bench-201 and on functions that are known; what they must never do."""

from __future__ import annotations

import numpy as np
import pytest
from ConfigSpace import ConfigurationSpace, Float, OrdinalHyperparameter
from ConfigSpace.conditions import GreaterThanCondition

from autonas.bench.predictors import CONTENDERS, ZERO_COST, compare
from autonas.core.audit import rank_correlation
from autonas.errors import OptionError
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace
from autonas.surrogates.predictors import PREDICTORS, Scale, make_predictor
from autonas.surrogates.targets import bent


def plain_space():
    return SearchSpace(ConfigurationSpace(space=[Float("x", (0, 1)), Float("y", (0, 1))]))


def surface(configs):
    return np.array([1 + (c["x"] - 0.3) ** 2 + 0.5 * c["y"] for c in configs])


@pytest.mark.parametrize("name", PREDICTORS)
def test_it_ranks_what_it_has_not_seen_and_repeats(name):
    space = plain_space()
    seen, unseen = space.sample(60, 0), space.sample(100, 1)
    found = []
    for _ in range(2):
        predictor = make_predictor(name, space, seed=1)
        predictor.fit(seen, surface(seen))
        found.append(predictor.predict(unseen))
    (mean, sd), again = found
    assert (mean == again[0]).all()
    assert (sd == again[1]).all()
    assert (sd > 0).all()
    assert rank_correlation(zip(mean, surface(unseen), strict=True)).tau > 0.7
    assert (abs(mean - surface(unseen)) < 1.645 * sd).mean() > 0.7


@pytest.mark.parametrize("name", PREDICTORS)
def test_equal_losses_and_one_seen_value_do_no_harm(name):
    space = load_space("nasbench201")
    configs = space.sample(6, 0)
    predictor = make_predictor(name, space)
    predictor.fit(configs, np.full(6, 0.5))
    mean, sd = predictor.predict(configs)
    assert mean == pytest.approx(0.5, abs=0.5)
    assert np.isfinite(sd).all()
    with pytest.raises(OptionError, match="Leave failed trials out"):
        predictor.fit(configs, [0.1, 0.2, np.inf, 0.4, 0.5, 0.6])
    with pytest.raises(OptionError, match="at least 3"):
        predictor.fit(configs[:2], [0.1, 0.2])


def test_one_far_loss_does_not_spoil_the_scale():
    losses = np.array([0.1, 0.2, 0.3, 1e6])
    scale = Scale(losses)
    z = scale.forward(losses)
    assert scale.inverse(z) == pytest.approx(losses)
    assert z == pytest.approx((bent(losses) - bent(losses).mean()) / bent(losses).std())
    assert scale.inverse(np.array([z[0] - 0.1]))[0] < 0.1  # better than the best may be foreseen
    assert np.isfinite(scale.inverse(np.array([1e9]))).all()


def deep_space():
    """Up to six layers; a loss that falls with every good layer."""
    space = ConfigurationSpace(space=[OrdinalHyperparameter("depth", [1, 2, 3, 4, 5, 6])])
    for i in range(1, 7):
        layer = OrdinalHyperparameter(f"layer_{i}", ["bad", "fair", "good"])
        space.add(layer)
        if i > 1:
            space.add(GreaterThanCondition(layer, space["depth"], i - 1))
    return SearchSpace(space)


def test_the_lstm_ranks_larger_architectures_than_it_has_seen():
    space = deep_space()

    def loss(config):
        layers = [("bad", "fair", "good").index(config[f"layer_{i}"]) for i in range(1, config["depth"] + 1)]
        return 2 - np.mean(layers)

    drawn = space.sample(400, 0)
    seen = [config for config in drawn if config["depth"] <= 4][:120]
    larger = [config for config in drawn if config["depth"] > 4]
    predictor = make_predictor("lstm", space)
    predictor.fit(seen, [loss(config) for config in seen])
    mean, _ = predictor.predict(larger)
    assert rank_correlation(zip(mean, map(loss, larger), strict=True)).tau > 0.4


def test_graphs_make_a_process_rank_nasbench201_better_than_vectors():
    vector, paths = (next(compare([name], [60], 2, 200)) for name in ("gp-vector", "gp-paths"))
    assert np.mean(vector.taus) > 0.4
    assert np.mean(paths.taus) > np.mean(vector.taus) + 0.05
    assert np.mean(paths.taus) > 0.65
    assert 0.75 < paths.coverage <= 1
    assert len(paths.line().split()) == len(paths.head().split())


def test_the_forest_reaches_the_rank_correlation_of_cheap_predictors():
    (score,) = compare(["forest-paths"], [100], 1, 200)
    assert score.taus[0] > 0.65


def test_counts_rank_without_training():
    (score,) = compare(["params"], [100], 1, 100)
    assert score.n == 0
    assert 0.3 < score.taus[0] < 0.8


def test_an_unknown_predictor_is_named():
    assert len(set(CONTENDERS) & set(ZERO_COST)) == 0
    with pytest.raises(OptionError, match="Did you mean 'gp-paths'"):
        next(compare(["gp-path"], [10], 1, 10))
    with pytest.raises(OptionError, match="Did you mean 'forest'"):
        make_predictor("forrest", plain_space())
