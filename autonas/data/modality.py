"""What kind of data an array is, and how its axes are ordered.

DataFrames and 2-d arrays are tables, also with columns of text: such a column is one feature among others.  A list, a
1-d array or a Series of strings is text, and so is a table of one column if modality="text" asks for it.  4-d arrays
are images, channels last unless only axis 1 is at most 4.  A 3-d array holds images if both trailing axes are at least
8 and within a factor of 2 of each other, else series (n, channels, time).  All of it can be forced; videos and volumes
are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast, get_args

import numpy as np

from autonas.data.check import as_array, as_texts, is_text
from autonas.data.task import Modality
from autonas.errors import DataError, unknown

__all__ = ["Layout", "infer_layout", "arrange"]

_AXES = {"n": "rows", "h": "height", "w": "width", "c": "channels", "t": "time"}
_SIDES = (4, 8)  # at most so many channels, at least so many pixels, where a shape is ambiguous


@dataclass(frozen=True)
class Layout:
    """How data is read.

    Attributes
    ----------
    modality : {"tabular", "image", "series", "text"}
    axes : str
        One letter for each axis: "nhwc", "nchw", "nhw", "nct", "nt"; "nc" for a table, "n" for texts.
    shape : tuple of int
        Sizes of all axes but the rows, as given.
    sentence : str
        What was inferred, for a person.
    uint8 : bool
        Whether the numbers were bytes, as those of image files are.
    """

    modality: Modality
    axes: str
    shape: tuple[int, ...]
    sentence: str
    uint8: bool = False


def infer_layout(X: Any, modality: str = "auto") -> Layout:
    """How X is to be read.

    Parameters
    ----------
    X : DataFrame, array or list of str
    modality : {"auto", "tabular", "image", "series", "text"}

    Raises
    ------
    OptionError
        Unknown modality.
    DataError
        The number of dimensions does not fit.
    """
    names = get_args(Modality)
    if modality not in ("auto", *names):
        raise unknown("modality", modality, ["auto", *names])
    if modality == "text" or (modality == "auto" and is_text(X)):
        n_texts = len(as_texts(X))
        return Layout("text", "n", (), f"{n_texts} texts.")
    shape = tuple(X.shape) if hasattr(X, "shape") else as_array(X).shape
    how = "forced by modality=" if modality != "auto" else "inferred from the shape; modality= can say otherwise"
    found = cast(Modality, modality) if modality != "auto" else _guess(X, shape)
    axes = {
        "tabular": {2: "nc"},
        "image": {3: "nhw", 4: "nchw" if len(shape) == 4 and _channels_first(shape) else "nhwc"},
        "series": {2: "nt", 3: "nct"},
    }[found].get(len(shape))
    if axes is None:
        raise DataError(
            f"modality={modality!r} does not fit X of shape {shape}: tables have 2 dimensions (rows, columns), images "
            "3 or 4 (n, height, width[, channels]), series 2 or 3 (n[, channels], time). Reshape X."
        )
    size = dict(zip(axes, shape, strict=True))
    if found == "tabular":
        sentence = f"Table of {shape[0]} rows and {shape[1]} columns."
    else:
        what = (
            f"{shape[0]} images of {size['h']} x {size['w']} pixels"
            if found == "image"
            else f"{shape[0]} series of {size['t']} points"
        )
        order = ", ".join(_AXES[axis] for axis in axes)
        sentence = f"{what}, {size.get('c', 1)} channel(s): axes read as ({order}), {how}."
    return Layout(found, axes, shape[1:], sentence, getattr(X, "dtype", None) == np.uint8)


def _guess(X: Any, shape: tuple[int, ...]) -> Modality:
    if hasattr(X, "columns") or len(shape) == 2:
        return "tabular"
    if len(shape) == 4:
        return "image"
    if len(shape) == 3:
        short, long = sorted(shape[1:])
        return "image" if short >= _SIDES[1] and long <= 2 * short else "series"
    as_array(X)  # a scalar or one-dimensional X has its own message
    raise DataError(
        f"X has {len(shape)} dimensions (shape {shape}); tables have 2, series 3 and images 3 or 4. Reshape X."
    )


def _channels_first(shape: tuple[int, ...]) -> bool:
    return shape[1] <= _SIDES[0] < shape[3]


def arrange(X: Any, layout: Layout) -> np.ndarray:
    """X as a new float32 array of one layout: images (n, channels, height, width), series (n, channels, time).

    Raises
    ------
    DataError
        X is not numeric, has infinite values, or another shape than the fitted data.
    """
    given = as_array(X)
    if given.shape[1:] != layout.shape:
        raise DataError(
            f"X has shape {given.shape}, but the model was fitted on data of shape (n, {str(layout.shape)[1:-1]}). "
            f"Bring new {layout.modality} data to that shape (one item alone is X[np.newaxis])."
        )
    try:
        array = given.astype(np.float32, order="C")
    except (TypeError, ValueError) as error:
        raise DataError(f"X must hold numbers to be read as {layout.modality} data: {error}.") from error
    bad = int(np.isinf(array).sum())
    if bad:
        raise DataError(
            f"Input X contains infinity or a value too large for dtype('float32'): {bad} values. "
            "Replace them by NaN (a missing value) or by a finite number."
        )
    if layout.axes in ("nhw", "nt"):
        return array[:, np.newaxis]
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if layout.axes == "nhwc" else array
