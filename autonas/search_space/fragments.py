"""Fragments: hyperparameters that any space file includes, for those of its kinds that are networks.

``include: [training]`` takes everything of the fragment ``training`` that means something in the space, and
``include: [training: [optimisation, drop_path]]`` two of its parts.  A part may serve some modalities or families only.
A kind that states a hyperparameter of a fragment itself keeps its own.  In a condition of a fragment a name means the
fragment's hyperparameter and those of the kinds, ``*`` standing for anything: so one can depend on the architecture.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, get_args

from autonas.data.task import Kind, Modality
from autonas.search_space.draft import Draft
from autonas.search_space.library import open_fragment
from autonas.search_space.space import MODEL
from autonas.search_space.spec import Spec, allows, condition, conjunction, declared, forbidden
from autonas.search_space.strict import Document, near

__all__ = ["Part", "add_conditions", "add_hyperparameters", "included"]

_SECTION = ("conditions", "forbiddens")


@dataclass(frozen=True)
class Part:
    """A part of a fragment, or a whole one that has no parts.

    Parameters
    ----------
    doc : Document
        The fragment.
    path : str
        Where the part stands in it.
    section : mapping
        ``hyperparameters``, ``conditions``, ``forbiddens``.
    kinds : tuple of str
        The kinds that it serves.
    wanted : str
        Where the space file asks for this part by name; empty if it does not.
    """

    doc: Document
    path: str
    section: Mapping[str, Any]
    kinds: tuple[str, ...]
    wanted: str = ""

    def inner(self, key: str) -> str:
        """Path of something in the part."""
        return f"{self.path}.{key}" if self.path else key


def included(doc: Document, draft: Draft, folder: Path | None, families: Collection[str]) -> list[Part]:
    """The parts that a space file includes and that mean something for its kinds.

    Parameters
    ----------
    doc : Document
    draft : Draft
        Knows the kinds; gets what the fragments say about tasks (``only``).
    folder : Path or None
        Where fragments are looked for first.
    families : collection of str
        All that there are.
    """
    found: list[Part] = []
    for number, item in enumerate(doc.items(doc.data.get("include", []), "include")):
        path = f"include[{number}]"
        if not draft.networks and not doc.states("include"):
            continue  # an extension that keeps no network
        if not draft.networks:
            raise doc.error("include", "fragments serve the kinds that say `network: true`, and there is none.")
        name, chosen = _chosen(doc, item, path)
        fragment = open_fragment(doc, name, path, folder)
        parts = _parts(fragment, families)
        for kind, names in _only(fragment, parts).items():
            draft.only.setdefault(kind, []).extend(names)
        if "hyperparameters" in fragment.data:
            if chosen is not None:
                raise doc.error(path, f"the fragment {name!r} has no parts. Write `include: [{name}]`.")
            found.append(Part(fragment, "", fragment.data, tuple(draft.networks)))
            continue
        for at, part in enumerate(parts if chosen is None else chosen):
            where = f"{path}.{name}[{at}]"
            if part not in parts:
                raise doc.error(where, f"unknown part {part!r} of the fragment {name!r}. {near(part, list(parts))}")
            wanted = where if chosen is not None and doc.states("include") else ""
            kinds, served = _served(parts[part], draft, str(doc.data["modality"]))
            if not kinds and wanted:
                raise doc.error(where, f"the part {part!r} serves {served}, and there is none here. Leave it out.")
            if kinds:
                found.append(Part(fragment, f"parts.{part}", parts[part], kinds, wanted))
    return found


def _chosen(doc: Document, item: Any, path: str) -> tuple[str, list[Any] | None]:
    """Name of the fragment, and the names of the parts, if the file names them."""
    if not isinstance(item, Mapping):
        return doc.text(item, path), None
    if len(item) != 1:
        raise doc.error(path, f"one fragment with its parts was required, given {len(item)}: {', '.join(item)}.")
    ((name, raw),) = item.items()
    parts = doc.items(raw, f"{path}.{name}")
    if not parts:
        raise doc.error(f"{path}.{name}", f"at least one part was required. For all of them write `include: [{name}]`.")
    for at, part in enumerate(parts):
        if part in parts[:at]:
            raise doc.error(f"{path}.{name}[{at}]", f"the part {part!r} stands twice. Remove one.")
    return doc.text(name, path), parts


def _parts(doc: Document, families: Collection[str]) -> dict[str, Any]:
    """The checked parts of a fragment; none if it has its hyperparameters at the top."""
    top = doc.mapping(doc.data, "", ("fragment",), ("only", "parts", "hyperparameters", *_SECTION))
    if ("parts" in top) == ("hyperparameters" in top):
        raise doc.error("", "either `hyperparameters` or `parts` with hyperparameters were required.")
    parts = doc.mapping(top.get("parts", {}), "parts", optional=top.get("parts", {}))
    for name, raw in parts.items():
        path = f"parts.{name}"
        part = doc.mapping(raw, path, ("hyperparameters",), ("modalities", "families", *_SECTION))
        for key, what, known in (("modalities", "modality", get_args(Modality)), ("families", "family", families)):
            for number, value in enumerate(doc.items(part.get(key, []), f"{path}.{key}")):
                if value not in known:
                    raise doc.error(f"{path}.{key}[{number}]", f"unknown {what} {value!r}. {near(value, known)}")
    return parts


def _only(doc: Document, parts: Mapping[str, Any]) -> dict[str, list[str]]:
    """Hyperparameters of a fragment that mean something for one kind of task only."""
    sections = parts.values() if parts else (doc.data,)
    raws = [raw for section in sections for raw in doc.items(section["hyperparameters"], "hyperparameters")]
    known = [str(raw.get("name")) for raw in raws if isinstance(raw, Mapping)]
    only = doc.mapping(doc.data.get("only", {}), "only", optional=get_args(Kind))
    for kind, names in only.items():
        for number, name in enumerate(doc.items(names, f"only.{kind}")):
            if name not in known:
                raise doc.error(f"only.{kind}[{number}]", f"unknown hyperparameter {name!r}. {near(name, known)}")
    return only


def _served(part: Mapping[str, Any], draft: Draft, modality: str) -> tuple[tuple[str, ...], str]:
    """The kinds that a part serves, and in words which these would be."""
    modalities, families = part.get("modalities"), part.get("families")
    if modalities is not None and modality not in modalities:
        return (), f"data of the modality {' or '.join(modalities)}"
    kinds = tuple(kind for kind in draft.networks if families is None or draft.families[kind] in families)
    return kinds, f"networks of the family {' or '.join(families or ())}"


def add_hyperparameters(draft: Draft, parts: list[Part], own: Mapping[str, Mapping[str, Spec]]) -> dict[str, Spec]:
    """Add those that a kind does not state itself; returns all of them by name, the others too.

    Parameters
    ----------
    own : mapping
        Hyperparameters by kind, and by the names that the file uses.
    """
    found: dict[str, Spec] = {}
    for part in parts:
        path, taken = part.inner("hyperparameters"), {MODEL, *found}
        specs = declared(part.doc, part.section["hyperparameters"], path, taken=taken)
        for name, spec in specs.items():
            kinds = [kind for kind in part.kinds if name not in own[kind]]
            if kinds:
                draft.hyperparameters[name] = spec
                draft.conditions[name] = {"type": "IN", "parent": MODEL, "values": kinds, "child": name}
        found.update(specs)
    return found


def add_conditions(
    doc: Document, draft: Draft, parts: list[Part], shared: Mapping[str, Spec], own: Mapping[str, Mapping[str, Spec]]
) -> dict[str, Spec]:
    """Add the conditions and forbidden clauses of the parts; returns what is left without what is never active."""
    never: list[str] = []
    for part in parts:
        for name, spec in _conditions(part, shared, own).items():
            if spec is not None and name in draft.conditions:
                draft.conditions[name] = conjunction(draft.conditions[name], spec)
            elif name in draft.conditions:
                never.append(name)
        if part.wanted and (useless := set(never).intersection(_names(part))):
            raise doc.error(
                part.wanted, f"{', '.join(sorted(useless))} could never be active here. Leave the part out."
            )
        for number, raw in enumerate(part.doc.items(part.section.get("forbiddens", []), part.inner("forbiddens"))):
            where = f"{part.inner('forbiddens')}[{number}]"
            draft.forbiddens.append(forbidden(part.doc, raw, where, shared.get, list(shared)))
    draft.drop(never)
    return {name: spec for name, spec in shared.items() if name in draft.hyperparameters}


def _names(part: Part) -> list[str]:
    return [raw["name"] for raw in part.section["hyperparameters"]]


def _conditions(
    part: Part, shared: Mapping[str, Spec], own: Mapping[str, Mapping[str, Spec]]
) -> dict[str, Spec | None]:
    """By child; None if it never holds for the kinds of this space."""

    def means(name: str) -> list[Spec]:
        """The hyperparameters that a condition of the part means by a name."""
        of_kinds = [spec for kind in part.kinds for n, spec in own[kind].items() if fnmatchcase(n, name)]
        everywhere = name in shared and any(name not in own[kind] for kind in part.kinds)
        return [*([shared[name]] if everywhere else ()), *of_kinds]

    full = {spec["name"]: spec for kind in part.kinds for spec in own[kind].values()}

    def resolve(name: str) -> Spec | None:
        return shared.get(name) or full.get(name)

    found: dict[str, Spec | None] = {}
    for number, raw in enumerate(part.doc.items(part.section.get("conditions", []), part.inner("conditions"))):
        where = f"{part.inner('conditions')}[{number}]"
        placed = _placed(raw, means)
        spec = None if placed is None else condition(part.doc, placed, where, resolve, list(shared))
        child = _child(raw) if spec is None else spec["child"]
        if child not in _names(part):
            raise part.doc.error(where, f"{child!r} is of another part: only that can state when it is active.")
        if child in found:
            raise part.doc.error(where, f"{child!r} has two conditions. Combine them with AND or OR.")
        found[child] = spec
    return found


def _child(raw: Mapping[str, Any]) -> str:
    return str(raw["child"] if "child" in raw else _child(raw["conditions"][0]))


def _placed(raw: Any, means: Callable[[str], list[Spec]]) -> Any:
    """A condition with each parent replaced by what its name means in this space; None if it never holds."""
    if not isinstance(raw, Mapping):
        return raw
    if isinstance(raw.get("conditions"), list):
        parts = [_placed(part, means) for part in raw["conditions"]]
        kept = [part for part in parts if part is not None]
        if not kept or (raw.get("type") == "AND" and len(kept) < len(parts)):
            return None
        return kept[0] if len(kept) == 1 < len(parts) else {**raw, "conditions": kept}
    name = raw.get("parent")
    if not isinstance(name, str):
        return raw
    found = means(name)
    if not found:
        return None if "*" in name else raw
    cases = []
    for spec in found:
        if ":" not in spec["name"]:
            cases.append(dict(raw))
        elif isinstance(raw.get("values"), list):
            if values := [value for value in raw["values"] if allows(spec, value)]:
                cases.append({**raw, "parent": spec["name"], "values": values})
        elif allows(spec, raw.get("value")):
            cases.append({**raw, "parent": spec["name"]})
    if len(cases) < 2:
        return cases[0] if cases else None
    return {"type": "OR", "conditions": cases}
