"""A Gaussian process over distances: its parameters, its projection, and the distances of configurations."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from autonas.search_space.load import load_space
from autonas.surrogates.distances import DistanceProcess, Geometry, gower, objective
from autonas.testing.strategy_cases import conditional_space

nan = np.nan


def line(n, rng):
    """Terms of points on a line."""
    x = rng.random(n)
    steps = np.abs(x[:, None] - x)[:, :, None]
    return x, np.concatenate([steps, steps**2], axis=2)


def test_gradient():
    rng = np.random.default_rng(0)
    x, terms = line(12, rng)
    z = np.sin(6 * x)
    for theta in (np.array([0.3, 0.2, -0.5, -3.0]), np.array([-1.0, 1.5, 0.7, -1.0])):
        error = check_grad(lambda t: objective(t, terms, z)[0], lambda t: objective(t, terms, z)[1], theta)
        assert error < 1e-4


def test_it_learns_a_function():
    rng = np.random.default_rng(1)
    x, terms = line(40, rng)
    seen, new = np.arange(30), np.arange(30, 40)
    z = np.sin(6 * x)
    process = DistanceProcess(terms[np.ix_(seen, seen)], z[seen] - z[seen].mean())
    mean, deviation = process.predict(terms[np.ix_(new, seen)])
    assert mean + z[seen].mean() == pytest.approx(z[new], abs=0.2)
    assert process.predict(terms[np.ix_(seen, seen)])[0] == pytest.approx(process.fitted, abs=1e-9)
    far = np.full((1, 30, 2), 100.0)
    assert deviation.max() < process.predict(far)[1][0] == pytest.approx(np.sqrt(process.variance))


def test_pending_points_lose_their_variance_and_nothing_else():
    rng = np.random.default_rng(2)
    x, terms = line(20, rng)
    z = np.cos(4 * x)
    process = DistanceProcess(terms[:15, :15], z[:15] - z[:15].mean())
    extended = process.extended(terms[15:, :15], terms[15:, 15:])
    before, after = process.predict(terms[:, :15]), extended.predict(terms)
    assert after[0] == pytest.approx(before[0], abs=1e-6)
    assert (after[1] <= before[1] + 1e-9).all()
    assert after[1][15:].max() < before[1][15:].max()


@pytest.mark.parametrize("name", ["nasbench201", "cgp_res"])
def test_covariance_of_architectures_is_positive_after_the_projection(name):
    space = load_space(name)
    geometry = Geometry(space)
    assert geometry.has_graphs
    points = [geometry.point(config) for config in space.sample(30, seed=0)]
    terms = geometry.terms(points, points)
    assert terms.shape == (30, 30, 10)
    assert (terms == terms.swapaxes(0, 1)).all()
    process = DistanceProcess(terms, np.random.default_rng(0).standard_normal(30))
    mean, deviation = process.predict(terms)
    assert np.isfinite(mean).all()
    assert (deviation > 0).all()
    assert np.linalg.eigvalsh(process._inverse).min() > -1e-10


def test_architectures_are_compared_by_one_cell_a_stage():
    space = load_space("nasbench201")
    geometry = Geometry(space)
    config = space.complete({"cell:edge_0_1": "conv_1x1"})
    layers = geometry.point(config).graph
    assert sorted(layers.classes) == ["conv", "input", "output"]
    assert set(layers.classes["conv"][0]) == {"conv_1x1", "conv_3x3"}
    # what is trained differently is apart, and by as much whatever the cell
    other = geometry.point(space.complete({"cell:edge_0_1": "conv_1x1", "optimizer": "sgd"}))
    terms = geometry.terms([geometry.point(config)], [other])[0, 0]
    assert (terms[:4] == 0).all()
    assert terms[4] > 0


def test_without_graphs_hyperparameters_are_compared():
    space = conditional_space()
    geometry = Geometry(space)
    assert not geometry.has_graphs
    net = space.complete({"model": "net", "optimizer": "sgd", "momentum": 0.0})
    far = {**net, "momentum": 0.99, "depth": 4}
    points = [geometry.point(space.validate(config)) for config in (net, far)]
    terms = geometry.terms(points, points)
    assert terms[0, 1, 0] == pytest.approx((1 + 0.5) / 8)  # momentum from end to end, depth by half its range
    assert terms[:, :, 1] == pytest.approx(terms[:, :, 0] ** 2)
    assert terms[0, 0].tolist() == [0, 0]


def test_gower_distance():
    left = np.array([[0.2, 1, nan], [nan, 2, 0.5]])
    right = np.array([[0.7, 1, nan], [nan, 0, 0.75]])
    is_choice = np.array([False, True, False])
    expected = np.array([[0.5, 1 + 1 + 1], [1 + 1 + 1, 1 + 0.25]]) / 3
    assert gower(left, right, is_choice) == pytest.approx(expected)
    assert gower(np.empty((2, 0)), np.empty((3, 0)), np.empty(0, bool)).shape == (2, 3)
