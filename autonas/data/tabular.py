"""Tables: from columns of any kind to the views that learners read.

    codes   numbers as they are (NaN kept), text features, category codes by falling frequency       trees
    dense   robustly scaled numbers, indicators of missing cells, one-hot categories, text features  networks, kernels
    ple     dense, and the piecewise-linear encoding of every number (Gorishniy et al 2022)          networks, kernels
    onehot  numbers as they are, text features, one-hot categories                                   boosting
    words   sparse: TF-IDF of the text columns beside the rest of dense                              linear

Everything is fitted on the training rows without the target.  The scaling and its smooth clip follow RealMLP
(Holzmüller et al 2024).  No target statistics and no interactions are made.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from autonas.data.check import as_table, near
from autonas.data.columns import Column, IdColumn, find_column, restore_column
from autonas.data.scaling import NumberScales, smooth_clip, varies
from autonas.data.task import Preprocessor
from autonas.data.text import TextModel
from autonas.errors import DataError

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

__all__ = ["TabularPreprocessor"]

_SHOWN_LEVELS = 100  # one-hot columns of a category; the rest share one
_PLAIN = ("scaled", "missing", "onehot")
_LAYOUT = {
    "codes": ("raw", "text", "codes"),
    "dense": (*_PLAIN, "scaled_text"),
    "ple": (*_PLAIN, "scaled_text", "ple"),
    "onehot": ("raw", "text", "onehot"),
    "plain": _PLAIN,
}


class TabularPreprocessor(Preprocessor):
    """Fitted with :meth:`fit`; see the top of the file for the views.

    Attributes
    ----------
    names : list of str
        Labels of the columns that were fitted.
    kinds : dict of str to str
        What each column is: "numeric", "boolean", "date", "category", "identifier", "text"; "constant" and "empty"
        columns are not used.
    n_numeric : int
        Leading columns of the ``dense`` view that are scaled numbers.
    categorical_columns : list of int
        Columns of the ``codes`` view that are category codes.
    has_text, has_categories : bool
    summary : str
        One sentence on what the table holds.
    """

    views = ("codes", "dense", "ple", "onehot", "words")

    def __init__(self) -> None:
        self.names: list[str] = []
        self.named = False
        self.kinds: dict[str, str] = {}
        self.columns: list[Column] = []
        self.numbers = NumberScales()
        self.shown: list[int] = []  # per category: one-hot levels
        self.other: list[bool] = []  # per category: whether cells beyond them occur
        self.texts: list[TextModel] = []
        self.text_mean = self.text_scale = np.zeros(0, dtype=np.float32)
        self.n_rows = 0
        self._table: weakref.ref[Any] | None = None
        self._matrices: list[csr_array] = []

    @classmethod
    def fit(cls, X: Any, seed: int = 0) -> TabularPreprocessor:
        """A preprocessor for data like X (a DataFrame or a 2-d array of at least one row)."""
        return cls.fit_check(X, seed)[0]

    @classmethod
    def fit_check(cls, X: Any, seed: int = 0) -> tuple[TabularPreprocessor, pd.DataFrame]:
        """Fitted preprocessor, and what its ``check(X)`` gives, for the price of one pass over the cells."""
        self, frame = cls(), as_table(X)
        self.names = [str(label) for label in frame.columns]
        self.named = all(isinstance(label, str) for label in frame.columns)
        numbers: list[np.ndarray] = []
        codes: list[np.ndarray] = []
        texts: list[np.ndarray] = []
        for i, name in enumerate(self.names):
            cells = frame.iloc[:, i]
            column = find_column(name, cells)
            parts, levels, text = _select(column, cells)
            self.kinds[name] = column.kind
            if not parts and levels is None and text is None:
                self.kinds[name] = "empty" if cells.isna().all() else "constant"
                continue
            self.columns.append(column)
            column.parts = list(parts)
            numbers += parts.values()
            for part, values in enumerate(parts.values()):
                missing = part == 0 and levels is None and bool(np.isnan(values).any())
                self.numbers.add(values, missing)
            if levels is not None:
                codes.append(levels)
                self._fit_levels(levels)
            if text is not None:
                texts.append(text)
                model, matrix = TextModel.fit(text, seed)
                self.texts.append(model)
                self._matrices.append(matrix)
        self.numbers.fit_edges(numbers)
        table = _table([*numbers, *codes, *texts], len(frame))
        self._table = weakref.ref(table, lambda _: self._matrices.clear())
        self._fit_text(table)
        self.n_rows = len(frame)
        return self, table

    @property
    def n_features(self) -> int:
        """Columns of the table."""
        return len(self.names)

    def _fit_levels(self, codes: np.ndarray) -> None:
        shown = min(int(codes.max()) + 1, _SHOWN_LEVELS)
        self.shown.append(shown)
        self.other.append(bool(((codes < 0) | (codes >= shown)).any()))

    def _fit_text(self, table: pd.DataFrame) -> None:
        features = self._text_features(table)
        self.text_mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = features.std(axis=0, dtype=np.float64).astype(np.float32)
        self.text_scale = np.where(spread > 1e-7, spread, np.float32(1))

    @property
    def summary(self) -> str:
        """One sentence on what the table holds."""
        kinds = list(self.kinds.values())
        found = [f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds)]
        return f"Table of {self.n_rows} rows and {len(self.names)} columns: {', '.join(found)}."

    @property
    def n_numeric(self) -> int:
        """Leading columns of the ``dense`` view that are scaled numbers."""
        return len(self.numbers)

    @property
    def categorical_columns(self) -> list[int]:
        """Columns of the ``codes`` view that are category codes."""
        first = self.n_numeric + len(self.text_mean)
        return list(range(first, first + len(self.shown)))

    @property
    def has_text(self) -> bool:
        """Whether any column is free text."""
        return bool(self.texts)

    @property
    def has_categories(self) -> bool:
        """Whether any column has levels."""
        return bool(self.shown)

    def check(self, X: Any) -> pd.DataFrame:
        """New data, read: one float, integer (level) or string column for each feature.

        A DataFrame is matched by name if the fitted one had names (other columns are ignored), everything else by
        position.

        Raises
        ------
        DataError
            A column is missing (named), the number of columns differs, or a number is infinite.
        """
        frame = as_table(X)
        position = self._match(frame)
        numbers: list[np.ndarray] = []
        codes: list[np.ndarray] = []
        texts: list[np.ndarray] = []
        for column in self.columns:
            cells = frame.iloc[:, position[column.name]]
            if column.parts:
                found = column.numbers(cells)
                numbers += [found[part] for part in column.parts]
            levels, text = column.codes(cells), column.text(cells)
            if levels is not None:
                codes.append(levels)
            if text is not None:
                texts.append(text)
        return _table([*numbers, *codes, *texts], len(frame))

    def _match(self, frame: pd.DataFrame) -> dict[str, int]:
        """Position of each fitted column in new data."""
        if self.named and all(isinstance(label, str) for label in frame.columns):
            position = {str(label): i for i, label in enumerate(frame.columns)}
            missing = [column.name for column in self.columns if column.name not in position]
            if missing:
                more = f" (and {len(missing) - 1} more: {missing[1:6]})" if len(missing) > 1 else ""
                raise DataError(
                    f"X lacks the column {missing[0]!r}{more}, which the model was fitted with. "
                    f"{near(missing[0], [name for name in position if name not in self.kinds])} "
                    "Add it (missing cells may be NaN) or rename the column that holds it."
                )
            return position
        if frame.shape[1] != len(self.names):
            raise DataError(
                f"X has {frame.shape[1]} features, but {type(self).__name__} is expecting {len(self.names)} features "
                "as input. Pass the same columns as to fit, in the same order."
            )
        return {name: i for i, name in enumerate(self.names)}

    def view(self, name: str, X: pd.DataFrame) -> Any:
        """The named view of what :meth:`check` returned: float32 array, or CSR array for "words"."""
        if name == "words":
            from scipy.sparse import csr_array, hstack

            plain = csr_array(self.view("plain", X))
            return hstack([*self._text_matrices(X), plain], format="csr", dtype=np.float32)
        widths = {
            "raw": self.n_numeric,
            "scaled": self.n_numeric,
            "missing": len(self.numbers.missing_columns),
            "ple": self.numbers.n_bins,
            "text": len(self.text_mean),
            "scaled_text": len(self.text_mean),
            "codes": len(self.shown),
            "onehot": sum(self._one_hot_width(c) for c in range(len(self.shown))),
        }
        blocks = _LAYOUT[name]
        out = np.zeros((len(X), max(1, sum(widths[block] for block in blocks))), dtype=np.float32)
        at = 0
        for block in blocks:
            fill: Callable[[pd.DataFrame, np.ndarray], None] = getattr(self, f"_fill_{block}")
            fill(X, out[:, at : at + widths[block]])
            at += widths[block]
        return out

    def _fill_raw(self, X: pd.DataFrame, out: np.ndarray) -> None:
        for j in range(self.n_numeric):
            out[:, j] = self.numbers.shifted(j, X[j].to_numpy())

    def _fill_scaled(self, X: pd.DataFrame, out: np.ndarray) -> None:
        self._fill_raw(X, out)
        self.numbers.scale_(out)

    def _fill_missing(self, X: pd.DataFrame, out: np.ndarray) -> None:
        for i, j in enumerate(self.numbers.missing_columns):
            out[:, i] = np.isnan(X[j].to_numpy())

    def _fill_ple(self, X: pd.DataFrame, out: np.ndarray) -> None:
        at = 0
        for j in range(self.n_numeric):
            encoded = self.numbers.piecewise_linear(j, self.numbers.shifted(j, X[j].to_numpy()))
            out[:, at : at + encoded.shape[1]] = encoded
            at += encoded.shape[1]

    def _fill_text(self, X: pd.DataFrame, out: np.ndarray) -> None:
        out[:] = self._text_features(X)

    def _fill_scaled_text(self, X: pd.DataFrame, out: np.ndarray) -> None:
        out[:] = smooth_clip((self._text_features(X) - self.text_mean) / self.text_scale)

    def _fill_codes(self, X: pd.DataFrame, out: np.ndarray) -> None:
        for c in range(len(self.shown)):
            codes = X[self.n_numeric + c].to_numpy()
            out[:, c] = np.where(codes < 0, np.nan, codes)

    def _one_hot_width(self, c: int) -> int:
        """One column for each shown level and for all others; two levels alone need one."""
        return 1 if self.shown[c] == 2 and not self.other[c] else self.shown[c] + self.other[c]

    def _fill_onehot(self, X: pd.DataFrame, out: np.ndarray) -> None:
        at, rows = 0, np.arange(len(X))
        for c, shown in enumerate(self.shown):
            codes, width = X[self.n_numeric + c].to_numpy().astype(np.int64), self._one_hot_width(c)
            if width == 1:
                out[:, at] = np.choose(codes + 1, [0.0, 1.0, -1.0])
            else:
                place = np.where((codes < 0) | (codes >= shown), shown, codes)
                known = place < width  # a new level where training had none is a row of zeros
                out[rows[known], at + place[known]] = 1.0
            at += width

    def _text_matrices(self, X: pd.DataFrame) -> list[csr_array]:
        """TF-IDF of each text column; kept for the last table, since several views need it."""
        if self._table is None or self._table() is not X:
            first = self.n_numeric + len(self.shown)
            self._matrices = [model.matrix(X[first + t].to_numpy()) for t, model in enumerate(self.texts)]
            self._table = weakref.ref(X, lambda _: self._matrices.clear())
        return self._matrices

    def _text_features(self, X: pd.DataFrame) -> np.ndarray:
        first = self.n_numeric + len(self.shown)
        parts = [
            model.dense(X[first + t].to_numpy(), matrix)
            for t, (model, matrix) in enumerate(zip(self.texts, self._text_matrices(X), strict=True))
        ]
        return np.hstack(parts) if parts else np.zeros((len(X), 0), dtype=np.float32)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_table": None, "_matrices": []}

    def state(self) -> dict[str, Any]:
        """Plain state."""
        return {
            "names": self.names,
            "named": self.named,
            "kinds": [self.kinds[name] for name in self.names],
            "columns": [column.state() for column in self.columns],
            "numbers": self.numbers.state(),
            "shown": self.shown,
            "other": self.other,
            "texts": [text.state() for text in self.texts],
            "text_mean": self.text_mean,
            "text_scale": self.text_scale,
            "n_rows": self.n_rows,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TabularPreprocessor:
        """Inverse of :meth:`state`."""
        self = cls()
        self.names, self.named, self.n_rows = state["names"], state["named"], state["n_rows"]
        self.kinds = dict(zip(self.names, state["kinds"], strict=True))
        self.columns = [restore_column(column) for column in state["columns"]]
        self.numbers = NumberScales.from_state(state["numbers"])
        self.shown, self.other = state["shown"], state["other"]
        self.texts = [TextModel.from_state(text) for text in state["texts"]]
        self.text_mean, self.text_scale = state["text_mean"], state["text_scale"]
        return self


def _select(column: Column, cells: pd.Series) -> tuple[dict[str, np.ndarray], np.ndarray | None, np.ndarray | None]:
    """What of a column can tell rows apart: number parts, level codes, text."""
    found = column.numbers(cells)
    parts = {part: values for part, values in found.items() if varies(values)}
    if not parts and not isinstance(column, IdColumn):  # a constant with missing cells: that they miss may matter
        parts = {part: v for part, v in list(found.items())[:1] if 0 < np.isnan(v).sum() < len(v)}
    codes, text = column.codes(cells), column.text(cells)
    if codes is not None and (codes == codes[0]).all():
        codes = None
    return parts, codes, text


def _table(features: list[np.ndarray], n_rows: int) -> pd.DataFrame:
    import pandas as pd

    # text stays what it is: pandas would turn it into another type, which not every string survives
    series = {i: pd.Series(values, dtype=values.dtype, copy=False) for i, values in enumerate(features)}
    return pd.DataFrame(series, index=range(n_rows), copy=False)
