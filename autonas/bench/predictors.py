"""How well predictors rank the cells of NAS-Bench-201 that they have not seen (the study of White et al 2021).

A predictor learns one recorded repeat of some cells and ranks others; Kendall's tau is taken against the mean of all
repeats of these.  Zero-cost scores learn nothing; they see networks of the packaged space (8 channels, one cell per
stage, as against 16 and 5 in the table) and a minibatch of noise, since the images are not at hand.

Published figures to set beside ours, on CIFAR-10, by number of cells learned from.  Kendall's tau on unseen cells, from
the results in the repository abdelfattah-lab/flan_nas (Akhauri & Abdelfattah 2024):

- FLAN 0.823 (128), 0.870 (256), a perceptron on the adjacency matrix 0.383 (80); its code learns and ranks the
  validation accuracy, mean over the repeats (``table3`` and ``exp1``, ``nb201_samp_eff.csv``);
- TA-GATES (Ning et al 2022) 0.773 (78), 0.866 (390), a graph convolution 0.408, 0.546: second hand, as listed in
  ``samp_eff_graph.py`` with five sizes; which accuracy is not said there.

Spearman's rho of zero-cost scores with the test accuracy of all cells (Abdelfattah et al 2021, the notebook
``nasbench201_correlations`` of SamsungLabs/zero-cost-nas): synflow 0.737, jacob_cov 0.731, grad_norm 0.594.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from autonas.bench.spaces import _named, _nb201_config
from autonas.core.audit import rank_correlation
from autonas.core.trial import Config
from autonas.errors import unknown
from autonas.evaluators.benchmarks import Table, read_table
from autonas.search_space.load import load_space
from autonas.search_space.space import SearchSpace
from autonas.surrogates.features import Features
from autonas.surrogates.predictors import Predictor, make_predictor

__all__ = ["CONTENDERS", "ZERO_COST", "Score", "compare"]

_SEEN_PARTS = {"vector": ("vector",), "paths": ("paths",), "all": ("vector", "paths", "cost")}
CONTENDERS: tuple[str, ...] = (
    *(f"{model}-{parts}" for model in ("forest", "gp", "mlp") for parts in _SEEN_PARTS),
    "lstm",
)
ZERO_COST = ("synflow", "jacob_cov", "grad_norm", "params", "macs")
SCORED = 200  # cells that zero-cost scores are asked about
_BATCH = 32
_SHAPE = (3, 32, 32)


@dataclass(frozen=True)
class Score:
    """One predictor, over the seeds.

    Parameters
    ----------
    name : str
    n : int
        Cells that it learned from; 0 for a zero-cost score.
    taus : tuple of float
        Kendall's tau on unseen cells, by seed.
    coverage : float
        Share of the unseen cells whose loss lies in the 90% interval; NaN if it gives none.
    seconds : float
        To learn and to predict, mean.
    """

    name: str
    n: int
    taus: tuple[float, ...]
    coverage: float
    seconds: float

    @staticmethod
    def head() -> str:
        """Titles of the columns."""
        return f"{'predictor':16} {'trained':>7} {'tau':>6} {'sd':>6} {'cover90':>8} {'seconds':>8}"

    def line(self) -> str:
        """One row of the table."""
        return (
            f"{self.name:16} {self.n:7} {np.mean(self.taus):6.3f} {np.std(self.taus):6.3f} {self.coverage:8.2f} "
            f"{self.seconds:8.2f}"
        )


def compare(
    names: Sequence[str], sizes: Sequence[int], seeds: int, n_test: int, table_name: str = "nb201-cifar10"
) -> Iterator[Score]:
    """Scores of predictors and zero-cost scores, as they are ready.

    Parameters
    ----------
    names : sequence of str
        Of :data:`CONTENDERS` and :data:`ZERO_COST`.
    sizes : sequence of int
        Cells that a predictor learns from.
    seeds, n_test : int
        Repetitions, and unseen cells in each.
    table_name : str
        One of the tables of NAS-Bench-201.

    Raises
    ------
    OptionError
        For a name that does not exist.
    """
    for name in names:
        if name not in (*CONTENDERS, *ZERO_COST):
            raise unknown("predictor", name, (*CONTENDERS, *ZERO_COST))
    space, table = load_space("nasbench201"), read_table(table_name)
    cells = _Cells(space, table)
    for name in names:
        if name in ZERO_COST:
            score = partial(_zero_cost_score, space, name)
            yield Score(name, 0, *_ranked(cells, score, seeds, min(n_test, SCORED)))
            continue
        for n in sizes:
            runs = [_run(cells, name, n, seed, n_test) for seed in range(seeds)]
            taus, coverage, seconds = zip(*runs, strict=True)
            yield Score(name, n, taus, float(np.mean(coverage)), float(np.mean(seconds)))


class _Cells:
    """Rows of the table as configurations of the space."""

    def __init__(self, space: SearchSpace, table: Table) -> None:
        self.space, self.table = space, table
        self._configs: dict[int, Config] = {}

    def draw(self, n: int, seed: int) -> np.ndarray:
        """Rows, each once."""
        return np.random.default_rng((seed, 201)).permutation(len(self.table))[:n]

    def configs(self, rows: np.ndarray) -> list[Config]:
        for row in rows.tolist():
            if row not in self._configs:
                self._configs[row] = _named(self.space, _nb201_config(self.table.config(row)))
        return [self._configs[row] for row in rows.tolist()]


def _run(cells: _Cells, name: str, n: int, seed: int, n_test: int) -> tuple[float, float, float]:
    """Kendall's tau, coverage of the 90% interval, seconds."""
    rows = cells.draw(n + n_test, seed)
    seen, unseen = rows[:n], rows[n:]
    table = cells.table
    recorded = table.function(seed)
    losses = [recorded(table.config(int(row))) for row in seen]
    truth = table.means[unseen]
    predictor = _make(cells.space, name, seed)
    start = time.perf_counter()
    predictor.fit(cells.configs(seen), losses)
    mean, sd = predictor.predict(cells.configs(unseen))
    seconds = time.perf_counter() - start
    covered = float((np.abs(truth - mean) <= 1.645 * sd).mean())
    return rank_correlation(zip(mean, truth, strict=True)).tau, covered, seconds


def _make(space: SearchSpace, name: str, seed: int) -> Predictor:
    model, _, parts = name.partition("-")
    features = Features(space, _SEEN_PARTS[parts], shape=_SHAPE) if parts else None
    return make_predictor(model, space, features, seed=seed)


def _ranked(
    cells: _Cells, score: Callable[[Config, int], float], seeds: int, n: int
) -> tuple[tuple[float, ...], float, float]:
    taus, start = [], time.perf_counter()
    for seed in range(seeds):
        rows = cells.draw(n, seed)
        scores = [-score(config, seed) for config in cells.configs(rows)]
        taus.append(rank_correlation(zip(scores, cells.table.means[rows], strict=True)).tau)
    return tuple(taus), float("nan"), (time.perf_counter() - start) / seeds


def _zero_cost_score(space: SearchSpace, name: str, config: Config, seed: int) -> float:
    """The higher, the better."""
    if name in ("params", "macs"):
        cost = space.dry_run(config, _SHAPE, 10)
        return float(cost.parameters if name == "params" else cost.macs)
    import torch

    from autonas.training.zero_cost import grad_norm, jacob_cov, synflow

    torch.manual_seed(seed)
    network = space.network(config, _SHAPE, 10)
    if name == "synflow":
        return synflow(network, _SHAPE)
    X = torch.randn(_BATCH, *_SHAPE)
    return jacob_cov(network, X) if name == "jacob_cov" else grad_norm(network, X, torch.randint(10, (_BATCH,)))
