"""Metrics against scikit-learn, and what a person may ask for."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from autonas.core.objective import Metric, get_metric
from autonas.errors import AutoNASError, OptionError

LABELS = np.array(["no", "yes"])


def draw(seed: int, n: int, k: int, ties: bool, weighted: bool):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(k), rng.integers(k, size=n)])
    p = rng.dirichlet(np.ones(k), size=len(y))
    if ties:
        p = np.round(p * 4) + 0.5
        p /= p.sum(axis=1, keepdims=True)
    return y, p, rng.integers(1, 5, size=len(y)).astype(float) if weighted else None


cases = {
    "seed": st.integers(0, 10**6),
    "n": st.integers(0, 60),
    "k": st.integers(2, 5),
    "ties": st.booleans(),
    "weighted": st.booleans(),
}


@settings(max_examples=60, deadline=None)
@given(**cases)
def test_classification_scores_equal_scikit_learns(seed, n, k, ties, weighted):
    y, p, w = draw(seed, n, k, ties, weighted)
    guess = p.argmax(axis=1)
    auc_input = p[:, 1] if k == 2 else p
    theirs = {
        "log_loss": sk.log_loss(y, p, labels=np.arange(k), sample_weight=w),
        "accuracy": sk.accuracy_score(y, guess, sample_weight=w),
        "balanced_accuracy": sk.balanced_accuracy_score(y, guess, sample_weight=w),
        "f1": sk.f1_score(y, guess, average="binary" if k == 2 else "macro", sample_weight=w),
        "roc_auc": sk.roc_auc_score(y, auc_input, multi_class="ovr", sample_weight=w),
        "roc_auc_ovr_weighted": sk.roc_auc_score(y, auc_input, multi_class="ovr", average="weighted", sample_weight=w),
    }
    for name, value in theirs.items():
        metric = get_metric(name, "classification", np.arange(k))
        assert metric.score(y, p, w) == pytest.approx(value, abs=1e-12), name
        expected = 1 - value if metric.greater_is_better else value
        assert metric.loss(y, p, w) == pytest.approx(expected, abs=1e-12), name


@settings(max_examples=60, deadline=None)
@given(**cases)
def test_regression_scores_equal_scikit_learns(seed, n, k, ties, weighted):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n + k)
    p = np.round(y + rng.normal(size=n + k), 0 if ties else 8)
    w = rng.integers(1, 5, size=n + k).astype(float) if weighted else None
    theirs = {
        "rmse": sk.root_mean_squared_error(y, p, sample_weight=w),
        "mae": sk.mean_absolute_error(y, p, sample_weight=w),
        "r2": sk.r2_score(y, p, sample_weight=w),
    }
    for name, value in theirs.items():
        metric = get_metric(name, "regression")
        assert metric.score(y, p, w) == pytest.approx(value, rel=1e-12, abs=1e-12), name
        assert metric.loss(y, p[:, None], w) == metric.loss(y, p, w)


def test_log_loss_clips_as_scikit_learn_does_for_the_type_at_hand():
    y, p = np.array([0, 1]), np.array([[0.0, 1.0], [0.5, 0.5]])
    for dtype in (np.float32, np.float64):
        expected = sk.log_loss(y, p.astype(dtype))
        assert get_metric("log_loss", "classification").loss(y, p.astype(dtype)) == pytest.approx(expected, rel=1e-6)


def test_constant_target_has_scikit_learns_r2():
    metric = get_metric("r2", "regression")
    assert metric.score(np.ones(3), np.ones(3)) == sk.r2_score(np.ones(3), np.ones(3)) == 1.0
    assert metric.score(np.ones(3), np.zeros(3)) == sk.r2_score(np.ones(3), np.zeros(3)) == 0.0
    assert metric.loss(np.ones(1), np.ones(1)) == math.inf


@pytest.mark.parametrize("name", ["log_loss", "accuracy", "balanced_accuracy", "f1", "precision_macro"])
def test_a_part_without_some_class_has_a_finite_loss(name):
    metric = get_metric(name, "classification", np.arange(3))
    assert math.isfinite(metric.loss(np.array([0, 0, 1]), np.full((3, 3), 1 / 3)))


def test_auc_averages_the_classes_that_are_present():
    y, p, _ = draw(0, 30, 4, ties=True, weighted=False)
    y[y == 3] = 2
    expected = np.mean([sk.roc_auc_score(y == k, p[:, k]) for k in range(3)])
    assert get_metric("roc_auc", "classification", np.arange(4)).score(y, p) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ["roc_auc", "roc_auc_ovr_weighted", "roc_auc_ovo"])
def test_what_is_undefined_is_an_infinite_loss(name):
    for k in (2, 3):
        metric = get_metric(name, "classification", np.arange(k))
        assert metric.loss(np.zeros(4, dtype=int), np.full((4, k), 1 / k)) == math.inf


def test_bad_predictions_and_weights_are_an_infinite_loss():
    metric = get_metric("rmse", "regression")
    assert metric.loss(np.ones(2), np.array([1.0, np.nan])) == math.inf
    assert metric.loss(np.ones(2), np.ones(2), np.zeros(2)) == math.inf
    assert metric.loss(np.ones(0), np.ones(0)) == math.inf


def test_loss_and_score_are_two_views_of_one_number():
    y, p, _ = draw(1, 40, 2, ties=False, weighted=False)
    for name in ("log_loss", "roc_auc", "average_precision", "neg_brier_score"):
        metric = get_metric(name, "classification", LABELS)
        assert metric.to_score(metric.loss(y, p)) == pytest.approx(metric.score(y, p), abs=1e-12)
    assert get_metric("neg_brier_score", "classification", LABELS).loss(y, p) == pytest.approx(
        sk.brier_score_loss(y, p[:, 1])
    )


def test_a_scikit_learn_name_scores_the_second_class():
    y, p, _ = draw(2, 40, 2, ties=False, weighted=False)
    assert get_metric("precision", "classification", LABELS).score(y, p) == sk.precision_score(y, p.argmax(axis=1))


def test_a_callable_sees_original_labels_and_all_responses():
    y, p, _ = draw(3, 40, 2, ties=False, weighted=False)
    recall = sk.make_scorer(sk.recall_score, pos_label="no")
    assert get_metric(recall, "classification", LABELS).score(y, p) == sk.recall_score(1 - y, 1 - p.argmax(axis=1))
    for response in ("predict_proba", "decision_function"):
        auc = sk.make_scorer(sk.roc_auc_score, response_method=response)
        ours = get_metric("roc_auc", "classification", LABELS).score(y, p)
        assert get_metric(auc, "classification", LABELS).score(y, p) == pytest.approx(ours, abs=1e-12)


def test_a_callable_may_take_part_of_the_rows():
    def first_half(estimator, X, y):
        half = len(X) // 2
        return -np.abs(estimator.predict(X[:half]) - y[:half]).sum()

    metric = get_metric(first_half, "regression")
    assert metric.name == "first_half"
    assert metric.loss(np.array([0.0, 0, 0, 0]), np.array([1.0, 2, 30, 40])) == 3.0


def test_a_callable_that_cannot_work_is_an_error_at_once():
    with pytest.raises(OptionError, match="pos_label"):
        get_metric(sk.make_scorer(sk.recall_score), "classification", LABELS)


def test_defaults_and_surrogates():
    assert get_metric(None, "classification").name == "log_loss"
    assert get_metric(None, "regression").name == "rmse"
    for name, kind, surrogate in [
        ("roc_auc", "classification", "log_loss"),
        ("neg_log_loss", "classification", "log_loss"),
        ("accuracy", "classification", "itself"),
        ("r2", "regression", "squared_error"),
        ("mae", "regression", "itself"),
    ]:
        assert get_metric(name, kind).surrogate == surrogate


@pytest.mark.parametrize(
    ("name", "kind", "classes", "fits", "misfits"),
    [
        ("rmse", "classification", LABELS, "average_precision", "mae"),
        ("accuracy", "regression", None, "neg_max_error", "log_loss"),
        ("precision", "classification", np.arange(3), "precision_macro", "precision,"),
        ("adjusted_rand_score", "classification", LABELS, "precision,", "rand_score,"),
    ],
)
def test_a_metric_of_another_task_is_an_error_that_lists_those_that_fit(name, kind, classes, fits, misfits):
    with pytest.raises(OptionError) as caught:
        get_metric(name, kind, classes)
    listed = str(caught.value).split("Those that fit:")[1]
    assert f" {fits}" in listed
    assert f" {misfits}" not in listed


def test_unknown_names_and_types():
    with pytest.raises(AutoNASError, match="'log_loss'"):
        get_metric("logloss", "classification")
    with pytest.raises(OptionError, match="int"):
        get_metric(3, "regression")


def test_metrics_pickle():
    y, p, _ = draw(4, 20, 2, ties=False, weighted=False)
    for metric in (
        get_metric("roc_auc", "classification", LABELS),
        get_metric("average_precision", "classification", LABELS),
        get_metric(sk.make_scorer(sk.accuracy_score), "classification", LABELS),
    ):
        copy = pickle.loads(pickle.dumps(metric))
        assert isinstance(copy, Metric)
        assert copy.loss(y, p) == metric.loss(y, p)


def test_our_own_names_import_nothing_heavy():
    code = (
        "import sys, numpy as np; from autonas.core.objective import get_metric;"
        "get_metric('roc_auc', 'classification').loss(np.array([0, 1]), np.eye(2));"
        "sys.exit('sklearn' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
