"""A table of results on disk that grows row by row, so that a comparison which was cut off can go on."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["append_rows"]

Item = TypeVar("Item")


def append_rows(
    path: Path, columns: Sequence[str], items: Iterable[Item], row: Callable[[Item], Mapping[str, Any]]
) -> Iterator[Item]:
    """Write each item to a CSV file as it comes, and hand it on.

    Parameters
    ----------
    path : path
        A file whose last line is torn, because its process was killed, is gone on with in a new line.
    columns : sequence of str
    items : iterable
    row : callable
        An item's value for each column.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = not path.exists() or path.stat().st_size == 0
    with path.open("a", newline="", encoding="utf-8") as file:
        if not new and not path.read_bytes().endswith(b"\n"):
            file.write("\n")
        writer = csv.DictWriter(file, columns)
        if new:
            writer.writeheader()
        for item in items:
            writer.writerow(row(item))
            file.flush()
            yield item
