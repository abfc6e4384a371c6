"""Texts alone, without a table around them: sequences of tokens for networks, and the numbers of ``text.py``.

    tokens:words        (rows, length) float32 numbers of lower-case words and punctuation marks     networks
    tokens:characters   the same of characters                                                       networks
    words               sparse: TF-IDF of words and of characters, and scaled counts                 linear
    dense               latent semantic analysis of the words, and counts, all scaled                kernels, boosting

Token 0 is padding, 1 stands for every token that is not in the vocabulary, the others are ranked by falling
frequency: a network that knows only the first so many tokens reads higher numbers as 1.  Only the beginning of a
long text is read.  Words are cut by one regular expression for all languages; there are no subwords (Sennrich et al
2016), which would need a trained segmentation, and nothing pretrained.
"""

from __future__ import annotations

import re
import weakref
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.data.check import as_texts
from autonas.data.scaling import smooth_clip
from autonas.data.task import Preprocessor
from autonas.data.text import COUNTS, TextModel
from autonas.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["PADDING", "UNKNOWN", "TextPreprocessor", "Vocabulary"]

PADDING, UNKNOWN = 0, 1
_WORD = re.compile(r"\w+|[^\w\s]")
_MOST_TOKENS = {"words": 30_000, "characters": 2_000}
_LONGEST = {"words": 256, "characters": 512}  # time and memory of a network grow with the length
_COVERED = 0.95  # share of the texts that are read to their end
_COUNT_SCALE = 0.1  # about the size of TF-IDF entries; solvers of linear models take far longer on unequal columns
_SAMPLE = 20_000  # texts that are looked at to find tokens and length


@dataclass
class Vocabulary:
    """Tokens, and how texts become rows of their numbers.

    Attributes
    ----------
    kind : {"words", "characters"}
    tokens : list of str
        By falling frequency; the first has number 2.
    length : int
        Tokens that are read of each text.
    """

    kind: str
    tokens: list[str]
    length: int

    @classmethod
    def fit(cls, kind: str, texts: np.ndarray, seed: int = 0) -> Vocabulary:
        """Tokens that occur more than once, and a length that covers 95 % of the texts.

        Parameters
        ----------
        kind : {"words", "characters"}
        texts : (rows,) array of str
        seed : int
            Of the sample that is looked at if there are more than 20,000 texts.
        """
        sample = texts
        if len(texts) > _SAMPLE:
            sample = texts[np.sort(np.random.default_rng(seed).permutation(len(texts))[:_SAMPLE])]
        counts: Counter[str] = Counter()
        lengths = []
        for text in sample:
            tokens = list(islice(_tokens(kind, text), _LONGEST[kind]))
            counts.update(tokens)
            lengths.append(len(tokens))
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[: _MOST_TOKENS[kind]]
        often = [token for token, count in ranked if count > 1]
        return cls(kind, often, max(1, int(np.quantile(lengths, _COVERED, method="higher"))))

    def numbers(self, texts: np.ndarray) -> np.ndarray:
        """(rows, length) float32 token numbers, padded at the end."""
        place = {token: number for number, token in enumerate(self.tokens, start=UNKNOWN + 1)}
        out = np.full((len(texts), self.length), PADDING, dtype=np.float32)
        for row, text in enumerate(texts):
            found = [place.get(token, UNKNOWN) for token in islice(_tokens(self.kind, text), self.length)]
            out[row, : len(found)] = found
        return out


def _tokens(kind: str, text: str) -> Iterable[str]:
    return text if kind == "characters" else (match[0] for match in _WORD.finditer(text.lower()))


class TextPreprocessor(Preprocessor):
    """Fitted with :meth:`fit`; see the top of the file for the views.

    Attributes
    ----------
    vocabularies : dict of str to Vocabulary
        By kind of token.
    column : str or None
        Label of the column that held the texts, if they came as a table of one column.
    """

    views = ("tokens:words", "tokens:characters", "words", "dense")
    has_text = True
    model: TextModel

    def __init__(self) -> None:
        self.column: str | None = None
        self.n_rows = 0
        self.n_words = 0.0  # of a text, on average
        self.vocabularies: dict[str, Vocabulary] = {}
        self.mean = self.scale = np.zeros(0, dtype=np.float32)
        self._last: tuple[weakref.ref[Any], csr_array] | None = None

    @classmethod
    def fit(cls, X: Any, seed: int = 0) -> TextPreprocessor:
        """A preprocessor for texts like X."""
        return cls.fit_check(X, seed)[0]

    @classmethod
    def fit_check(cls, X: Any, seed: int = 0) -> tuple[TextPreprocessor, np.ndarray]:
        """Fitted preprocessor, and what its ``check(X)`` gives.

        Raises
        ------
        DataError
            X is no list of texts, or all of them are empty.
        """
        self, texts = cls(), as_texts(X)
        if hasattr(X, "columns"):
            self.column = str(X.columns[0])
        if not any(text.strip() for text in texts):
            raise DataError(f"All {len(texts)} texts in X are empty or missing. Check that X is the right column.")
        self.n_rows, self.n_words = len(texts), float(np.mean([len(text.split()) for text in texts]))
        for kind in _MOST_TOKENS:
            self.vocabularies[kind] = Vocabulary.fit(kind, texts, seed)
        self.model, matrix = TextModel.fit(texts, seed)
        self._last = weakref.ref(texts), matrix
        features = self.model.dense(texts, matrix)
        self.mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = features.std(axis=0, dtype=np.float64).astype(np.float32)
        self.scale = np.where(spread > 1e-7, spread, np.float32(1))
        return self, texts

    @property
    def n_features(self) -> int:
        """The text is one feature."""
        return 1

    @property
    def summary(self) -> str:
        """One sentence on what the texts are like."""
        sizes = " and ".join(f"{len(v.tokens)} {kind}" for kind, v in self.vocabularies.items())
        return f"{self.n_rows} texts of about {self.n_words:.0f} words; {sizes} occur more than once."

    def check(self, X: Any) -> np.ndarray:
        """New texts as (rows,) strings, "" where one is missing.

        Raises
        ------
        DataError
            One string alone, something else than strings, or several columns of which none has the fitted name.
        """
        return as_texts(X, self.column)

    def view(self, name: str, X: np.ndarray) -> Any:
        """The named view of what :meth:`check` returned: float32 array, or CSR array for "words"."""
        if name.startswith("tokens:"):
            return self.vocabularies[name.removeprefix("tokens:")].numbers(X)
        matrix = self._matrix(X)
        scaled = smooth_clip((self.model.dense(X, matrix) - self.mean) / self.scale).astype(np.float32)
        if name == "dense":
            return scaled
        from scipy.sparse import csr_array, hstack

        counts = csr_array(_COUNT_SCALE * scaled[:, -len(COUNTS) :])
        return hstack([matrix, counts], format="csr", dtype=np.float32)

    def _matrix(self, X: np.ndarray) -> csr_array:
        """TF-IDF; kept for the last texts, since two views need it."""
        if self._last is None or self._last[0]() is not X:
            self._last = weakref.ref(X), self.model.matrix(X)
        return self._last[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    def state(self) -> dict[str, Any]:
        """Plain state."""
        return {
            "column": self.column,
            "n_rows": self.n_rows,
            "n_words": self.n_words,
            "vocabularies": [asdict(vocabulary) for vocabulary in self.vocabularies.values()],
            "model": self.model.state(),
            "mean": self.mean,
            "scale": self.scale,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TextPreprocessor:
        """Inverse of :meth:`state`."""
        self = cls()
        self.column, self.n_rows, self.n_words = state["column"], state["n_rows"], state["n_words"]
        self.vocabularies = {saved["kind"]: Vocabulary(**saved) for saved in state["vocabularies"]}
        self.model = TextModel.from_state(state["model"])
        self.mean, self.scale = state["mean"], state["scale"]
        return self
