"""The features of configurations whose networks are graphs: those of ``encoding.py``, and what the network is made of.

Four blocks more: the parameters and multiply-accumulates, and how often one, two and three operations follow each
other along the paths of the graph (after White et al 2021, cut short).  Encodings of one network have these in common.
They take a millisecond or more to compute, so they are kept.  Left out: paths that none of a small sample has.
"""

from __future__ import annotations

import math

import numpy as np

from autonas.core.trial import Config, config_key
from autonas.errors import ArchitectureError
from autonas.search_space.space import MODEL, SearchSpace
from autonas.surrogates.codes import Codes
from autonas.surrogates.encoding import Encoding
from autonas.surrogates.features import Labels, living, path_counts

__all__ = ["NetworkEncoding", "graph_kinds"]

_SAMPLE = 64  # networks that give the paths and the scales
_COSTS: tuple[Labels, Labels] = (("", "parameters"), ("", "macs"))  # no operation has an empty label


def graph_kinds(space: SearchSpace) -> list[str]:
    """Kinds of a space whose networks are graphs."""
    return [kind for kind in space.families if space.has_graph({MODEL: kind})]


class NetworkEncoding(Encoding):
    """From codes to features, those of the networks last.

    Parameters
    ----------
    codes : Codes
        Of a space that has kinds made of graphs.  The features of other networks, and of those that cannot be built
        for examples of the usual shape, are 0, the mean.
    """

    def __init__(self, codes: Codes) -> None:
        super().__init__(codes)
        self._space = codes.space
        counts = [count for config in self._sample(codes) if (count := self._counts(config)) is not None]
        self._names = sorted({name for count in counts for name in count})
        table = self._table(counts or [{}])
        varied = np.flatnonzero(table.std(0) > 1e-9 * (1 + np.abs(table).max(0, initial=0)))
        self._names, table = [self._names[i] for i in varied], table[:, varied]
        lengths = np.array([0 if name in _COSTS else len(name) for name in self._names], dtype=np.intp)
        present, number = np.unique(lengths, return_inverse=True)
        self._mean = table.mean(0)
        self._scale = table.std(0) * np.sqrt(np.bincount(lengths, minlength=1)[lengths])
        self.block = np.concatenate([self.block, self.n_blocks + number])
        self.is_group = np.concatenate([self.is_group, np.ones(len(present), dtype=bool)])
        self.is_number = np.concatenate([self.is_number, np.zeros(len(present), dtype=bool)])
        self._known: dict[str, np.ndarray] = {}  # by what decides about the network

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Features of codes, (n, n_features)."""
        networks = [self.network(self._codes.decode(row)) for row in codes]
        return np.concatenate([self._of_codes(codes), np.reshape(networks, (len(codes), len(self._names)))], axis=1)

    def centre(self) -> np.ndarray:
        """Mean of the features over the space, about."""
        return np.append(super().centre(), np.zeros(len(self._names)))

    def network(self, config: Config) -> np.ndarray:
        """Its own features: mean 0, and the variances in a block add up to 1; (n_network_features,)."""
        decides = {name: v for name, v in config.items() if name == MODEL or self._space.is_architectural(name)}
        key = config_key(decides)
        if key not in self._known:
            counts = self._counts(config)
            self._known[key] = np.zeros(len(self._names))
            if counts is not None:
                self._known[key] = (self._table([counts])[0] - self._mean) / self._scale
        return self._known[key]

    def _sample(self, codes: Codes) -> list[Config]:
        rng, j = np.random.default_rng(0), codes.column[MODEL]
        kinds = graph_kinds(codes.space)
        places = [codes.parameters[j].values.index(kind) for kind in kinds]
        rows = [codes.sample(math.ceil(_SAMPLE / len(kinds)), rng, {j: float(place)}) for place in places]
        return [codes.decode(row) for row in np.concatenate(rows)]

    def _counts(self, config: Config) -> dict[Labels, float] | None:
        """Logarithms of counts by name; None where there is no graph."""
        if not self._space.has_graph(config):
            return None
        try:
            graph = self._space.graph(config)
        except ArchitectureError:
            return None
        nodes = [node for node, alive in zip(graph.nodes, living(graph), strict=True) if alive]
        costs = {_COSTS[0]: sum(node.parameters for node in nodes), _COSTS[1]: sum(node.macs for node in nodes)}
        return {name: math.log1p(n) for name, n in [*path_counts(graph).items(), *costs.items()]}

    def _table(self, counts: list[dict[Labels, float]]) -> np.ndarray:
        rows = [[count.get(name, 0.0) for name in self._names] for count in counts]
        return np.reshape(rows, (len(counts), len(self._names)))
