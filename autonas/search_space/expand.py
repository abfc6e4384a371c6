"""A space file as one flat draft in ConfigSpace's dialect: full names, conditions by their child, fragments included.

Plain data only, so that spaces can be listed and described without ConfigSpace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from autonas.architectures.family import graph_module
from autonas.data.task import Modality
from autonas.errors import OptionError
from autonas.search_space.draft import Draft
from autonas.search_space.fragments import add_conditions, add_hyperparameters, included
from autonas.search_space.space import MODEL
from autonas.search_space.spec import Spec, condition, conjunction, declared, forbidden, mentioned
from autonas.search_space.strict import Document, near

__all__ = ["expand"]

_SECTION = ("hyperparameters", "conditions", "forbiddens")


def expand(doc: Document, folder: Path | None) -> Draft:
    """What a file means, fragments looked for in its folder first."""
    top = doc.mapping(
        doc.data,
        "",
        ("name", "title", "modality", "kinds"),
        ("citation", "extends", "fidelity", "include", "only", "portfolio"),
    )
    for key in ("name", "title", "citation"):
        if key in top:
            doc.text(top[key], key)
    if top["modality"] not in get_args(Modality):
        raise doc.error(
            "modality", f"unknown modality {top['modality']!r}. {near(top['modality'], get_args(Modality))}"
        )
    kinds = top["kinds"]
    if not isinstance(kinds, dict) or not kinds:
        raise doc.error("kinds", "a mapping with at least one kind was required.")

    draft = Draft()
    for kind, section in kinds.items():
        path = f"kinds.{kind}"
        if not isinstance(kind, str) or not re.fullmatch(r"[A-Za-z_]\w*", kind):
            raise doc.error(path, f"a name of letters, digits and '_' was required, given {kind!r}.")
        doc.mapping(section, path, (), ("family", "network", "settings", "final", *_SECTION))
        draft.families[kind] = doc.text(section.get("family", kind), f"{path}.family")
        if doc.boolean(section.get("network", False), f"{path}.network"):
            draft.networks.append(kind)
        _check_family(doc, draft.families[kind], f"{path}.family")
        family = graph_module(draft.families[kind])
        if family is not None:
            draft.settings[kind] = _settings(doc, section.get("settings", {}), f"{path}.settings", family.SETTINGS)
            _check_view(doc, family, draft.settings[kind], path)
            if "final" in section:
                draft.final[kind] = _final(doc, section["final"], f"{path}.final", family, draft.settings[kind])
        elif given := [key for key in ("settings", "final") if key in section]:
            raise doc.error(f"{path}.{given[0]}", f"the family {draft.families[kind]!r} has no settings.")
        elif "hyperparameters" not in section:
            raise doc.error(path, "the key 'hyperparameters' is missing.")
    choices = list(kinds)
    draft.hyperparameters[MODEL] = {
        "name": MODEL, "type": "categorical", "choices": choices, "default_value": choices[0],
    }  # fmt: skip

    sections = {
        kind: _with_family(doc, section, f"kinds.{kind}", draft.families[kind], draft.settings.get(kind))
        for kind, section in kinds.items()
    }
    own = {
        kind: declared(doc, section["hyperparameters"], f"kinds.{kind}.hyperparameters", f"{kind}:")
        for kind, section in sections.items()
    }
    parts = included(doc, draft, folder, _families())
    shared = add_hyperparameters(draft, parts, own)
    for specs in own.values():
        draft.hyperparameters.update({spec["name"]: spec for spec in specs.values()})
    shared = add_conditions(doc, draft, parts, shared, own)
    for kind, section in sections.items():
        _add_conditions(doc, section, kind, draft, own[kind], shared)
    _check_order(doc, draft)
    return draft


def _check_order(doc: Document, draft: Draft) -> None:
    """Refuse conditions that go round in a circle."""
    waiting = {name: set(mentioned(condition)) - {name} for name, condition in draft.conditions.items()}
    while ready := [name for name, parents in waiting.items() if parents.isdisjoint(waiting)]:
        for name in ready:
            del waiting[name]
    if waiting:
        names = ", ".join(waiting)
        kind = next(iter(waiting)).partition(":")[0]
        raise doc.error(f"kinds.{kind}.conditions", f"they go round in a circle: {names}. Remove one of them.")


def _settings(doc: Document, raw: Any, path: str, known: dict[str, Any]) -> dict[str, Any]:
    """Checked settings of a family: known names, and the types of the defaults."""
    given = doc.mapping(raw, path, optional=known)
    for key, value in given.items():
        default, where = known[key], f"{path}.{key}"
        if isinstance(default, bool):
            doc.boolean(value, where)
        elif isinstance(default, int | float):
            doc.number(value, where, whole=isinstance(default, int))
        elif isinstance(default, list):
            _choices(doc, value, where, default)
        else:
            doc.text(value, where)
        if isinstance(default, int | float) and not isinstance(default, bool) and value < 0:
            raise doc.error(where, f"a number >= 0 was required, given {value}.")
    return dict(given)


def _final(doc: Document, raw: Any, path: str, family: ModuleType, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Checked settings of the last training; the found configurations must mean the same with them."""
    given = _settings(doc, raw, path, family.SETTINGS)
    searched = {**family.SETTINGS, **settings}
    for key, value in given.items():
        if family.space({**searched, key: value}) != family.space(searched):
            raise doc.error(f"{path}.{key}", f"{key!r} changes what is searched: only sizes of networks can be final.")
    return given


def _choices(doc: Document, raw: Any, path: str, default: list[Any]) -> None:
    """Refuse what is not a list of different values of the kind that the family's own list has."""
    values = doc.items(raw, path)
    if not values and default:
        raise doc.error(path, f"at least one value was required, given an empty list. By default: {default}.")
    for number, value in enumerate(values):
        where = f"{path}[{number}]"
        if default and isinstance(default[0], str):
            doc.text(value, where)
        elif default and doc.number(value, where, whole=isinstance(default[0], int)) < 0:
            raise doc.error(where, f"a number >= 0 was required, given {value}.")
        if value in values[:number]:
            raise doc.error(where, f"the value {value!r} stands twice. Remove one.")


def _with_family(
    doc: Document, section: dict[str, Any], path: str, family: str, settings: dict[str, Any] | None
) -> dict[str, Any]:
    """The section with the hyperparameters that the family derives from its settings behind the file's own."""
    module = graph_module(family)
    if module is None or settings is None:
        return section
    try:
        derived = module.space({**module.SETTINGS, **settings})
    except OptionError as error:
        raise doc.error(f"{path}.settings", f"these settings do not fit: {error}") from error
    given = {key: doc.items(section.get(key, []), f"{path}.{key}") for key in _SECTION}
    own = {h.get("name") for h in given["hyperparameters"] if isinstance(h, dict)}
    # a file may give a derived hyperparameter another range
    derived["hyperparameters"] = [h for h in derived["hyperparameters"] if h["name"] not in own]
    # the file's own ones come first, so that their places are those in the file
    return {**section, **{key: [*given[key], *derived.get(key, ())] for key in _SECTION}}


def _add_conditions(
    doc: Document, section: Mapping[str, Any], kind: str, draft: Draft, own: dict[str, Spec], shared: dict[str, Spec]
) -> None:
    """Add the conditions and forbidden clauses of a kind, whose names are its own and those of the fragments."""
    path = f"kinds.{kind}"
    known = [*own, *shared]

    def resolve(name: str) -> Spec | None:
        return own.get(name) or shared.get(name)

    stated: dict[str, Spec] = {}
    for number, raw in enumerate(doc.items(section.get("conditions", []), f"{path}.conditions")):
        where = f"{path}.conditions[{number}]"
        spec = condition(doc, raw, where, resolve, known)
        child = spec["child"]
        if child.removeprefix(f"{kind}:") not in own:
            raise doc.error(where, f"{child!r} is shared: only its own file can state when it is active.")
        if child in stated:
            raise doc.error(where, f"{child!r} has two conditions. Combine them with AND or OR.")
        stated[child] = spec
    for number, raw in enumerate(doc.items(section.get("forbiddens", []), f"{path}.forbiddens")):
        draft.forbiddens.append(forbidden(doc, raw, f"{path}.forbiddens[{number}]", resolve, known))
    for spec in own.values():
        name = spec["name"]
        active = {"type": "EQ", "parent": MODEL, "value": kind, "child": name}
        draft.conditions[name] = conjunction(active, stated.get(name))


@cache
def _families() -> list[str]:
    """Names of all families: learners, and the architectures that say whether folds can be batched."""
    found = []
    for folder, mark in (("training.learners", "\nLEARNER"), ("architectures", "\nBATCHED")):
        files = resources.files(f"autonas.{folder}").iterdir()
        found += [f.name.removesuffix(".py") for f in files if f.name.endswith(".py") and mark in f.read_text("utf-8")]
    return sorted(set(found))


def _check_family(doc: Document, family: str, path: str) -> None:
    if family not in _families():
        raise doc.error(path, f"there is no family {family!r}. {near(family, _families())}")


def _check_view(doc: Document, family: ModuleType, settings: Mapping[str, Any], path: str) -> None:
    """What the networks read must be what the data of the space are."""
    modality = doc.data["modality"]
    try:
        view = family.view({**family.SETTINGS, **settings}).partition(":")[0]
    except OptionError as error:
        raise doc.error(f"{path}.settings", str(error)) from error
    reads = {"image": "image", "series": "series", "tokens": "text"}.get(view, modality)
    if reads != modality:
        hints = {"view": f"`view: {modality}`", "tokens": "`tokens: words` for texts, `tokens: none` for series"}
        fitting = [hint for key, hint in hints.items() if key in family.SETTINGS]
        ways = f"Say in its settings {fitting[0]}, or change" if fitting else "Change"
        raise doc.error(
            path, f"this family reads data of the modality {reads!r}, not {modality!r}. {ways} the modality."
        )
