"""Augmentation: nothing at strength 0, bounded and label-keeping above."""

from __future__ import annotations

import pytest
import torch

from autonas.training.augment import Augmentation, affine, augment, crop, flip, jitter, mix, mix_shares


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def smooth_images(rows=16, side=24):
    axis = torch.linspace(-1, 1, side)
    return torch.exp(-4 * (axis[:, None] ** 2 + axis[None, :] ** 2)).expand(rows, 1, side, side).contiguous()


def test_strength_zero_changes_nothing():
    images, series = torch.randn(4, 3, 9, 12), torch.randn(4, 2, 100)
    torch.testing.assert_close(augment(images, 0.0), images, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(augment(series, 0.0), series)


def test_images_of_a_batch_change_differently_and_move_by_at_most_a_tenth():
    x = smooth_images()
    out = affine(x)
    assert out.shape == x.shape
    assert (out[0] - out[1]).abs().max() > 0.01
    axis = torch.linspace(-1, 1, 24)
    mass = out[:, 0].sum(dim=(1, 2))
    centre = torch.stack([(out[:, 0].sum(1) * axis).sum(1), (out[:, 0].sum(2) * axis).sum(1)]) / mass
    assert 0.02 < centre.abs().max() < 0.2  # a shift of 0.1 of half the side, grown by shear and scale


def test_a_constant_image_stays_constant():
    torch.testing.assert_close(affine(torch.full((5, 2, 10, 10), 3.0), 2.0), torch.full((5, 2, 10, 10), 3.0))


def test_long_series_roll_and_short_ones_do_not():
    def shifts(time):
        ramp = torch.zeros(200, 1, time)
        ramp[:, 0, time // 2] = 100.0
        return (jitter(ramp)[:, 0].argmax(1) - time // 2).abs().max().item()

    assert shifts(60) == 0
    assert 1 <= shifts(200) <= 10


def test_scale_and_noise_have_the_stated_size():
    out = jitter(torch.full((4000, 1, 50), 10.0))
    assert out.mean(dim=(1, 2)).std().item() == pytest.approx(1.0, rel=0.1)  # 10 times a scale of deviation 0.1
    assert out.std(dim=2).mean().item() == pytest.approx(0.05, rel=0.1)


def test_half_of_the_images_are_flipped_and_none_upside_down():
    x = torch.rand(1, 3, 5, 6).expand(4000, -1, -1, -1)
    out = flip(x)
    flipped = (out == x.flip(3)).all(dim=(1, 2, 3))
    assert (flipped | (out == x).all(dim=(1, 2, 3))).all()
    assert flipped.float().mean().item() == pytest.approx(0.5, abs=0.03)


def test_a_crop_is_a_window_of_the_padded_image_and_every_window_is_equally_likely():
    x = torch.rand(1, 2, 6, 9).expand(2500, -1, -1, -1)
    out = crop(x, 2)
    padded = torch.nn.functional.pad(x[0], (2, 2, 2, 2))
    windows = torch.stack([padded[:, i : i + 6, j : j + 9] for i in range(5) for j in range(5)])
    equal = (out[:, None] == windows).all(dim=(2, 3, 4))
    assert (equal.sum(1) == 1).all()
    assert equal.float().mean(0).sub(1 / 25).abs().max().item() < 0.02


def test_shares_of_mixup_are_beta_distributed():
    for alpha in (0.2, 1.0, 2.0):
        shares = mix_shares(alpha, 20_000, "cpu")
        assert shares.shape == (20_000, 1)
        assert shares.mean().item() == pytest.approx(0.5, abs=0.01)
        assert shares.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)
    extreme = mix_shares(1e-3, 1000, "cpu")  # almost always one image or the other: plain training
    assert (torch.minimum(extreme, 1 - extreme) < 1e-3).float().mean() > 0.97


def test_rows_mix_with_another_of_their_own_network():
    x = torch.randn(2, 5, 3, 4)
    share = torch.tensor([[1.0], [0.25]])
    out = mix(x, share)
    torch.testing.assert_close(out[0], x[0])
    torch.testing.assert_close(out[1, 2], 0.25 * x[1, 2] + 0.75 * x[1, 1])


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({}, False),
        ({"flip": "no", "crop": "no", "cutout": "no", "augment": 0.0}, False),
        ({"flip": "yes"}, True),
        ({"crop": "yes", "crop_padding": 0.1}, True),
        ({"crop": "yes", "crop_padding": 0.01}, False),  # less than half a pixel
        ({"cutout": "yes", "cutout_length": 0.5}, True),
        ({"augment": 1.0}, True),
        ({"policy_1_operation_1": "invert", "policy_1_probability_1": 0.3}, True),
    ],
)
def test_options_say_what_images_go_through(options, changes):
    X = torch.randn(64, 2, 12, 12)
    augmentation = Augmentation(options, X)
    assert augmentation.changes == changes
    out = augmentation(X)
    assert out.shape == X.shape
    assert torch.equal(out, X) == (not changes)
    table = Augmentation(options, torch.randn(64, 7))  # a network for tables in a space for images
    assert not table.changes


def test_cutout_of_half_the_side_at_any_resolution():
    for side in (8, 20):
        out = Augmentation({"cutout": "yes"}, torch.ones(1, 1, side, side))(torch.ones(500, 1, side, side))
        assert (out == 0).sum((1, 2, 3)).max() == (side // 2) ** 2
