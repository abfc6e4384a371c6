"""Performance estimation strategies (survey, section 4): one file each, the file name is the public name."""

from __future__ import annotations

import ast
import importlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autonas.errors import unknown

if TYPE_CHECKING:
    from autonas.core.objective import Metric
    from autonas.evaluators.base import Evaluator

__all__ = ["list_evaluators", "make_evaluator"]


@cache
def list_evaluators() -> list[tuple[str, str]]:
    """Names of all evaluators, each with the first line of its file; imports none of them.

    A file is an evaluator if it sets ``EVALUATOR``.
    """
    found = []
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
        if any(isinstance(target, ast.Name) and target.id == "EVALUATOR" for target in targets):
            found.append((path.stem, (ast.get_docstring(tree) or "").partition("\n")[0]))
    return found


def make_evaluator(spec: str | type[Evaluator], metric: Metric, *, seed: int, device: str) -> Evaluator:
    """An evaluator by name, or from a class of one's own.

    Raises
    ------
    OptionError
        For a name that does not exist.
    """
    cls: Any = spec
    if isinstance(spec, str):
        names = [name for name, _ in list_evaluators()]
        if spec not in names:
            raise unknown("evaluator", spec, names)
        cls = importlib.import_module(f"{__name__}.{spec}").EVALUATOR
    evaluator: Evaluator = cls(metric, seed=seed, device=device)
    return evaluator
