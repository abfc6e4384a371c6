"""TF-IDF against scikit-learn's, and exact round trips."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from autonas.core.state import load_state, save_state
from autonas.data.text import TermWeights, TextModel, text_counts

RNG = np.random.default_rng(0)
WORDS = np.array(["good", "bad", "very", "nice", "film", "plot", "dull", "Ärger", "2020", "don't"])
TEXTS = np.array([" ".join(RNG.choice(WORDS, 12)) for _ in range(80)] + ["", "!"], dtype=object)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("words", {"ngram_range": (1, 2)}), ("characters", {"analyzer": "char_wb", "ngram_range": (3, 5)})],
)
def test_tf_idf_is_that_of_scikit_learn(kind, options):
    reference = TfidfVectorizer(min_df=2, sublinear_tf=True, **options)
    expected = reference.fit_transform(TEXTS).toarray()
    weights, fitted = TermWeights.fit(kind, TEXTS)
    assert sorted(weights.terms) == reference.get_feature_names_out().tolist()
    order = [weights.terms.index(term) for term in reference.get_feature_names_out()]
    np.testing.assert_allclose(fitted.toarray()[:, order], expected, atol=1e-6)
    np.testing.assert_array_equal(weights.matrix(TEXTS).toarray(), fitted.toarray())


def test_the_dense_features_span_what_a_full_svd_does():
    model, matrix = TextModel.fit(TEXTS, seed=0)
    words = matrix[:, : model.components.shape[1]]
    size = len(model.components)
    exact = TruncatedSVD(size, algorithm="arpack", random_state=0).fit(words.astype(np.float64))
    kept = np.linalg.norm(words @ model.components.T) ** 2
    assert kept == pytest.approx((exact.singular_values_**2).sum(), rel=0.01)  # randomised
    np.testing.assert_allclose(model.components @ model.components.T, np.eye(size), atol=1e-5)


def test_counts_by_hand():
    found = np.expm1(text_counts(np.array(["Oh NO! Why? 42!", ""], dtype=object)))
    np.testing.assert_allclose(found, [[15, 4, 2, 1, 4, 2], [0] * 6], atol=1e-5)


def test_the_state_is_plain_and_exact(tmp_path):
    model, _ = TextModel.fit(TEXTS, seed=0)
    save_state(tmp_path / "text", model.state())
    again = TextModel.from_state(load_state(tmp_path / "text"))
    new = np.array(["a very good film", "", "wholly unseen"], dtype=object)
    np.testing.assert_array_equal(again.matrix(new).toarray(), model.matrix(new).toarray())
    np.testing.assert_array_equal(again.dense(new, again.matrix(new)), model.dense(new, model.matrix(new)))


def test_broken_unicode_survives():
    texts = np.array(["half a \ud800 pair"] * 4 + ["a whole pair"] * 4, dtype=object)
    model, matrix = TextModel.fit(texts, seed=0)
    again = TextModel.from_state(model.state())
    np.testing.assert_array_equal(again.matrix(texts).toarray(), matrix.toarray())


def test_texts_without_words():
    texts = np.array(["!", "?", "", "a"] * 5, dtype=object)
    model, matrix = TextModel.fit(texts, seed=0)
    assert matrix.shape == (20, 0)
    assert model.dense(texts, model.matrix(texts)).shape == (20, 6)
