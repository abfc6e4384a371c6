"""The estimators on images, series, texts and folders of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from estimator_cases import classifier, regressor, two_classes
from sklearn.datasets import load_digits

from autonas import load
from autonas.data.prepare import prepare
from autonas.errors import DataError
from autonas.search_space.load import load_space

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
