"""What is wrong gets one clear error before any search starts: what was required, what was given, what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from autonas import AutoNASClassifier, AutoNASError, AutoNASRegressor
from autonas.errors import DataError, OptionError

QUICK: dict[str, Any] = {"n_trials": 1, "cv": 2, "random_state": 0, "verbose": 0}
RNG = np.random.default_rng(0)
Y_GOOD = np.arange(40) % 2
X_GOOD = RNG.normal(size=(40, 3)) + Y_GOOD[:, None] * np.array([1.0, -1.0, 1.0])

BAD_DATA: dict[str, tuple[Any, Any, str]] = {
    "no rows": (X_GOOD[:0], Y_GOOD[:0], r"0 sample"),
    "no columns": (X_GOOD[:, :0], Y_GOOD, r"0 feature"),
    "one row": (X_GOOD[:1], Y_GOOD[:1], r"minimum of 2"),
    "one class": (X_GOOD, np.zeros(40), r"at least 2 classes"),
    "no target": (X_GOOD, None, r"target y is None"),
    "missing target": (X_GOOD, np.where(np.arange(40) == 7, np.nan, Y_GOOD), r"NaN: 1 of 40.*row 7"),
    "missing label": (X_GOOD, np.array(["a", "b", None, "a"] * 10, dtype=object), r"NaN: 10 of 40.*row 2"),
    "infinite target": (X_GOOD, np.where(np.arange(40) == 7, np.inf, Y_GOOD), r"infinity: 1 of 40"),
    "numbers with fractions": (X_GOOD, Y_GOOD + 0.5, r"fractions.*AutoNASRegressor"),
    "another length": (X_GOOD, Y_GOOD[:-1], r"40 rows.*39 values"),
    "one dimension": (X_GOOD[:, 0], Y_GOOD, r"1D array.*reshape"),
    "five dimensions": (X_GOOD.reshape(40, 3, 1, 1, 1), Y_GOOD, r"5 dimensions"),
    "two targets": (X_GOOD, np.stack([Y_GOOD, Y_GOOD], axis=1), r"1d array.*one model per column|MultiOutput"),
    "infinite cell": (np.where(X_GOOD.max() == X_GOOD, np.inf, X_GOOD), Y_GOOD, r"infinity"),
    "columns of one name": (pd.DataFrame(X_GOOD, columns=["a", "b", "a"]), Y_GOOD, r"'a' occurs more than once"),
}


@pytest.mark.parametrize("name", BAD_DATA)
def test_bad_data_give_one_clear_error(name: str) -> None:
    X, y, words = BAD_DATA[name]
    with pytest.raises(DataError, match=words):
        AutoNASClassifier(**QUICK).fit(X, y)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.full(40, np.nan), "NaN: 40 of 40"),
        (np.where(np.arange(40) < 3, np.inf, 1.0), "infinity: 3 of 40"),
        (np.array(["low", "high"] * 20), "numeric target.*AutoNASClassifier"),
    ],
)
def test_bad_targets_of_a_regression(y: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        AutoNASRegressor(**QUICK).fit(X_GOOD, y)


BAD_OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"time_limit": 0}, r"time_limit.*positive.*0"),
    ({"time_limit": -5.0}, r"time_limit.*positive.*-5"),
    ({"time_limit": float("nan")}, r"time_limit.*positive.*nan"),
    ({"time_limit": "60"}, r"time_limit.*positive.*'60'"),
    ({"n_trials": 0}, r"n_trials.*positive.*0"),
    ({"n_trials": 2.5}, r"n_trials.*whole number.*2\.5"),
    ({"trial_time_limit": -1}, r"trial_time_limit.*positive.*-1"),
    ({"ensemble_size": 0}, r"ensemble_size.*positive.*0"),
    ({"n_jobs": 0}, r"n_jobs.*0"),
    ({"cv": 1}, r"cv.*1"),
    ({"space": "tabularr"}, r"Unknown space 'tabularr'.*'tabular'"),
    ({"space": "./nowhere.yaml"}, r"nowhere\.yaml.*cannot be read"),
    ({"space": "image"}, r"image data, but these are tabular"),
    ({"strategy": "smacc"}, r"Unknown strategy 'smacc'.*'smac'"),
    ({"strategy": "hyperband(randon)"}, r"Unknown strategy 'randon'.*'random'"),
    ({"evaluator": "trian"}, r"Unknown evaluator 'trian'.*'train'"),
    ({"metric": "log_los"}, r"Unknown metric 'log_los'.*'log_loss'"),
    ({"metric": "rmse"}, r"'rmse' does not fit.*log_loss"),
    ({"metric": 3}, r"metric.*3"),
    ({"modality": "tabuler"}, r"Unknown modality 'tabuler'.*'tabular'"),
    ({"class_weight": "balance"}, r"class_weight.*'balanced'.*'balance'"),
    ({"class_weight": {7: 2.0}}, r"class_weight.*7"),
]


@pytest.mark.parametrize(("options", "words"), BAD_OPTIONS, ids=[str(options) for options, _ in BAD_OPTIONS])
def test_bad_options_give_one_clear_error_before_any_search(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        AutoNASClassifier(**{**QUICK, **options}).fit(X_GOOD, Y_GOOD)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sample_weight": np.ones(3)}, r"sample_weight.*\(3,\).*\(40,\)"),
        ({"sample_weight": -np.ones(40)}, r"not negative"),
        ({"sample_weight": np.zeros(40)}, r"zero"),
        ({"groups": np.zeros(3)}, r"groups"),
        ({"X_val": X_GOOD}, r"X_val and y_val belong together"),
        ({"X_val": X_GOOD[:, :2], "y_val": Y_GOOD}, r"2.*3|3.*2"),
        ({"X_val": X_GOOD, "y_val": Y_GOOD + 5}, r"y_val holds classes that y does not have"),
    ],
    ids=str,
)
def test_what_goes_with_the_rows_is_checked_too(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        AutoNASClassifier(**{**QUICK, "cv": "auto"}).fit(X_GOOD, Y_GOOD, **options)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "save"])
def test_nothing_works_before_fit(method: str, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match=r"AutoNASClassifier.*fit") as refused:
        getattr(AutoNASClassifier(**QUICK), method)(tmp_path if method == "save" else X_GOOD)
    assert isinstance(refused.value, AutoNASError)


def test_new_data_that_lack_a_column_name_it() -> None:
    frame = pd.DataFrame(X_GOOD, columns=["height", "width", "depth"])
    model = AutoNASClassifier(**QUICK).fit(frame, Y_GOOD)
    with pytest.raises(DataError, match=r"lacks the column 'width'"):
        model.predict(frame.drop(columns="width"))
    with pytest.raises(DataError, match=r"3 features|3 columns"):
        model.predict(X_GOOD[:, :2])
    with pytest.raises(DataError, match="0 sample"):
        model.predict(frame.iloc[:0])
