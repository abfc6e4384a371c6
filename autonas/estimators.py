"""The two scikit-learn estimators: what most people ever see of this package.

They check the options, prepare the data, run :func:`autonas.fitting.fit` within the time limit, and
hand predictions back in the person's own labels and shapes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin, RegressorMixin

from autonas.core.audit import audit, summary
from autonas.core.clock import Clock
from autonas.core.goals import Goals, get_goals
from autonas.core.inheritance import inheritance
from autonas.data.prepare import prepare
from autonas.data.task import Kind
from autonas.ensemble import SIZE
from autonas.errors import ModelError
from autonas.evaluators.costs import check_costs
from autonas.fitted import Fitted, read_folder
from autonas.fitting import Fit, Options, fit
from autonas.model import Model
from autonas.options import DEFAULT_SECONDS, check_options, seconds_of, seed_of, space_of, workers_of
from autonas.run.progress import Progress
from autonas.strategies import make_strategy

__all__ = ["DEFAULT_SECONDS", "AutoNASClassifier", "AutoNASRegressor", "load"]


class _AutoNAS(Fitted):
    _kind: Kind

    def __init__(
        self,
        *,
        space: Any = "auto",
        strategy: Any = "auto",
        evaluator: Any = "train",
        metric: Any = None,
        objectives: Any = None,
        fidelity: Any = None,
        time_limit: Any = None,
        n_trials: Any = None,
        trial_time_limit: Any = None,
        cv: Any = "auto",
        ensemble_size: Any = SIZE,
        refit: Any = None,
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
        self.objectives = objectives
        self.fidelity = fidelity
        self.time_limit = time_limit
        self.n_trials = n_trials
        self.trial_time_limit = trial_time_limit
        self.cv = cv
        self.ensemble_size = ensemble_size
        self.refit = refit
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
        limit = seconds_of(self.time_limit, self.n_trials, self.trial_time_limit)
        clock = Clock(limit)
        check_options(self.modality, self.ensemble_size, self.refit, self.evaluator)
        modality = self.modality
        if isinstance(X, os.PathLike) or (isinstance(X, str) and modality != "text"):
            (X, y), modality = read_folder(X, y, self._kind), "image"
        seed = seed_of(self.random_state, self.workdir)
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
        goals = get_goals(self.objectives, self.metric, self._kind, task.classes)
        space = space_of(self.space, task.problem.modality, self._kind, self.fidelity)
        check_costs(goals, space)
        make_strategy(self.strategy, space, goals.losses)  # an unknown one ends here; no backend is imported
        options = Options(
            space=space,
            strategy=self.strategy,
            evaluator=self.evaluator,
            goals=goals,
            n_trials=self.n_trials,
            trial_time_limit=self.trial_time_limit,
            ensemble_size=self.ensemble_size,
            refit=self.refit,
            device=self.device,
            n_jobs=workers_of(self.n_jobs),
            workdir=None if self.workdir is None else str(self.workdir),
            seed=seed,
        )
        with Progress(limit, self.n_trials, goals.metric, self.verbose) as progress:
            progress.say(_describe(task, goals, X_val is not None))
            outcome = fit(task, options, clock, progress)
            progress.done(_summary(outcome, goals))
        self._keep(outcome, task.problem.modality, task.n_features, getattr(X, "columns", ()))
        return self

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
        Who proposes: "auto", "random", "smac", "hyperband(smac)", ... (``autonas strategies``).  In
        "inherit(evolution)", and around any other, networks start from the weights of the nearest trained one.
    evaluator : str or class
        Who estimates: "train".
    metric : str, callable or None
        What is optimised; None: log_loss in classification, rmse in regression.  Also any scikit-learn
        scorer, by name or as ``scorer(estimator, X, y)``.
    objectives : list of str or None
        More than one thing to minimise, and limits: names of metrics (the first takes the place of ``metric``) and of
        costs, and comparisons such as ``"n_params < 1e6"``.  Costs of networks, known before training: ``n_params``,
        ``macs``, ``memory``; of any model: ``latency``, ``batch_latency``, ``train_seconds``, ``disk_bytes`` (what each
        counts: ``autonas.core.goals.COSTS``).  With limits alone the ensemble as a whole keeps to them; with several
        objectives the model is the one trial of the Pareto front that is best by the first of them.
    fidelity : mapping of str to (lowest, 1), or None
        What cheap evaluations make smaller, for strategies that use them ("hyperband(smac)", "asha", ...): one or more
        of ``epochs``, ``data`` (rows), ``resolution``, ``width``, ``depth``, ``folds`` as shares of a full evaluation,
        and ``seconds`` of training as (fewest, most): ``{"epochs": [0.11, 1], "data": [0.25, 1]}``.  Promotions go on
        from the checkpoint where epochs and seconds alone change, else they train anew.  A fidelity is a share of the
        full cost (resolution and width count squared), and brackets go up by a factor of 3 from the product of the
        lowest shares.  None: as the space says, or epochs.  A fidelity whose ranks the next one does not bear out is no
        longer used (``fidelity_audit_``).
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
    refit : "one" or None
        "one" gives a single small model instead of an ensemble: the learner that is best out of fold, trained once
        more on all rows (or its fold models, where the time is over).  ``best_score_`` is then what can be expected of
        a best one of so many on new rows.
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
    pareto_front_ : DataFrame
        With ``objectives``: the trials that no other one beats in all of them, the best by the first one on top;
        ``select(trial)`` gives the estimator with the model of another.
    trials_ : list of Trial
    fidelity_audit_ : list of RungCorrelation
        How low fidelities ranked as higher ones did, if the strategy used any.
    inheritance_ : Inheritance or None
        With a strategy such as "inherit(evolution)": by how much the loss of networks that started from the weights of
        others differs from that of a control group that did not (``effect``, ``low``, ``high``; the counts of both).
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
        front = None if about.get("pareto_front") is None else pd.DataFrame(about["pareto_front"])
        outcome = Fit(model, [], board.fillna(np.nan), about["best_config"], score, front)
        estimator._keep(outcome, model.problem.modality, about["n_features_in"], about["feature_names_in"])  # noqa: SLF001 - its own class
    except (KeyError, TypeError) as error:
        raise ModelError(f"The model in {folder} is damaged ({error}). Use another copy, or fit again.") from error
    return estimator


def _describe(task: Any, goals: Goals, own_validation: bool) -> str:
    problem = task.problem
    what = f"{problem.n_outputs} classes" if problem.kind == "classification" else "regression"
    aims = ", ".join(goals.stated or goals.objectives)
    checked = "your validation set" if own_validation else f"{len(task.folds)} fits on shared folds"
    return f"{task.preprocessor.summary} {what.capitalize()}, optimising {aims}; validation: {checked}."


def _summary(outcome: Fit, goals: Goals) -> str:
    done = sum(t.ok for t in outcome.trials)
    used = int((outcome.leaderboard["weight"].iloc[1:] > 0).sum())
    audited = summary(audit(outcome.trials))
    front = f"; a Pareto front of {len(outcome.front)} models" if goals.several else ""
    ranks = f". Lower fidelities: {audited}" if audited else ""
    inherited = inheritance(outcome.trials)
    heirs = "" if inherited is None else f". Inherited weights: {inherited}"
    found = f"Validation {goals.metric.name} {outcome.best_score:.5g} by {used} of {done} trained models"
    return f"{found}{front}{ranks}{heirs}"
