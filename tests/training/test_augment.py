"""Augmentation: nothing at strength 0, bounded and label-keeping above."""

from __future__ import annotations

import pytest
import torch

from autonas.training.augment import affine, augment, jitter


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
