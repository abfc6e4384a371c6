"""What a fitted estimator can do: predict, save itself, and hand out its networks and its Pareto front."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

import autonas
from autonas.core.audit import RungCorrelation, audit
from autonas.core.inheritance import Inheritance, inheritance
from autonas.data.arrays import ImagePreprocessor
from autonas.data.task import Kind
from autonas.errors import AutoNASError, DataError, OptionError
from autonas.fitting import Fit
from autonas.model import Model

__all__ = ["Fitted", "read_folder"]


class UnfittedError(AutoNASError, NotFittedError):
    """A prediction was asked of an estimator that has not been fitted."""


class Fitted(BaseEstimator):
    """Base of both estimators."""

    metric: Any
    objectives: Any

    def _keep(self, outcome: Fit, modality: str, n_features: int, names: Any) -> None:
        self.model_: Model = outcome.model
        self.trials_ = outcome.trials
        self.fidelity_audit_: list[RungCorrelation] = audit(outcome.trials)
        self.inheritance_: Inheritance | None = inheritance(outcome.trials)
        self.leaderboard_: pd.DataFrame = outcome.leaderboard
        self.best_config_ = outcome.best_config
        self.best_score_ = outcome.best_score
        self._metric = str(outcome.leaderboard.columns[2])
        if outcome.pareto_front is not None:
            self.pareto_front_: pd.DataFrame = outcome.pareto_front
        self._front: dict[int, Model] = outcome.front
        self.modality_ = modality
        self.n_features_in_ = n_features
        if len(names) and all(isinstance(n, str) for n in names):
            self.feature_names_in_ = np.asarray(names, dtype=object)
        if outcome.model.classes is not None:
            self.classes_ = outcome.model.classes

    def _scores(self, X: Any) -> np.ndarray:
        self._check_fitted()
        if isinstance(X, os.PathLike) or (isinstance(X, str) and self.modality_ == "image"):
            X = _read_like(X, self.model_)
        return self.model_.predict(X)

    def _check_fitted(self) -> None:
        if not hasattr(self, "model_"):
            raise UnfittedError(f"This {type(self).__name__} is not fitted yet. Call fit(X, y), or load a saved model.")

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the fitted model to a folder of plain arrays and JSON (:func:`load` reads it)."""
        self._check_fitted()
        plain = {k: v if _is_plain(v) else None for k, v in self.get_params(deep=False).items()}
        self.model_.about = {
            "estimator": type(self).__name__,
            "parameters": plain,
            "leaderboard": _records(self.leaderboard_),
            "pareto_front": _records(self.pareto_front_) if hasattr(self, "pareto_front_") else None,
            "best_config": self.best_config_,
            "best_score": self.best_score_,
            "n_features_in": self.n_features_in_,
            "feature_names_in": list(getattr(self, "feature_names_in_", [])),
        }
        self.model_.save(Path(folder))

    def select(self, trial: int) -> Self:
        """The estimator with another model of the Pareto front.

        Parameters
        ----------
        trial : int
            A number of the column ``trial`` of ``pareto_front_``.

        Returns
        -------
        A fitted estimator, which shares the tables of the search with this one.

        Raises
        ------
        OptionError
            If the front has no such trial, or its weights are not here: a saved model holds those of one model.
        """
        self._check_fitted()
        if trial not in self._front:
            here = ", ".join(map(str, self._front))
            raise OptionError(
                f"A trial of the Pareto front whose weights are here was required, given {trial!r}. "
                + (f"There are: {here}." if here else "There is none: fit with objectives=, and select before saving.")
            )
        chosen = copy.copy(self)
        row = self.pareto_front_[self.pareto_front_["trial"] == trial].iloc[0]
        chosen.model_, chosen.best_config_ = self._front[trial], row["config"]
        chosen.best_score_ = float(row[self._metric])
        return chosen

    def prepare(self, X: Any) -> np.ndarray:
        """New data as the array that the exported network reads."""
        self._check_fitted()
        member = self.model_.network()
        return np.asarray(self.model_.preprocessor.view(member.learner.view, self.model_.preprocessor.check(X)))

    def export_source(self, path: str | os.PathLike[str]) -> Path:
        """Write the best network of the model as plain PyTorch source.

        Parameters
        ----------
        path : str or path
            Ends in ``.py``; the weights go into a file beside it.

        Returns
        -------
        path of the weights, with the suffix ``.pt``.

        Raises
        ------
        OptionError
            If the model holds no network, or one that is no fixed sequence of operations.

        Notes
        -----
        The file imports torch only.  Its ``load()`` gives a module from what :meth:`prepare` makes of the data to
        class probabilities, or values in the target's own units, calibrated as in the model.
        """
        from autonas.export import write_source

        self._check_fitted()
        path = Path(path)
        if path.suffix != ".py":
            raise OptionError(f"A path that ends in .py was required, given {str(path)!r}.")
        member = self.model_.network()
        title = f"The network {member.family!r} that AutoNAS found."
        return write_source(member.learner, member.temperature, path, title, autonas.__version__)

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write the best network of the model as an ONNX file, with one input ``x`` (see :meth:`prepare`).

        Raises
        ------
        OptionError
            If the model holds no network, or the packages for ONNX are not installed.
        """
        from autonas.export import write_onnx

        self._check_fitted()
        member = self.model_.network()
        write_onnx(member.learner, member.temperature, Path(path))

    def augment(self, X: Any, y: Any, *, time_limit: float | None = None, **settings: Any) -> Self:
        """Train the architecture of the best network anew, larger or on other data (Zoph et al 2018).

        Parameters
        ----------
        X, y : array-like
            The same data, or other data of the same modality.
        time_limit : float, optional
            Seconds; None: until the schedule ends.
        **settings
            What is to differ from the settings that the space gives for the last training (``final``), or without
            such from the found network: ``cells`` and ``width``, settings of the family by their own names
            (``channels=36, repeats=6``), and training hyperparameters (``epochs=200``).

        Returns
        -------
        A new fitted estimator with this one network.

        Raises
        ------
        OptionError
            If the model holds no network, or for a setting that its family does not have.
        """
        self._check_fitted()
        space = self.model_.network().alone(self.modality_, settings)
        parameters = {**self.get_params(deep=False), "space": space, "n_trials": 1, "ensemble_size": 1}
        if self.objectives is not None:  # limits were on the search; a larger network is wanted
            parameters |= {"objectives": None, "metric": self.metric or self._metric}
        found = type(self)(**{**parameters, "time_limit": time_limit, "workdir": None, "modality": self.modality_})
        return found.fit(X, y)


def read_folder(folder: Any, y: Any, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """Images and classes of a folder that was given as X."""
    from autonas.data.images import read_images

    if y is not None or kind == "regression":
        raise DataError(
            f"X is a path ({folder}), which stands for images in class folders: the folders are the classes, so there "
            "is no y, and no regression. For another target use autonas.read_images and pass arrays; texts are a list."
        )
    return read_images(folder)


def _read_like(folder: Any, model: Model) -> np.ndarray:
    """Images of a folder (with or without class folders, by sorted paths) as the model reads them."""
    from autonas.data.images import find_images, load_like

    if not isinstance(model.preprocessor, ImagePreprocessor):
        raise DataError(
            f"X is a path ({folder}), but the model is of {model.problem.modality} data: read the file first."
        )
    return load_like(find_images(folder), model.preprocessor.layout)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON can hold them."""
    return table.astype(object).where(table.notna(), None).to_dict("records")


def _is_plain(value: Any) -> bool:
    """Whether JSON holds the value."""
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float | bool)
