"""What a search minimises: one metric as a loss (lower is better, always) and as a person reads it.

Names of our own are computed by ``core/scores.py``; any scikit-learn scorer, by name or as a callable,
is applied to stored predictions through a small estimator that only repeats them.  Nothing of
scikit-learn is imported before such a scorer is asked for.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from autonas.core.scores import NAMED
from autonas.errors import OptionError, unknown

__all__ = ["Metric", "Scorer", "get_metric"]

Scorer = Callable[[Any, Any, Any], float]
"""``scorer(estimator, X, y) -> score``, greater is better: scikit-learn's convention."""

_LOG_LOSS_LIKE = ("neg_log_loss", "d2_log_loss_score", "roc_auc_ovo", "roc_auc_ovo_weighted")
_SQUARED_ERROR_LIKE = ("neg_mean_squared_error", "neg_root_mean_squared_error", "explained_variance")


@dataclass(frozen=True, eq=False)
class Metric:
    """How good predictions are; made by :func:`get_metric`.  Pickles whenever ``scorer`` does.

    Attributes
    ----------
    name : str
    kind : {"classification", "regression"}
    classes : (n_classes,) array or None
        Original labels, sorted; a callable scorer sees them instead of codes.
    scorer : callable or None
        A person's own scorer; None where ``name`` says which.
    greater_is_better : bool
        Direction of :meth:`score`.
    optimum : float
        Best possible score; 0 where it is unknown.
    surrogate : {"log_loss", "squared_error", "itself"}
        What an ensemble may optimise instead, because it is smoother and the metric follows.
    """

    name: str
    kind: Literal["classification", "regression"]
    classes: np.ndarray | None = None
    scorer: Scorer | None = None
    greater_is_better: bool = False
    optimum: float = 0.0
    surrogate: Literal["log_loss", "squared_error", "itself"] = "itself"

    def score(self, y: np.ndarray, predictions: np.ndarray, weight: np.ndarray | None = None) -> float:
        """The number that a person expects under the metric's name; nan where it is undefined.

        Parameters
        ----------
        y : (rows,) array
            Class codes (integers), or target values.
        predictions : array
            (rows, classes) probabilities, or (rows,) or (rows, 1) values.
        weight : (rows,) array or None
            Weights of the rows, for the metrics with names of our own; scikit-learn's scorers and
            callables score every row alike.
        """
        p = np.asarray(predictions)
        if p.dtype.kind != "f":
            p = p.astype(np.float64)
        if len(p) == 0 or not np.isfinite(p).all():
            return math.nan
        if self.kind == "regression":
            y, p = np.asarray(y, dtype=np.float64), p.reshape(len(p)).astype(np.float64)
        if self.scorer is None and self.name in NAMED:
            w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)
            return NAMED[self.name].function(y, p, w) if w.sum() > 0 else math.nan
        scorer = _sklearn_scorer(self.name) if self.scorer is None else self.scorer
        # scikit-learn's own "f1"-like scorers take 1 as the positive label, which is the code, not
        # the label, of the second class; a callable was written for the person's labels.
        codes = np.arange(p.shape[1]) if self.kind == "classification" else None
        labels = self.classes if self.scorer is not None and self.classes is not None else codes
        try:
            return _apply(scorer, labels, y, p)
        except ValueError:  # how scikit-learn says that a score is undefined for these rows
            return math.nan

    def loss(self, y: np.ndarray, predictions: np.ndarray, weight: np.ndarray | None = None) -> float:
        """What is minimised: ``optimum - score`` if greater is better, else the score; inf if undefined.

        The optimum is 0 where it is unknown (callables).  Parameters as for :meth:`score`.
        """
        score = self.score(y, predictions, weight)
        if math.isnan(score):
            return math.inf
        return self.optimum - score if self.greater_is_better else score

    def to_score(self, loss: float) -> float:
        """The score that a loss stands for."""
        return self.optimum - loss if self.greater_is_better else loss


def get_metric(
    metric: str | Scorer | None,
    kind: Literal["classification", "regression"],
    classes: np.ndarray | None = None,
) -> Metric:
    """Find a metric.

    Parameters
    ----------
    metric : str, callable or None
        None: log_loss (classification) or rmse (regression).  "log_loss", "roc_auc" (more than two
        classes: one against the rest, unweighted mean), "accuracy", "balanced_accuracy", "f1" (two
        classes: of the second in sorted order; more: unweighted mean), "rmse", "mae", "r2"; the name
        of a scikit-learn scorer; or ``scorer(estimator, X, y)``, greater is better.
    kind : {"classification", "regression"}
    classes : (n_classes,) array or None
        Original labels, sorted; None counts as two classes.

    Raises
    ------
    OptionError
        If there is no such metric, or it does not fit the task; the message lists those that do.
    """
    if metric is None:
        metric = "log_loss" if kind == "classification" else "rmse"
    if not isinstance(metric, str):
        if not callable(metric):
            raise OptionError(
                f"metric must be a name, a scorer(estimator, X, y) or None, not {metric!r} "
                f"({type(metric).__name__}). Names that fit: {', '.join(_fitting(kind, classes))}."
            )
        return _from_callable(metric, kind, classes)
    if metric in NAMED:
        named = NAMED[metric]
        if named.kind != kind:
            raise _misfit(metric, kind, classes)
        surrogate: Any = named.surrogate
        return Metric(metric, kind, classes, None, named.greater_is_better, named.optimum, surrogate)
    from sklearn.metrics import get_scorer_names

    if metric not in get_scorer_names():
        raise unknown("metric", metric, _fitting(kind, classes), "A scorer(estimator, X, y) works too.")
    if not _fits(metric, kind, classes):
        raise _misfit(metric, kind, classes)
    surrogate = "log_loss" if metric in _LOG_LOSS_LIKE else "itself"
    surrogate = "squared_error" if metric in _SQUARED_ERROR_LIKE else surrogate
    optimum = 0.0 if metric.startswith("neg_") or metric == "positive_likelihood_ratio" else 1.0
    return Metric(metric, kind, classes, None, True, optimum, surrogate)


def _from_callable(scorer: Scorer, kind: Literal["classification", "regression"], classes: np.ndarray | None) -> Metric:
    name = getattr(scorer, "__name__", type(scorer).__name__)
    y, p = _sample(kind, classes)
    labels = (np.arange(p.shape[1]) if classes is None else classes) if kind == "classification" else None
    try:
        _apply(scorer, labels, y, p)
    except Exception as error:
        raise OptionError(
            f"metric {name} was tried on {len(y)} made-up rows and raised {type(error).__name__}: {error}. It must be "
            "a scorer(estimator, X, y) -> number that uses only estimator.predict, .predict_proba, .decision_function "
            "and .classes_, such as those of sklearn.metrics.make_scorer."
        ) from error
    return Metric(name, kind, classes, scorer, greater_is_better=True)


def _misfit(name: str, kind: str, classes: np.ndarray | None) -> OptionError:
    task = kind if classes is None else f"{kind} with {len(classes)} classes"
    return OptionError(f"metric {name!r} does not fit {task}. Those that fit: {', '.join(_fitting(kind, classes))}.")


def _fitting(kind: str, classes: np.ndarray | None) -> list[str]:
    from sklearn.metrics import get_scorer_names

    ours = [name for name, named in NAMED.items() if named.kind == kind]
    return ours + [name for name in get_scorer_names() if name not in NAMED and _fits(name, kind, classes)]


def _fits(name: str, kind: str, classes: np.ndarray | None) -> bool:
    """Whether a scikit-learn scorer is made for such a task: by its module, and by a trial on a few rows."""
    scorer: Any = _sklearn_scorer(name)
    module = scorer._score_func.__module__  # noqa: SLF001  (nothing public says what a scorer is for)
    if "cluster" in module or (module.endswith("_regression") != (kind == "regression")):
        return False
    y, p = _sample(kind, classes)
    try:
        return math.isfinite(_apply(scorer, np.arange(p.shape[1]) if kind == "classification" else None, y, p))
    except ValueError:  # made for two classes only, or for several labels a row
        return False


def _sample(kind: str, classes: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Rows on which any metric of the kind is defined: positive values, or classes that are 3/4 right."""
    if kind == "regression":
        return np.arange(1.0, 10.0), np.arange(1.5, 10.0)
    k = 2 if classes is None else len(classes)
    y = np.arange(4 * k) % k
    guess = np.where(np.arange(4 * k) < k, (y + 1) % k, y)
    return y, np.full((4 * k, k), 0.4 / k) + 0.6 * (guess[:, None] == np.arange(k))


@functools.cache
def _sklearn_scorer(name: str) -> Scorer:
    from sklearn.metrics import get_scorer

    return get_scorer(name)


def _apply(scorer: Scorer, labels: np.ndarray | None, y: np.ndarray, p: np.ndarray) -> float:
    """A scorer's value for stored predictions."""
    rows = np.arange(len(p), dtype=np.float64)[:, None]
    truth = y if labels is None else np.asarray(labels)[y]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of classes that some fold happens to lack
        return float(scorer(_repeater(labels is not None)(p, labels), rows, truth))


@functools.cache
def _repeater(classifier: bool) -> Callable[[np.ndarray, np.ndarray | None], Any]:
    """Estimator class that repeats stored predictions; its X is a column of row numbers."""
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

    class Repeater(BaseEstimator):
        def __init__(self, predictions: np.ndarray, labels: np.ndarray | None) -> None:
            self.predictions = predictions
            self.classes_ = labels

        def __sklearn_is_fitted__(self) -> bool:
            return True

        def _rows(self, X: Any) -> np.ndarray:
            return self.predictions[np.asarray(X)[:, 0].astype(np.int64)]

    class RepeatedClassifier(ClassifierMixin, Repeater):
        def predict(self, X: Any) -> np.ndarray:
            return np.asarray(self.classes_)[self._rows(X).argmax(axis=1)]

        def predict_proba(self, X: Any) -> np.ndarray:
            return self._rows(X)

        def decision_function(self, X: Any) -> np.ndarray:
            logs = np.log(np.maximum(self._rows(X), np.finfo(np.float32).tiny))
            return logs[:, 1] - logs[:, 0] if logs.shape[1] == 2 else logs

    class RepeatedRegressor(RegressorMixin, Repeater):
        def predict(self, X: Any) -> np.ndarray:
            return self._rows(X)

    return RepeatedClassifier if classifier else RepeatedRegressor
