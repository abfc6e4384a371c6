"""The features of configurations that a Gaussian process compares, in blocks with a length scale each.

Every hyperparameter has a block: a choice is one-hot (two different choices are 1 apart, squared), an order or a
number is its place in [0, 1].  An inactive choice is one choice more, an inactive number lies at 0.5, as in SMAC.
Hyperparameters that share their values (the operations of the edges of a cell, the widths of layers) form a *group*,
which has one more block: how often each choice occurs, or the sum of the numbers.  Which operations an architecture is
made of often matters more than where they stand, and groups let the model see that from a few trials.
"""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np

from autonas.surrogates.codes import Codes, Parameter

__all__ = ["Encoding", "groups"]


def groups(codes: Codes) -> list[list[int]]:
    """Columns that share their values, at least two each.

    They have the same kind and the same listed values, and their names differ in digits only; for choices among
    three or more texts the values alone are enough.
    """
    found: dict[tuple, list[int]] = defaultdict(list)
    for j, parameter in enumerate(codes.parameters):
        if len(parameter.values) >= 2:
            texts = parameter.kind == "choice" and all(isinstance(value, str) for value in parameter.values)
            stem = "" if texts and len(parameter.values) >= 3 else re.sub(r"\d+", "#", parameter.name)
            found[parameter.kind, stem, tuple(map(repr, parameter.values))].append(j)
    return [columns for columns in found.values() if len(columns) >= 2]


class Encoding:
    """From codes to features.

    Parameters
    ----------
    codes : Codes

    Attributes
    ----------
    block : (n_features,) array of int
        The block that each feature belongs to: hyperparameters first, then groups.
    is_number : (n_blocks,) array of bool
        Blocks of numbers, which are smooth.
    is_group : (n_blocks,) array of bool
    """

    def __init__(self, codes: Codes) -> None:
        self._codes = codes
        parameters = codes.parameters
        blocks = [[j] for j, parameter in enumerate(parameters) if len(parameter.values) != 1] + groups(codes)
        self.is_group = np.array([len(block) > 1 for block in blocks], dtype=bool)
        self.is_number = np.array([not parameters[block[0]].values for block in blocks], dtype=bool)
        widths = [_width([parameters[j] for j in block]) for block in blocks]
        self.block = np.repeat(np.arange(len(blocks)), widths)
        self._n_features = len(self.block)
        firsts = np.cumsum(widths) - widths
        # each listed hyperparameter of a block adds to one feature of it; which one and how much is looked up by the
        # code, where -1, inactive, takes the last place of a table
        self._numbers: list[tuple[int, int]] = []  # feature and column of a number
        columns, features, shares = [], [], []
        longest = 1 + max(map(len, (parameter.values for parameter in parameters)))
        for block, first in zip(blocks, firsts, strict=True):
            if not parameters[block[0]].values:
                self._numbers.append((int(first), block[0]))
                continue
            for j in block:
                feature, share = _table(parameters[j], longest)
                columns.append(j)
                features.append(first + feature)
                shares.append(share / np.sqrt(len(block)))
        self._columns = np.array(columns, dtype=np.intp)
        self._features = np.array(features, dtype=np.intp).reshape(-1, longest)
        self._shares = np.array(shares).reshape(-1, longest)

    @property
    def n_blocks(self) -> int:
        """Number of length scales."""
        return len(self.is_group)

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Features of codes, (n, n_features)."""
        return self._of_codes(codes)

    def centre(self) -> np.ndarray:
        """Mean of the features over the space, about: (n_features,)."""
        return self._of_codes(self._codes.sample(500, np.random.default_rng(0))).mean(0)

    def _of_codes(self, codes: np.ndarray) -> np.ndarray:
        n, width = len(codes), self._n_features
        values = codes[:, self._columns].astype(np.intp)
        lines = np.arange(len(self._columns))
        places = np.arange(n)[:, None] * width + self._features[lines, values]
        sums = np.bincount(places.ravel(), self._shares[lines, values].ravel(), n * width)
        features = sums.reshape(n, width).astype(float)  # of no weights at all the sums are integers
        for feature, j in self._numbers:
            column = codes[:, j]
            features[:, feature] = np.where(column < 0, 0.5, column)
        return features


def _width(members: list[Parameter]) -> int:
    """Number of features of a block."""
    if members[0].kind != "choice":
        return 1
    return len(members[0].values) + any(parameter.conditional for parameter in members)


def _table(parameter: Parameter, length: int) -> tuple[np.ndarray, np.ndarray]:
    """By code, -1 included: the feature of the block, and what is added to it."""
    k = len(parameter.values)
    feature, share = np.zeros(length, dtype=np.intp), np.zeros(length)
    if parameter.kind == "order":
        share[:k], share[-1] = parameter.places, 0.5
    else:
        feature[:k], share[:k] = np.arange(k), np.sqrt(0.5)
        if parameter.conditional:
            feature[-1], share[-1] = k, np.sqrt(0.5)
    return feature, share
