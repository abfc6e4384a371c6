"""Folders of images: formats, colours, sizes, and what is said of folders that are not in order."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

import autonas
from autonas.data.images import find_images, folder_hash, load_images, load_like, read_images
from autonas.data.modality import infer_layout
from autonas.errors import DataError, OptionError

RNG = np.random.default_rng(0)


def save(root, name, pixels, **options):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)


def grey(height=9, width=12):
    return RNG.integers(0, 256, (height, width), dtype=np.uint8)


def test_grey_images_of_one_size_come_as_they_are(tmp_path):
    pixels = [grey() for _ in range(4)]
    for name, array in zip(["b/2.png", "a/x/3.bmp", "a/1.tif", "b/1.pgm"], pixels, strict=True):
        save(tmp_path, name, array)
    (tmp_path / "a" / "notes.txt").write_text("no image")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "a" / ".hidden.png").write_bytes(b"")
    X, y = autonas.read_images(tmp_path)
    assert y.tolist() == ["a", "a", "b", "b"]
    np.testing.assert_array_equal(X, np.stack([pixels[2], pixels[1], pixels[3], pixels[0]]))
    assert X.dtype == np.uint8
    assert infer_layout(X).uint8


def test_one_image_with_colours_makes_all_of_them_have_three_channels(tmp_path):
    red = np.zeros((9, 12, 3), dtype=np.uint8)
    red[..., 0] = 200
    save(tmp_path, "a/1.png", grey())
    save(tmp_path, "b/1.png", red)
    X, _ = read_images(tmp_path)
    assert X.shape == (2, 9, 12, 3)
    np.testing.assert_array_equal(X[1], red)
    assert (X[0] == X[0][..., :1]).all()


def test_modes(tmp_path):
    deep = Image.fromarray(np.full((4, 4), 0x8040, dtype=np.uint16))
    clear = np.zeros((4, 4, 4), dtype=np.uint8)  # black, and transparent
    save(tmp_path, "1.png", deep)
    save(tmp_path, "2.png", clear)
    save(tmp_path, "3.gif", Image.new("P", (4, 4), 0), transparency=0)
    save(tmp_path, "4.png", Image.new("1", (4, 4), 1))
    X = load_images(find_images(tmp_path))
    assert X.shape == (4, 4, 4, 3)
    assert X.reshape(4, -1).tolist() == [[value] * 48 for value in (0x80, 255, 255, 255)]


def test_a_photograph_stands_upright(tmp_path):
    array = np.zeros((8, 8), dtype=np.uint8)
    array[0] = 255  # on the left, once it is turned by 270 degrees, as orientation 6 means
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path, "1.png", Image.fromarray(array), exif=exif)
    X = load_images(find_images(tmp_path))
    np.testing.assert_array_equal(X[0], np.rot90(array, -1))


def test_sizes(tmp_path):
    for number, (height, width) in enumerate([(30, 10), (20, 16), (10, 12)]):
        save(tmp_path, f"{number % 2}/{number}.png", np.full((height, width), 7, dtype=np.uint8))
    assert read_images(tmp_path)[0].shape == (3, 20, 12)  # medians
    assert read_images(tmp_path, 5)[0].shape == (3, 5, 5)
    assert read_images(tmp_path, (4, 6))[0].shape == (3, 4, 6)
    assert (read_images(tmp_path, 5)[0] == 7).all()
    save(tmp_path, "1/9.png", grey(100, 400))
    assert load_images([tmp_path / "1" / "9.png"])[0].shape == (16, 64)
    for bad in (0, 2.5, (1, 2, 3)):
        with pytest.raises(OptionError, match="height, width"):
            read_images(tmp_path, bad)


def test_half_a_size_is_the_mean_of_the_pixels(tmp_path):
    array = np.kron(RNG.integers(0, 256, (6, 6)), np.ones((8, 8))).astype(np.uint8)  # blocks of equal pixels
    save(tmp_path, "1.png", array)
    shrunk = load_images(find_images(tmp_path), 6)[0].astype(int)
    inner = array.reshape(6, 8, 6, 8).mean((1, 3))
    assert np.corrcoef(shrunk.ravel(), inner.ravel())[0, 1] > 0.9


def test_unreadable_images_are_counted_and_named(tmp_path):
    for number in range(3):
        save(tmp_path, f"{number % 2}/{number}.png", grey(60, 60))
    (tmp_path / "0" / "text.jpg").write_text("no image")
    with pytest.raises(DataError, match=r"1 of 4 images cannot be read.*text\.jpg.*Remove or replace"):
        read_images(tmp_path)
    (tmp_path / "0" / "text.jpg").unlink()
    whole = (tmp_path / "1" / "1.png").read_bytes()
    (tmp_path / "1" / "1.png").write_bytes(whole[: len(whole) // 2])  # its head is good
    with pytest.raises(DataError, match=r"1 of 3 images cannot be read.*1\.png"):
        read_images(tmp_path)
    (tmp_path / "1" / "1.png").unlink()
    save(tmp_path, "1/real.tiff", Image.fromarray(np.ones((4, 4), dtype=np.float32)))
    with pytest.raises(DataError, match=r"real\.tiff: pixels are real numbers"):
        read_images(tmp_path)


def test_folders_that_are_not_in_order(tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        read_images(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no images.*\.png"):
        read_images(tmp_path)
    save(tmp_path, "1.png", grey())
    with pytest.raises(DataError, match=r"0 folders and 1 images outside"):
        read_images(tmp_path)
    save(tmp_path, "a/1.png", grey())
    with pytest.raises(DataError, match=r"1 folders and 1 images outside"):
        read_images(tmp_path)
    save(tmp_path, "b/1.png", grey())
    with pytest.raises(DataError, match=r"1 images in .* lie in no class folder \(1\.png\)"):
        read_images(tmp_path)
    (tmp_path / "1.png").unlink()
    (tmp_path / "c").mkdir()
    with pytest.raises(DataError, match=r"1 class folders in .* have no images \(c\)"):
        read_images(tmp_path)


@pytest.mark.parametrize("shape", [(5, 9, 8), (5, 9, 8, 1), (5, 9, 8, 3), (5, 3, 9, 8)])
def test_new_images_come_in_the_layout_of_the_fit(tmp_path, shape):
    save(tmp_path, "1.png", RNG.integers(0, 256, (9, 8, 3), dtype=np.uint8))
    layout = infer_layout(np.zeros(shape, dtype=np.uint8), "image")
    assert load_like(find_images(tmp_path), layout).shape == (1, *shape[1:])
    with pytest.raises(DataError, match="uint8"):
        load_like(find_images(tmp_path), infer_layout(np.zeros(shape), "image"))


def test_the_hash_follows_names_and_content(tmp_path):
    save(tmp_path, "a/1.png", grey())
    first = folder_hash(tmp_path)
    content = hashlib.sha256((tmp_path / "a" / "1.png").read_bytes()).hexdigest()
    assert first == hashlib.sha256(f"a/1.png\0{content}\n".encode()).hexdigest()
    (tmp_path / "a" / "1.png").rename(tmp_path / "a" / "2.png")
    assert folder_hash(tmp_path) != first
