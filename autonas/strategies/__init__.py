"""Search strategies (survey, section 3): one file each, the file name is the public name.

A file that sets ``STRATEGY`` to a class is a strategy; nothing else has to be edited.  A strategy whose constructor
takes a ``sampler`` wraps another one, which may wrap one too: ``"hyperband(parego(smac))"``.  Code outside the package
passes the class itself.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autonas.errors import OptionError, unknown

if TYPE_CHECKING:
    from autonas.search_space.space import SearchSpace
    from autonas.strategies.base import Strategy

__all__ = ["list_strategies", "make_strategy"]

_ALIASES = {"bohb": "hyperband(kde)"}


@cache
def list_strategies() -> list[tuple[str, str]]:
    """Names of all strategies, each with the first line of its file; imports none of them."""
    found = []
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        targets = [t for node in tree.body if isinstance(node, ast.Assign) for t in node.targets]
        if any(isinstance(target, ast.Name) and target.id == "STRATEGY" for target in targets):
            found.append((path.stem, (ast.get_docstring(tree) or "").partition("\n")[0]))
    return found


def make_strategy(
    spec: str | type[Strategy],
    space: SearchSpace,
    objectives: Sequence[str] = ("loss",),
    seed: int = 0,
    **options: Any,
) -> Strategy:
    """A strategy by its name.

    Parameters
    ----------
    spec : str or class
        A name, a name around a name (``"hyperband(smac)"``), an alias ("bohb"), or a class that derives from Strategy.
    space : SearchSpace
    objectives : sequence of str
    seed : int
    **options
        For the strategy's constructor; those of a wrapper are for the wrapper.

    Raises
    ------
    OptionError
        If there is no such strategy, it wraps nothing, or it has no such option.
    """
    if isinstance(spec, str):
        outer, inner = _parse(_ALIASES.get(spec.strip(), spec))
        strategy = _find(outer)
        if inner is not None:
            if "sampler" not in _options(strategy):
                raise OptionError(f"The strategy {outer!r} wraps no other. Write {inner!r} or {outer!r} alone.")
            options["sampler"] = inner
    else:
        strategy = spec
    for option in options:
        if option not in _options(strategy):
            raise unknown(f"option of {strategy.__name__}", option, _options(strategy))
    return strategy(space, objectives, seed=seed, **options)


def _parse(spec: str) -> tuple[str, str | None]:
    match = re.fullmatch(r"\s*([\w-]+)\s*(?:\((.*)\))?\s*", spec)
    if match is None:
        raise OptionError(f'A strategy is a name, or a name around a name: "hyperband(smac)". Given: {spec!r}.')
    return match[1], match[2]


def _find(name: str) -> type[Strategy]:
    names = [known for known, _ in list_strategies()]
    if name not in names:
        raise unknown("strategy", name, [*names, *_ALIASES])
    strategy: type[Strategy] = importlib.import_module(f"autonas.strategies.{name}").STRATEGY
    return strategy


def _options(strategy: type[Strategy]) -> list[str]:
    parameters = inspect.signature(strategy).parameters.values()
    return [p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name != "seed"]
