"""Which members can be combined, and on which rows: all members of an ensemble must predict the same rows.

Learners that were short of time predict only the rows of the folds that they finished.  The rows that the
widest members cover are taken; a member that covers less is left out, unless it is clearly better than
all of them where both predict and leaves enough rows: then the ensemble is fitted on the common rows.
"""

from __future__ import annotations

import numpy as np

from autonas.errors import DataError

__all__ = ["common_rows", "row_losses"]

MIN_SHARE, MIN_ROWS = 0.18, 100  # one of five folds has a fifth of the rows, give or take a few


def row_losses(member: np.ndarray, y: np.ndarray, kind: str) -> np.ndarray:
    """(rows,) log loss or squared error of each row."""
    if kind == "regression":
        return (member[:, 0].astype(np.float64) - y) ** 2
    return -np.log(np.clip(member[np.arange(len(y)), y].astype(np.float64), 1e-7, 1))


def common_rows(
    members: list[np.ndarray], y: np.ndarray, weight: np.ndarray | None, kind: str
) -> tuple[np.ndarray, list[int]]:
    """Choose rows and members.

    A member that covers fewer rows than the widest ones takes part if it leaves at least about a fifth
    of all covered rows and 100, and its mean loss on them is lower than the best other's by more
    than one standard error of the difference.

    Parameters
    ----------
    members : list of (rows, outputs) arrays
        A row with a value that is not finite counts as not predicted.
    y, weight : (rows,) arrays
        Rows of weight 0 are left out, unless all weights are 0.
    kind : {"classification", "regression"}

    Returns
    -------
    (common rows,) array of row numbers, and the numbers of the members that predict all of them.

    Raises
    ------
    DataError
        If no member predicts any row.
    """
    counts = np.ones(len(y), dtype=bool) if weight is None or not np.any(weight > 0) else weight > 0
    masks = [np.isfinite(m).all(axis=1) & counts for m in members]
    groups: dict[bytes, list[int]] = {}
    for i, mask in enumerate(masks):
        groups.setdefault(np.packbits(mask).tobytes(), []).append(i)
    by_width = sorted(groups.values(), key=lambda group: -int(masks[group[0]].sum()))
    if not by_width or not masks[by_width[0][0]].any():
        raise DataError(
            f"An ensemble needs at least one member with a finite prediction; none of the {len(members)} members "
            "has one. Look at the errors of the failed trials."
        )
    rows = masks[by_width[0][0]]
    least = max(MIN_ROWS, MIN_SHARE * np.any(masks, axis=0).sum())
    kept = by_width[0]
    for group in by_width[1:]:
        common = rows & masks[group[0]]
        if common.sum() == rows.sum():
            kept = kept + group
        elif common.sum() >= least:
            known, new = (
                min((row_losses(members[i][common], y[common], kind) for i in some), key=np.mean)
                for some in (kept, group)
            )
            gain = known - new
            if gain.mean() > gain.std() / np.sqrt(len(gain)):
                rows, kept = common, kept + group
    return np.flatnonzero(rows), [i for i, mask in enumerate(masks) if mask[rows].all()]
