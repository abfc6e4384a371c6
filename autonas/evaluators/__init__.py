"""Performance estimation strategies (survey, section 4): one file each, the file name is the public name."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autonas.errors import unknown

if TYPE_CHECKING:
    from autonas.core.objective import Metric
    from autonas.evaluators.base import Evaluator

__all__ = ["list_evaluators", "make_evaluator"]


def _names() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "base")


def list_evaluators() -> list[tuple[str, str]]:
    """Names and first docstring lines of all evaluators, without importing any."""
    texts = {n: ast.get_docstring(ast.parse((Path(__path__[0]) / f"{n}.py").read_text())) for n in _names()}
    return [(name, (text or "").splitlines()[0]) for name, text in texts.items()]


def make_evaluator(spec: str | type[Evaluator], metric: Metric, *, seed: int, device: str) -> Evaluator:
    """An evaluator by name, or from a class of one's own.

    Raises
    ------
    OptionError
        For a name that does not exist.
    """
    cls: Any = spec
    if isinstance(spec, str):
        if spec not in _names():
            raise unknown("evaluator", spec, _names())
        cls = importlib.import_module(f"{__name__}.{spec}").EVALUATOR
    evaluator: Evaluator = cls(metric, seed=seed, device=device)
    return evaluator
