"""Free text as numbers: TF-IDF of words and characters, its leading directions, and six counts.

Linear learners read the sparse TF-IDF; all others its truncated SVD (latent semantic analysis, Deerwester et al 1990;
randomised as in Halko et al 2011).  Vocabularies and weights are kept as plain lists and arrays.
No pretrained embeddings: nothing is downloaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["TermWeights", "TextModel", "text_counts"]

MAX_COMPONENTS = 128
COUNTS = ("length", "words", "exclamations", "questions", "capitals", "digits")
_WORDS = {"ngram_range": (1, 2), "token_pattern": r"(?u)\b\w\w+\b"}
_CHARACTERS = {"ngram_range": (3, 5), "analyzer": "char_wb"}
_MAX_TERMS = {"words": 100_000, "characters": 60_000}
_MAX_LENGTH = {"words": 10_000, "characters": 2_000}  # characters of a text that are read
_SVD_TERMS = 20_000
_CHARACTER_ROWS = 20_000  # above, character n-grams take longer than they are worth


@dataclass
class TermWeights:
    """Terms, most frequent first, and their inverse document frequency."""

    kind: str  # "words" or "characters"
    terms: list[str]
    idf: np.ndarray

    @classmethod
    def fit(cls, kind: str, texts: np.ndarray) -> tuple[TermWeights, csr_array]:
        """Terms of at least two texts, and the weighted matrix of the texts."""
        from scipy.sparse import csr_array

        if not any(re.search(r"\w\w", text) for text in texts):
            return cls(kind, [], np.zeros(0, dtype=np.float32)), csr_array((len(texts), 0), dtype=np.float32)
        counter = _counter(kind)
        counts = csr_array(counter.fit_transform(_cut(kind, texts)))
        rows = np.bincount(counts.indices, minlength=counts.shape[1])
        order = np.argsort(-rows, kind="stable")[: _MAX_TERMS[kind]]
        order = order[rows[order] >= min(2, len(texts))]
        terms = counter.get_feature_names_out()[order].tolist()
        idf = (np.log((1 + len(texts)) / (1 + rows[order])) + 1).astype(np.float32)
        weights = cls(kind, terms, idf)
        return weights, weights._weigh(counts[:, order])

    def matrix(self, texts: np.ndarray) -> csr_array:
        """(texts, terms) float32: sublinear term frequency x idf, rows of length 1."""
        from scipy.sparse import csr_array

        if not self.terms:
            return csr_array((len(texts), 0), dtype=np.float32)
        vocabulary = {term: i for i, term in enumerate(self.terms)}
        return self._weigh(csr_array(_counter(self.kind, vocabulary).transform(_cut(self.kind, texts))))

    def _weigh(self, counts: csr_array) -> csr_array:
        from sklearn.preprocessing import normalize

        counts.sort_indices()  # fixes the order of summation, so that a saved model gives the same numbers
        counts.data = (1 + np.log(counts.data)) * self.idf[counts.indices]
        return normalize(counts, copy=False)

    def state(self) -> dict[str, Any]:
        """Plain state."""
        return {"kind": self.kind, "terms": "\n".join(self.terms).encode(errors="surrogatepass"), "idf": self.idf}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TermWeights:
        """Inverse of :meth:`state`."""
        terms = state["terms"].decode(errors="surrogatepass").split("\n") if len(state["idf"]) else []
        return cls(state["kind"], terms, state["idf"])


@dataclass
class TextModel:
    """One text column: its TF-IDF matrices, and the dense features that replace them.

    Attributes
    ----------
    weights : list of TermWeights
        Words, then characters (not above 20,000 rows).
    components : (components, terms) float32 array
        Right singular vectors of the word matrix, over its most frequent terms.
    """

    weights: list[TermWeights]
    components: np.ndarray

    @classmethod
    def fit(cls, texts: np.ndarray, seed: int) -> tuple[TextModel, csr_array]:
        """The model, and the sparse matrix of the texts that it was fitted on."""
        from scipy.sparse import hstack
        from sklearn.utils.extmath import randomized_svd

        kinds = ("words", "characters") if len(texts) <= _CHARACTER_ROWS else ("words",)
        pairs = [TermWeights.fit(kind, texts) for kind in kinds]
        words = pairs[0][1][:, :_SVD_TERMS]
        size = min(MAX_COMPONENTS, max(2, len(texts) // 10), min(words.shape) - 1)
        components = np.zeros((0, words.shape[1]), dtype=np.float32)
        if size > 0:
            components = randomized_svd(words, size, n_iter=3, random_state=seed)[2].astype(np.float32)
        return cls([weights for weights, _ in pairs], components), hstack([m for _, m in pairs], format="csr")

    def matrix(self, texts: np.ndarray) -> csr_array:
        """(texts, terms) sparse float32 matrix, words first."""
        from scipy.sparse import hstack

        return hstack([weights.matrix(texts) for weights in self.weights], format="csr")

    def dense(self, texts: np.ndarray, matrix: csr_array) -> np.ndarray:
        """(texts, components + 6) float32: SVD scores and the logarithms of the counts."""
        scores = matrix[:, : self.components.shape[1]] @ self.components.T
        return np.hstack([np.asarray(scores, dtype=np.float32), text_counts(texts)])

    def state(self) -> dict[str, Any]:
        """Plain state."""
        return {"weights": [w.state() for w in self.weights], "components": self.components}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TextModel:
        """Inverse of :meth:`state`."""
        return cls([TermWeights.from_state(w) for w in state["weights"]], state["components"])


def text_counts(texts: np.ndarray) -> np.ndarray:
    """(texts, 6) float32: log(1 + count) of characters, words, "!", "?", capitals and digits."""
    counts = [
        (len(t), len(t.split()), t.count("!"), t.count("?"), sum(map(str.isupper, t)), sum(map(str.isdigit, t)))
        for t in _cut("words", texts)
    ]
    return np.log1p(np.array(counts, dtype=np.float32).reshape(len(texts), len(COUNTS)))


def _cut(kind: str, texts: np.ndarray) -> list[str]:
    return [text[: _MAX_LENGTH[kind]] for text in texts]


def _counter(kind: str, vocabulary: dict[str, int] | None = None) -> Any:
    from sklearn.feature_extraction.text import CountVectorizer

    options = _WORDS if kind == "words" else _CHARACTERS
    return CountVectorizer(dtype=np.float32, vocabulary=vocabulary, **options)
