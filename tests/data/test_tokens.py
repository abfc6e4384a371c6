"""Texts as rows of token numbers, counted by hand, and what becomes of texts that are missing, empty or strange."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from autonas.core.state import load_state, save_state
from autonas.data.check import as_texts, is_text
from autonas.data.modality import infer_layout
from autonas.data.prepare import data_hash, prepare, restore_preprocessor
from autonas.data.task import Problem
from autonas.data.tokens import PADDING, UNKNOWN, TextPreprocessor, Vocabulary
from autonas.errors import DataError

TEXTS = ["The cat sat.", "the dog sat, the cat ran", "", "A bird!"]


def array(texts):
    return np.array(texts, dtype=object)


def test_words_are_ranked_by_frequency_and_padded():
    found = Vocabulary.fit("words", array(TEXTS))
    assert found.tokens == ["the", "cat", "sat"]  # three times, twice, twice; the rest is unknown
    assert found.length == 7  # "the dog sat , the cat ran"
    the, cat, sat = 2, 3, 4
    expected = [
        [the, cat, sat, UNKNOWN, 0, 0, 0],
        [the, UNKNOWN, sat, UNKNOWN, the, cat, UNKNOWN],
        [PADDING] * 7,
        [UNKNOWN, UNKNOWN, UNKNOWN, 0, 0, 0, 0],
    ]
    numbers = found.numbers(array(TEXTS))
    assert numbers.dtype == np.float32
    np.testing.assert_array_equal(numbers, expected)


def test_characters_keep_their_case_and_spaces():
    found = Vocabulary.fit("characters", array(["aAaA b", "a\nb"]))
    assert found.tokens == ["a", "A", "b"]
    np.testing.assert_array_equal(found.numbers(array(["a A", "b\na"])), [[2, 1, 3, 0, 0, 0], [4, 1, 2, 0, 0, 0]])


def test_the_length_covers_nearly_all_texts_and_is_bounded():
    texts = array(["a b"] * 99 + ["a " * 5000])
    assert Vocabulary.fit("words", texts).length == 2
    assert Vocabulary.fit("words", array(["a " * 5000])).length == 256
    assert Vocabulary.fit("characters", array(["a " * 5000])).length == 512
    assert Vocabulary.fit("words", array(["", ""])).length == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=30), min_size=1, max_size=20), st.sampled_from(["words", "characters"]))
def test_numbers_say_which_token_stands_where(texts, kind):
    found = Vocabulary.fit(kind, array(texts))
    numbers = found.numbers(array(texts)).astype(int)
    for row, text in zip(numbers, texts, strict=True):
        used = int((row != PADDING).sum())
        assert (row[used:] == PADDING).all()
        known = [found.tokens[number - 2] for number in row[:used] if number > UNKNOWN]
        read = text if kind == "characters" else text.lower()
        position = 0
        for token in known:  # in the order of the text
            position = read.index(token, position) + len(token)


def test_views_and_their_shapes(tmp_path):
    texts = [f"number {i} is {'odd, alas' if i % 2 else 'even!'}" for i in range(60)]
    fitted, checked = TextPreprocessor.fit_check(texts)
    assert fitted.has_text
    assert fitted.n_features == 1
    assert "60 texts of about 4 words" in fitted.summary
    reference = TfidfVectorizer(min_df=2, sublinear_tf=True, ngram_range=(1, 2)).fit(texts)
    terms = [len(weights.terms) for weights in fitted.model.weights]
    assert terms[0] == len(reference.get_feature_names_out())
    assert fitted.view("words", checked).shape == (60, sum(terms) + 6)
    assert fitted.view("dense", checked).shape == (60, len(fitted.model.components) + 6)
    assert fitted.view("tokens:words", checked).shape == (60, 6)  # number 1 is odd , alas
    new = fitted.check(["number 5 is odd, alas", "", None])
    save_state(tmp_path / "p", fitted.state())
    again = restore_preprocessor(Problem("classification", 2, "text"), load_state(tmp_path / "p"))
    assert isinstance(again, TextPreprocessor)
    assert again.summary == fitted.summary
    for name in fitted.views:
        before, after = fitted.view(name, new), again.view(name, new)
        pair = (before.toarray(), after.toarray()) if name == "words" else (before, after)
        np.testing.assert_array_equal(*pair)
        assert np.isfinite(pair[0]).all()


def test_broken_unicode_and_odd_spaces_survive(tmp_path):
    texts = ["half \ud800 pair\n", "\x00 zero\u2028", "日本語 テキスト"] * 5
    fitted, checked = TextPreprocessor.fit_check(texts)
    save_state(tmp_path / "p", fitted.state())
    again = TextPreprocessor.from_state(load_state(tmp_path / "p"))
    for kind in ("tokens:words", "tokens:characters"):
        np.testing.assert_array_equal(again.view(kind, checked), fitted.view(kind, checked))


@pytest.mark.parametrize(
    "X",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        array(["The cat sat.", "the dog sat, the cat ran", None, "A bird!"]),
        pd.Series(["The cat sat.", "the dog sat, the cat ran", None, "A bird!"], index=[7, 7, 1, 0]),
        pd.Series(TEXTS, dtype="category"),
        pd.Series(TEXTS, dtype="string"),
    ],
    ids=lambda X: type(X).__name__,
)
def test_one_dimension_of_strings_is_text(X):
    assert is_text(X)
    assert infer_layout(X).modality == "text"
    assert as_texts(X).tolist() == TEXTS
    assert prepare(X, [0, 1, 0, 1], kind="classification").problem.modality == "text"


def test_a_table_is_text_only_if_that_is_said():
    frame = pd.DataFrame({"review": TEXTS * 5})
    assert not is_text(frame)
    assert not is_text(np.array(TEXTS)[:, None])
    assert prepare(frame, [0, 1, 0, 1] * 5, kind="classification").problem.modality == "tabular"
    task = prepare(frame, [0, 1, 0, 1] * 5, kind="classification", modality="text")
    assert task.problem.modality == "text"
    assert data_hash(task) == data_hash(prepare(TEXTS * 5, [0, 1, 0, 1] * 5, kind="classification"))
    wider = pd.DataFrame({"score": range(4), "review": TEXTS})
    assert task.preprocessor.check(wider).tolist() == TEXTS  # found by its name
    with pytest.raises(DataError, match=r"'review'.*2 columns"):
        task.preprocessor.check(wider.rename(columns={"review": "text"}))
    with pytest.raises(DataError, match=r"one column, but X has 2 columns \(score, review\)"):
        prepare(wider, [0, 1, 0, 1], kind="classification", modality="text")


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ("one text", r"single string.*\[X\]"),
        ([], r"0 sample"),
        (["a", 5], r"row 1 holds 5 \(int\)"),
        ([b"a", b"b"], r"row 0 holds b'a' \(bytes\)"),
        (np.array([["a", "b"]]), r"shape \(1, 2\)"),
        ([["a"], ["b", "c"]], r"row 0 holds \['a'\] \(list\)"),
    ],
)
def test_what_is_no_list_of_texts(X, message):
    with pytest.raises(DataError, match=message):
        as_texts(X)


def test_texts_without_any_content():
    with pytest.raises(DataError, match="All 3 texts"):
        TextPreprocessor.fit(["", " ", None])


def test_a_validation_set_is_appended():
    task = prepare(TEXTS * 3, [0, 1] * 6, kind="classification", X_val=["the cat", None], y_val=[0, 1])
    assert task.X[-2:].tolist() == ["the cat", ""]
    assert task.view("tokens:words").shape == (14, 7)
