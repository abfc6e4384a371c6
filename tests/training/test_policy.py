"""Image operations against Pillow where it has them, else against their properties; policies by their definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from autonas.errors import OptionError
from autonas.search_space.load import load_space
from autonas.training.policy import OPERATIONS, Policy, Step, cutout

PLAIN = {"autocontrast", "invert", "equalize"}
SHAPES = [(3, 3, 16, 16), (2, 1, 8, 11)]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def images(shape):
    """Smooth random pixels in [0, 1], on the 256 levels of a file."""
    x = torch.nn.functional.interpolate(torch.rand(*shape[:2], 4, 4), shape[2:], mode="bilinear")
    return (x * 255).round() / 255


def pil(x):
    array = (x * 255).round().byte().permute(1, 2, 0).numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def tensor(image):
    return torch.from_numpy(np.array(image)).float().view(*reversed(image.size), -1).permute(2, 0, 1) / 255


def test_the_sixteen_operations():
    assert len(OPERATIONS) == 16
    assert {name for name, operation in OPERATIONS.items() if operation.most == 0} == PLAIN


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_keeps_shape_type_and_range(name, shape):
    x = images(shape)
    for magnitude in (0, 4, 9):
        out = OPERATIONS[name](x, magnitude)
        assert (out.shape, out.dtype) == (x.shape, x.dtype)
        assert out.min() >= -1e-6
        assert out.max() <= 1 + 1e-6
    if name not in PLAIN:
        torch.testing.assert_close(OPERATIONS[name](x, 0), x, atol=1e-5, rtol=1e-5)  # magnitude 0 changes nothing
    assert not torch.allclose(OPERATIONS[name](x, 9), x, atol=1e-3) or (name == "color" and shape[1] == 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("name", "amount", "reference"),
    [
        ("autocontrast", 0.0, ImageOps.autocontrast),
        ("invert", 0.0, ImageOps.invert),
        ("solarize", 0.5, lambda image: ImageOps.solarize(image, 128)),
        ("posterize", 3.0, lambda image: ImageOps.posterize(image, 5)),
        ("color", 0.6, lambda image: ImageEnhance.Color(image).enhance(1.6)),
        ("color", -0.6, lambda image: ImageEnhance.Color(image).enhance(0.4)),
        ("contrast", 0.6, lambda image: ImageEnhance.Contrast(image).enhance(1.6)),
        ("brightness", -0.6, lambda image: ImageEnhance.Brightness(image).enhance(0.4)),
        ("sharpness", 0.9, lambda image: ImageEnhance.Sharpness(image).enhance(1.9)),
        ("sharpness", -0.9, lambda image: ImageEnhance.Sharpness(image).enhance(0.1)),
    ],
)
def test_colours_change_as_pillow_changes_them(name, amount, reference, shape):
    x = images(shape)
    out = OPERATIONS[name].apply(x, torch.full((len(x),), amount))
    for image, changed in zip(x, out, strict=True):
        # Pillow rounds to a level, at times twice
        torch.testing.assert_close(changed, tensor(reference(pil(image))), atol=2.1 / 255, rtol=0)


def test_equalize_is_that_of_pillow_where_images_are_large():
    x = images((1, 3, 256, 256)) / 2
    x = (x * 255).round() / 255
    out = OPERATIONS["equalize"](x, 0)
    # Pillow rounds the pixels of a level down to a whole number, so that images of under 255 pixels stay as they are
    torch.testing.assert_close(out[0], tensor(ImageOps.equalize(pil(x[0]))), atol=2.1 / 255, rtol=0)
    levels = (OPERATIONS["equalize"](images((5, 1, 8, 8)), 0) * 255).flatten(1)
    assert (levels.amin(1) == 0).all()
    assert (levels.amax(1) == 255).all()
    torch.testing.assert_close(OPERATIONS["equalize"](torch.full((1, 1, 4, 4), 0.2), 0), torch.full((1, 1, 4, 4), 0.2))


@pytest.mark.parametrize("name", ["shear_x", "shear_y", "rotate", "translate_x", "translate_y"])
def test_there_and_back_is_near_the_middle_of_the_image(name):
    axis = torch.linspace(-1, 1, 24)
    x = (0.5 + 0.4 * torch.sin(3 * axis[:, None] + 2 * axis[None, :])).expand(2, 1, 24, 24)
    operation = OPERATIONS[name]
    amount = torch.tensor([0.5, -0.5]) * operation.most
    out = operation.apply(operation.apply(x, amount), -amount)
    assert (operation.apply(x, amount) - x).abs().max() > 0.05
    torch.testing.assert_close(out[:, :, 8:16, 8:16], x[:, :, 8:16, 8:16], atol=0.02, rtol=0)


def test_a_turn_by_90_degrees_and_a_shift_by_whole_pixels_are_exact():
    x = torch.rand(1, 2, 8, 8)
    turned = OPERATIONS["rotate"].apply(x, torch.tensor([90.0]))
    torch.testing.assert_close(turned, x.rot90(1, (2, 3)), atol=1e-5, rtol=0)
    moved = OPERATIONS["translate_x"].apply(x, torch.tensor([0.25]))
    torch.testing.assert_close(moved[..., :6], x[..., 2:], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[..., 6:], torch.full_like(moved[..., 6:], 0.5), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("side", "length"), [(32, 16), (9, 4), (8, 5)])
def test_the_expected_hole_is_that_of_all_centres(side, length):
    covered = [min(c - length // 2 + length, side) - max(c - length // 2, 0) for c in range(side)]
    share = (sum(covered) / side**2) ** 2
    if side == 32:
        assert share == pytest.approx(0.1914, abs=1e-4)  # (14 / 32)^2
    out = cutout(torch.ones(4000, 2, side, side), torch.full((4000,), length), 0.0)
    holes = (out[:, 0] == 0).sum((1, 2))
    assert torch.equal(out[:, 0], out[:, 1])
    assert holes.max() == length**2
    assert holes.min() >= (length // 2) ** 2
    assert holes.float().mean().item() / side**2 == pytest.approx(share, rel=0.03)


def policy(*sub_policies, low=0.0, high=1.0):
    return Policy(sub_policies, torch.tensor([low]), torch.tensor([high]))


def test_probability_zero_is_the_identity_and_one_changes_all():
    x = torch.rand(50, 1, 6, 6)
    torch.testing.assert_close(policy([Step("invert", 0.0), Step("equalize", 0.0)])(x), x)
    torch.testing.assert_close(policy([Step("invert", 1.0)])(x), 1 - x)
    torch.testing.assert_close(policy([Step("invert", 1.0), Step("invert", 1.0)])(x), x)


def test_every_image_draws_one_sub_policy_and_its_steps_by_chance():
    x = torch.full((20_000, 1, 2, 2), 0.25)
    out = policy([Step("invert", 0.5)], [Step("invert", 0.0)], [Step("invert", 1.0)], [Step("invert", 0.5)])(x)
    assert (out[:, 0, 0, 0] > 0.5).float().mean().item() == pytest.approx(0.5, abs=0.015)


def test_a_policy_works_on_the_scale_of_the_data():
    x = torch.rand(20, 1, 4, 4) * 6 - 2
    torch.testing.assert_close(policy([Step("invert", 1.0)], low=-2.0, high=4.0)(x), 2 - x)


def test_a_policy_from_options_and_what_is_none():
    X = torch.rand(30, 3, 8, 8) * 2
    config = load_space("autoaugment").default()
    made = Policy.from_options(config, X)
    assert made is not None
    assert [len(steps) for steps in made.sub_policies] == [2] * 5
    assert made.sub_policies[0][0] == Step("translate_x", 0.5, 4)
    torch.testing.assert_close(made.low.flatten(), X.amin((0, 2, 3)))
    assert made(X).shape == X.shape
    assert Policy.from_options({"cutout": "yes"}, X) is None
    with pytest.raises(OptionError, match="Did you mean 'rotate'"):
        Step("rotat", 0.5)


def test_the_space_of_policies_has_the_size_of_the_paper():
    space = load_space("autoaugment").configspace
    policies = {name: space[name] for name in space if name.startswith("policy")}
    assert len(policies) == 30
    assert math.prod(h.size for h in policies.values()) == 1760**10  # 2.9e32
    for name, hyperparameter in policies.items():
        if "operation" in name:
            assert set(hyperparameter.choices) == set(OPERATIONS)
    for config in load_space("autoaugment").sample(50):
        for name, operation in config.items():
            if "operation" in name:
                assert (name.replace("operation", "magnitude") in config) == (operation not in PLAIN)
