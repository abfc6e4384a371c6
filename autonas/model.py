"""The model that a person gets: preprocessing, members and their combination, without the search.

It predicts, pickles, and saves itself as a folder of plain arrays and JSON that never runs code:
``model.json`` (format, problem, what a leaderboard shows, and the checksum of every other file),
``combination.safetensors`` and one ``member-N.safetensors`` per member.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import autonas
from autonas.core.state import load_state, save_state
from autonas.core.trial import Value
from autonas.data.prepare import restore_preprocessor
from autonas.data.task import Preprocessor, Problem
from autonas.ensemble import Ensemble
from autonas.errors import ModelError, OptionError
from autonas.search_space.enlarge import fixed_space
from autonas.search_space.learners import make_learner
from autonas.search_space.space import SearchSpace
from autonas.training.calibration import softmax
from autonas.training.learner import Learner

if TYPE_CHECKING:
    from autonas.training.network import NetworkLearner

__all__ = ["FORMAT", "Member", "Model", "TrainedNetwork"]

FORMAT = 1
_MODEL, _COMBINATION = "model.json", "combination.safetensors"
_CHUNK = 20_000  # rows predicted at once, so that memory is bounded


@dataclass
class Member:
    """One trained learner of the combination, rebuilt from its state when it first predicts.

    ``space`` is given only where a space made in Python builds the learner: ``options`` is then the whole
    configuration, ``family`` is empty, and the member cannot be saved.  ``final`` are the settings that its space gives
    for the training of a network that was found.
    """

    family: str
    options: Mapping[str, Value]
    state: dict[str, Any]
    temperature: float
    space: SearchSpace | None = None
    final: Mapping[str, Value] = field(default_factory=dict)
    _learner: Learner | None = field(default=None, repr=False)

    def restored(self, problem: Problem) -> Learner:
        """The trained learner."""
        if self._learner is None:
            build = self.space.build if self.space is not None else partial(make_learner, self.family)
            self._learner = build(self.options, problem)
            self._learner.restore(self.state)
        return self._learner

    def predict(self, problem: Problem, preprocessor: Preprocessor, X: Any, views: dict[str, Any]) -> np.ndarray:
        """(rows, outputs) calibrated probabilities, or values; ``views`` caches the views of X."""
        self._learner = self.restored(problem)
        name = self._learner.view
        if name not in views:
            views[name] = preprocessor.view(name, X)
        scores = self._learner.predict(views[name])
        return softmax(scores / self.temperature) if problem.kind == "classification" else scores

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_learner": None}


@dataclass(frozen=True)
class TrainedNetwork:
    """A member that is a network: what is exported, and trained again at another size."""

    family: str
    options: Mapping[str, Value]
    learner: NetworkLearner
    temperature: float
    final: Mapping[str, Value]

    def alone(self, modality: str, changes: Mapping[str, Any]) -> SearchSpace:
        """The space whose only configuration is this network, with other settings; ``final`` where none are given."""
        return fixed_space(self.family, self.options, modality, changes, self.final)


@dataclass
class Model:
    """Predicts from new data as a person has it.

    Attributes
    ----------
    problem : Problem
    classes : (n_classes,) array or None
    preprocessor : Preprocessor
    members : list of Member
        In the order of ``ensemble.members``.
    ensemble : Ensemble
    about : dict
        Plain facts for a person: leaderboard, best configuration, parameters of the search.
    """

    problem: Problem
    classes: np.ndarray | None
    preprocessor: Preprocessor
    members: list[Member]
    ensemble: Ensemble
    about: dict[str, Any] = field(default_factory=dict)

    def predict(self, X: Any) -> np.ndarray:
        """Probabilities, or values.

        Parameters
        ----------
        X : DataFrame or array
            As in the fit; a DataError names what is missing.

        Returns
        -------
        (rows, n_outputs) float64 array.
        """
        X = self.preprocessor.check(X)
        parts = [self._chunk(_rows(X, start)) for start in range(0, len(X), _CHUNK)]
        return np.concatenate(parts)

    def _chunk(self, X: Any) -> np.ndarray:
        views: dict[str, Any] = {}
        return self.ensemble.predict([m.predict(self.problem, self.preprocessor, X, views) for m in self.members])

    def network(self) -> TrainedNetwork:
        """The best of the members that are networks of the package.

        Raises
        ------
        OptionError
            If there is none.
        """
        from autonas.training.network import NetworkLearner

        for member in self.members:  # best first
            learner = None if member.space is not None else member.restored(self.problem)
            if isinstance(learner, NetworkLearner):
                return TrainedNetwork(member.family, member.options, learner, member.temperature, member.final)
        kinds = ", ".join(dict.fromkeys(member.family or "a learner of your own" for member in self.members))
        raise OptionError(
            f"A model with a network was required; the members of this one are: {kinds}. Fit with a space of networks."
        )

    def save(self, folder: str | Path) -> None:
        """Write the folder; ``model.json`` comes last, so that a folder with it is complete.

        Raises
        ------
        OptionError
            If the learners come from a function, which no file of ours can hold.
        """
        if any(member.space is not None for member in self.members):
            raise OptionError(
                "A model of a space with a `build` function of its own cannot be saved, since files hold no code. "
                "Write the space as a YAML file of packaged families, or pickle the estimator."
            )
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        combination = {"preprocessor": self.preprocessor.state(), "ensemble": self.ensemble.state()}
        save_state(folder / _COMBINATION, combination)
        names = [f"member-{i}.safetensors" for i in range(len(self.members))]
        for name, member in zip(names, self.members, strict=True):
            save_state(
                folder / name,
                {
                    "family": member.family,
                    "options": dict(member.options),
                    "final": dict(member.final),
                    "temperature": member.temperature,
                    "state": member.state,
                },
            )
        for stale in set(folder.glob("member-*.safetensors")) - {folder / n for n in names}:
            stale.unlink()
        head = {
            "format": FORMAT,
            "autonas": autonas.__version__,
            "problem": asdict(self.problem),
            "classes": None
            if self.classes is None
            else {"dtype": self.classes.dtype.str, "values": self.classes.tolist()},
            "about": self.about,
            "files": {name: _digest(folder / name) for name in (_COMBINATION, *names)},
        }
        temporary = folder / f"{_MODEL}.tmp"
        temporary.write_text(json.dumps(head, indent=1))
        os.replace(temporary, folder / _MODEL)

    @classmethod
    def load(cls, folder: str | Path) -> Model:
        """Read a folder that :meth:`save` wrote.

        Raises
        ------
        ModelError
            If it is missing, damaged, or of a newer format.
        """
        folder = Path(folder)
        head = _read_head(folder)
        try:
            return cls._read(folder, head)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"The model in {folder} is damaged ({error!r}). Use another copy, or fit again."
            ) from error

    @classmethod
    def _read(cls, folder: Path, head: dict[str, Any]) -> Model:
        for name, digest in head["files"].items():
            path = folder / Path(name).name
            if not path.exists():
                raise ModelError(f"The model in {folder} is damaged: {name} is missing. Use another copy.")
            if _digest(path) != digest:
                raise ModelError(f"The model in {folder} is damaged: {name} was changed. Use another copy.")
        problem = Problem(**head["problem"])
        combination = load_state(folder / _COMBINATION)
        members = [Member(**load_state(folder / Path(n).name)) for n in head["files"] if n != _COMBINATION]
        classes = head["classes"]
        return cls(
            problem,
            None if classes is None else np.array(classes["values"], dtype=np.dtype(classes["dtype"])),
            restore_preprocessor(problem, combination["preprocessor"]),
            members,
            Ensemble.from_state(combination["ensemble"]),
            head["about"],
        )


def _rows(X: Any, start: int) -> Any:
    return X.iloc[start : start + _CHUNK] if hasattr(X, "iloc") else X[start : start + _CHUNK]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_head(folder: Path) -> dict[str, Any]:
    path = folder / _MODEL
    if not folder.exists():
        raise ModelError(f"There is no folder {folder}. Give the folder that was named when the model was saved.")
    if not path.exists():
        raise ModelError(f"{folder} holds no finished model ({_MODEL} is missing). Give another folder, or fit again.")
    try:
        head: dict[str, Any] = json.loads(path.read_text())
        version = int(head["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} is damaged ({error}). Use another copy, or fit and save the model again.") from error
    if version > FORMAT:
        raise ModelError(
            f"The model in {folder} has format {version}, this AutoNAS {autonas.__version__} reads up to {FORMAT}. "
            f"Install AutoNAS {head.get('autonas', 'of a newer version')} or newer."
        )
    return head
