"""Performance estimation strategies (survey, section 4): one file each, the file name is the public name.

An evaluator whose constructor takes ``inner`` wraps another one: ``"median(train)"``.  A list is a ladder of rising
cost: ``["zerocost", "train"]``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autonas.errors import OptionError, unknown

if TYPE_CHECKING:
    from autonas.core.objective import Metric
    from autonas.evaluators.base import Evaluator

__all__ = ["check_evaluator", "list_evaluators", "make_evaluator"]


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


def check_evaluator(spec: Any) -> None:
    """Raise what :func:`make_evaluator` raises for a name that does not exist; imports none of them."""
    if isinstance(spec, str):
        _parse(spec)
    elif isinstance(spec, list | tuple):
        for rung in spec:
            check_evaluator(rung)


def make_evaluator(spec: Any, metric: Metric, *, seed: int, device: str) -> Evaluator:
    """An evaluator by name, or from a class of one's own.

    Parameters
    ----------
    spec : str, class or list of these
        A name, a name around a name (``"domhan(train)"``), a class that derives from Evaluator, or a ladder.
    metric, seed, device
        See :class:`~autonas.evaluators.base.Evaluator`.

    Raises
    ------
    OptionError
        If there is no such evaluator, or it wraps nothing.
    """
    if isinstance(spec, list | tuple):
        from autonas.evaluators.ladder import Ladder

        made = [make_evaluator(rung, metric, seed=seed, device=device) for rung in spec]
        names = [rung if isinstance(rung, str) else type(own).__name__ for rung, own in zip(spec, made, strict=True)]
        return Ladder(metric, seed=seed, device=device, rungs=list(zip(names, made, strict=True)))
    if not isinstance(spec, str):
        return spec(metric, seed=seed, device=device)
    outer, inner = _parse(spec)
    cls: Any = importlib.import_module(f"{__name__}.{outer}").EVALUATOR
    wrapped = {} if inner is None else {"inner": make_evaluator(inner, metric, seed=seed, device=device)}
    if wrapped and "inner" not in inspect.signature(cls).parameters:
        raise OptionError(f"The evaluator {outer!r} wraps no other. Write {inner!r} or {outer!r} alone.")
    evaluator: Evaluator = cls(metric, seed=seed, device=device, **wrapped)
    return evaluator


def _parse(spec: str) -> tuple[str, str | None]:
    """The outer name, and what it wraps."""
    match = re.fullmatch(r"\s*([\w-]+)\s*(?:\((.*)\))?\s*", spec)
    if match is None:
        raise OptionError(f'An evaluator is a name, or a name around a name: "domhan(train)". Given: {spec!r}.')
    names = [name for name, _ in list_evaluators()]
    if match[1] not in names:
        raise unknown("evaluator", match[1], names)
    if match[2] is not None:
        _parse(match[2])
    return match[1], match[2]
