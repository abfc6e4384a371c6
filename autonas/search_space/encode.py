"""Configurations as vectors of numbers, for surrogates, densities and distances.

One column a hyperparameter, or one a value where unordered ones are to be one-hot; what is not active has a mark of
its own, because a missing value means something else than any value.  Sequences of decisions are in ``tokens``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from autonas.core.trial import Config, Value
from autonas.errors import OptionError
from autonas.search_space.space import SearchSpace
from autonas.search_space.table import Listed

__all__ = ["VectorEncoding"]


class VectorEncoding:
    """Vectors of fixed length, in the order of the ConfigSpace.

    Parameters
    ----------
    space : SearchSpace
    one_hot : bool
        Whether a categorical has one column (the index of its value) or one a value (0 or 1).
    inactive : float
        What all columns of an inactive hyperparameter hold.

    Attributes
    ----------
    names : tuple of str
        The hyperparameter of each of the ``d`` columns.
    n_values : (d,) int array
        How many values the categorical in that column has; 0 for numbers and ordinals, which lie in [0, 1] after
        the logarithm, and for the columns of a one-hot.
    """

    def __init__(self, space: SearchSpace, *, one_hot: bool = False, inactive: float = math.nan) -> None:
        self.space = space
        self.one_hot = one_hot
        self.inactive = inactive
        self._table = space.table
        self._codes: dict[str, dict[Value, int]] = {}  # of categoricals
        self._start: dict[str, int] = {}
        names: list[str] = []
        n_values: list[int] = []
        for name, domain in self._table.domains.items():
            self._start[name] = len(names)
            if isinstance(domain, Listed) and not domain.ordered:
                self._codes[name] = {value: code for code, value in enumerate(domain.values)}
                names += [name] * (len(domain.values) if one_hot else 1)
                n_values += [0] * len(domain.values) if one_hot else [len(domain.values)]
            else:
                names.append(name)
                n_values.append(0)
        self.names = tuple(names)
        self.n_values = np.array(n_values, dtype=np.int64)

    def encode(self, configs: Sequence[Config]) -> np.ndarray:
        """Vectors of valid configurations.

        Returns
        -------
        (n, d) float array
        """
        rows = np.full((len(configs), len(self.names)), self.inactive)
        for name, domain in self._table.domains.items():
            column = self._start[name]
            codes = self._codes.get(name)
            active = [row for row, config in enumerate(configs) if name in config]
            if not active:
                continue
            if codes is None:
                rows[active, column] = [domain.to_unit(configs[row][name]) for row in active]
            elif self.one_hot:
                rows[active, column : column + len(codes)] = 0
                rows[active, [column + codes[configs[row][name]] for row in active]] = 1
            else:
                rows[active, column] = [codes[configs[row][name]] for row in active]
        return rows

    def decode(self, row: np.ndarray) -> dict[str, Value]:
        """The configuration that is nearest to a vector.

        The conditions decide what is active.  An active hyperparameter that the vector marks as inactive takes its
        default.  A vector that no configuration has may give one that is forbidden: ``space.table.violated`` tells.

        Parameters
        ----------
        row : (d,) float array

        Raises
        ------
        OptionError
            If the length is another one.
        """
        if np.shape(row) != (len(self.names),):
            raise OptionError(
                f"A vector of the space {self.space.name!r} has shape ({len(self.names)},). Given: {np.shape(row)}."
            )
        config: dict[str, Value] = {}
        for name, domain in self._table.domains.items():
            if not self._table.is_active(name, config):
                continue
            column, codes = self._start[name], self._codes.get(name)
            if self._is_inactive(row[column]):
                config[name] = self._table.defaults[name]
            elif codes is None:
                config[name] = domain.from_unit(float(row[column]))
            else:
                values = list(codes)
                part = row[column : column + len(values)]
                code = int(np.argmax(part)) if self.one_hot else round(float(row[column]))
                config[name] = values[min(max(code, 0), len(values) - 1)]
        return config

    def _is_inactive(self, number: float) -> bool:
        return bool(np.isnan(number)) or number == self.inactive
