"""The two scikit-learn estimators: what most people ever see of this package.

They check the options, prepare the data, run :func:`autonas.fitting.fit` within the time limit, and
hand predictions back in the person's own labels and shapes.
"""

from __future__ import annotations

import numbers
import os
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import NotFittedError

import autonas
from autonas.core.audit import RungCorrelation, audit, summary
from autonas.core.clock import Clock
from autonas.core.objective import get_metric
from autonas.data.arrays import ImagePreprocessor
from autonas.data.prepare import prepare
from autonas.data.task import Kind, Modality
from autonas.ensemble import SIZE
from autonas.errors import AutoNASError, DataError, ModelError, OptionError, unknown
from autonas.evaluators import check_evaluator
from autonas.fitting import JOURNAL, Fit, Options, fit
from autonas.model import Model
from autonas.run.journal import Journal
from autonas.run.progress import Progress
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace
from autonas.strategies import make_strategy

__all__ = ["DEFAULT_SECONDS", "AutoNASClassifier", "AutoNASRegressor", "load"]

DEFAULT_SECONDS = 240.0
_MODALITIES = ("auto", *get_args(Modality))


class UnfittedError(AutoNASError, NotFittedError):
    """A prediction was asked of an estimator that has not been fitted."""


class _AutoNAS(BaseEstimator):
    _kind: Kind

    def __init__(
        self,
        *,
        space: Any = "auto",
        strategy: Any = "auto",
        evaluator: Any = "train",
        metric: Any = None,
        time_limit: Any = None,
        n_trials: Any = None,
        trial_time_limit: Any = None,
        cv: Any = "auto",
        ensemble_size: Any = SIZE,
        modality: str = "auto",
        class_weight: Any = None,
        device: str = "auto",
        n_jobs: Any = 1,
        workdir: Any = None,
        random_state: Any = None,
        verbose: int = 1,
    ) -> None:
        self.space = space
        self.strategy = strategy
        self.evaluator = evaluator
        self.metric = metric
        self.time_limit = time_limit
        self.n_trials = n_trials
        self.trial_time_limit = trial_time_limit
        self.cv = cv
        self.ensemble_size = ensemble_size
        self.modality = modality
        self.class_weight = class_weight
        self.device = device
        self.n_jobs = n_jobs
        self.workdir = workdir
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        groups: Any = None,
    ) -> Self:
        """Search, combine, and be ready to predict.

        Parameters
        ----------
        X : DataFrame, array, list of str or folder
            (rows, columns), (rows, height, width[, channels]), (rows, channels, time), texts, or the path of a folder
            of images in class folders (see :func:`autonas.read_images`).
        y : (rows,) array, or None if X is a folder
        sample_weight : (rows,) array or None
        X_val, y_val : as X and y, or None
            A validation set of your own, instead of folds.
        groups : (rows,) array or None
            Rows of one group never lie on both sides of a fold.

        Raises
        ------
        AutoNASError
            What was wrong with the data or the options, before any search starts.
        """
        limit = self._limit()
        clock = Clock(limit)
        self._check_options()
        modality = self.modality
        if isinstance(X, os.PathLike) or (isinstance(X, str) and modality != "text"):
            (X, y), modality = _read_folder(X, y, self._kind), "image"
        seed = _seed(self.random_state, self.workdir)
        task = prepare(
            X,
            y,
            kind=self._kind,
            modality=modality,
            cv=self.cv,
            groups=groups,
            sample_weight=sample_weight,
            class_weight=self.class_weight,
            X_val=X_val,
            y_val=y_val,
            seed=seed,
        )
        metric = get_metric(self.metric, self._kind, task.classes)
        space = self._space(task.problem.modality)
        make_strategy(self.strategy, space, (metric.name,))  # an unknown one ends here; no backend is imported
        options = Options(
            space=space,
            strategy=self.strategy,
            evaluator=self.evaluator,
            metric=metric,
            n_trials=self.n_trials,
            trial_time_limit=self.trial_time_limit,
            ensemble_size=self.ensemble_size,
            device=self.device,
            n_jobs=_workers(self.n_jobs),
            workdir=None if self.workdir is None else str(self.workdir),
            seed=seed,
        )
        with Progress(limit, self.n_trials, metric, self.verbose) as progress:
            progress.say(_describe(task, metric.name, X_val is not None))
            outcome = fit(task, options, clock, progress)
            progress.done(_summary(outcome, metric.name))
        self._keep(outcome, task.problem.modality, task.n_features, getattr(X, "columns", ()))
        return self

    def _limit(self) -> float | None:
        for name in ("time_limit", "trial_time_limit"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value, numbers.Real) and value > 0):
                raise OptionError(f"{name} must be a positive number of seconds or None, not {value!r}.")
        if self.n_trials is not None and not (_is_number(self.n_trials, numbers.Integral) and self.n_trials > 0):
            raise OptionError(f"n_trials must be a positive whole number or None, not {self.n_trials!r}.")
        if self.time_limit is None:
            return None if self.n_trials is not None else DEFAULT_SECONDS
        return float(self.time_limit)

    def _check_options(self) -> None:
        if self.modality not in _MODALITIES:
            raise unknown("modality", self.modality, _MODALITIES)
        if not (_is_number(self.ensemble_size, numbers.Integral) and self.ensemble_size > 0):
            raise OptionError(f"ensemble_size must be a positive whole number, not {self.ensemble_size!r}.")
        check_evaluator(self.evaluator)

    def _space(self, modality: str) -> SearchSpace:
        if isinstance(self.space, SearchSpace):
            space = self.space
        else:
            space = load_space(modality if self.space == "auto" else self.space, self._kind)
        if space.modality != modality:
            raise OptionError(
                f"The space {space.name!r} is for {space.modality} data, but these are {modality} data. "
                "Choose another space, or force modality=."
            )
        return space

    def _keep(self, outcome: Fit, modality: str, n_features: int, names: Any) -> None:
        self.model_: Model = outcome.model
        self.trials_ = outcome.trials
        self.fidelity_audit_: list[RungCorrelation] = audit(outcome.trials)
        self.leaderboard_: pd.DataFrame = outcome.leaderboard
        self.best_config_ = outcome.best_config
        self.best_score_ = outcome.best_score
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
            "leaderboard": self.leaderboard_.astype(object).where(self.leaderboard_.notna(), None).to_dict("records"),
            "best_config": self.best_config_,
            "best_score": self.best_score_,
            "n_features_in": self.n_features_in_,
            "feature_names_in": list(getattr(self, "feature_names_in_", [])),
        }
        self.model_.save(Path(folder))

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
            What is to differ: settings of the family (``channels=36, repeats=6``) and training hyperparameters
            (``epochs=200``).

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
        found = type(self)(**{**parameters, "time_limit": time_limit, "workdir": None, "modality": self.modality_})
        return found.fit(X, y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.non_deterministic = self.n_trials is None
        return tags


class AutoNASClassifier(ClassifierMixin, _AutoNAS):
    """Searched, ensembled classifier for tables, images, series or texts.

    Parameters
    ----------
    space : str, path or SearchSpace
        What is searched: "auto" (the default space of the data's modality), a packaged space, a YAML file.
    strategy : str or class
        Who proposes: "auto", "random", "smac", "hyperband(smac)", ... (``autonas strategies``).
    evaluator : str or class
        Who estimates: "train".
    metric : str, callable or None
        What is optimised; None: log_loss in classification, rmse in regression.  Also any scikit-learn
        scorer, by name or as ``scorer(estimator, X, y)``.
    time_limit : float or None
        Seconds of the whole fit, imports included.  With neither this nor ``n_trials``: 240.
    n_trials : int or None
        Number of trials.  Without a time limit the fit then repeats exactly for the same ``random_state``.
    trial_time_limit : float or None
        Seconds of one trial.
    cv : "auto", int, "holdout", splitter or iterable of pairs
        "auto": 8 folds below 1,500 rows, else 5; repeated 5 times up to 600 rows; partial above 30,000.
    ensemble_size : int
        Largest number of members; 1 gives the single best model.
    modality : {"auto", "tabular", "image", "series", "text"}
        A list, 1-d array or Series of strings is text; 4-d arrays are images, 3-d arrays images or series by their
        shape; all else is a table, also one with columns of text ("text" reads a table of one column as text).
        What was inferred is printed.
    class_weight : None, "balanced" or dict
        Classification only.
    device : {"auto", "cpu", "cuda", ...}
        Where networks train.
    n_jobs : int
        Number of worker processes; 1 works in this process, -1 uses all cores.
    workdir : path or None
        Keeps the journal and the checkpoints; a fit with the same data and options goes on from there.
    random_state : int, RandomState or None
    verbose : int
        0 is silent, 1 shows progress, 2 every trial.

    Attributes
    ----------
    leaderboard_ : DataFrame
        All trials, best first, the ensemble on top.
    best_config_ : dict
        Configuration of the best single trial.
    best_score_ : float
        Validation score of the ensemble, in the metric's own direction.
    trials_ : list of Trial
    fidelity_audit_ : list of RungCorrelation
        How low fidelities ranked as higher ones did, if the strategy used any.
    model_ : Model
    modality_ : str
    n_features_in_ : int
    classes_ : (n_classes,) array
        Labels, sorted.
    """

    _kind = "classification"

    def predict_proba(self, X: Any) -> np.ndarray:
        """(rows, n_classes) probabilities, in the order of ``classes_``."""
        return self._scores(X)

    def predict(self, X: Any) -> np.ndarray:
        """(rows,) most probable labels."""
        scores = self._scores(X)
        return self.classes_[scores.argmax(axis=1)]


class AutoNASRegressor(RegressorMixin, _AutoNAS):
    """Searched, ensembled regressor for tables, images, series or texts.

    Parameters and attributes as for :class:`AutoNASClassifier`, without ``class_weight`` and ``classes_``.
    """

    _kind = "regression"

    def predict(self, X: Any) -> np.ndarray:
        """(rows,) values in the target's units."""
        return self._scores(X).ravel()


def load(folder: str | os.PathLike[str]) -> AutoNASClassifier | AutoNASRegressor:
    """Read a model that ``save`` wrote; nothing in the folder is executed or unpickled.

    Returns
    -------
    A fitted estimator; its ``trials_`` are empty (the journal has them).

    Raises
    ------
    ModelError
        If the folder is missing, damaged, or of a newer version.
    """
    model = Model.load(Path(folder))
    about = model.about
    kinds = {c.__name__: c for c in (AutoNASClassifier, AutoNASRegressor)}
    try:
        estimator = kinds[about["estimator"]](**about["parameters"])
        board = pd.DataFrame(about["leaderboard"])
        score = about["best_score"]
        outcome = Fit(model, [], board.fillna(np.nan), about["best_config"], score)
        estimator._keep(outcome, model.problem.modality, about["n_features_in"], about["feature_names_in"])  # noqa: SLF001 - its own class
    except (KeyError, TypeError) as error:
        raise ModelError(f"The model in {folder} is damaged ({error}). Use another copy, or fit again.") from error
    return estimator


def _read_folder(folder: Any, y: Any, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
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


def _seed(random_state: Any, workdir: Any) -> int:
    """The seed as a number; without one, a search on disk goes on with its own."""
    if _is_number(random_state, numbers.Integral):
        return int(random_state)
    if random_state is None and workdir is not None and (Path(workdir) / JOURNAL).exists():
        with Journal.read(Path(workdir) / JOURNAL) as journal:
            return int(journal.meta["seed"])
    from sklearn.utils import check_random_state

    return int(check_random_state(random_state).randint(2**31 - 1))


def _workers(n_jobs: Any) -> int:
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


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


def _describe(task: Any, metric: str, own_validation: bool) -> str:
    problem = task.problem
    what = f"{problem.n_outputs} classes" if problem.kind == "classification" else "regression"
    checked = "your validation set" if own_validation else f"{len(task.folds)} fits on shared folds"
    return f"{task.preprocessor.summary} {what.capitalize()}, optimising {metric}; validation: {checked}."


def _summary(outcome: Fit, metric: str) -> str:
    done = sum(t.ok for t in outcome.trials)
    used = int((outcome.leaderboard["weight"].iloc[1:] > 0).sum())
    audited = summary(audit(outcome.trials))
    ranks = f". Lower fidelities: {audited}" if audited else ""
    return f"Validation {metric} {outcome.best_score:.5g} by {used} of {done} trained models{ranks}"
