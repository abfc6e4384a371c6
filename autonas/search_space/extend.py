"""A space file that builds on another: it names its kinds, and writes out only what is different.

``extends: tabular`` takes over everything of the space ``tabular`` that the file does not state itself.  ``kinds``,
if it is there, lists the kinds to keep and to add; a kind without a value is as it was, and of another one
hyperparameters replace those of the same name, conditions those of the same child, settings those of the same key.
Entries of the portfolio and of ``only`` that speak of a kind that was left out are left out.  The file's own entries of
the portfolio stand after the others, and in place of all those of the same kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autonas.search_space.spec import hyperparameter
from autonas.search_space.strict import Document

__all__ = ["OWN", "extended"]

OWN = (("name", "title", "extends"), ("citation", "fidelity", "kinds", "include", "only", "portfolio"))
"""Keys of a file that extends another: required, and optional."""


def extended(doc: Document, base: Document) -> Document:
    """The file written out, given the whole document that it extends.

    Raises
    ------
    SpaceError
        If one of the two is malformed.
    """
    own = doc.mapping(doc.data, "", *OWN)
    known = base.mapping(base.data.get("kinds"), "kinds", optional=base.data.get("kinds") or ())
    merged = {**base.data, **{key: value for key, value in own.items() if key != "extends"}}
    gone: set[str] = set()
    if "kinds" in own:
        given = doc.mapping(own["kinds"], "kinds", optional=own["kinds"] or ())
        merged["kinds"] = {
            kind: _kind(doc, f"kinds.{kind}", section, known.get(kind)) for kind, section in given.items()
        }
        gone = set(known) - set(given)
        if "only" not in own and "only" in base.data:
            only = base.mapping(base.data["only"], "only", optional=base.data["only"])
            merged["only"] = {
                task: [name for name in names if name.partition(":")[0] not in gone] for task, names in only.items()
            }
    later = list(_entries(doc, own.get("portfolio", []), next(iter(merged.get("kinds") or ()), "")))
    gone |= {entry["config"]["model"] for entry in later}
    earlier = [
        entry
        for entry in _entries(base, base.data.get("portfolio", []), next(iter(known), ""))
        if entry["config"]["model"] not in gone
    ]
    merged["portfolio"] = [*earlier, *later]
    return doc.written_out(merged, f"{doc.label} (extends {own['extends']})", len(earlier))


def _entries(doc: Document, portfolio: Any, usual: str) -> Iterator[dict[str, Any]]:
    """The entries of a portfolio, each with its kind; one that names none means the first of the file."""
    for number, raw in enumerate(doc.items(portfolio, "portfolio")):
        entry = doc.mapping(raw, f"portfolio[{number}]", ("config", "share"), ("when",))
        config = doc.mapping(entry["config"], f"portfolio[{number}].config", optional=entry["config"])
        kind = doc.text(config.get("model", usual), f"portfolio[{number}].config.model")
        yield {**entry, "config": {**config, "model": kind}}


def _kind(doc: Document, path: str, given: Any, base: Any) -> Any:
    """One kind; without a value it is that of the base."""
    if base is None:
        return given
    if given is None:
        return base
    own = doc.mapping(given, path, optional=given)
    merged = {**base, **own}
    for key in ("settings", "final"):
        if key in own:
            merged[key] = {**base.get(key, {}), **doc.mapping(own[key], f"{path}.{key}", optional=own[key])}
    for key, by in (("hyperparameters", "name"), ("conditions", "child")):
        if key not in own:
            continue
        replaced: dict[Any, Any] = {}
        for number, raw in enumerate(doc.items(own[key], f"{path}.{key}")):
            where = f"{path}.{key}[{number}]"
            spec = hyperparameter(doc, raw, where) if by == "name" else doc.mapping(raw, where, optional=raw)
            replaced[spec.get(by, where)] = raw
        kept = [replaced.pop(raw.get(by), raw) for raw in base.get(key, ())]
        merged[key] = [*kept, *replaced.values()]
    if "forbiddens" in own:
        merged["forbiddens"] = [*base.get("forbiddens", ()), *doc.items(own["forbiddens"], f"{path}.forbiddens")]
    return merged
