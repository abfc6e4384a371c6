"""The record of a search on disk, from which it resumes: one SQLite file.

Every record is one committed transaction (write-ahead log, synchronous NORMAL), so what was written
survives ``kill -9`` at any moment; a power failure may lose the last records, never the file.  One
process writes at a time.  Weights and predictions are not here: they are files, named by path.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from autonas.core.trial import Proposal, Result, Trial
from autonas.errors import JournalError
from autonas.run.lock import FileLock

__all__ = ["Journal", "FORMAT"]

FORMAT = 1  # of the file; a reader refuses newer ones

_SCHEMA = """
BEGIN;
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE asked (id INTEGER PRIMARY KEY, proposal TEXT NOT NULL);
CREATE TABLE told (
    position INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE REFERENCES asked, result TEXT NOT NULL, checkpoint TEXT
);
CREATE TABLE notes (position INTEGER PRIMARY KEY, kind TEXT NOT NULL, data TEXT NOT NULL);
CREATE INDEX notes_by_kind ON notes (kind);
"""


class Journal:
    """An open journal; make one with :meth:`open_or_create` or :meth:`read`.

    Attributes
    ----------
    path : Path
    meta : dict
        What was stored when the journal was created.
    """

    def __init__(self, path: Path, meta: dict[str, Any], database: sqlite3.Connection, lock: FileLock | None) -> None:
        self.path = path
        self.meta = meta
        self._database = database
        self._lock = lock

    @classmethod
    def open_or_create(
        cls, path: str | Path, meta: Mapping[str, Any], identity: Iterable[str] | None = None
    ) -> Journal:
        """Open for writing; a file that does not exist is created.

        Parameters
        ----------
        path : path
            ``journal.db`` in the search's folder.
        meta : mapping of str to plain JSON
            What the search is: stored at creation, compared afterwards.
        identity : iterable of str or None
            Keys whose values must be the stored ones; None means all of ``meta``.

        Raises
        ------
        JournalError
            If the journal belongs to another search, is damaged, is of a newer format, or another
            process writes to it.
        """
        path = Path(path)
        plain = json.loads(json.dumps(dict(meta)))  # as it will come back: tuples are lists
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_suffix(".lock"), what=f"the journal {path}")
        try:
            database = _connect(path, write=True)
            try:
                with _reasons(path):
                    if not _tables(database):
                        _create(database, plain)
                    database.execute("PRAGMA journal_mode = WAL")
                    database.execute("PRAGMA synchronous = NORMAL")
                    database.execute("PRAGMA foreign_keys = ON")
                stored = _read_meta(path, database)
                _compare(path, stored, plain, plain if identity is None else identity)
            except BaseException:
                database.close()
                raise
        except BaseException:
            lock.release()
            raise
        return cls(path, stored, database, lock)

    @classmethod
    def read(cls, path: str | Path) -> Journal:
        """Open for reading, also while another process writes.

        Raises
        ------
        JournalError
            If there is none, or it is damaged or of a newer format.
        """
        path = Path(path)
        if not path.is_file():
            raise JournalError(f"There is no journal at {path}. Name the folder of a search that has begun.")
        database = _connect(path, write=False)
        try:
            return cls(path, _read_meta(path, database), database, None)
        except BaseException:
            database.close()
            raise

    def asked(self, trial_id: int, proposal: Proposal) -> None:
        """Record that a trial is about to be evaluated."""
        self._write("INSERT INTO asked VALUES (?, ?)", trial_id, proposal.to_json())

    def told(self, trial: Trial) -> None:
        """Record a finished trial, which must have been asked; it is on disk when this returns."""
        self._write(
            "INSERT INTO told (id, result, checkpoint) VALUES (?, ?, ?)",
            trial.id,
            trial.result.to_json(),
            self._relative(trial.checkpoint),
        )

    def set_checkpoint(self, trial_id: int, path: str | Path | None) -> None:
        """Record where a finished trial's checkpoint is now; None if it was deleted."""
        if not self._write("UPDATE told SET checkpoint = ? WHERE id = ?", self._relative(path), trial_id):
            raise JournalError(f"Trial {trial_id} has no result in {self.path} yet: tell it before its checkpoint.")

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """Record anything else: plain JSON under a kind."""
        self._write("INSERT INTO notes (kind, data) VALUES (?, ?)", kind, json.dumps(dict(data)))

    def notes(self, kind: str) -> list[dict[str, Any]]:
        """All notes of a kind, oldest first."""
        with _reasons(self.path):
            rows = self._database.execute("SELECT data FROM notes WHERE kind = ? ORDER BY position", (kind,))
            return [json.loads(data) for (data,) in rows]

    def trials(self) -> list[Trial]:
        """Finished trials in the order in which they were told."""
        with _reasons(self.path):
            rows = self._database.execute(
                "SELECT id, proposal, result, checkpoint FROM told JOIN asked USING (id) ORDER BY told.position"
            )
            return [
                Trial(trial_id, Proposal.from_json(proposal), Result.from_json(result), self._absolute(checkpoint))
                for trial_id, proposal, result, checkpoint in rows
            ]

    def pending(self) -> list[tuple[int, Proposal]]:
        """Trials that were asked and never told, by id: after a crash, to be evaluated again."""
        with _reasons(self.path):
            rows = self._database.execute(
                "SELECT id, proposal FROM asked WHERE id NOT IN (SELECT id FROM told) ORDER BY id"
            )
            return [(trial_id, Proposal.from_json(proposal)) for trial_id, proposal in rows]

    def next_id(self) -> int:
        """The smallest id above all that were asked."""
        with _reasons(self.path):
            (last,) = self._database.execute("SELECT MAX(id) FROM asked").fetchone()
        return 0 if last is None else last + 1

    def close(self) -> None:
        """Close the file and let other processes write."""
        self._database.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _write(self, statement: str, *values: object) -> int:
        """Run one statement, which is one transaction; returns the number of changed rows."""
        try:
            return self._database.execute(statement, values).rowcount
        except sqlite3.IntegrityError as error:
            raise JournalError(
                f"{self.path} refuses trial {values[0]} ({error}). "
                "A trial is asked once under a new id (next_id), then told once."
            ) from error
        except sqlite3.Error as error:
            raise JournalError(
                f"{self.path} cannot be written ({error}). Check free disk space and permissions, then resume."
            ) from error

    def _relative(self, checkpoint: str | Path | None) -> str | None:
        """As stored: relative to the search's folder, which may be moved."""
        return None if checkpoint is None else Path(os.path.relpath(checkpoint, self.path.parent)).as_posix()

    def _absolute(self, checkpoint: str | None) -> str | None:
        return None if checkpoint is None else str(self.path.parent / checkpoint)


def _connect(path: Path, write: bool) -> sqlite3.Connection:
    mode = "rwc" if write else "ro"
    with _reasons(path):
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)


def _tables(database: sqlite3.Connection) -> set[str]:
    return {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _create(database: sqlite3.Connection, meta: Mapping[str, Any]) -> None:
    """Tables and meta in one transaction: a killed process leaves an empty file or a whole journal."""
    rows = [(key, json.dumps(value)) for key, value in {**meta, "format": FORMAT}.items()]
    database.executescript(_SCHEMA)
    database.executemany("INSERT INTO meta VALUES (?, ?)", rows)
    database.execute("COMMIT")


def _read_meta(path: Path, database: sqlite3.Connection) -> dict[str, Any]:
    """The stored meta, after checking that this is a journal, whole, and not too new."""
    with _reasons(path):
        if not {"meta", "asked", "told", "notes"} <= _tables(database):
            raise JournalError(f"{path} is a database, but not a journal of AutoNAS. Use another folder.")
        meta = {key: json.loads(value) for key, value in database.execute("SELECT key, value FROM meta")}
        version = meta.pop("format")
        if version > FORMAT:
            raise JournalError(
                f"{path} has format {version}, this release reads up to {FORMAT}. "
                "Update AutoNAS, or use another folder."
            )
        (report,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if report != "ok":
            raise sqlite3.DatabaseError(" ".join(report.split()))
    return meta


def _compare(path: Path, stored: Mapping[str, Any], given: Mapping[str, Any], identity: Iterable[str]) -> None:
    differing = [key for key in identity if stored.get(key) != given.get(key)]
    if differing:
        changes = "; ".join(f"{key} was {_short(stored.get(key), given.get(key))}" for key in differing)
        raise JournalError(
            f"The search in {path.parent} is another one: {changes}. "
            "To resume it, give what it was begun with; to begin a new one, use another folder or delete this one."
        )


def _short(was: Any, now: Any) -> str:
    """Two values side by side; of long texts the first line that differs."""
    if isinstance(was, str) and isinstance(now, str) and "\n" in was + now:
        old, new = was.splitlines(), now.splitlines()
        line = next(
            (i for i, pair in enumerate(zip(old, new, strict=False)) if pair[0] != pair[1]), min(len(old), len(new))
        )
        was, now = ("".join(text[line : line + 1]) for text in (old, new))
        return f"{was!r:.80}, is {now!r:.80} (line {line + 1})"
    return f"{was!r:.80}, is {now!r:.80}"


@contextlib.contextmanager
def _reasons(path: Path) -> Iterator[None]:
    """Whatever goes wrong while reading becomes a JournalError that says why."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise JournalError(
            f"{path} cannot be opened ({error}). Check the folder's permissions and free space."
        ) from error
    except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
        raise JournalError(
            f"{path} is damaged ({error}). Use another copy, or begin a new search in another folder."
        ) from error
