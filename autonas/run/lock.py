"""A lock file that one process holds: the operating system drops it when the process dies.

So a stale file of a dead process never stands in the way; the pid inside is only for the message.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from autonas.errors import JournalError

__all__ = ["FileLock"]

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # beyond the pid, which others shall read
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        os.lseek(descriptor, 0, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class FileLock:
    """Held from construction until :meth:`release`, or the end of the process.

    Parameters
    ----------
    path : path
        The lock file; it stays behind, empty, after a release.
    what : str
        What it protects, for the message.

    Raises
    ------
    JournalError
        If another process, or another object of this one, holds it.
    """

    def __init__(self, path: Path, what: str) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise JournalError(f"{path} cannot be opened ({error}). Use a folder that you may write to.") from error
        try:
            _lock(self._descriptor)
        except (BlockingIOError, PermissionError) as error:
            holder = os.read(self._descriptor, 32).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise JournalError(
                f"Process {holder or 'unknown'} is writing to {what}. Wait until it ends, or use another folder."
            ) from error
        except OSError as error:
            os.close(self._descriptor)
            raise JournalError(
                f"{what} cannot be locked ({error}). Use a folder on a file system that has locks."
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor >= 0:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = -1
