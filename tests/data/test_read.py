"""Tables from files, and what is said when there is none."""

from __future__ import annotations

import gzip
import hashlib

import pandas as pd
import pytest

from autonas.data.read import read_table, split_target, table_hash
from autonas.errors import DataError

FRAME = pd.DataFrame({"a": [1, 2], "name": ["x", "é"]})


@pytest.mark.parametrize(
    "name", ["t.csv", "t.csv.gz", "T.CSV", "t.tsv", "t.parquet", "t.pq", "semicolon.csv", "bom.csv"]
)
def test_readable_tables(tmp_path, name):
    path = tmp_path / name
    if name.endswith(("parquet", "pq")):
        FRAME.to_parquet(path)
    else:
        separator = "\t" if ".tsv" in name else ";" if "semicolon" in name else ","
        encoding = "utf-8-sig" if "bom" in name else "utf-8"
        FRAME.to_csv(path, index=False, sep=separator, encoding=encoding)
    frame = read_table(path)
    assert frame.columns.tolist() == ["a", "name"]
    assert frame.to_numpy().tolist() == FRAME.to_numpy().tolist()


def test_files_that_are_no_tables(tmp_path):
    FRAME.to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("a,b\n")
    (tmp_path / "latin.csv").write_bytes("a,b\n1,é\n".encode("latin-1"))
    (tmp_path / "ragged.csv").write_text("a,b\n1,2\n1,2,3,4\n")
    (tmp_path / "broken.parquet").write_bytes(b"nothing")
    (tmp_path / "broken.csv.gz").write_bytes(b"nothing")
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n" * 99)[:-12])
    (tmp_path / "notes.txt").write_text("a")
    for name, message in {
        "trian.csv": "does not exist. Did you mean 'train.csv'",
        "empty.csv": "is empty",
        "header.csv": "0 rows and 2 columns",
        "latin.csv": "not UTF-8",
        "ragged.csv": "cannot be read as CSV",
        "broken.parquet": "cannot be read as Parquet",
        "broken.csv.gz": "cannot be read as CSV",
        "cut.csv.gz": "cannot be read as CSV",
        "notes.txt": "unknown ending",
        ".": "is a folder",
        "nowhere/train.csv": "does not exist",
        "https://example.org/train.csv": "does not exist",
    }.items():
        with pytest.raises(DataError, match=message):
            read_table(tmp_path / name if "//" not in name else name)


def test_split_target():
    X, y = split_target(FRAME, "a")
    assert (X.columns.tolist(), y.tolist()) == (["name"], [1, 2])
    with pytest.raises(DataError, match=r"'nam'.*Did you mean 'name'"):
        split_target(FRAME, "nam")
    with pytest.raises(DataError, match="no column besides"):
        split_target(FRAME[["a"]], "a")


def test_the_hash_is_sha256(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a\n1\n")
    assert table_hash(tmp_path / "t.csv") == hashlib.sha256(b"a\n1\n").hexdigest()
