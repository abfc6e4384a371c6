"""Images from a folder: one folder for each class, the files of a class somewhere below its folder.

    flowers/daisy/1.jpg, flowers/daisy/2.png, ..., flowers/rose/a/7.jpg, ...

All images are brought to one size and to one colour mode: grey if all of them are grey, else red, green and blue.
Pillow reads them, with its plain decoders only.  Files of other kinds and hidden files are passed over; an image that
cannot be read is an error.  Animations give their first frame; nothing is cropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.data.modality import Layout
from autonas.errors import DataError, OptionError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ENDINGS", "find_images", "folder_hash", "load_images", "load_like", "read_images"]

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pbm", ".pgm", ".ppm")
_DECODERS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
_LONGEST_SIDE = 64  # pixels of the longer side where no size is asked for: what a CPU can train on
_SHOWN = 5
_DEEP = {"I", "I;16", "I;16L", "I;16B", "I;16N"}  # grey with 16 bits


def read_images(folder: str | Path, size: int | tuple[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Images and their classes from a folder with one folder for each class.

    Parameters
    ----------
    folder : path
    size : int, (height, width) or None
        Size of all images, in pixels.  None: the median height and width, scaled down to at most 64 on the longer
        side.  Images of another size are stretched to it.

    Returns
    -------
    X : (n, height, width) or (n, height, width, 3) uint8 array
        Grey, or red, green and blue; transparent parts are white.
    y : (n,) array of str
        Names of the class folders.

    Raises
    ------
    DataError
        There is no such folder, it has fewer than two class folders, one of them has no images, an image lies
        outside of them, or some images cannot be read (named).
    """
    paths = find_images(folder)
    root = Path(folder)
    labels = [path.relative_to(root).parts[0] for path in paths]
    loose = [path.name for path in paths if path.parent == root]
    classes = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    empty = sorted(set(classes) - set(labels))
    if len(classes) < 2 or (loose and len(loose) == len(paths)):
        raise DataError(
            f"{folder} needs a folder for each class, at least two, with its images; it has {len(classes)} folders and "
            f"{len(loose)} images outside of them. Sort the images into folders that are named as their classes."
        )
    if loose:
        raise DataError(
            f"{len(loose)} images in {folder} lie in no class folder ({_some(loose)}). Move or remove them."
        )
    if empty:
        raise DataError(f"{len(empty)} class folders in {folder} have no images ({_some(empty)}). Fill or remove them.")
    return load_images(paths, size), np.array(labels)


def find_images(folder: str | Path) -> list[Path]:
    """Paths of all images below a folder, sorted.

    Raises
    ------
    DataError
        There is no such folder, or no image in it.
    """
    root = Path(folder)
    if not root.is_dir():
        raise DataError(f"{folder} is no folder. Images are read from a folder with one folder for each class.")
    below = (path for path in root.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    found = sorted(p for p in below if not any(part.startswith(".") for part in p.relative_to(root).parts))
    if not found:
        raise DataError(f"{folder} holds no images. Their names must end in one of: {', '.join(ENDINGS)}.")
    return found


def load_images(
    paths: Sequence[Path], size: int | tuple[int, int] | None = None, colour: bool | None = None
) -> np.ndarray:
    """The images as one array.

    Parameters
    ----------
    paths : sequence of path
    size : int, (height, width) or None
        As in :func:`read_images`.
    colour : bool or None
        Whether the array has three channels; None: if any image has colours.

    Raises
    ------
    DataError
        Images that cannot be read, all of them counted and some named.
    """
    height_width, any_colour = _sizes_and_colour(paths)
    height, width = _common_size(height_width) if size is None else _as_size(size)
    colour = any_colour if colour is None else colour
    out = np.zeros((len(paths), height, width, 3) if colour else (len(paths), height, width), dtype=np.uint8)
    broken = {}
    for row, path in enumerate(paths):
        try:
            with _open(path) as image:
                out[row] = _pixels(image, (width, height), "RGB" if colour else "L")
        except (OSError, SyntaxError, ValueError) as error:
            broken[path] = error
    _check_broken(broken, len(paths))
    return out


def load_like(paths: Sequence[Path], layout: Layout) -> np.ndarray:
    """The images as an array of a layout that was fitted.

    Raises
    ------
    DataError
        As :func:`load_images`; or the layout is not that of whole pixel values, which are all that files have.
    """
    side = dict(zip(layout.axes[1:], layout.shape, strict=True))
    channels = side.get("c", 1)
    if layout.modality != "image" or not layout.uint8 or channels not in (1, 3):
        raise DataError(
            "Only a model of images that were given as uint8 (as read_images gives them), grey or with 3 channels, can "
            "read a folder of images. Read it with read_images, and bring it to the form of the data of the fit."
        )
    X = load_images(paths, (side["h"], side["w"]), channels == 3)
    if channels == 1 and "c" in side:
        X = X[..., np.newaxis]
    return X.transpose(0, 3, 1, 2) if layout.axes == "nchw" else X


def _sizes_and_colour(paths: Sequence[Path]) -> tuple[np.ndarray, bool]:
    """(n, 2) heights and widths, and whether any image has colours, from the heads of the files."""
    from PIL import Image

    sizes, colour, broken = [], False, {}
    for path in paths:
        try:
            with _open(path) as image:
                sizes.append(image.size[::-1])
                colour |= image.mode not in {"1", "L", "LA", "La", "F", *_DEEP}
        except (
            OSError,
            SyntaxError,
            ValueError,
            Image.DecompressionBombError,
        ) as error:  # of data that are damaged or cut
            broken[path] = error
    _check_broken(broken, len(paths))
    return np.array(sizes), colour


def _open(path: Path) -> Image.Image:
    from PIL import Image

    return Image.open(path, formats=_DECODERS)


def _check_broken(broken: Mapping[Path, Exception], n: int) -> None:
    if broken:
        named = _some([f"{path}: {error}" for path, error in broken.items()], "; ")
        raise DataError(f"{len(broken)} of {n} images cannot be read ({named}). Remove or replace them.")


def _some(names: Sequence[str], between: str = ", ") -> str:
    return between.join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")


def _common_size(sizes: np.ndarray) -> tuple[int, int]:
    height, width = np.median(sizes, axis=0)
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _as_size(size: Any) -> tuple[int, int]:
    pair = size if isinstance(size, tuple | list) else (size, size)
    if len(pair) != 2 or any(not isinstance(side, int | np.integer) or side < 1 for side in pair):
        raise OptionError(f"size must be a number of pixels or (height, width), not {size!r}.")
    return int(pair[0]), int(pair[1])


def _pixels(image: Image.Image, size: tuple[int, int], mode: str) -> np.ndarray:
    """One image upright, without transparency, in one mode and size."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode in _DEEP:
        image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
    elif image.mode == "F":
        raise ValueError("pixels are real numbers, whose range is unknown")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert(mode)
    return np.asarray(image if image.size == size else image.resize(size, Image.Resampling.BILINEAR))


def folder_hash(folder: str | Path) -> str:
    """SHA-256 over the names and the contents of all images below a folder, in hexadecimal."""
    digest, root = hashlib.sha256(), Path(folder)
    for path in find_images(folder):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.relative_to(root).as_posix()}\0{content}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()
