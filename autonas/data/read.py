"""Tables from files: CSV (also compressed, tab separated) and Parquet.  Nothing else, and nothing from the network."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from autonas.data.check import near
from autonas.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_table", "split_target", "table_hash"]

_TEXT = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_PARQUET = (".parquet", ".pq")


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a CSV or Parquet file.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv`` (also with ``.gz``; a CSV may use ";" between its columns), ``.parquet`` or ``.pq``.

    Raises
    ------
    DataError
        Missing (near names listed), a folder, of an unknown kind, unreadable, or without rows.
    """
    import pandas as pd

    path = _existing(path)
    name = path.name.lower()
    if not name.endswith(_TEXT + _PARQUET):
        raise DataError(f"{path} has an unknown ending. Readable are: {', '.join(_TEXT + _PARQUET)}.")
    try:
        if name.endswith(_PARQUET):
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, sep=_separator(path), encoding="utf-8-sig", low_memory=False)
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path} is empty. It needs one line of column names and at least one row.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text ({error}). Save it as UTF-8.") from error
    except (ValueError, OSError, EOFError, ImportError) as error:  # also pandas' ParserError and pyarrow's ArrowInvalid
        kind = "Parquet" if name.endswith(_PARQUET) else "CSV"
        raise DataError(f"{path} cannot be read as {kind}: {error}. Check the file, or write it again.") from error
    if frame.empty:
        raise DataError(f"{path} has {len(frame)} rows and {frame.shape[1]} columns; at least one of each is needed.")
    return frame


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if path.is_dir():
        raise DataError(
            f"{path} is a folder. Name one table in it, or no target if it holds images in class folders. "
            f"{near(path.name, _tables(path))}".strip()
        )
    if not path.exists():
        raise DataError(f"{path} does not exist. {near(path.name, _tables(path.parent))}".strip())
    return path


def _tables(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(p.name for p in folder.iterdir() if p.name.lower().endswith(_TEXT + _PARQUET))


def _separator(path: Path) -> str:
    """Tab by the name; ";" if the first line has some and no comma."""
    import gzip

    name = path.name.lower()
    if ".tsv" in name:
        return "\t"
    with gzip.open(path) if name.endswith(".gz") else path.open("rb") as file:
        line = file.readline()
    return ";" if b";" in line and b"," not in line else ","


def split_target(frame: pd.DataFrame, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """Features and target of a table.

    Raises
    ------
    DataError
        There is no such column (near names listed), or no other.
    """
    if target not in frame.columns:
        raise DataError(f"The table has no column {target!r} to use as target. {near(target, frame.columns)}")
    if frame.shape[1] == 1:
        raise DataError(f"The table has no column besides the target {target!r}. Features are needed.")
    return frame.drop(columns=target), frame[target]


def table_hash(path: str | Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with _existing(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
