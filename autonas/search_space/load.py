"""Search spaces from YAML files: the packaged library and a person's own.

A file names kinds of models.  It expands to one conditional ConfigSpace: a top categorical ``model`` over the kinds,
each kind's hyperparameters under the prefix ``kind:``, and the shared hyperparameters of included fragments, active
for the kinds that are networks (joint architecture and hyperparameter search: Zela et al 2018, Mendoza et al 2016).
The reader is strict; see ``strict`` for why.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from autonas.architectures.family import graph_module
from autonas.data.task import Kind, Modality
from autonas.errors import OptionError, SpaceError, unknown
from autonas.search_space.space import MODEL, PortfolioEntry, SearchSpace
from autonas.search_space.spec import Spec, condition, conjunction, forbidden, hyperparameter, mentioned
from autonas.search_space.strict import Document, near

__all__ = ["SpaceSummary", "list_spaces", "load_space"]

_SECTION = ("hyperparameters", "conditions", "forbiddens")
_WHEN = ("min_rows", "max_rows", "min_columns", "max_columns", "kind", "text", "categories")


@dataclass(frozen=True)
class SpaceSummary:
    """One line of the list of spaces."""

    name: str
    title: str
    modality: str
    n_hyperparameters: int
    citation: str


@dataclass
class _Draft:
    """A space as it grows: everything with full names, conditions by their child."""

    hyperparameters: dict[str, Spec] = field(default_factory=dict)
    conditions: dict[str, Spec] = field(default_factory=dict)
    forbiddens: list[Spec] = field(default_factory=list)
    families: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)
    networks: list[str] = field(default_factory=list)

    def drop(self, names: Collection[str]) -> set[str]:
        """Remove hyperparameters and whatever depends on them; returns all names that are gone."""
        gone = set(names)
        while more := {child for child, c in self.conditions.items() if not gone.isdisjoint(mentioned(c))} - gone:
            gone |= more
        self.hyperparameters = {name: spec for name, spec in self.hyperparameters.items() if name not in gone}
        self.conditions = {child: spec for child, spec in self.conditions.items() if child not in gone}
        self.forbiddens = [clause for clause in self.forbiddens if gone.isdisjoint(mentioned(clause))]
        return gone


def list_spaces() -> list[SpaceSummary]:
    """The spaces of the packaged library, by name."""
    found = []
    for name, file in _library().items():
        doc = Document(file.read_text(encoding="utf-8"), file.name)
        if "fragment" not in doc.data:
            draft = _expand(doc, None)
            head = {key: str(doc.data.get(key, "")) for key in ("title", "modality", "citation")}
            found.append(
                SpaceSummary(name, head["title"], head["modality"], len(draft.hyperparameters), head["citation"])
            )
    return found


def load_space(name: str | os.PathLike[str], kind: Kind | None = None) -> SearchSpace:
    """Read a space.

    Parameters
    ----------
    name : str or path
        The name of a packaged space, or the path of a YAML file (with a separator, or ending in .yaml).
    kind : {"classification", "regression"} or None
        Leaves out the hyperparameters that mean nothing for it; None keeps all.

    Raises
    ------
    OptionError
        If no packaged space has that name.
    SpaceError
        If the file is missing or malformed; names file, line, key, what was given and what is allowed.
    """
    if kind is not None and kind not in get_args(Kind):
        raise unknown("kind of task", kind, get_args(Kind))
    doc, folder = _open(name)
    draft = _expand(doc, folder)
    dropped: set[str] = set()
    only = _only(doc, draft)
    if kind is not None:
        dropped = draft.drop([name for other, names in only.items() if other != kind for name in names])
    space = SearchSpace(
        _configspace(doc, draft),
        name=doc.text(doc.data["name"], "name"),
        title=doc.data["title"],
        modality=doc.data["modality"],
        families=draft.families,
        settings=draft.settings,
        networks=draft.networks,
    )
    for choice in draft.families:
        try:
            space.default(choice)
        except SpaceError as error:
            raise doc.error(f"kinds.{choice}", f"the default configuration is not allowed. {error}") from error
    space.portfolio_entries = tuple(_portfolio(doc, space, dropped))
    return space


# --- files -----------------------------------------------------------------------------------------------------------


def _library() -> dict[str, Traversable]:
    folder: Traversable
    try:
        folder = resources.files("autonas.spaces")
    except ModuleNotFoundError:  # a checkout that is not installed
        folder = Path(__file__).parents[2] / "spaces"
    files = folder.iterdir()
    return {
        file.name.removesuffix(".yaml"): file
        for file in sorted(files, key=lambda f: f.name)
        if file.name.endswith(".yaml")
    }


def _open(name: str | os.PathLike[str]) -> tuple[Document, Path | None]:
    """The file, and the folder in which its fragments are looked for first."""
    text = os.fspath(name)
    if isinstance(name, str) and not re.search(r"[/\\]|\.ya?ml$", text):
        library = _library()
        if text in library:
            doc = Document(library[text].read_text(encoding="utf-8"), f"{text}.yaml")
            if "fragment" not in doc.data:
                return doc, None
        spaces = [summary.name for summary in list_spaces()]
        raise unknown("space", text, spaces, f"For a file of your own give its path: ./{text}.yaml")
    path = Path(text)
    return _read(path, f"The space {text} cannot be read"), path.parent


def _read(path: Path, failure: str) -> Document:
    try:
        return Document(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(f"{failure}: {error}. Give the path of a YAML file.") from error


# --- expansion -------------------------------------------------------------------------------------------------------


def _expand(doc: Document, folder: Path | None) -> _Draft:
    top = doc.mapping(
        doc.data, "", ("name", "title", "modality", "kinds"), ("citation", "include", "only", "portfolio")
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

    draft = _Draft()
    for kind, section in kinds.items():
        path = f"kinds.{kind}"
        if not isinstance(kind, str) or not re.fullmatch(r"[A-Za-z_]\w*", kind):
            raise doc.error(path, f"a name of letters, digits and '_' was required, given {kind!r}.")
        doc.mapping(section, path, (), ("family", "network", "settings", *_SECTION))
        draft.families[kind] = doc.text(section.get("family", kind), f"{path}.family")
        if doc.boolean(section.get("network", False), f"{path}.network"):
            draft.networks.append(kind)
        _check_family(doc, draft.families[kind], f"{path}.family")
        family = graph_module(draft.families[kind])
        if family is not None:
            draft.settings[kind] = _settings(doc, section.get("settings", {}), f"{path}.settings", family.SETTINGS)
        elif "settings" in section:
            raise doc.error(f"{path}.settings", f"the family {draft.families[kind]!r} has no settings.")
        elif "hyperparameters" not in section:
            raise doc.error(path, "the key 'hyperparameters' is missing.")
    choices = list(kinds)
    draft.hyperparameters[MODEL] = {
        "name": MODEL, "type": "categorical", "choices": choices, "default_value": choices[0],
    }  # fmt: skip

    shared: dict[str, Spec] = {}
    for number, fragment in enumerate(doc.items(top.get("include", []), "include")):
        if not draft.networks:
            raise doc.error("include", "fragments serve the kinds that say `network: true`, and there is none.")
        part = _fragment(doc, fragment, f"include[{number}]", folder)
        active: Spec = {"type": "IN", "parent": MODEL, "values": draft.networks}
        shared.update(_add(part, part.data, "", draft, "", shared, active))
    for kind, section in kinds.items():
        active = {"type": "EQ", "parent": MODEL, "value": kind}
        whole = _with_family(doc, section, f"kinds.{kind}", draft.families[kind], draft.settings.get(kind))
        _add(doc, whole, f"kinds.{kind}", draft, f"{kind}:", shared, active)
    return draft


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
            doc.items(value, where)
        else:
            doc.text(value, where)
    return dict(given)


def _with_family(
    doc: Document, section: dict[str, Any], path: str, family: str, settings: dict[str, Any] | None
) -> dict[str, Any]:
    """The section with the hyperparameters that the family derives from its settings in front of the file's own."""
    module = graph_module(family)
    if module is None or settings is None:
        return section
    try:
        derived = module.space({**module.SETTINGS, **settings})
    except OptionError as error:
        raise doc.error(f"{path}.settings", str(error)) from error
    own = {h.get("name") for h in section.get("hyperparameters", ()) if isinstance(h, dict)}
    parts = {key: [*derived.get(key, ()), *doc.items(section.get(key, []), f"{path}.{key}")] for key in _SECTION}
    # a file may give a derived hyperparameter another range
    parts["hyperparameters"] = [
        h for n, h in enumerate(parts["hyperparameters"])
        if n >= len(derived["hyperparameters"]) or h["name"] not in own
    ]  # fmt: skip
    return {**section, **parts}


def _fragment(doc: Document, name: Any, path: str, folder: Path | None) -> Document:
    doc.text(name, path)
    library = _library()
    if folder is not None and (folder / f"{name}.yaml").is_file():
        part = _read(folder / f"{name}.yaml", f"{doc.label}: {path}: the fragment cannot be read")
    elif name in library:
        part = Document(library[name].read_text(encoding="utf-8"), f"{name}.yaml")
    else:
        where = f"{folder} nor in the library" if folder is not None else "the library"
        raise doc.error(path, f"there is no file {name}.yaml in {where}.")
    part.mapping(part.data, "", ("fragment", "hyperparameters"), _SECTION[1:])
    return part


def _add(
    doc: Document, section: dict[str, Any], path: str, draft: _Draft, prefix: str, shared: dict[str, Spec], active: Spec
) -> dict[str, Spec]:
    """Add one section to the draft; returns its hyperparameters by the names that the file uses."""
    path = f"{path}." if path else ""
    own: dict[str, Spec] = {}
    for number, raw in enumerate(doc.items(section["hyperparameters"], f"{path}hyperparameters")):
        spec = hyperparameter(doc, raw, f"{path}hyperparameters[{number}]")
        name = spec["name"]
        if name in own or (not prefix and name in (MODEL, *shared)):
            raise doc.error(f"{path}hyperparameters[{number}].name", f"the name {name!r} is taken. Rename one of them.")
        own[name] = {**spec, "name": prefix + name}
        draft.hyperparameters[prefix + name] = own[name]

    known = [*own, *shared]

    def resolve(name: str) -> Spec | None:
        return own.get(name) or shared.get(name)

    stated: dict[str, Spec] = {}
    for number, raw in enumerate(doc.items(section.get("conditions", []), f"{path}conditions")):
        where = f"{path}conditions[{number}]"
        spec = condition(doc, raw, where, resolve, known)
        child = spec["child"]
        if child.removeprefix(prefix) not in own:
            raise doc.error(where, f"{child!r} is shared: only its own file can state when it is active.")
        if child in stated:
            raise doc.error(where, f"{child!r} has two conditions. Combine them with AND or OR.")
        stated[child] = spec
    for number, raw in enumerate(doc.items(section.get("forbiddens", []), f"{path}forbiddens")):
        draft.forbiddens.append(forbidden(doc, raw, f"{path}forbiddens[{number}]", resolve, known))
    for spec in own.values():
        name = spec["name"]
        draft.conditions[name] = conjunction({**active, "child": name}, stated.get(name))
    return own


def _check_family(doc: Document, family: str, path: str) -> None:
    if not any(find_spec(f"autonas.{folder}.{family}") for folder in ("training.learners", "architectures")):
        raise doc.error(path, f"there is no family {family!r}.")


def _only(doc: Document, draft: _Draft) -> dict[str, list[str]]:
    only = doc.mapping(doc.data.get("only", {}), "only", optional=get_args(Kind))
    for kind, names in only.items():
        for number, name in enumerate(doc.items(names, f"only.{kind}")):
            if name not in draft.hyperparameters or name == MODEL:
                path = f"only.{kind}[{number}]"
                raise doc.error(path, f"unknown hyperparameter {name!r}. {near(name, list(draft.hyperparameters))}")
    return only


def _configspace(doc: Document, draft: _Draft) -> Any:
    import copy

    from ConfigSpace import ConfigurationSpace

    expanded = {
        "name": doc.data["name"],
        "hyperparameters": list(draft.hyperparameters.values()),
        "conditions": list(draft.conditions.values()),
        "forbiddens": draft.forbiddens,
    }
    try:
        return ConfigurationSpace.from_serialized_dict(copy.deepcopy(expanded))  # it takes its argument apart
    except Exception as error:  # its errors have no common root
        raise doc.error("", f"ConfigSpace refuses the space: {' '.join(str(error).split())}") from error


# --- portfolio -------------------------------------------------------------------------------------------------------


def _portfolio(doc: Document, space: SearchSpace, dropped: set[str]) -> Iterator[PortfolioEntry]:
    for number, raw in enumerate(doc.items(doc.data.get("portfolio", []), "portfolio")):
        path = f"portfolio[{number}]"
        entry = doc.mapping(raw, path, ("config", "share"), ("when",))
        share = doc.number(entry["share"], f"{path}.share")
        if not 0 < share <= 1:
            raise doc.error(f"{path}.share", f"a number in (0, 1] was required, given {share}.")
        stated = doc.mapping(entry["config"], f"{path}.config", optional=entry["config"])
        stated = {name: value for name, value in stated.items() if name not in dropped}
        try:
            config = space.complete(stated)
        except SpaceError as error:
            raise doc.error(f"{path}.config", str(error)) from error
        for name in stated:
            if name not in config:
                raise doc.error(f"{path}.config.{name}", f"{name!r} is not active in this configuration: leave it out.")
        yield PortfolioEntry(config, share, _when(doc, entry.get("when", {}), f"{path}.when"))


def _when(doc: Document, raw: Any, path: str) -> dict[str, Any]:
    when = doc.mapping(raw, path, optional=_WHEN)
    for key, value in when.items():
        if key in ("text", "categories"):
            doc.boolean(value, f"{path}.{key}")
        elif key == "kind":
            if value not in get_args(Kind):
                raise doc.error(f"{path}.kind", f"unknown kind of task {value!r}. {near(value, get_args(Kind))}")
        elif doc.number(value, f"{path}.{key}", whole=True) < 0:
            raise doc.error(f"{path}.{key}", f"a number >= 0 was required, given {value}.")
    for name in ("rows", "columns"):
        if when.get(f"min_{name}", 0) > when.get(f"max_{name}", float("inf")):
            raise doc.error(path, f"min_{name} is above max_{name}: the entry would never be used.")
    return when
