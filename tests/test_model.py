"""A saved model predicts what it did, holds nothing that could run, and says what is wrong with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import autonas
from autonas import AutoNASClassifier, AutoNASRegressor
from autonas.errors import DataError, ModelError
from autonas.model import FORMAT, Model


def table(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """Numbers, categories, truth values and gaps."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=rows),
            "age": rng.integers(18, 80, size=rows).astype(float),
            "colour": pd.Categorical(rng.choice(["red", "green", "blue"], size=rows)),
            "town": rng.choice(["Ulm", "Bonn", "Köln"], size=rows),
            "member": rng.random(rows) > 0.5,
        }
    )
    frame.loc[rng.random(rows) < 0.2, "age"] = np.nan
    frame.loc[rng.random(rows) < 0.1, "town"] = None
    return frame


def labels(X: pd.DataFrame) -> np.ndarray:
    return np.where(X["size"] > 0.5, "large", np.where(X["colour"] == "red", "red", "other"))


@pytest.fixture(scope="module")
def classifier() -> AutoNASClassifier:
    X = table()
    return AutoNASClassifier(n_trials=3, cv=2, random_state=0, verbose=0).fit(X, labels(X))


@pytest.fixture(scope="module")
def saved(classifier: AutoNASClassifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    classifier.save(folder)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    """A folder that a test may damage."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


# --- what comes back -------------------------------------------------------------------------------------------------


def test_a_classifier_with_string_labels_categories_and_gaps_comes_back_exactly(
    classifier: AutoNASClassifier, saved: Path
) -> None:
    new = table(50, seed=1)
    new["colour"] = new["colour"].astype(str).replace("blue", "violet")  # a category that was never seen
    loaded = autonas.load(saved)
    assert isinstance(loaded, AutoNASClassifier)
    np.testing.assert_array_equal(loaded.predict_proba(new), classifier.predict_proba(new))
    np.testing.assert_array_equal(loaded.predict(new), classifier.predict(new))
    assert loaded.classes_.tolist() == ["large", "other", "red"]
    assert set(loaded.predict(new)) <= {"large", "other", "red"}
    assert loaded.best_config_ == classifier.best_config_
    assert loaded.best_score_ == classifier.best_score_
    assert loaded.feature_names_in_.tolist() == ["size", "age", "colour", "town", "member"]
    assert loaded.get_params() == classifier.get_params()
    assert loaded.leaderboard_["model"].tolist() == classifier.leaderboard_["model"].tolist()
    np.testing.assert_array_equal(loaded.leaderboard_["log_loss"], classifier.leaderboard_["log_loss"])


def test_a_regressor_comes_back_exactly_and_can_be_saved_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = np.exp(X[:, 0]) + 0.1 * rng.normal(size=100)
    model = AutoNASRegressor(n_trials=3, cv=2, random_state=0, verbose=0).fit(X, y)
    model.save(tmp_path / "one")
    once = autonas.load(tmp_path / "one")
    once.save(tmp_path / "two")
    twice = autonas.load(tmp_path / "two")
    expected = model.predict(X)
    np.testing.assert_array_equal(once.predict(X), expected)
    np.testing.assert_array_equal(twice.predict(X), expected)
    assert expected.shape == (100,)
    assert np.corrcoef(expected, y)[0, 1] > 0.8


@pytest.mark.parametrize("values", [[3, 7], [False, True], [-1.0, 2.0]])
def test_labels_keep_their_type(tmp_path: Path, values: list[Any]) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = np.asarray(values)[(X[:, 0] > 0).astype(int)]
    model = AutoNASClassifier(n_trials=1, cv=2, random_state=0, verbose=0).fit(X, y)
    model.save(tmp_path / "model")
    predicted = autonas.load(tmp_path / "model").predict(X)
    assert predicted.dtype == y.dtype
    assert (predicted == y).mean() > 0.8


def test_saving_over_a_larger_model_leaves_none_of_its_files(copy: Path) -> None:
    (copy / "member-7.safetensors").write_bytes(b"of an older model")
    autonas.load(copy).save(copy)
    head = json.loads((copy / "model.json").read_text())
    assert {p.name for p in copy.iterdir()} == {"model.json", *head["files"]}


def test_rows_are_predicted_alike_alone_and_together(classifier: AutoNASClassifier) -> None:
    new = table(10, seed=2)
    together = classifier.predict_proba(new)
    alone = np.concatenate([classifier.predict_proba(new.iloc[[i]]) for i in range(10)])
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(together.sum(axis=1), 1.0, atol=1e-6)


def test_columns_may_come_in_another_order_and_with_others_between(saved: Path) -> None:
    new = table(10, seed=2)
    other = new[new.columns[::-1]].assign(note="x")
    loaded = autonas.load(saved)
    np.testing.assert_array_equal(loaded.predict_proba(other), loaded.predict_proba(new))


def test_nothing_in_the_folder_is_a_pickle(saved: Path) -> None:
    files = list(saved.rglob("*"))
    assert len(files) >= 3
    for file in files:
        start = file.read_bytes()[:9]
        assert file.suffix in (".json", ".safetensors")
        assert not start.startswith((b"\x80", b"PK", b"\x1f\x8b", b"\x93NUMPY"))
        assert start.lstrip()[:1] == b"{" if file.suffix == ".json" else start[8:9] == b"{"


# --- what is refused -------------------------------------------------------------------------------------------------


def refusal(folder: Path) -> str:
    """The message of the ModelError that loading gives, which names the folder."""
    with pytest.raises(ModelError) as caught:
        autonas.load(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def edit(folder: Path, **changes: Any) -> None:
    head = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**head, **changes}))


def test_a_missing_folder(tmp_path: Path) -> None:
    assert "There is no folder" in refusal(tmp_path / "nowhere")


def test_a_folder_without_a_finished_model(copy: Path) -> None:
    (copy / "model.json").unlink()
    assert "model.json is missing" in refusal(copy)


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("no folder")
    assert "no finished model" in refusal(tmp_path / "model")


@pytest.mark.parametrize("name", ["member-0.safetensors", "combination.safetensors"])
def test_a_missing_file(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert f"{name} is missing" in refusal(copy)


def test_a_truncated_file(copy: Path) -> None:
    path = copy / "member-0.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert "damaged: member-0.safetensors" in refusal(copy)


@pytest.mark.parametrize("name", ["member-0.safetensors", "combination.safetensors"])
def test_one_changed_byte(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[-1] ^= 1
    (copy / name).write_bytes(content)
    assert f"damaged: {name}" in refusal(copy)


def test_a_newer_format(copy: Path) -> None:
    edit(copy, format=FORMAT + 1, autonas="9.9")
    message = refusal(copy)
    assert f"format {FORMAT + 1}" in message
    assert f"up to {FORMAT}" in message
    assert "9.9 or newer" in message


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"format": "one"}'])
def test_a_head_that_is_not_what_was_written(copy: Path, text: str) -> None:
    (copy / "model.json").write_text(text)
    assert "damaged" in refusal(copy)


def test_a_head_that_is_not_text(copy: Path) -> None:
    (copy / "model.json").write_bytes(b"\xff\xfe\x00")
    assert "damaged" in refusal(copy)


@pytest.mark.parametrize("key", ["problem", "classes", "about", "files"])
@pytest.mark.parametrize("how", ["missing", "wrong"])
def test_a_head_whose_parts_are_missing_or_wrong(copy: Path, key: str, how: str) -> None:
    if how == "wrong":
        edit(copy, **{key: "x"})
    else:
        head = json.loads((copy / "model.json").read_text())
        del head[key]
        (copy / "model.json").write_text(json.dumps(head))
    assert "damaged" in refusal(copy)


def test_names_that_point_out_of_the_folder_are_not_followed(copy: Path) -> None:
    shutil.copy(copy / "member-0.safetensors", copy.parent / "outside.safetensors")
    head = json.loads((copy / "model.json").read_text())
    files = {"../outside.safetensors" if n.startswith("member-0") else n: d for n, d in head["files"].items()}
    edit(copy, files=files)
    assert "is missing" in refusal(copy)


def test_new_data_that_lack_a_column_name_it(saved: Path) -> None:
    with pytest.raises(DataError, match="lacks the column 'colour'"):
        autonas.load(saved).predict(table(5).drop(columns="colour"))
    with pytest.raises(DataError, match="lacks the column 'age'"):  # and the near name that there is
        autonas.load(saved).predict(table(5).rename(columns={"age": "ages"}))


def test_a_model_without_its_estimator_predicts_alike(classifier: AutoNASClassifier, saved: Path) -> None:
    new = table(5, seed=3)
    np.testing.assert_array_equal(Model.load(saved).predict(new), classifier.predict_proba(new))
