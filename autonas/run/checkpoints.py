"""Checkpoint folders of trials under a disk quota.

A trial works in ``trials/<id>.part``; a rename makes it ``trials/<id>`` in one step, and a rename
back precedes every deletion, so that a folder without ``.part`` is always complete, whenever the
process is killed.  What to keep is the strategy's and the ensemble's business, not decided here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

__all__ = ["Checkpoints"]


class Checkpoints:
    """The checkpoints of one search.

    Parameters
    ----------
    folder : path
        The search's folder; checkpoints live in its subfolder ``trials``.
    quota_bytes : int
        Size that :meth:`collect` brings the finished checkpoints down to.
    """

    def __init__(self, folder: str | Path, quota_bytes: int) -> None:
        self.folder = Path(folder) / "trials"
        self.quota_bytes = quota_bytes
        self.folder.mkdir(parents=True, exist_ok=True)
        for leftover in self.folder.glob("*.part"):  # of a process that was killed
            shutil.rmtree(leftover)
        self._sizes = {int(p.name): _size(p) for p in self.folder.iterdir() if p.is_dir() and p.name.isdecimal()}

    def _working(self, trial_id: int) -> Path:
        return self.folder / f"{trial_id}.part"

    def path(self, trial_id: int) -> Path:
        """Where the trial's checkpoint is, if it has one."""
        return self.folder / str(trial_id)

    def __contains__(self, trial_id: int) -> bool:
        return trial_id in self._sizes

    @property
    def size(self) -> int:
        """Bytes in finished checkpoints."""
        return sum(self._sizes.values())

    def new(self, trial_id: int) -> Path:
        """Empty folder for a trial to work in."""
        working = self._working(trial_id)
        if working.exists():
            shutil.rmtree(working)
        working.mkdir()
        return working

    def is_empty(self, trial_id: int) -> bool:
        """Whether a trial has left nothing in its working folder."""
        return not any(self._working(trial_id).iterdir())

    def commit(self, trial_id: int) -> Path:
        """Make the trial's working folder its checkpoint; replaces an older one of the same trial."""
        target = self.path(trial_id)
        self._delete(target)  # left by a process that was killed before the journal was told
        os.replace(self._working(trial_id), target)
        self._sizes[trial_id] = _size(target)
        return target

    def discard(self, trial_id: int) -> None:
        """Delete the trial's working folder and its checkpoint, whichever there is."""
        working = self._working(trial_id)
        if working.exists():
            shutil.rmtree(working)
        self._delete(self.path(trial_id))
        self._sizes.pop(trial_id, None)

    def _delete(self, checkpoint: Path) -> None:
        if checkpoint.exists():
            doomed = checkpoint.with_name(f"{checkpoint.name}.old.part")
            os.replace(checkpoint, doomed)
            shutil.rmtree(doomed)

    def collect(self, keep: set[int], ranked: Sequence[int]) -> list[int]:
        """Delete checkpoints until the quota holds.

        Parameters
        ----------
        keep : set of int
            Trials whose checkpoints stay, whatever their size.
        ranked : sequence of int
            Trials, best first: the last goes first.  Those that are neither ranked nor kept go
            before all others.

        Returns
        -------
        Trials whose checkpoints were deleted, in that order.
        """
        rank = {trial_id: position for position, trial_id in enumerate(ranked)}
        worst_first = sorted(self._sizes.keys() - keep, key=lambda i: rank.get(i, len(rank)), reverse=True)
        deleted = []
        excess = self.size - self.quota_bytes
        for trial_id in worst_first:
            if excess <= 0:
                break
            excess -= self._sizes[trial_id]
            self.discard(trial_id)
            deleted.append(trial_id)
        return deleted


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
