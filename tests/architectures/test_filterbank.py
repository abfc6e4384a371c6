"""Pipelines of fixed filters: banks against plain numpy, shapes against torch, the size and nesting of the space."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from autonas.architectures import filterbank
from autonas.architectures.filters import Contrast, FilterBank, LocalNorm, LocalPool, Rectify
from autonas.errors import OptionError
from autonas.search_space.dry_run import watch
from autonas.search_space.load import load_space


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def images(rows=60, channels=2, side=12):
    generator = torch.Generator().manual_seed(0)
    coarse, fine = (torch.randn(rows, channels, n, n, generator=generator) for n in (5, side))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear") + 0.1 * fine


def fitted(kind, **options):
    bank = FilterBank(2, 10, 3, kind, **options)
    bank.fit(images(), torch.Generator().manual_seed(1))
    return bank


@pytest.mark.parametrize("kind", filterbank.KINDS)
def test_filters_have_unit_norm_and_their_responses_unit_deviation(kind):
    bank = fitted(kind, whiten=0.1)
    torch.testing.assert_close(bank.weight.flatten(1).norm(dim=1), torch.ones(10))
    assert bank(images()).std().item() == pytest.approx(1, rel=0.1)
    assert torch.equal(bank.weight, fitted(kind, whiten=0.1).weight)  # nothing but the generator decides
    assert not list(bank.parameters())


@pytest.mark.parametrize("kind", ["uniform", "normal"])
def test_random_filters_are_centred_if_they_are_to_be(kind):
    assert fitted(kind).weight.sum((1, 2, 3)).abs().max() < 1e-5
    assert fitted(kind, zero_mean=False).weight.sum((1, 2, 3)).abs().max() > 0.1


def test_components_are_those_of_a_singular_value_decomposition():
    bank = fitted("pca", skip=2)
    found = bank.weight.flatten(1)
    torch.testing.assert_close(found @ found.T, torch.eye(10), atol=1e-5, rtol=0)
    patches = bank._patches(images(), torch.Generator().manual_seed(1)).numpy()
    _, _, components = np.linalg.svd(patches - patches.mean(0), full_matrices=False)
    overlap = (found.numpy() * components[2:12]).sum(1)
    np.testing.assert_allclose(np.abs(overlap), 1, atol=0.01)


def test_plain_and_normalised_correlation_are_their_formulas():
    x = images(2)
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)))
    for floor in (-1.0, 0.01):
        bank = fitted("uniform", zero_mean=False, floor=floor)
        out = bank(x) * bank.scale
        for row, i, j in [(0, 0, 0), (1, 5, 7), (0, 11, 3)]:
            patch = padded[row, :, i : i + 3, j : j + 3].ravel()
            if floor >= 0:
                centred = patch - patch.mean()
                patch = centred / np.sqrt(18 * max(floor, patch.var()))
            expected = bank.weight.flatten(1).numpy() @ patch
            np.testing.assert_allclose(out[row, :, i, j], expected, rtol=2e-3, atol=2e-4)


def test_normalised_correlation_ignores_brightness_and_contrast():
    bank = fitted("patches", floor=1e-6)
    x = images()
    inner = (..., slice(1, -1), slice(1, -1))  # beyond the border there are zeros
    torch.testing.assert_close(bank(3 * x + 2)[inner], bank(x)[inner], atol=2e-3, rtol=1e-3)


def test_rectifiers_pools_and_norms_are_their_formulas():
    x = torch.randn(3, 4, 6, 6)
    assert torch.equal(Rectify("abs", 0.5)(x), x.abs())
    both = Rectify("both", 0.5)(x)
    assert torch.equal(both[:, :4], Rectify("half", 0.5)(x))
    assert torch.equal(both[:, :4] > 0, x > 0.5)
    assert torch.equal(both[:, 4:] > 0, x < -0.5)
    assert LocalPool("norm", 3, 2, 1.0)(x).shape == (3, 4, 2, 2)
    for order, whole in ((1.0, x.abs().mean((2, 3))), (2.0, x.square().mean((2, 3)).sqrt())):
        torch.testing.assert_close(LocalPool("norm", 9, 2, order)(x)[..., 0, 0], whole)
    near_max = LocalPool("norm", 6, 1, 200.0)(x)[..., 0, 0]
    torch.testing.assert_close(near_max, x.abs().amax((2, 3)), rtol=0.03, atol=0)
    assert torch.equal(LocalPool("max", 6, 1, 1.0)(x)[..., 0, 0], x.amax((2, 3)))
    normed = LocalNorm(3, 0.01)(x)
    torch.testing.assert_close(normed[1, :, 3, 3], x[1, :, 3, 3] / x[1, :, 2:5, 2:5].square().mean().sqrt())
    flat = Contrast(0.1)(x)
    torch.testing.assert_close(flat.mean((1, 2, 3)), torch.zeros(3), atol=1e-6, rtol=0)
    torch.testing.assert_close(flat.square().mean((1, 2, 3)), torch.ones(3))
    assert Contrast(0.1)(0.001 * x).abs().max() < 0.1


def test_an_unknown_kind_is_named():
    with pytest.raises(OptionError, match="patches"):
        fitted("patch")


def test_the_space_is_as_large_as_the_papers():
    space = load_space("vision")
    assert len(space.configspace) - 1 == 238  # without the kind of model, of which there is one
    for depth in (1, 2, 3, 4):
        config = space.complete({"filterbank:depth": depth})
        assert {name.split("_layer_")[0] for name in config if "_layer_" in name} == {f"filterbank:depth_{depth}"}
    sizes = [len(config) for config in space.sample(300, seed=0)]
    assert min(sizes) < 30
    assert max(sizes) > 60


def test_conditions_reach_four_levels_deep():
    space = load_space("vision")
    start = "filterbank:depth_2_layer_1_"
    for config in space.sample(200, seed=1):
        deep = config["filterbank:depth"] == 2
        patches = deep and config[f"{start}kind"] == "patches"
        whitened = patches and config[f"{start}patches_whiten"] == "yes"
        assert (f"{start}patches_whiten" in config) == patches
        assert (f"{start}patches_ridge" in config) == whitened


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 8, 9)])
def test_costs_and_shapes_are_those_of_torch(shape):
    space = load_space("vision")
    for config in space.sample(12, seed=2):
        counted = space.dry_run(config, shape, 5)
        network = space.network(config, shape, 5)
        assert network(torch.randn(2, *shape)).shape == (2, 5)
        watched = watch(network.to("meta"), shape)
        assert (counted.parameters, counted.output_shape) == (watched.parameters, watched.output_shape)
        for node in network.graph.nodes[1:]:
            value = torch.randn(2, *network.graph.nodes[node.inputs[0]].shape, device="meta")
            assert getattr(network, node.name)(value).shape[1:] == node.shape
