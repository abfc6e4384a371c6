"""The ensemble on data where the right answer is known, and on members that are damaged or few."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, Ridge

from autonas.core.clock import Clock
from autonas.core.objective import get_metric
from autonas.core.state import load_state, save_state
from autonas.ensemble import Ensemble, fit_ensemble
from autonas.ensemble.boosted import fit_boosted
from autonas.ensemble.greedy import LogLossAverage, MetricAverage, SquaredErrorAverage, pick, select
from autonas.ensemble.layer import base_scores, fold_of, inputs, outputs
from autonas.ensemble.linear import linear
from autonas.ensemble.rows import common_rows
from autonas.errors import DataError

LOG_LOSS, RMSE = get_metric("log_loss", "classification"), get_metric("rmse", "regression")


def classifiers(n: int, k: int, m: int, seed: int = 0, noise: float = 1.0):
    """Members that see the true logits through noise of their own, and the classes drawn from those logits."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.normal(size=(n, k))
    y = (rng.random((n, 1)) > softmax(z).cumsum(axis=1)).sum(axis=1).clip(0, k - 1)
    members = [softmax(z + noise * (0.5 + i / m) * rng.normal(size=z.shape)) for i in range(m)]
    return members, y


def softmax(z):
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True)


def regressors(n: int, m: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    y = 10 + 3 * rng.normal(size=n)
    return [(y + (0.5 + i / m) * rng.normal(size=n))[:, None] for i in range(m)], y


def averages(seed: int, m: int, kind: str):
    """The three kinds of average over the same members, with a plain function for the loss of each."""
    n = 30
    w = np.random.default_rng(seed).integers(1, 4, size=n).astype(float)
    if kind == "regression":
        members, y = regressors(n, m, seed)
        smooth = SquaredErrorAverage(np.stack([p[:, 0] - y for p in members]), w / w.sum())
        loss = lambda p: np.average((p[:, 0] - y) ** 2, weights=w)  # noqa: E731
        metric = get_metric("mae", kind)
    else:
        members, y = classifiers(n, 3, m, seed)
        smooth = LogLossAverage(np.stack([p[np.arange(n), y] for p in members]), w / w.sum())
        loss = lambda p: np.average(-np.log(p[np.arange(n), y]), weights=w)  # noqa: E731
        metric = get_metric("accuracy", kind)
    exact = MetricAverage(np.stack(members), y, w, metric, smooth)
    return members, smooth, loss, exact, lambda p: metric.loss(y, p, w)


cases = {
    "seed": st.integers(0, 10**6),
    "m": st.integers(1, 5),
    "kind": st.sampled_from(["classification", "regression"]),
}


@settings(max_examples=25, deadline=None)
@given(**cases)
def test_a_pick_is_what_brute_force_picks(seed, m, kind):
    members, smooth, loss, exact, metric_loss = averages(seed, m, kind)
    counts = np.random.default_rng(seed).integers(0, 3, size=m)
    mixes = [(np.tensordot(counts, members, axes=1) + p) / (counts.sum() + 1) for p in members]
    losses = smooth.after(counts, np.arange(m))
    assert losses[:, 0] == pytest.approx([loss(p) for p in mixes], rel=1e-5)
    both = exact.after(counts, np.arange(m))
    assert both[:, 0] == pytest.approx([metric_loss(p) for p in mixes], abs=1e-12)
    assert (both[:, 1:] == losses).all()
    weights = counts / counts.sum() if counts.any() else np.full(m, 1 / m)
    assert smooth.loss(weights) == pytest.approx([loss(np.tensordot(weights, members, axes=1))], rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(**cases)
def test_greedy_equals_a_plain_loop(seed, m, kind):
    members, smooth, loss, _, _ = averages(seed, m, kind)
    counts, best, best_counts = np.zeros(m), np.inf, None
    for _ in range(12):
        trials = [counts + np.eye(m)[i] for i in range(m)]
        losses = [loss(np.tensordot(c / c.sum(), members, axes=1)) for c in trials]
        counts = trials[int(np.argmin(losses))]
        if min(losses) < best:
            best, best_counts = min(losses), counts
    weights = pick(smooth, np.arange(m), m, size=m, clock=Clock(), picks=12)
    assert smooth.loss(weights)[0] == pytest.approx(best, rel=2e-6)
    assert weights == pytest.approx(best_counts / best_counts.sum()) or smooth.loss(weights)[0] <= best * (1 + 2e-6)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), m=st.integers(1, 14), size=st.integers(1, 14), kind=cases["kind"])
def test_greedy_is_never_worse_than_the_best_single(seed, m, size, kind):
    _, smooth, _, exact, _ = averages(seed, m, kind)
    for average in (smooth, exact):
        weights = select(average, m, size, Clock(), seed)
        singles = [average.loss(np.eye(m)[i])[0] for i in range(m)]
        assert average.loss(weights)[0] <= min(singles) * (1 + 3e-6) + 1e-12
        assert weights.sum() == pytest.approx(1)
        assert (weights >= 0).all()
        assert np.count_nonzero(weights) <= size


def test_equal_members_are_one_member():
    members, y = classifiers(200, 3, 1)
    ensemble = fit_ensemble(members * 4, y, metric=LOG_LOSS, kind="classification")
    assert ensemble.members == [0]


def test_the_best_single_is_judged_by_the_metric():
    y = np.array([0, 0, 1, 1, 1])
    right = np.where(np.arange(5)[:, None] >= 2, [[0.45, 0.55]], [[0.55, 0.45]])
    sure = np.array([[1, 99], [99, 1], [1, 99], [1, 99], [1, 99]]) / 100
    sure[0] = [0.49, 0.51]
    for name, best in (("accuracy", 0), ("log_loss", 1)):
        metric = get_metric(name, "classification")
        ensemble = fit_ensemble([right, sure], y, metric=metric, kind="classification", size=1)
        assert ensemble.members == [best]
        assert ensemble.predict([[right, sure][best]]) == pytest.approx([right, sure][best])
        assert ensemble.loss == pytest.approx(metric.loss(y, [right, sure][best]))


def test_linear_gaussian_weights_are_recovered():
    # Members with independent errors of variance v: the best weights are proportional to 1/v.
    rng = np.random.default_rng(0)
    variance = np.array([1.0, 2.0, 4.0, 4.0, 8.0])
    best = 1 / variance / (1 / variance).sum()
    y = 3 * rng.normal(size=1900)
    members = [(y + np.sqrt(v) * rng.normal(size=1900))[:, None] for v in variance]
    ensemble = fit_ensemble(members, y, metric=RMSE, kind="regression")
    assert ensemble.members == [0, 1, 2, 3, 4]
    slopes = [ensemble.predict(list(row[:, None, None]))[0, 0] for row in np.vstack([np.eye(5), np.zeros(5)])]
    assert np.array(slopes[:5]) - slopes[5] == pytest.approx(best, abs=0.05)
    assert ensemble.loss == pytest.approx(1 / np.sqrt((1 / variance).sum()), rel=0.04)


def test_the_ridge_layer_is_scikit_learns():
    members, y = regressors(200, 5)
    average = np.mean(members, axis=0)
    X, base = inputs(members, average, "regression", 2.0), base_scores(average, "regression", 2.0)
    w = np.random.default_rng(0).integers(1, 4, 200).astype(float)
    layer = linear(X, y / 2, base, w, "regression", Clock())
    theirs = Ridge(alpha=10).fit(X, y / 2 - base[:, 0], sample_weight=w)
    assert layer.add(X, base)[:, 0] == pytest.approx(base[:, 0] + theirs.predict(X))


def test_the_ridge_layer_recovers_a_negative_weight():
    # The second member repeats the first one's error, so the best combination is 2 a - b.
    rng = np.random.default_rng(0)
    y, error, n = rng.normal(size=5000), rng.normal(size=5000), 5000
    a, b = (y + error)[:, None], (y + 2 * error)[:, None]
    average = 0.5 * (a + b)
    layer = linear(inputs([a, b], average, "regression", 1.0), y, average, np.ones(n), "regression", Clock())
    assert layer.add(inputs([a, b], average, "regression", 1.0), average)[:, 0] == pytest.approx(y, abs=0.05)


@pytest.mark.parametrize("k", [2, 4])
def test_the_logistic_layer_is_scikit_learns(k):
    members, y = classifiers(400, k, 4)
    X = inputs(members, members[0], "classification", 1.0)
    w = np.random.default_rng(0).integers(1, 4, 400).astype(float)
    base = np.zeros((400, 1 if k == 2 else k))
    layer = linear(X, y, base, w, "classification", Clock(), C=0.03)
    theirs = LogisticRegression(C=0.03, tol=1e-8, max_iter=5000).fit(X, y, sample_weight=w).predict_proba(X)
    assert outputs(layer.add(X, base), "classification", 1.0) == pytest.approx(theirs, abs=2e-4)


def test_scores_and_outputs_are_inverse():
    for k in (2, 5):
        p = np.random.default_rng(0).dirichlet(np.ones(k), size=50)
        assert outputs(base_scores(p, "classification", 1.0), "classification", 1.0) == pytest.approx(p, abs=1e-6)


@pytest.mark.parametrize("k", [2, 3])
def test_the_second_layer_learns_what_an_average_cannot(k):
    # Each member is far too sure of itself in one direction; on a new half the stack must be better.
    members, y = classifiers(5000, k, 6, noise=2.0)
    half = np.arange(5000) < 2500
    fitted = fit_ensemble([m[half] for m in members], y[half], metric=LOG_LOSS, kind="classification")
    assert fitted.layers
    mixed = fitted.predict([members[i][~half] for i in fitted.members])
    average = fit_ensemble([m[half] for m in members[:4]], y[half], metric=LOG_LOSS, kind="classification")
    assert LOG_LOSS.loss(y[~half], mixed) < LOG_LOSS.loss(
        y[~half], average.predict([members[i][~half] for i in average.members])
    )
    assert LOG_LOSS.loss(y[~half], mixed) == pytest.approx(fitted.loss, rel=0.1)
    assert mixed.sum(axis=1) == pytest.approx(np.ones(2500))


def test_the_boosted_layer_mends_a_member_that_fails_in_a_region():
    rng = np.random.default_rng(0)
    y = rng.normal(size=4000)
    wrong = y + 0.1 * rng.normal(size=4000) + 2 * (y > 1)
    X, base = wrong[:, None], wrong[:, None]
    fitted = fit_boosted(X, y, base, np.ones(4000), "regression", Clock(), 0)
    assert np.mean((fitted.scores[:, 0] - y) ** 2) < 0.2 * np.mean((wrong - y) ** 2)


@pytest.mark.parametrize("kind", ["binary", "classes", "regression"])
@pytest.mark.parametrize("n", [300, 2500])
def test_state_round_trip(tmp_path, kind, n):
    if kind == "regression":
        (members, y), metric = regressors(n, 9), RMSE
        members = [m + (0.5 * (m > 11)) for m in members]
    else:
        (members, y), metric = classifiers(n, 2 if kind == "binary" else 3, 9), LOG_LOSS
    ensemble = fit_ensemble(members, y, metric=metric, kind=metric.kind)
    save_state(tmp_path / "ensemble", ensemble.state())
    copy = Ensemble.from_state(load_state(tmp_path / "ensemble"))
    used = [members[i] for i in ensemble.members]
    assert (copy.predict(used) == ensemble.predict(used)).all()
    assert (copy.weights == ensemble.weights).all()
    assert (copy.members, copy.loss, copy.mix) == (ensemble.members, ensemble.loss, ensemble.mix)
    assert ensemble.weights.sum() == pytest.approx(1)
    assert set(np.flatnonzero(ensemble.weights)) <= set(ensemble.members)


def test_equal_seeds_give_equal_ensembles():
    members, y = classifiers(2500, 3, 10)
    first, second = (fit_ensemble(members, y, metric=LOG_LOSS, kind="classification", seed=3) for _ in range(2))
    used = [members[i] for i in first.members]
    assert first.members == second.members
    assert (first.predict(used) == second.predict(used)).all()


def test_the_number_of_members_is_limited():
    members, y = classifiers(2500, 3, 12)
    for size in (1, 2, 6):
        assert len(fit_ensemble(members, y, metric=LOG_LOSS, kind="classification", size=size).members) <= size


@pytest.mark.parametrize("name", ["accuracy", "f1", "roc_auc", "balanced_accuracy", "average_precision"])
def test_every_metric_is_optimised(name):
    members, y = classifiers(1200, 2, 9)
    metric = get_metric(name, "classification")
    ensemble = fit_ensemble(members, y, metric=metric, kind="classification")
    single = fit_ensemble(members, y, metric=metric, kind="classification", size=1)
    assert single.loss == min(metric.loss(y, m) for m in members)
    assert ensemble.loss < single.loss


@pytest.mark.parametrize("name", ["rmse", "mae", "r2"])
def test_every_regression_metric_is_optimised(name):
    members, y = regressors(1200, 9)
    metric = get_metric(name, "regression")
    assert fit_ensemble(members, y, metric=metric, kind="regression").loss < 0.8 * min(
        metric.loss(y, m) for m in members
    )


def test_constant_and_failed_members_get_no_weight():
    members, y = classifiers(300, 3, 9)
    bad = [np.full((300, 3), 1 / 3), np.full((300, 3), np.nan), np.full((300, 3), np.inf)]
    ensemble = fit_ensemble(members + bad, y, metric=LOG_LOSS, kind="classification")
    assert set(ensemble.members) <= set(range(9))
    assert (ensemble.weights[9:] == 0).all()


def test_a_short_member_takes_part_only_if_it_is_clearly_better():
    members, y = classifiers(1000, 3, 4)
    short = np.arange(1000) < 400
    good = np.where(short[:, None], 0.9 * np.eye(3)[y] + 0.1 / 3, np.nan)
    rows, kept = common_rows([*members, good], y, None, "classification")
    assert (rows.tolist(), kept) == (np.flatnonzero(short).tolist(), [0, 1, 2, 3, 4])
    poor = np.where(short[:, None], members[3], np.nan)
    rows, kept = common_rows([*members, poor], y, None, "classification")
    assert (len(rows), kept) == (1000, [0, 1, 2, 3])
    tiny = np.where(np.arange(1000)[:, None] < 90, good, np.nan)
    rows, kept = common_rows([*members, tiny], y, None, "classification")
    assert (len(rows), kept) == (1000, [0, 1, 2, 3])
    rows, kept = common_rows([tiny], y, None, "classification")
    assert (len(rows), kept) == (90, [0])


def test_rows_of_weight_zero_do_not_count():
    members, y = classifiers(200, 3, 5)
    weight = (np.arange(200) < 120).astype(float)
    spoilt = [np.where(weight[:, None] > 0, m, np.nan) for m in members]
    some = fit_ensemble([m[:120] for m in members], y[:120], metric=LOG_LOSS, kind="classification")
    same = fit_ensemble(spoilt, y, metric=LOG_LOSS, kind="classification", weight=weight)
    assert same.loss == pytest.approx(some.loss)
    assert same.weights == pytest.approx(some.weights)
    none = fit_ensemble(members, y, metric=LOG_LOSS, kind="classification", weight=np.zeros(200))
    plain = fit_ensemble(members, y, metric=LOG_LOSS, kind="classification")
    assert none.loss == plain.loss


@pytest.mark.parametrize(("metric", "m"), [("log_loss", 9), ("roc_auc", 9), ("accuracy", 9), ("average_precision", 2)])
@pytest.mark.parametrize("n", [1, 2, 7, 150])
def test_few_rows_one_class_and_few_members_are_no_trouble(metric, m, n):
    rng = np.random.default_rng(0)
    for y in (np.zeros(n, dtype=np.int64), np.arange(n) % 2):
        members = [rng.dirichlet([1, 1], size=n) for _ in range(m)]
        ensemble = fit_ensemble(members, y, metric=get_metric(metric, "classification"), kind="classification")
        p = ensemble.predict([members[i] for i in ensemble.members])
        assert np.isfinite(p).all()
        assert p.sum(axis=1) == pytest.approx(np.ones(n))


@pytest.mark.parametrize("n", [1, 2, 150])
def test_regression_stays_within_its_members(n):
    members, y = regressors(n, 9)
    for target in (y, np.zeros(n)):
        ensemble = fit_ensemble(members, target, metric=RMSE, kind="regression")
        new = [np.full((3, 1), 1e3) for _ in ensemble.members]
        assert (ensemble.predict(new) <= 1e3 * (1 + 1e-12)).all()
        mixed = ensemble.predict([members[i] for i in ensemble.members])
        assert np.min(members) <= mixed.min() <= mixed.max() <= np.max(members)


def test_values_may_come_as_vectors():
    members, y = regressors(300, 6)
    ensemble = fit_ensemble([m[:, 0] for m in members], y, metric=RMSE, kind="regression")
    assert ensemble.predict([members[i][:, 0] for i in ensemble.members]).shape == (300, 1)


def test_no_prediction_at_all_is_an_error():
    with pytest.raises(DataError, match="none of the 2 members"):
        fit_ensemble([np.full((3, 2), np.nan)] * 2, np.zeros(3, dtype=int), metric=LOG_LOSS, kind="classification")
    with pytest.raises(DataError):
        fit_ensemble([], np.zeros(3, dtype=int), metric=LOG_LOSS, kind="classification")


@pytest.mark.parametrize("ticks", [0, 3, 60, 400])
def test_any_amount_of_time_gives_an_ensemble(monkeypatch, ticks):
    # Every look at the clock takes one second: the work ends soon after `ticks` looks.
    looks = [0]

    def now():
        looks[0] += 1
        return float(looks[0])

    members, y = classifiers(2500, 3, 9)
    monkeypatch.setattr(time, "monotonic", now)
    ensemble = fit_ensemble(members, y, metric=LOG_LOSS, kind="classification", clock=Clock(ticks))
    singles = [LOG_LOSS.loss(y, m) for m in members]
    assert ensemble.loss <= min(singles) * (1 + 1e-6)
    assert looks[0] <= ticks + 40


def test_second_layer_folds_keep_groups_together_and_sizes_close():
    groups = np.repeat(np.arange(30), np.arange(1, 31))
    fold = fold_of(np.zeros(len(groups)), 5, "classification", 0, groups)
    assert all(len(set(fold[groups == g])) == 1 for g in range(30))
    assert np.ptp(np.bincount(fold)) <= 30  # never more than the largest group


def test_with_groups_a_second_layer_is_judged_on_groups_that_it_has_not_seen():
    # members say which group a row is of and nothing else: of groups left out there is nothing to learn
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 25)
    y = rng.normal(size=40)[groups]
    members = list(rng.normal(size=(20, 40, 1))[:, groups])
    apart = fit_ensemble(members, y, metric=RMSE, kind="regression")
    together = fit_ensemble(members, y, metric=RMSE, kind="regression", groups=groups)
    assert apart.layers
    assert not together.layers
    assert apart.loss < 0.9 * together.loss


@pytest.mark.parametrize("seed", range(3))
def test_members_that_hardly_count_are_dropped_at_no_loss(monkeypatch, seed):
    members, y = classifiers(1500, 3, 14, seed)
    found = []
    for least in (0.0, 0.04):
        monkeypatch.setattr("autonas.ensemble.fit.NEGLIGIBLE", least)
        found.append(fit_ensemble(members, y, metric=LOG_LOSS, kind="classification", seed=seed))
    whole, lean = found
    assert set(lean.members) <= set(whole.members)
    assert len(lean.members) < 14
    assert lean.loss <= whole.loss * 1.0005
    assert lean.weights.sum() == pytest.approx(1)
    assert np.flatnonzero(lean.weights).tolist() == lean.members
    assert lean.predict([members[i] for i in lean.members]).shape == (1500, 3)


def test_of_few_rows_no_member_is_dropped(monkeypatch):
    members, y = classifiers(400, 3, 14, 0)
    monkeypatch.setattr("autonas.ensemble.fit.NEGLIGIBLE", 1.0)
    monkeypatch.setattr("autonas.ensemble.fit.TOLERANCE", 1.0)
    whole = fit_ensemble(members, y, metric=LOG_LOSS, kind="classification", seed=0)
    monkeypatch.setattr("autonas.ensemble.fit.FEW_ROWS", 400)
    assert len(fit_ensemble(members, y, metric=LOG_LOSS, kind="classification", seed=0).members) < len(whole.members)
