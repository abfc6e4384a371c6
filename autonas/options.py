"""The options of the estimators' constructors: checked, and turned into what a fit reads."""

from __future__ import annotations

import numbers
import os
from pathlib import Path
from typing import Any, get_args

from autonas.core.fidelity import fidelity_plan
from autonas.data.task import Modality
from autonas.errors import OptionError, unknown
from autonas.evaluators import check_evaluator
from autonas.fitting import JOURNAL
from autonas.run.journal import Journal
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace

__all__ = ["DEFAULT_SECONDS", "check_options", "seconds_of", "seed_of", "space_of", "workers_of"]

DEFAULT_SECONDS = 240.0
_MODALITIES = ("auto", *get_args(Modality))


def check_options(modality: Any, ensemble_size: Any, refit: Any, evaluator: Any) -> None:
    """Refuse values that no data could make right."""
    if modality not in _MODALITIES:
        raise unknown("modality", modality, _MODALITIES)
    if not (_is_number(ensemble_size, numbers.Integral) and ensemble_size > 0):
        raise OptionError(f"ensemble_size must be a positive whole number, not {ensemble_size!r}.")
    if refit not in (None, "one"):
        raise OptionError(f'refit must be None (an ensemble) or "one" (a single small model), not {refit!r}.')
    check_evaluator(evaluator)


def seconds_of(time_limit: Any, n_trials: Any, trial_time_limit: Any) -> float | None:
    """The limit of the whole fit; None where only trials are counted."""
    for name, value in (("time_limit", time_limit), ("trial_time_limit", trial_time_limit)):
        if value is not None and not (_is_number(value, numbers.Real) and value > 0):
            raise OptionError(f"{name} must be a positive number of seconds or None, not {value!r}.")
    if n_trials is not None and not (_is_number(n_trials, numbers.Integral) and n_trials > 0):
        raise OptionError(f"n_trials must be a positive whole number or None, not {n_trials!r}.")
    if time_limit is None:
        return None if n_trials is not None else DEFAULT_SECONDS
    return float(time_limit)


def space_of(space: Any, modality: str, kind: Any, fidelity: Any = None) -> SearchSpace:
    """The search space, with a plan of fidelities if one is given; it must be made for the modality of the data."""
    found = space
    if not isinstance(space, SearchSpace):
        found = load_space(modality if space == "auto" else space, kind)
    if found.modality != modality:
        raise OptionError(
            f"The space {found.name!r} is for {found.modality} data, but these are {modality} data. "
            "Choose another space, or force modality=."
        )
    return found if fidelity is None else found.with_fidelity(fidelity_plan(fidelity))


def seed_of(random_state: Any, workdir: Any) -> int:
    """The seed as a number; without one, a search on disk goes on with its own."""
    if _is_number(random_state, numbers.Integral):
        return int(random_state)
    if random_state is None and workdir is not None and (Path(workdir) / JOURNAL).exists():
        with Journal.read(Path(workdir) / JOURNAL) as journal:
            return int(journal.meta["seed"])
    from sklearn.utils import check_random_state

    return int(check_random_state(random_state).randint(2**31 - 1))


def workers_of(n_jobs: Any) -> int:
    """Number of worker processes."""
    if n_jobs is None:
        return 1
    if not _is_number(n_jobs, numbers.Integral) or n_jobs == 0:
        raise OptionError(f"n_jobs must be a positive number, or -1 for all cores, not {n_jobs!r}.")
    if n_jobs > 0:
        return int(n_jobs)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores + 1 + int(n_jobs))


def _is_number(value: Any, kind: type) -> bool:
    """Whether an option is a number of that kind; True and False are none."""
    return isinstance(value, kind) and not isinstance(value, bool)
