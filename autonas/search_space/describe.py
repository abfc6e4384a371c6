"""Spaces as a person reads them: the list, the tree of conditions of one, and an editable copy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autonas.errors import OptionError, SpaceError
from autonas.search_space.draft import Draft
from autonas.search_space.library import open_space
from autonas.search_space.load import SpaceSummary, read_draft, summary
from autonas.search_space.space import MODEL
from autonas.search_space.spec import Spec, mentioned

if TYPE_CHECKING:
    from rich.tree import Tree

__all__ = ["copy_space", "described", "space_table", "space_tree"]


def space_table(summaries: Sequence[SpaceSummary]) -> str:
    """The list of spaces as text, one line each; numbers of architectures and configurations are powers of ten."""
    head = ("space", "task", "hyperparameters", "architectures", "configurations", "citation")
    rows = [
        (s.name, s.modality, str(s.n_hyperparameters), *(f"10^{n:.1f}" for n in _sizes(s)), s.citation)
        for s in summaries
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    numbers = (2, 3, 4)

    def line(cells: Sequence[str]) -> str:
        padded = (
            c.rjust(w) if i in numbers else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    return "\n".join(map(line, [head, *rows]))


def described(name: str | os.PathLike[str]) -> dict[str, Any]:
    """A space as plain data: its summary, settings of its kinds, hyperparameters, conditions and forbidden clauses."""
    _, draft = read_draft(name)
    return {
        **asdict(summary(name)),
        "families": draft.families,
        "settings": draft.settings,
        "final": draft.final,
        "hyperparameters": list(draft.hyperparameters.values()),
        "conditions": list(draft.conditions.values()),
        "forbiddens": draft.forbiddens,
    }


def space_tree(name: str | os.PathLike[str]) -> Tree:
    """The conditions of a space as a tree: a hyperparameter stands under the one that it depends on.

    One that depends on several stands under the last of them, and its line says on what else it depends.
    """
    from rich.text import Text
    from rich.tree import Tree

    _, draft = read_draft(name)
    facts = summary(name)
    tree = Tree(Text.assemble((facts.name, "bold"), f"  {facts.title}"))
    sizes = "10^{:.1f} architectures, 10^{:.1f} configurations".format(*_sizes(facts))
    tree.add(f"{facts.modality}; {facts.n_hyperparameters} hyperparameters; {sizes}; {facts.citation}")
    nodes: dict[tuple[str, str], Tree] = {}
    for kind, family in draft.families.items():
        says = f"  family {family}" * (family != kind)
        for words, given in (("", draft.settings), ("at the end ", draft.final)):
            listed = ", ".join(f"{key}: {_text(value)}" for key, value in given.get(kind, {}).items())
            says += f"  {words}{{{listed}}}" * bool(listed)
        nodes[MODEL, kind] = tree.add(Text.assemble((kind, "bold"), says))
    shared = [full for full in draft.hyperparameters if full != MODEL and ":" not in full]
    if shared:
        networks = ", ".join(draft.networks)
        nodes[MODEL, ""] = tree.add(Text.assemble(("training", "bold"), f"  of {networks}"))
    branches: dict[str, Tree] = {}
    for full in _by_depth(draft):
        kind, _, short = full.rpartition(":")
        conditions = list(_own_conditions(draft, full))
        parents = [parent for c in conditions for parent in mentioned(c) if parent != full]
        under = branches[parents[-1]] if parents else nodes[MODEL, kind]
        when = " and ".join(_condition(c) for c in conditions)
        only = ", ".join(_kinds(draft, full))
        says = f"  of {only}" * bool(only) + f"  if {when}" * bool(when)
        line = Text.assemble(short, (f"  {_range(draft.hyperparameters[full])}", "cyan"), (says, "dim"))
        branches[full] = under.add(line)
    for clause in draft.forbiddens:
        tree.add(Text(f"never: {_condition(clause)}"))
    return tree


def copy_space(name: str, path: Path | None = None) -> Path:
    """Write an editable copy of a space; fragments and spaces that it names are still found by name.

    Parameters
    ----------
    name : str
        Of a packaged space, or a path.
    path : Path, optional
        A file that does not exist, or a folder; by default ``<name>.yaml`` in the working directory.

    Raises
    ------
    OptionError
        If the file exists.
    """
    doc, _ = open_space(name)
    target = Path(f"{doc.data.get('name', 'space')}.yaml") if path is None else path
    if target.is_dir():
        target /= f"{doc.data.get('name', 'space')}.yaml"
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(doc.source)
    except FileExistsError:
        raise OptionError(f"{target} exists. Give another path, or remove it first.") from None
    except OSError as error:
        raise SpaceError(f"{target} cannot be written: {error}.") from error
    return target


# --- words -----------------------------------------------------------------------------------------------------------


def _by_depth(draft: Draft) -> Iterator[str]:
    """Full names but for the kind, parents before children, otherwise as the file has them."""
    waiting = [full for full in draft.hyperparameters if full != MODEL]
    done = {MODEL}
    while waiting:
        ready = [f for f in waiting if set(mentioned(draft.conditions.get(f, {}))) <= {*done, f}]
        yield from ready
        done.update(ready)
        waiting = [full for full in waiting if full not in done]


def _own_conditions(draft: Draft, full: str) -> Iterator[Spec]:
    """The conditions of a hyperparameter besides that on the kind."""
    spec = draft.conditions.get(full, {})
    for part in spec["conditions"] if spec.get("type") == "AND" else [spec]:
        if part and part.get("parent") != MODEL:
            yield part


def _kinds(draft: Draft, full: str) -> list[str]:
    """The kinds that have a hyperparameter of a fragment, where not all networks do."""
    spec = draft.conditions.get(full, {})
    model = spec["conditions"][0] if spec.get("type") == "AND" else spec
    kinds = model.get("values", draft.networks) if model.get("parent") == MODEL else draft.networks
    return [] if kinds == draft.networks else list(kinds)


def _sizes(facts: SpaceSummary) -> tuple[float, float]:
    return facts.log10_architectures, facts.log10_configurations


def _short(full: str) -> str:
    return full.rpartition(":")[2]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _range(spec: Mapping[str, Any]) -> str:
    """Values and default."""
    if spec["type"] == "constant":
        return f"= {_text(spec['value'])}"
    if "lower" in spec:
        whole = "whole, " if spec["type"] == "uniform_int" else ""
        log = "log, " if spec.get("log") else ""
        default = spec.get("default_value")
        said = f"default {_text(default)}" if default is not None else "default in the middle"
        return f"[{_text(spec['lower'])}, {_text(spec['upper'])}] ({whole}{log}{said})"
    values = spec.get("choices") or spec["sequence"]
    ordered = " < " if spec["type"] == "ordinal" else " | "
    return f"{ordered.join(map(_text, values))} (default {_text(spec.get('default_value', values[0]))})"


def _condition(spec: Mapping[str, Any]) -> str:
    """A condition or a forbidden clause in words."""
    parts = spec.get("conditions") or spec.get("clauses")
    if parts:
        joined = f" {spec['type'].lower()} ".join(map(_condition, parts))
        return f"({joined})"
    signs = {"EQ": "=", "EQUALS": "=", "LT": "<", "LE": "<=", "GT": ">", "GE": ">=", "IN": "in"}
    sign = signs[spec["type"].removeprefix("CLAUSE_").removeprefix("RELATION_")]
    if "left" in spec:
        return f"{_short(spec['left'])} {sign} {_short(spec['right'])}"
    value = spec["values"] if sign == "in" else spec["value"]
    return f"{_short(spec.get('parent') or spec['name'])} {sign} {_text(value)}"
