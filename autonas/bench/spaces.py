"""Sweeps of the spaces: counts of parameters against the published tables, random configurations, speed.

The truths are the tables' own: ``model_size`` of NAS-Bench-201 (15,625 cells, 16 channels, 5 cells per stage) and of
FC-Net (36 pairs of widths on four data sets; Klein et al 2018).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from autonas.architectures.family import load_family
from autonas.core.trial import Config
from autonas.data.task import Problem
from autonas.errors import ArchitectureError
from autonas.evaluators.benchmarks import Table, read_table
from autonas.search_space.load import load_space
from autonas.search_space.space import USUAL_SHAPES, SearchSpace

__all__ = ["Sweep", "attempt", "count_mismatches", "parameter_checks", "sweep"]

N_OUTPUTS, ROWS = 10, 4
TOKENS = 8  # different ones in a made-up text
_NB201_OPERATIONS = {
    "none": "none",
    "skip_connect": "identity",
    "nor_conv_1x1": "conv_1x1",
    "nor_conv_3x3": "conv_3x3",
    "avg_pool_3x3": "avg_pool_3x3",
}
_NB201_EDGES = ("edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3")
_NB201_SIZE = {"channels": 16, "repeats": 5}
_NB201_OUTPUTS = {"nb201-cifar10": 10, "nb201-cifar100": 100, "nb201-imagenet": 120}
_FCNET_FEATURES = {"fcnet-protein": 9, "fcnet-naval": 15, "fcnet-parkinsons": 20, "fcnet-slice": 380}


def parameter_checks() -> list[tuple[str, str]]:
    """Pairs (space, table) whose counts of parameters must agree."""
    return [("nasbench201", name) for name in _NB201_OUTPUTS] + [("fcnet", name) for name in _FCNET_FEATURES]


def count_mismatches(space_name: str, table_name: str, sample: int | None = None) -> tuple[int, list[str]]:
    """Compare the parameters of networks with what the table says.

    Parameters
    ----------
    space_name, table_name : str
        One of :func:`parameter_checks`.
    sample : int or None
        Configurations, drawn without replacement; None: all that differ in their architecture.

    Returns
    -------
    checked : int
    mismatches : list of str
    """
    import torch

    space, table = load_space(space_name), read_table(table_name)
    assert table.sizes is not None
    shape: tuple[int, ...]
    if space_name == "nasbench201":
        rows, shape, n_outputs = np.arange(len(table)), (3, 32, 32), _NB201_OUTPUTS[table_name]
        translate: Callable[[Config], dict[str, Any]] = _nb201_config
        space.settings["cell"].update(_NB201_SIZE)  # the packaged space is sized for CPUs
    else:
        rows, shape, n_outputs = _fcnet_shapes(table), (_FCNET_FEATURES[table_name],), 1
        translate = _fcnet_config
    if sample is not None and sample < len(rows):
        rows = np.random.default_rng(0).choice(rows, sample, replace=False)
    wrong = []
    for row in rows:
        config = table.config(int(row))
        with torch.device("meta"):  # counted, not used: no memory, no initialisation
            network = space.network(_named(space, translate(config)), shape, n_outputs)
        found = sum(parameter.numel() for parameter in network.parameters())
        recorded = table.sizes[row]
        if found not in recorded:
            wrong.append(f"{table_name}, {config}: {found} parameters, and {recorded} in the table")
    return len(rows), wrong


def _nb201_config(config: Config) -> dict[str, Any]:
    operations = [_NB201_OPERATIONS[str(value)] for value in config.values()]
    return dict(zip(_NB201_EDGES, operations, strict=True))


def _fcnet_config(config: Config) -> dict[str, Any]:
    return {f"units_{i}": config[f"n_units_{i}"] for i in (1, 2)}


def _fcnet_shapes(table: Table) -> np.ndarray:
    """One row for each pair of widths, in the order of the table."""
    default = table.config(0)
    pairs = itertools.product(table.choices["n_units_1"], table.choices["n_units_2"])
    return np.array([table.row(default | {"n_units_1": first, "n_units_2": second}) for first, second in pairs])


def _named(space: SearchSpace, options: dict[str, Any]) -> dict[str, Any]:
    """A configuration of the space that has these options, whatever prefix their names carry there."""
    full = {name.rpartition(":")[2]: name for name in space.configspace}
    return space.complete({full[name]: value for name, value in options.items()})


# --- random configurations -------------------------------------------------------------------------------------------


@dataclass
class Sweep:
    """What random configurations of a space did.

    Attributes
    ----------
    built : int
        Networks that were built, went forward and backward, and had a finite loss and finite gradients.
    learners : int
        Learners that are no networks; they are made only.
    refused : int
        Configurations that cannot be built for examples of this shape, and say so.
    failures : list of str
    seconds_sampling : float
        For 1,000 configurations.
    ms_build, ms_dry_run : list of float
    """

    name: str
    built: int = 0
    learners: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)
    seconds_sampling: float = math.nan
    ms_build: list[float] = field(default_factory=list)
    ms_dry_run: list[float] = field(default_factory=list)

    def line(self) -> str:
        """One line of text."""
        build, dry = (median(ms) if ms else math.nan for ms in (self.ms_build, self.ms_dry_run))
        return (
            f"{self.name:24}{self.built:>8}{self.learners:>10}{self.refused:>9}{len(self.failures):>8}"
            f"{self.seconds_sampling:>12.3f}{build:>10.1f}{dry:>10.1f}"
        )

    @staticmethod
    def head() -> str:
        """The names of the columns."""
        return (
            f"{'space':24}{'networks':>8}{'learners':>10}{'refused':>9}{'failed':>8}"
            f"{'s per 1000':>12}{'build ms':>10}{'dry ms':>10}"
        )


def sweep(name: str, sample: int = 500, seed: int = 0) -> Sweep:
    """Build random configurations, and take each network forward and backward once."""
    space, found = load_space(name), Sweep(name)
    start = time.perf_counter()
    space.sample(1000, seed)
    found.seconds_sampling = time.perf_counter() - start
    for config in space.sample(sample, seed):
        attempt(space, config, USUAL_SHAPES, found)
    return found


def attempt(space: SearchSpace, config: Config, shapes: Mapping[str, tuple[int, ...]], found: Sweep) -> None:
    """Build a configuration, take it forward and backward, and note how that went.

    Parameters
    ----------
    shapes : mapping
        Shape of one example for each modality; a network for tables reads such also of a text or a series.
    found : Sweep
        Where it is noted.
    """
    try:
        if space.kind_of(config) not in space.networks:
            space.build(config, Problem("classification", N_OUTPUTS))
            found.learners += 1
        else:
            _train(space, config, shapes, found)
            found.built += 1
    except ArchitectureError:
        found.refused += 1
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is what the sweep is to show
        found.failures.append(f"{found.name} {config}: {type(error).__name__}: {error}")


def _train(space: SearchSpace, config: Config, shapes: Mapping[str, tuple[int, ...]], found: Sweep) -> None:
    import torch

    view = load_family(space.families[space.kind_of(config)]).view(space.options(config)).partition(":")[0]
    reads = {"image": "image", "series": "series", "tokens": "text"}.get(view, "tabular")
    shape = shapes[reads]
    with _timed(found.ms_dry_run):
        expected = space.dry_run(config, shape, N_OUTPUTS)
    with _timed(found.ms_build):
        network = space.network(config, shape, N_OUTPUTS)
    parameters = sum(p.numel() for p in network.parameters())
    assert parameters == expected.parameters, f"{parameters} parameters, {expected.parameters} in the dry run"
    generator = torch.Generator().manual_seed(0)
    size = (ROWS, *shape)
    x = torch.randint(TOKENS, size, generator=generator) if reads == "text" else torch.randn(size, generator=generator)
    scores = network(x)
    scores = scores.mean(1) if scores.ndim == 3 else scores  # a network of several members predicts with each
    assert tuple(scores.shape) == (ROWS, N_OUTPUTS), f"output of shape {tuple(scores.shape)}"
    loss = torch.nn.functional.cross_entropy(scores, torch.arange(ROWS))
    loss.backward()
    assert math.isfinite(loss.item()), f"loss {loss.item()}"
    largest = [p.grad.abs().max().item() for p in network.parameters() if p.grad is not None]
    assert all(map(math.isfinite, largest)), "a gradient that is not finite"
    assert max(largest) > 0, "no weight has a gradient"


@contextmanager
def _timed(into: list[float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    into.append(1e3 * (time.perf_counter() - start))
