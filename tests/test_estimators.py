"""The estimators as a person uses them: with scikit-learn, on every kind of data, and given what is wrong."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ConfigSpace import ConfigurationSpace
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score, get_scorer
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from autonas import AutoNASClassifier, AutoNASRegressor, load
from autonas.data.prepare import prepare
from autonas.errors import AutoNASError, DataError, JournalError, OptionError
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace, make_learner


def classifier(**options: Any) -> AutoNASClassifier:
    """Quick, silent and seeded."""
    return AutoNASClassifier(**{"n_trials": 1, "cv": 2, "random_state": 0, "verbose": 0, **options})


def regressor(**options: Any) -> AutoNASRegressor:
    """Quick, silent and seeded."""
    return AutoNASRegressor(**{"n_trials": 1, "cv": 2, "random_state": 0, "verbose": 0, **options})


def two_classes(rows: int = 100, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping classes; the best accuracy is about 0.84."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, size=rows)
    return rng.normal(size=(rows, 3)) + y[:, None] * np.array([1.0, -1.0, 1.0]), y


def outcomes(model: Any) -> list[tuple[Any, ...]]:
    """Everything of the trials that may not depend on the clock."""
    return [(t.id, t.proposal, dict(t.result.values), t.result.status) for t in model.trials_]


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


# --- images and series -----------------------------------------------------------------------------------------------


def digits(rows: int = 120) -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(n_class=3, return_X_y=True)
    return X[:rows].reshape(rows, 8, 8), y[:rows]


@pytest.mark.parametrize("shape", [(8, 8, 1), (1, 8, 8), (8, 8)])
def test_arrays_of_images(shape: tuple[int, ...]) -> None:
    X, y = digits()
    X = X.reshape(len(X), *shape)
    model = classifier(n_trials=2).fit(X[:90], y[:90])
    assert model.modality_ == "image"
    assert model.score(X[90:], y[90:]) > 0.85
    with pytest.raises(DataError, match="shape"):
        model.predict(X[:, 1:] if shape[0] == 8 else X[:, :, 1:])


def test_arrays_of_series() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, size=100)
    time = np.linspace(0, 1, 30)
    X = np.sin(2 * np.pi * (2 + 3 * y[:, None]) * time) + 0.3 * rng.normal(size=(100, 30))
    X = np.stack([X, rng.normal(size=X.shape)], axis=1)  # and a channel of noise
    model = classifier(n_trials=2).fit(X[:70], y[:70])
    assert model.modality_ == "series"
    assert model.score(X[70:], y[70:]) > 0.9


def test_the_modality_can_be_forced() -> None:
    X, y = digits()
    assert classifier(modality="series").fit(X, y).modality_ == "series"
    with pytest.raises(DataError, match=r"tabular|table"):
        classifier(modality="tabular").fit(X, y)


# --- texts and folders of images -------------------------------------------------------------------------------------


def docstrings() -> tuple[list[str], np.ndarray]:
    """First sentences about what numpy and scipy.stats offer, and where they are from: real texts that are here."""
    import scipy.stats

    texts, origin = [], []
    for module in (np, scipy.stats):
        for name in sorted(dir(module)):
            lines = (getattr(getattr(module, name), "__doc__", None) or "").strip().split("\n\n")
            sentence = max(lines[:2], key=len).replace(name, "it")
            if not name.startswith("_") and len(sentence) > 20:
                texts.append(sentence)
                origin.append(module.__name__)
    return texts, np.array(origin)


def test_a_list_of_texts(tmp_path: Path) -> None:
    texts, y = docstrings()
    order = np.random.default_rng(0).permutation(len(y))[:400]
    train, test = order[:300], order[300:]
    model = classifier(n_trials=2).fit([texts[i] for i in train], y[train])
    assert (model.modality_, model.n_features_in_) == ("text", 1)
    new = [texts[i] for i in test]
    assert model.score(new, y[test]) > 0.5 + 0.5 * max(np.mean(y[test] == label) for label in model.classes_)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").predict_proba(pd.Series(new)), model.predict_proba(new))
    assert model.predict(["", None]).shape == (2,)
    with pytest.raises(DataError, match="single string"):
        model.predict("one text")


@pytest.mark.parametrize(
    "options",
    [
        {"textnet:tokens": "characters", "textnet:encoder": "conv"},
        {"textnet:encoder": "gru", "textnet:width": 16},
        {"textnet:encoder": "bag"},
    ],
)
def test_networks_of_texts(options: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=80)
    X = [" ".join(rng.permutation(["up" if target > 0 else "down", "and", "then"])) for target in y]
    task, space = prepare(X, y, kind="regression", cv=2), load_space("text", "regression")
    config = space.complete({"model": "textnet", "epochs": 25, "batch_size": 32, "lr": 0.01, **options})
    learner = space.build(config, task.problem)
    learner.train(task)
    found = learner.out_of_fold()[:, 0]
    assert np.corrcoef(found, y)[0, 1] > 0.6  # the best is 0.8: the sign alone
    again = space.build(config, task.problem)
    again.restore(learner.state())
    view = task.view(learner.view)
    np.testing.assert_array_equal(again.predict(view), learner.predict(view))


def image_folder(folder: Path, X: np.ndarray, y: np.ndarray, classes: bool = True) -> Path:
    from PIL import Image

    for number, (pixels, label) in enumerate(zip(X, y, strict=True)):
        path = folder / (f"digit {label}" if classes else ".") / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 15).astype(np.uint8)).save(path)
    return folder


def test_a_folder_of_images(tmp_path: Path) -> None:
    X, y = digits()
    train, test = image_folder(tmp_path / "train", X[:90], y[:90]), image_folder(tmp_path / "t", X[90:], y[90:], False)
    model = classifier(n_trials=2).fit(train)
    assert model.modality_ == "image"
    assert model.classes_.tolist() == ["digit 0", "digit 1", "digit 2"]
    found = model.predict(test)
    assert np.mean(found == [f"digit {label}" for label in y[90:]]) > 0.85
    np.testing.assert_array_equal(model.predict((X[90:] * 15).astype(np.uint8)), found)
    with pytest.raises(DataError, match="no regression"):
        regressor().fit(train)
    with pytest.raises(DataError, match="there is no y"):
        classifier().fit(train, y)
    table = classifier().fit(*two_classes())
    with pytest.raises(DataError, match="tabular data: read the file first"):
        table.predict(test)


# --- limits and interruption -----------------------------------------------------------------------------------------


def test_a_time_limit_ends_with_a_model() -> None:
    X, y = two_classes()
    model = AutoNASClassifier(time_limit=3, cv=2, random_state=0, verbose=0).fit(X, y)
    assert model.score(X, y) > 0.75
    assert len(model.trials_) >= 1


def test_ctrl_c_gives_the_best_model_so_far() -> None:
    X, y = two_classes()
    score, calls = get_scorer("neg_log_loss"), []

    def interrupted(estimator: Any, X: Any, y: Any) -> float:
        calls.append(len(y))
        if len(calls) == 3:  # the first was a rehearsal, the second the first trial
            raise KeyboardInterrupt
        return float(score(estimator, X, y))

    model = classifier(n_trials=5, metric=interrupted).fit(X, y)
    assert len(model.trials_) == 1
    assert model.score(X, y) > 0.75


def test_a_search_of_which_all_trials_fail_says_why() -> None:
    def broken(config: Any, problem: Any, seed: int, device: str) -> Any:
        raise RuntimeError("no such luck")

    X, y = two_classes()
    space = SearchSpace(ConfigurationSpace({"x": (0.0, 1.0)}, seed=0), broken)
    with pytest.raises(AutoNASError, match=r"2 trials.*RuntimeError: no such luck"):
        classifier(n_trials=2, space=space, strategy="random").fit(X, y)


def test_a_space_with_a_builder_of_ones_own_gives_a_model_that_cannot_be_saved(tmp_path: Path) -> None:
    def build(config: Any, problem: Any, seed: int, device: str) -> Any:
        return make_learner("linear", {"strength": config["strength"]}, problem, seed, device)

    X, y = two_classes()
    space = SearchSpace(ConfigurationSpace({"strength": (0.01, 1.0)}, seed=0), build)
    model = classifier(n_trials=2, space=space, strategy="random").fit(X, y)
    assert model.score(X, y) > 0.75
    with pytest.raises(OptionError, match=r"`build`.*cannot be saved"):
        model.save(tmp_path / "model")


_NO_GUARD = """
import numpy as np
from autonas import AutoNASClassifier

rng = np.random.default_rng(0)
X = rng.normal(size=(100, 3))
y = (X[:, 0] > 0).astype(int)
model = AutoNASClassifier(n_trials=3, n_jobs=2, cv=2, random_state=0, verbose=0).fit(X, y)
print(len(model.trials_), sum(t.ok for t in model.trials_), model.score(X, y) > 0.8)
"""


@pytest.mark.slow
def test_two_jobs_in_a_script_without_a_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_NO_GUARD)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "3", "True"]


def test_a_fit_in_the_same_folder_goes_on(tmp_path: Path) -> None:
    X, y = two_classes()
    first = classifier(n_trials=2, workdir=tmp_path).fit(X, y)
    more = classifier(n_trials=3, workdir=tmp_path).fit(X, y)
    assert outcomes(more)[:2] == outcomes(first)
    assert len(more.trials_) == 3
    assert all(Path(str(t.checkpoint)).is_dir() for t in more.trials_)
    with pytest.raises(JournalError, match="data was"):
        classifier(n_trials=3, workdir=tmp_path).fit(X + 1, y)
    with pytest.raises(JournalError, match="metric was 'log_loss', is 'roc_auc'"):
        classifier(n_trials=3, workdir=tmp_path, metric="roc_auc").fit(X, y)


# --- what a person sees ----------------------------------------------------------------------------------------------


def test_verbose_zero_is_silent_and_one_tells_what_was_inferred(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = digits()
    classifier().fit(X, y)
    assert capsys.readouterr() == ("", "")
    classifier(verbose=1).fit(X, y)
    said = "".join(capsys.readouterr())
    assert "120 images of 8 x 8 pixels" in said
    assert "3 classes" in said
    assert "log_loss" in said
