"""From the name of a family to an untrained learner."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from autonas.architectures.family import PIXELS, ShrunkFamily, load_family
from autonas.core.trial import Value
from autonas.data.task import Problem
from autonas.errors import unknown
from autonas.training.learner import Learner

__all__ = ["make_learner"]


def make_learner(
    family: str, options: Mapping[str, Value], problem: Problem, seed: int = 0, device: str = "cpu"
) -> Learner:
    """The untrained learner of a family: a network of ``architectures``, or one of ``training.learners``."""
    if find_spec(f"autonas.training.learners.{family}"):
        learner: type[Learner] = import_module(f"autonas.training.learners.{family}").LEARNER
        return learner(options, problem, seed, device)
    if find_spec(f"autonas.architectures.{family}"):
        from autonas.training.network import NetworkLearner

        module = load_family(family)
        if PIXELS in options:
            module = ShrunkFamily(module, int(options[PIXELS]))
        return NetworkLearner(module, options, problem, seed, device)
    raise unknown("family", family, _families())


def _families() -> list[str]:
    """Names of all families."""
    folders = ("autonas.training.learners", "autonas.architectures")
    return [m.name for f in folders for m in iter_modules(import_module(f).__path__)]
