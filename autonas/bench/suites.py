"""What a strategy is measured on, by name: the tables, the functions, and suites of them."""

from __future__ import annotations

from collections.abc import Sequence

from autonas.bench.functions import FUNCTIONS, Function, get_function
from autonas.errors import unknown
from autonas.evaluators.benchmarks import TABLES, Table, read_table

__all__ = ["SUITES", "expand", "get_benchmark"]


def _family(prefix: str) -> tuple[str, ...]:
    return tuple(name for name in TABLES if name.startswith(f"{prefix}-"))


SUITES: dict[str, tuple[str, ...]] = {
    "core": (
        "fcnet-naval",
        "fcnet-protein",
        "nb201-cifar10",
        "mlp-credit_g",
        "mlp-segment",
        "nbg-arxiv",
        "nbg-citeseer",
    ),
    "fcnet": _family("fcnet"),
    "nb201": _family("nb201"),
    "mlp": _family("mlp"),
    "nbg": _family("nbg"),
    "tables": TABLES,
    "floats": ("branin", "hartmann3", "hartmann6"),
    "conditional": ("jenatton", "models", "layers"),
    "fidelity": tuple(name for name in FUNCTIONS if "-" in name),
}


def expand(names: Sequence[str]) -> list[str]:
    """Names of benchmarks, each once, with the suites among them replaced by what they hold.

    Raises
    ------
    OptionError
        For a name that is neither.
    """
    known = [*SUITES, *TABLES, *FUNCTIONS]
    for name in names:
        if name not in known:
            raise unknown("benchmark or suite", name, known)
    return list(dict.fromkeys(member for name in names for member in SUITES.get(name, (name,))))


def get_benchmark(name: str) -> Table | Function:
    """The table or the function of that name."""
    return read_table(name) if name in TABLES else get_function(name)
