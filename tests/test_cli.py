"""The command `autonas`, from a CSV file to predictions, and what it says to wrong arguments."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout

import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

import autonas
from autonas.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Half of a real table as train.csv, the other half without its target as new.csv, and a fitted model."""
    folder = tmp_path_factory.mktemp("cli")
    frame = load_breast_cancer(as_frame=True).frame
    frame["target"] = frame["target"].map({0: "malignant", 1: "benign"})
    frame.iloc[::2].to_csv(folder / "train.csv", index=False)
    frame.iloc[1::2].drop(columns="target").to_csv(folder / "new.csv", index=False)
    frame.iloc[1::2][["target"]].to_csv(folder / "truth.csv", index=False)
    run(folder, "fit", "train.csv", "--target", "target", "--n-trials", "2", "--out", "model", "--seed", "0")
    return folder


def run(folder, *words, code=0):
    """What a command prints, both streams; words that name files of the folder are made paths."""
    files = ("train.csv", "new.csv", "nowhere.csv", "notes.csv", "images", "model", "second", "other", "out.csv")
    files += ("of-images", "of-texts")
    argv, said = sys.argv, io.StringIO()
    sys.argv = ["autonas", *(str(folder / w) if w in files else w for w in words)]
    try:
        with redirect_stdout(said), redirect_stderr(said), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = argv
    assert (ended.value.code or 0) == code, said.getvalue()
    return said.getvalue()


def test_predictions_are_good(folder):
    run(folder, "predict", "model", "new.csv", "--out", "out.csv")
    predicted, truth = pd.read_csv(folder / "out.csv"), pd.read_csv(folder / "truth.csv")
    assert (predicted.iloc[:, 0].to_numpy() == truth["target"].to_numpy()).mean() > 0.93


def test_the_leaderboard_is_json(folder):
    board = json.loads(run(folder, "leaderboard", "model", "--json"))
    assert board[0]["model"] == "ensemble"
    assert len(board) == 3


def test_resume_adds_trials(folder):
    run(folder, "resume", "model", "--n-trials", "4")
    assert len(json.loads(run(folder, "leaderboard", "model", "--json"))) == 5


def test_resume_refuses_changed_data(folder):
    train = folder / "train.csv"
    text = train.read_text()
    train.write_text(text + text.splitlines()[-1] + "\n")
    try:
        assert "train.csv" in run(folder, "resume", "model", "--n-trials", "6", code=2).replace("\n", "")
    finally:
        train.write_text(text)


def test_probabilities_stand_beside_the_predictions(folder):
    run(folder, "predict", "model", "new.csv", "--out", "out.csv", "--proba")
    out = pd.read_csv(folder / "out.csv")
    assert list(out.columns) == ["target", "P(benign)", "P(malignant)"]
    assert out[["P(benign)", "P(malignant)"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    assert (out["target"] == "benign").equals(out["P(benign)"] >= 0.5)


@pytest.mark.parametrize(
    "words",
    [
        ("resume", "model", "--n-trials", "-1"),
        ("fit", "train.csv", "--target", "target", "--out", "model", "--overwrite", "--metric", "acuracy"),
    ],
)
def test_what_is_refused_leaves_the_model_as_it_was(folder, words):
    def content():
        return {p.relative_to(folder): p.read_bytes() for p in (folder / "model").rglob("*") if p.is_file()}

    before = content()
    run(folder, *words, code=2)
    assert content() == before


def test_overwrite_fits_anew_and_keeps_what_is_not_the_models(folder):
    words = ("fit", "train.csv", "--target", "target", "--out", "second", "--n-trials", "1")
    run(folder, *words)
    (folder / "second" / "notes.txt").write_text("mine")
    assert "--overwrite" in run(folder, *words, code=2)
    said = run(
        folder, *words, "--kind", "classification", "--metric", "accuracy", "--refit", "one", "--overwrite", "--json"
    )
    board = json.loads(said.splitlines()[-1])["leaderboard"]
    assert board[0]["model"] == "linear"  # no ensemble
    assert len(board) == 2
    assert "accuracy" in board[0]
    assert sorted(p.name for p in (folder / "second").iterdir() if p.suffix != ".safetensors") == [
        "fit.json",
        "model.json",
        "notes.txt",
        "search",
    ]


def test_an_unfinished_fit_is_to_be_resumed(folder):
    (folder / "other").mkdir()
    (folder / "other" / "fit.json").write_text("{}")
    assert "resume" in run(folder, "leaderboard", "other", code=2)
    (folder / "other" / "fit.json").unlink()
    (folder / "other").rmdir()


def test_version(folder):
    assert run(folder, "--version") == f"autonas {autonas.__version__}\n"


@pytest.mark.parametrize("what", ["spaces", "strategies", "evaluators"])
def test_lists(what, folder):
    assert {"spaces": "tabular", "strategies": "smac", "evaluators": "train"}[what] in run(folder, what)
    assert isinstance(json.loads(run(folder, what, "--json")), list)


def test_a_space_is_shown_and_copied(folder):
    listed = {space["name"]: space for space in json.loads(run(folder, "spaces", "--json"))}
    assert listed["nasbench201"]["log10_architectures"] == pytest.approx(4.194, abs=1e-3)  # 15,625
    tree = run(folder, "spaces", "show", "text")
    assert "kernel  3 < 5 < 7 (default 3)  if encoder = conv" in tree
    shown = json.loads(run(folder, "spaces", "show", "text", "--json"))
    assert shown["n_hyperparameters"] == len(shown["hyperparameters"]) == listed["text"]["n_hyperparameters"]
    copy = str(folder / "copied.yaml")
    assert copy in run(folder, "spaces", "copy", "tabular-small", copy)
    assert json.loads(run(folder, "spaces", "show", copy, "--json"))["hyperparameters"]
    assert "exists" in run(folder, "spaces", "copy", "tabular-small", copy, code=2)
    assert "Did you mean 'tabular'" in run(folder, "spaces", "show", "tabula", code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fit", "train.csv", "--target", "targte", "--out", "other"), "target"),
        (("fit", "nowhere.csv", "--target", "target", "--out", "other"), "nowhere.csv"),
        (("fit", "train.csv", "--target", "target", "--out", "other", "--space", "tabula"), "tabular"),
        (("fit", "train.csv", "--target", "target", "--out", "other", "--metric", "acuracy"), "accuracy"),
        (("fit", "train.csv", "--target", "target", "--out", "other", "--time-limit", "-1"), "time_limit"),
        (("fit", "train.csv", "--target", "target", "--out", "other", "--fidelity", "epochs"), "NAME=LOW"),
        (("fit", "train.csv", "--target", "target", "--out", "model"), "model"),
        (("predict", "other", "new.csv", "--out", "out.csv"), "other"),
    ],
)
def test_wrong_arguments_get_one_line(folder, words, said):
    output = run(folder, *words, code=2)
    assert said in output
    assert "Traceback" not in output


def test_objectives_fidelities_and_ladders(folder):
    words = (
        "--objectives",
        "log_loss",
        "--objectives",
        "n_params < 1e6",
        "--space",
        "fcnet",
        "--strategy",
        "hyperband",
    )
    words += (
        "--fidelity",
        "epochs=0.3",
        "--fidelity",
        "data=0.5",
        "--evaluator",
        "zerocost",
        "--evaluator",
        "train",
        "--cv",
        "2",
    )
    run(folder, "fit", "train.csv", "--target", "target", "--n-trials", "2", "--out", "second", "--overwrite", *words)
    options = json.loads((folder / "second" / "fit.json").read_text())["options"]
    assert options["fidelity"] == {"epochs": [0.3, 1.0], "data": [0.5, 1.0]}
    assert options["objectives"] == ["log_loss", "n_params < 1e6"]
    assert options["evaluator"] == ["zerocost", "train"]
    run(folder, "resume", "second", "--n-trials", "3")


def test_a_folder_of_images(folder):
    from PIL import Image

    digits = load_digits(n_class=2)
    for number, (pixels, label) in enumerate(zip(digits.images[:60], digits.target[:60], strict=True)):
        path = folder / "images" / f"class{label}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 15).astype("uint8")).save(path)
    words = ("fit", "images", "--out", "of-images", "--n-trials", "1")
    run(folder, *words, "--cv", "2")
    run(folder, "predict", "of-images", "images", "--out", "out.csv", "--proba")
    out = pd.read_csv(folder / "out.csv")
    assert list(out.columns) == ["file", "prediction", "P(class0)", "P(class1)"]
    assert (out["prediction"] == out["file"].str.partition("/")[0]).mean() > 0.95
    assert "no regression" in run(folder, *words, "--kind", "regression", "--overwrite", code=2)
    assert "table" in run(folder, *words, "--target", "label", "--overwrite", code=2)
    run(folder, "resume", "of-images", "--n-trials", "2")
    (folder / "images" / "class1" / "1.png").unlink()
    assert "SHA-256" in run(folder, "resume", "of-images", "--n-trials", "3", code=2)
    assert "--target" in run(folder, "fit", "train.csv", "--out", "other", code=2)


def test_a_column_of_texts(folder):
    rows = [(f"it {'rose' if i % 3 else 'fell'} by {i} points", i % 3 > 0) for i in range(60)]
    pd.DataFrame(rows, columns=["note", "up"]).to_csv(folder / "notes.csv", index=False)
    words = ("fit", "notes.csv", "--target", "up", "--modality", "text", "--out", "of-texts", "--n-trials", "1")
    run(folder, *words, "--cv", "2")
    assert autonas.load(folder / "of-texts").modality_ == "text"
    run(folder, "predict", "of-texts", "notes.csv", "--out", "out.csv")
    assert (pd.read_csv(folder / "out.csv")["up"] == pd.DataFrame(rows)[1]).mean() > 0.95
