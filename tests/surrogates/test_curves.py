"""Curve models on curves whose end is known, and the formulas that they are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from autonas.errors import OptionError
from autonas.surrogates.curves import CURVE_MODELS, make_curve_model
from autonas.surrogates.curves.base import LogOdds, best_so_far, values_at
from autonas.surrogates.curves.families import FAMILIES
from autonas.surrogates.curves.lcnet import Networks
from autonas.surrogates.curves.nusvr import features

GRID = np.arange(1, 21) / 20
NINETY = 1.645


def exponentials(n, seed=0):
    """Curves y = a - (a - 0.9) exp(-b t) of configurations (a, b), with a little noise."""
    rng = np.random.default_rng(seed)
    configs = np.column_stack([rng.uniform(0.1, 0.6, n), rng.uniform(1, 6, n)])
    curves = []
    for a, b in configs:
        losses = a - (a - 0.9) * np.exp(-b * GRID) + rng.normal(0, 0.003, len(GRID))
        curves.append(list(zip(GRID.tolist(), losses.tolist(), strict=True)))
    return curves, configs


def foreseen(name, n=60, learned=60, points=5):
    """Predictions (n, 2), the truth and the last losses that were seen."""
    (known, known_configs), (asked, configs) = exponentials(learned), exponentials(n, 1)
    model = make_curve_model(name)
    model.fit(known, list(known_configs))
    found = [model.predict(curve[:points], 1.0, config) for curve, config in zip(asked, configs, strict=True)]
    return np.array(found), np.array([c[-1][1] for c in asked]), np.array([c[points - 1][1] for c in asked])


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in CURVE_MODELS if name != "last"])
def test_each_beats_the_last_loss_and_knows_how_wrong_it_is(name):
    found, true, last = foreseen(name)
    assert np.mean((found[:, 0] - true) ** 2) < 0.5 * np.mean((last - true) ** 2)
    assert np.mean(np.abs(found[:, 0] - true) <= NINETY * found[:, 1]) >= 0.75


@pytest.mark.parametrize("name", CURVE_MODELS)
def test_equal_seeds_predict_the_same(name):
    curves, configs = exponentials(12)
    answers = []
    for _ in range(2):
        model = make_curve_model(name, seed=3)
        model.fit(curves, list(configs))
        answers.append(model.predict(curves[0][:4], 1.0, configs[0]))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("name", CURVE_MODELS)
def test_without_complete_curves_nothing_is_claimed_that_is_not_known(name):
    model = make_curve_model(name)
    model.fit([])
    mean, sd = model.predict([(0.1, 0.8), (0.2, 0.6)])
    assert 0 < mean <= 0.8
    assert sd > 0.01
    assert model.chance([(0.1, 0.8), (0.2, 0.6)], 0.3) >= 0.05


@pytest.mark.parametrize("name", CURVE_MODELS)
def test_a_curve_that_is_below_the_best_one_is_sure_to_end_there(name):
    curves, configs = exponentials(12)
    model = make_curve_model(name)
    model.fit(curves, list(configs))
    if name != "median":
        assert model.chance([(0.1, 0.8), (0.2, 0.2)], 0.3) == 1.0
        assert model.chance(curves[0][:5], 1e-4, configs[0]) < 0.05
        assert model.chance(curves[0][:5], 2.0, configs[0]) == 1.0


def test_an_unknown_model_names_the_near_ones():
    with pytest.raises(OptionError, match="Did you mean 'parametric'"):
        make_curve_model("parametrik")


# --- scale and curves ------------------------------------------------------------------------------------------------


@given(st.floats(1e-4, 50.0))
def test_the_scale_has_an_inverse_and_rises(loss):
    scale = LogOdds([[(0.1, 1.0)], [(0.1, 0.9)]])
    assert scale.inverse(scale.forward(np.array([loss])))[0] == pytest.approx(loss, rel=1e-6)
    assert scale.forward(1.01 * loss) > scale.forward(loss)


def test_below_the_ceiling_the_scale_is_the_log_odds():
    scale = LogOdds([[(0.1, 1.0)]])
    assert scale.ceiling == pytest.approx(1.05)
    assert scale.forward(0.5) == pytest.approx(math.log(0.5 / 0.55))


def test_the_best_so_far_and_values_between_points():
    curve = [(0.2, 0.9), (0.4, 1.1), (0.6, 0.5), (1.0, 0.7)]
    assert best_so_far(curve) == [(0.2, 0.9), (0.4, 0.9), (0.6, 0.5), (1.0, 0.5)]
    np.testing.assert_array_equal(values_at(curve, [0.1, 0.2, 0.5, 1.0]), [0.9, 0.9, 1.1, 0.7])


# --- Domhan et al 2015 -----------------------------------------------------------------------------------------------

X = np.linspace(1, 100, 50)
PUBLISHED = {  # the formulas as published, with parameters, and the parameters of the shape
    "vapor_pressure": (np.exp(-0.6 + -0.5 / X + 0.04 * np.log(X)), (0.5, 0.04)),
    "pow3": (0.84 - 0.52 * X**-0.3, (0.3,)),
    "log_log_linear": (np.log(0.2 * np.log(X) + 1.1), (5.5,)),
    "hill3": (0.6 * X**2.5 / (10**2.5 + X**2.5), (2.5, 10.0)),
    "log_power": (0.77 / (1 + (X / np.exp(2.98)) ** -0.51), (np.exp(2.98), 0.51)),
    "pow4": (0.9 - (2.0 * X + 3.0) ** -0.4, (0.4, 1.5)),
    "mmf": (0.7 - (0.7 - 0.1) / (1 + (0.05 * X) ** 1.5), (0.05, 1.5)),
    "exp4": (0.7 - np.exp(-0.8 * X**0.3 - 0.8), (0.8, 0.3)),
    "janoschek": (0.73 - (0.73 - 0.07) * np.exp(-0.355 * X**0.46), (0.355, 0.46)),
    "weibull": (0.7 - (0.7 - 0.1) * np.exp(-((0.01 * X) ** 1.2)), (0.01, 1.2)),
    "ilog2": (0.78 - 0.43 / np.log(X + 1), ()),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_an_offset_and_a_factor_make_a_shape_the_published_formula(name):
    values, parameters = PUBLISHED[name]
    shape = FAMILIES[name].shape(X, *map(np.array, parameters))
    design = np.column_stack([np.ones(len(X)), shape])
    coefficients = np.linalg.lstsq(design, values, rcond=None)[0]
    np.testing.assert_allclose(design @ coefficients, values, atol=1e-9)
    assert coefficients[1] > 0
    assert (np.diff(shape) >= 0).all()
    for value, (low, high) in zip(parameters, FAMILIES[name].ranges, strict=True):
        assert low <= value <= high


def test_intervals_cover_the_end_of_power_laws():
    x = np.arange(1, 101)
    truth, covered = 0.2 + 0.5 * 100**-0.5, 0
    for seed in range(20):
        losses = 0.2 + 0.5 * x**-0.5 + np.random.default_rng(seed).normal(0, 0.005, 100)
        mean, sd = make_curve_model("parametric").predict(list(zip(x[:30] / 100, losses[:30], strict=True)))
        covered += abs(mean - truth) <= NINETY * sd
    assert covered >= 14


def test_a_curve_never_ends_worse_than_it_began():
    mean, _ = make_curve_model("parametric").predict([(0.1, 0.5), (0.2, 0.6), (0.3, 0.7)])
    assert mean <= 0.5


# --- Baker et al 2017b -----------------------------------------------------------------------------------------------


def test_differences_are_exact():
    losses = np.array([[5.0, 3.0, 2.0, 1.5]])
    found = features(losses, np.array([[7.0, 8.0]]))
    np.testing.assert_array_equal(found, [[5, 3, 2, 1.5, -2, -1, -0.5, 1, 0.5, 7, 8]])
    np.testing.assert_array_equal(features(losses[:, :1]), [[5.0]])


def test_the_regression_explains_exponentials_from_their_first_quarter():
    found, true, _ = foreseen("nusvr", n=100, learned=100)
    assert 1 - np.mean((found[:, 0] - true) ** 2) / true.var() >= 0.9


def test_giving_up_the_best_curve_costs_next_to_nothing():
    """The best of 80 curves, after 60 others: if it is given up, the best of these is hardly worse."""
    lost = []
    for seed in range(20):
        curves, configs = exponentials(80, seed)
        ends = np.array([curve[-1][1] for curve in curves])
        best, *others = np.argsort(ends).tolist()
        known = np.random.default_rng(seed).permutation(others)[:60]
        model = make_curve_model("nusvr")
        model.fit([curves[i] for i in known], list(configs[known]))
        given_up = model.chance(curves[best][:5], float(ends[known].min()), configs[best]) < 0.05
        lost.append(ends[known].min() - ends[best] if given_up else 0.0)
    assert max(lost) < 0.01  # losses end between 0.1 and 0.6
    assert np.mean(lost) < 0.001


# --- Klein et al 2017b -----------------------------------------------------------------------------------------------


def test_gradients_reach_every_head():
    networks = Networks(3, torch.Generator().manual_seed(0))
    mean, log_variance = networks(torch.ones(4, 3), torch.linspace(0.1, 1, 5).expand(4, -1))
    assert mean.shape == log_variance.shape == (12, 4, 5)
    (mean.sum() + log_variance.sum()).backward()
    for name, parameter in networks.named_parameters():
        assert parameter.grad is not None, name
        assert (parameter.grad != 0).flatten(1).any(1).all(), name


def test_networks_know_configurations_that_were_never_trained():
    curves, configs = exponentials(40)
    model = make_curve_model("lcnet")
    model.fit(curves, list(configs))
    good, bad = (model.predict([(0.05, 0.85)], 1.0, np.array([a, 4.0]))[0] for a in (0.15, 0.55))
    assert good < bad - 0.2
