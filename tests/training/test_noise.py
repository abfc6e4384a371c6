"""Dropout's random numbers: the right share of zeros, no correlations, and a function of their place alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autonas.training.noise import Noise, keys


def drawn(rates, shape, folds=(0, 1), seed=3, step=5):
    dropped = np.repeat(np.array(rates, dtype=np.uint8)[:, None], len(folds), axis=1)
    return Noise(keys(seed, folds), dropped, [shape] * len(rates), "cpu")(step)


def test_the_share_that_is_dropped_and_the_expectation():
    found = drawn([64, 0, 192], (200, 100))
    assert found.keys() == {0, 2}, "a layer that drops nothing draws nothing"
    for layer, p in ((0, 0.25), (2, 0.75)):
        assert found[layer].unique().tolist() == pytest.approx([0.0, 1 / (1 - p)])
        assert found[layer].mean().item() == pytest.approx(1, abs=6 * (p / (1 - p) / 40_000) ** 0.5)


def test_neighbours_are_not_correlated():
    steps = [torch.stack(list(drawn([128, 128], (64, 64), (0, 1, 2), step=step).values())) for step in range(40)]
    signs = torch.stack(steps).double() - 1  # 0 or 2: -1 or 1; (steps, layers, networks, rows, units)
    limit = 5.0
    assert abs(signs.sum().item()) < limit * signs.numel() ** 0.5
    for axis in range(signs.ndim):
        for lag in (1, 2, 8):
            if lag < signs.shape[axis]:
                size = signs.shape[axis] - lag
                product = signs.narrow(axis, 0, size) * signs.narrow(axis, lag, size)
                assert abs(product.sum().item()) < limit * product.numel() ** 0.5, (axis, lag)


def test_a_network_draws_the_same_alone_among_others_and_within_a_wider_one():
    alone = drawn([100, 77], (6, 13), folds=(4,))
    others = drawn([100, 77], (6, 40), folds=(1, 4, 2))
    for layer in (0, 1):
        assert torch.equal(alone[layer][0], others[layer][1, :, :13])
        assert not torch.equal(others[layer][0], others[layer][1])


def test_steps_seeds_and_layers_differ():
    one = drawn([128, 128], (8, 32))
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one[0], drawn([128, 128], (8, 32), step=6)[0])
    assert not torch.equal(one[0], drawn([128, 128], (8, 32), seed=4)[0])


def test_networks_may_differ_in_rates_and_steps():
    dropped = np.array([[50, 0, 200]], dtype=np.uint8)
    whole = Noise(keys(1, (0, 1, 2)), dropped, [(5, 30)], "cpu")(np.array([1, 2, 3]))[0]
    for place, (rate, step) in enumerate(((50, 1), (0, 2), (200, 3))):
        own = Noise(keys(1, (place,)), np.array([[rate]], dtype=np.uint8), [(5, 30)], "cpu")(step)
        assert torch.equal(whole[place], own[0][0] if own else torch.ones(5, 30))
