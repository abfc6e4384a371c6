"""One column of a table: what kind it is, and how its cells become numbers, category codes or text.

Kinds are found without the target, from the dtype and from the distinct values: numbers (also strings that are all
numbers), booleans, dates (also strings of one known format), categories, identifiers (strings with too many levels to
be a category; their frequent levels and their length are kept) and free text.  A column remembers what it needs to
read new data of another dtype; a cell that it cannot read is a missing value.
"""

from __future__ import annotations

import re
import warnings
from abc import ABC
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from autonas.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "NumberColumn", "BooleanColumn", "DateColumn", "CategoryColumn", "TextColumn", "find_column"]

MAX_LEVELS = 200  # levels of a category that keep a code of their own
_MISSING = frozenset({"", "?", "-", "na", "n/a", "nan", "null", "none", "nat", "<na>", "missing"})
_LARGEST = float(np.finfo(np.float32).max)
_TRUTH = {"True": "1", "False": "0", "true": "1", "false": "0", "TRUE": "1", "FALSE": "0"}
_DAYS = ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y")
_FORMATS = [day + time for day in _DAYS for time in ("", " %H:%M", " %H:%M:%S")] + ["%H:%M", "%H:%M:%S"]
_DATE_LIKE = re.compile(r"(?=.*\d)(?=.*\d[-/.: T,]).{5,40}")


@dataclass
class Column(ABC):
    """A column that was fitted; subclasses read new cells in one of three ways.

    Parameters
    ----------
    name : str
        Label of the column, as text.
    parts : list of str
        Names of the numbers that :meth:`numbers` gives (none for pure categories and text).
    """

    kind: ClassVar[str]
    name: str
    parts: list[str] = field(default_factory=list)

    def numbers(self, cells: pd.Series) -> dict[str, np.ndarray]:
        """(rows,) numbers with NaN for missing, by part."""
        return {}

    def codes(self, cells: pd.Series) -> np.ndarray | None:
        """(rows,) level numbers, -1 for missing or unknown levels; None if the column has no levels."""
        return None

    def text(self, cells: pd.Series) -> np.ndarray | None:
        """(rows,) strings, "" for missing; None if the column is not text."""
        return None

    def state(self) -> dict[str, Any]:
        """Plain state."""
        return {"kind": self.kind, **asdict(self)}


@dataclass
class NumberColumn(Column):
    """Numbers as they are."""

    kind = "numeric"

    def numbers(self, cells: pd.Series) -> dict[str, np.ndarray]:
        return {"": _as_float(cells, self.name)}


@dataclass
class BooleanColumn(NumberColumn):
    """True is 1, False is 0."""

    kind = "boolean"


@dataclass
class DateColumn(Column):
    """A point in time: its calendar parts and the days since 1970 (UTC)."""

    kind = "date"
    format: str = "ISO8601"

    def numbers(self, cells: pd.Series) -> dict[str, np.ndarray]:
        import pandas as pd

        if isinstance(cells.dtype, pd.PeriodDtype):
            cells = cells.dt.to_timestamp()
        if cells.dtype.kind != "M":
            codes, levels = _levels(cells)
            parsed = pd.to_datetime(pd.Series(levels, dtype=object), format=self.format, errors="coerce", utc=True)
            times = pd.DatetimeIndex(parsed)
            times = times.append(pd.DatetimeIndex([pd.NaT], tz="UTC"))[codes]  # code -1 is the last: NaT
        else:
            times = pd.DatetimeIndex(pd.to_datetime(cells, utc=True))
        day = times.normalize()
        epoch = pd.Timestamp(0, tz="UTC")
        found = {
            "year": times.year,
            "month": times.month,
            "day": times.day,
            "weekday": times.day_of_week,
            "hour": (times - day) / pd.Timedelta(hours=1),
            "days": (times - epoch) / pd.Timedelta(days=1),
        }
        return {part: np.asarray(values, dtype=np.float64) for part, values in found.items()}


@dataclass
class CategoryColumn(Column):
    """Labels, most frequent first; other labels and missing cells have no code."""

    kind = "category"
    levels: list[str] = field(default_factory=list)

    def codes(self, cells: pd.Series) -> np.ndarray | None:
        if not self.levels:
            return None
        codes, found = _levels(cells)
        place = {level: i for i, level in enumerate(self.levels)}
        return np.array([place.get(level, -1) for level in found] + [-1], dtype=np.int16)[codes]


@dataclass
class IdColumn(CategoryColumn):
    """Labels of which most are rare: the frequent ones, and the length of every label."""

    kind = "identifier"

    def numbers(self, cells: pd.Series) -> dict[str, np.ndarray]:
        codes, found = _levels(cells)
        return {"length": np.array([len(level) for level in found] + [np.nan], dtype=np.float64)[codes]}


@dataclass
class TextColumn(Column):
    """Free text."""

    kind = "text"

    def text(self, cells: pd.Series) -> np.ndarray | None:
        codes, found = _levels(cells)
        return np.array([*found, ""], dtype=object)[codes]


KINDS: dict[str, type[Column]] = {
    c.kind: c for c in (NumberColumn, BooleanColumn, DateColumn, CategoryColumn, IdColumn, TextColumn)
}


def restore_column(state: dict[str, Any]) -> Column:
    """Inverse of :meth:`Column.state`."""
    return KINDS[state["kind"]](**{key: value for key, value in state.items() if key != "kind"})


def find_column(name: str, cells: pd.Series) -> Column:
    """The column that fits the cells.

    Raises
    ------
    DataError
        Complex numbers.
    """
    import pandas as pd

    dtype = cells.dtype
    if dtype.kind == "c":
        raise DataError(f"Complex data not supported: split column {name!r} into real and imaginary part.")
    if isinstance(dtype, pd.CategoricalDtype):
        return CategoryColumn(name, levels=_frequent(*_levels(cells)))
    if pd.api.types.is_bool_dtype(dtype):
        return BooleanColumn(name)
    if dtype.kind in "fium":
        return NumberColumn(name)
    if dtype.kind == "M" or isinstance(dtype, pd.PeriodDtype):
        return DateColumn(name)
    if dtype.kind == "O" and pd.api.types.infer_dtype(cells, skipna=True) == "boolean":
        return BooleanColumn(name)
    codes, levels = _levels(cells)
    known = [level for level in levels if level.lower() not in _MISSING]
    if _all_numbers(known):
        return NumberColumn(name)
    found = _date_format(known)
    if found:
        return DateColumn(name, format=found)
    if _is_text(codes, known):
        return TextColumn(name)
    frequent = _frequent(codes, levels)
    covered = np.isin(codes, [levels.index(level) for level in frequent]).sum()
    kind = CategoryColumn if covered >= 0.5 * (codes >= 0).sum() else IdColumn
    return kind(name, levels=frequent)


def _levels(cells: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Distinct labels as text, and the number of each cell's label (-1: missing)."""
    import pandas as pd

    if isinstance(cells.dtype, pd.CategoricalDtype):
        codes, values = cells.cat.codes.to_numpy(), cells.cat.categories
    else:
        try:
            codes, values = pd.factorize(cells)
        except TypeError:  # cells such as lists or dicts
            codes, values = pd.factorize(cells.where(cells.isna(), cells.astype(str)))
    place: dict[str, int] = {}
    label = [place.setdefault(text, len(place)) if (text := _as_text(value)) else -1 for value in values]
    return np.array([*label, -1])[codes], list(place)


def _as_text(value: object) -> str:
    """A label as text: 1.0 and 1 are one label, spaces around it do not count."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _frequent(codes: np.ndarray, levels: list[str]) -> list[str]:
    """Levels by falling frequency; among many, only those of at least two rows."""
    sizes = np.bincount(codes[codes >= 0], minlength=len(levels))
    order = np.argsort(-sizes, kind="stable")[:MAX_LEVELS]
    least = 2 if len(levels) > 20 else 1
    return [levels[i] for i in order if sizes[i] >= least]


def _all_numbers(levels: list[str]) -> bool:
    """Whether there are levels and every one reads as a number."""
    import pandas as pd

    def read(some: list[str]) -> bool:
        return bool(pd.to_numeric(pd.Series(some, dtype=object), errors="coerce").notna().all())

    return bool(levels) and read(levels[:50]) and read(levels)


def _date_format(levels: list[str]) -> str:
    """The format that reads (nearly) all levels as dates; "" if there is none."""
    import pandas as pd

    sample = pd.Series(levels[:: max(1, len(levels) // 500)], dtype=object)
    if len(sample) < 2 or sum(bool(_DATE_LIKE.fullmatch(level)) for level in sample) < 0.95 * len(sample):
        return ""
    for candidate in ("ISO8601", *_FORMATS):
        if pd.to_datetime(sample, format=candidate, errors="coerce", utc=True).notna().mean() >= 0.95:
            return candidate
    return ""


def _is_text(codes: np.ndarray, levels: list[str]) -> bool:
    """Whether strings are sentences: mostly distinct, and several words or many characters on average."""
    rows = int((codes >= 0).sum())
    if len(levels) < max(10, 0.3 * rows):
        return False
    sample = levels[:: max(1, len(levels) // 2000)]
    words = float(np.mean([len(level.split()) for level in sample]))
    length = float(np.mean([len(level) for level in sample]))
    return words >= 3 or (length >= 40 and words >= 1.5)


def _as_float(cells: pd.Series, name: str) -> np.ndarray:
    """Numbers of a column, NaN for missing; infinities are an error."""
    import pandas as pd

    dtype = cells.dtype
    if dtype.kind == "m":
        values = (cells / pd.Timedelta(seconds=1)).to_numpy(dtype=np.float64, na_value=np.nan)
    elif isinstance(dtype, np.dtype) and dtype.kind in "fiub":
        values = cells.to_numpy()
    elif dtype.kind in "fiub":
        values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = _parse(cells, name)
    if values.dtype.kind != "f":
        return values.astype(np.float64) if values.dtype.kind != "b" else values.astype(np.float32)
    largest = max(float(np.fmax.reduce(values, initial=0.0)), -float(np.fmin.reduce(values, initial=0.0)))
    if largest > _LARGEST:
        bad = int((np.abs(values) > _LARGEST).sum())
        raise DataError(
            f"Input X contains infinity or a value too large for dtype('float32'): {bad} of {len(values)} values in "
            f"column {name!r}. Replace them by NaN (a missing value) or by a finite number."
        )
    return values


def _parse(cells: pd.Series, name: str) -> np.ndarray:
    """Numbers that come as strings or objects."""
    import pandas as pd

    if cells.dtype.kind == "O" and pd.api.types.infer_dtype(cells, skipna=True) in ("timedelta", "timedelta64"):
        return _as_float(pd.to_timedelta(cells), name)
    codes, levels = _levels(cells)
    numerals = pd.Series([_TRUTH.get(level, level) for level in levels], dtype=object)
    parsed = pd.to_numeric(numerals, errors="coerce").to_numpy(dtype=np.float64)
    odd = [t for t, number in zip(levels, parsed, strict=True) if np.isnan(number) and t.lower() not in _MISSING]
    if odd:
        warnings.warn(
            f"Column {name!r} held numbers when the model was fitted; {len(odd)} new values are not numbers "
            f"(such as {odd[0]!r}) and count as missing.",
            stacklevel=2,
        )
    return np.append(parsed, np.nan)[codes]
