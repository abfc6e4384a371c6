"""The estimators as a person uses them: with scikit-learn, on every kind of data, and given what is wrong."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_cases import classifier, outcomes, regressor, two_classes
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# --- scikit-learn ----------------------------------------------------------------------------------------------------


def test_cross_val_score_of_a_pipeline() -> None:
    X, y = load_iris(return_X_y=True)
    scores = cross_val_score(make_pipeline(StandardScaler(), classifier()), X, y, cv=3)
    assert scores.shape == (3,)
    assert scores.min() > 0.7


def test_cross_val_score_of_a_regressor_is_r2() -> None:
    X, _ = two_classes()
    assert cross_val_score(regressor(), X, X @ [1.0, 2.0, 3.0], cv=2).min() > 0.95


def test_grid_search_over_the_size_of_the_ensemble() -> None:
    X, y = two_classes()
    search = GridSearchCV(classifier(n_trials=2), {"ensemble_size": [1, 4]}, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 2
    assert search.best_score_ > 0.7
    assert search.predict(X).shape == y.shape


def test_one_member_is_the_best_single_trial() -> None:
    X, y = two_classes()
    model = classifier(n_trials=3, ensemble_size=1).fit(X, y)
    best = min(model.trials_, key=lambda t: t.loss)
    assert len(model.model_.members) == 1
    assert model.best_config_ == dict(best.config)
    assert model.best_score_ == pytest.approx(best.loss)


def test_a_clone_is_unfitted_and_equal() -> None:
    X, y = two_classes()
    model = classifier(metric="roc_auc", class_weight="balanced").fit(X, y)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        copy.predict(X)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_pickle_predicts_alike(make: Callable[..., Any]) -> None:
    X, y = two_classes()
    model = make(n_trials=3).fit(X, y)
    expected = model.predict(X)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), expected)
    assert outcomes(copy) == outcomes(model)
    assert copy.leaderboard_.equals(model.leaderboard_)


def test_fit_leaves_the_parameters_as_they_were() -> None:
    X, y = two_classes()
    model = classifier(class_weight={0: 1.0, 1: 2.0}, cv=GroupKFold(2))
    before = dict(model.get_params())
    model.fit(X, y, groups=np.arange(100) // 5)
    assert model.get_params() == before


@pytest.mark.parametrize("make", [classifier, regressor])
def test_the_same_seed_and_number_of_trials_repeat_exactly(make: Callable[..., Any]) -> None:
    X, y = two_classes()
    first, second = (make(n_trials=3).fit(X, y) for _ in range(2))
    assert outcomes(first) == outcomes(second)
    assert len(first.trials_) == 3
    np.testing.assert_array_equal(first.predict(X), second.predict(X))


def test_a_random_state_object_counts_as_its_seed() -> None:
    X, y = two_classes()
    first, second = (classifier(random_state=np.random.RandomState(7)).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_the_leaderboard_shows_the_ensemble_then_all_trials_best_first() -> None:
    X, y = two_classes()
    model = classifier(n_trials=3).fit(X, y)
    board = model.leaderboard_
    assert board["model"].iloc[0] == "ensemble"
    assert board["log_loss"].iloc[0] == model.best_score_
    assert board["log_loss"].iloc[1:].is_monotonic_increasing
    assert sorted(board["trial"].iloc[1:]) == [0, 1, 2]
    assert board["weight"].iloc[1:].sum() == pytest.approx(1.0)


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy", "f1", "neg_brier_score"])
def test_the_best_score_is_in_the_metrics_own_direction(metric: str) -> None:
    X, y = two_classes()
    score = classifier(metric=metric).fit(X, y).best_score_
    assert (-0.25 < score < 0) if metric.startswith("neg") else (0.7 < score <= 1)


# --- rows and labels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels", [np.array(["no", "yes"]), np.array([False, True]), np.array([3, 12]), np.array(["b", "a"], dtype=object)]
)
def test_predictions_are_the_persons_labels(labels: np.ndarray) -> None:
    X, y = two_classes()
    model = classifier().fit(X, labels[y])
    assert model.classes_.tolist() == sorted(labels.tolist())
    assert model.score(X, labels[y]) > 0.75
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])


def test_a_series_of_strings_with_any_index() -> None:
    X, y = two_classes()
    index = np.random.default_rng(0).permutation(100)
    frame = pd.DataFrame(X, columns=["a", "b", "c"], index=index)
    target = pd.Series(np.where(y == 1, "yes", "no"), index=index, dtype="category")
    model = classifier().fit(frame, target)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert accuracy_score(target, model.predict(frame)) > 0.75


def test_a_validation_set_of_ones_own_replaces_the_folds() -> None:
    X, y = two_classes(150)
    model = classifier(cv="auto").fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    # labels that contradict the training rows: the score is of these rows, and of them alone
    worse = classifier(cv="auto").fit(X[:100], y[:100], X_val=X[100:], y_val=1 - y[100:])
    assert model.best_score_ < 0.6 < np.log(2) <= worse.best_score_ + 1e-3


def test_rows_of_one_group_stay_together() -> None:
    """Labels are random, but constant in groups of near copies: only honest folds show that nothing is learnt."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 5)
    centres, labels = rng.normal(size=(40, 12)), np.arange(40) % 2
    X, y = centres[groups] + 0.01 * rng.normal(size=(200, 12)), labels[groups]
    options = {"n_trials": 2, "cv": 4, "metric": "roc_auc"}
    leaked = classifier(**options).fit(X, y).best_score_
    honest = classifier(**options).fit(X, y, groups=groups).best_score_
    assert leaked > 0.95
    assert honest < 0.8


# --- weights (in place of scikit-learn's check_sample_weight_equivalence) --------------------------------------------


@pytest.mark.parametrize("how", ["sample_weight", "class_weight"])
def test_a_higher_weight_of_a_class_raises_its_probability(how: str) -> None:
    X, y = two_classes(200)
    plain = classifier(n_trials=2).fit(X, y).predict_proba(X)[:, 1].mean()
    if how == "class_weight":
        model = classifier(n_trials=2, class_weight={1: 2.0}).fit(X, y)
    else:
        model = classifier(n_trials=2).fit(X, y, sample_weight=np.where(y == 1, 2.0, 1.0))
    weighted = model.predict_proba(X)[:, 1].mean()
    # calibrated probabilities follow the weighted share of the class: 1/2 becomes 2/3
    share = 2 * y.mean() / (1 + y.mean())
    assert plain == pytest.approx(y.mean(), abs=0.05)
    assert weighted == pytest.approx(share, abs=0.07)
    assert weighted > plain + 0.05


def test_class_weight_and_the_same_sample_weight_agree() -> None:
    X, y = two_classes()
    by_class = classifier(n_trials=2, class_weight={0: 1.0, 1: 3.0}).fit(X, y)
    by_row = classifier(n_trials=2).fit(X, y, sample_weight=np.where(y == 1, 3.0, 1.0))
    np.testing.assert_allclose(by_class.predict_proba(X), by_row.predict_proba(X), atol=1e-6)


def test_rows_of_weight_zero_with_wrong_labels_hardly_change_predictions() -> None:
    X, y = two_classes(150)
    new, _ = two_classes(200, seed=1)
    with_wrong, wrong = np.concatenate([X, X[:75]]), np.concatenate([y, 1 - y[:75]])
    weight = np.repeat([1.0, 0.0], [150, 75])
    clean = classifier(n_trials=2).fit(X, y).predict_proba(new)[:, 1]
    ignored = classifier(n_trials=2).fit(with_wrong, wrong, sample_weight=weight).predict_proba(new)[:, 1]
    believed = classifier(n_trials=2).fit(with_wrong, wrong).predict_proba(new)[:, 1]
    assert np.abs(ignored - clean).mean() < 0.04
    assert np.abs(believed - clean).mean() > 3 * np.abs(ignored - clean).mean()


def test_weights_of_a_regression_pull_the_mean() -> None:
    y = np.repeat([0.0, 10.0], 60)
    X = np.random.default_rng(0).normal(size=(120, 2))  # says nothing of y, so the weighted mean is best
    model = regressor().fit(X, y, sample_weight=np.repeat([1.0, 3.0], 60))
    assert model.predict(X).mean() == pytest.approx(7.5, abs=0.7)
