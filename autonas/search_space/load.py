"""Search spaces from YAML files: the packaged library and a person's own.

A file names kinds of models.  It expands to one conditional ConfigSpace: a top categorical ``model`` over the kinds,
each kind's hyperparameters under the prefix ``kind:``, and the shared hyperparameters of included fragments, active
for the kinds that are networks (joint architecture and hyperparameter search: Zela et al 2018, Mendoza et al 2016).
The reader is strict; see ``strict`` for why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_args

from autonas.architectures.family import graph_module
from autonas.core.fidelity import FidelityPlan, fidelity_plan
from autonas.core.trial import Config
from autonas.data.task import Kind
from autonas.errors import ArchitectureError, OptionError, SpaceError, unknown
from autonas.search_space.draft import Draft
from autonas.search_space.expand import expand
from autonas.search_space.library import is_packaged, open_space, space_names, whole
from autonas.search_space.portfolio import PortfolioEntry
from autonas.search_space.space import MODEL, SearchSpace
from autonas.search_space.strict import Document, near

__all__ = ["SpaceSummary", "list_spaces", "load_space", "read_draft", "summary"]

_WHEN = ("min_rows", "max_rows", "min_columns", "max_columns", "kind", "text", "categories")


@dataclass(frozen=True)
class SpaceSummary:
    """One line of the list of spaces.

    Attributes
    ----------
    name, title, modality, citation : str
    n_hyperparameters : int
    log10_architectures : float
        Of the number of different values of the finite hyperparameters of the kinds, under their conditions and
        forbidden clauses; those of fragments, which say how a network is trained, do not count, and a continuous one
        counts as its default.
    log10_configurations : float
        The same with the fragments.
    """

    name: str
    title: str
    modality: str
    citation: str
    n_hyperparameters: int
    log10_architectures: float
    log10_configurations: float


def list_spaces() -> list[SpaceSummary]:
    """The spaces of the packaged library, by name."""
    return [summary(name) for name in space_names()]


def summary(name: str | os.PathLike[str]) -> SpaceSummary:
    """One line of the list of spaces."""
    doc, draft = read_draft(name)
    head = {key: str(doc.data.get(key, "")) for key in ("name", "title", "modality", "citation")}
    own = replace(draft)
    own.drop([full for full in draft.hyperparameters if full != MODEL and ":" not in full])
    return SpaceSummary(
        **head,
        n_hyperparameters=len(draft.hyperparameters),
        log10_architectures=own.log10_size,
        log10_configurations=draft.log10_size,
    )


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
    doc, draft = read_draft(name)
    dropped: set[str] = set()
    stated = [*_only(doc, draft).items(), *draft.only.items()]
    if kind is not None:
        dropped = draft.drop([name for other, names in stated if other != kind for name in names])
    space = SearchSpace(
        _configspace(doc, draft),
        name=doc.text(doc.data["name"], "name"),
        title=doc.data["title"],
        modality=doc.data["modality"],
        families=draft.families,
        settings=draft.settings,
        final=draft.final,
        networks=draft.networks,
        fidelity=_fidelity(doc),
    )
    for choice in draft.families:
        try:
            default = space.default(choice)
        except SpaceError as error:
            raise doc.error(f"kinds.{choice}", f"the default configuration is not allowed. {error}") from error
        if not is_packaged(name):
            _check_build(doc, space, choice, default)
    space.portfolio_entries = tuple(_portfolio(doc, space, dropped))
    return space


def read_draft(name: str | os.PathLike[str]) -> tuple[Document, Draft]:
    """A space as plain data, without ConfigSpace: the file written out, and what it expands to.

    Parameters and errors are those of :func:`load_space`.
    """
    doc, folder = open_space(name)
    doc = whole(doc, folder)
    return doc, expand(doc, folder)


def _fidelity(doc: Document) -> FidelityPlan:
    try:
        return fidelity_plan(doc.data.get("fidelity"))
    except OptionError as error:
        raise doc.error("fidelity", str(error)) from error


def _only(doc: Document, draft: Draft) -> dict[str, list[str]]:
    only = doc.mapping(doc.data.get("only", {}), "only", optional=get_args(Kind))
    for kind, names in only.items():
        for number, name in enumerate(doc.items(names, f"only.{kind}")):
            if name not in draft.hyperparameters or name == MODEL:
                path = f"only.{kind}[{number}]"
                raise doc.error(path, f"unknown hyperparameter {name!r}. {near(name, list(draft.hyperparameters))}")
    return only


def _configspace(doc: Document, draft: Draft) -> Any:
    import copy

    from ConfigSpace import ConfigurationSpace
    from ConfigSpace.exceptions import ForbiddenValueError

    expanded = {
        "name": doc.data["name"],
        "hyperparameters": list(draft.hyperparameters.values()),
        "conditions": list(draft.conditions.values()),
        "forbiddens": draft.forbiddens,
    }
    try:
        return ConfigurationSpace.from_serialized_dict(copy.deepcopy(expanded))  # it takes its argument apart
    except ForbiddenValueError as error:
        clause = str(error).partition("Forbidden: ")[2]
        raise doc.error(
            "", f"the default configuration is forbidden: {clause}. Change a default_value, or the clause."
        ) from error
    except Exception as error:  # its errors have no common root
        raise doc.error("", f"ConfigSpace refuses the space: {' '.join(str(error).split())}") from error


def _check_build(doc: Document, space: SearchSpace, kind: str, default: Config) -> None:
    """Refuse settings of which the family cannot make its default network, whatever the data."""
    if graph_module(space.families[kind]) is None:
        return
    try:
        space.graph(default)
    except ArchitectureError:  # the real data may be larger
        return
    except OptionError as error:
        raise doc.error(f"kinds.{kind}.settings", f"no network can be built with these. {error}") from error


# --- portfolio -------------------------------------------------------------------------------------------------------


def _portfolio(doc: Document, space: SearchSpace, dropped: set[str]) -> Iterator[PortfolioEntry]:
    for number, raw in enumerate(doc.items(doc.data.get("portfolio", []), "portfolio")):
        here = number - doc.inherited
        path = f"portfolio[{here}]" if here >= 0 else f"inherited portfolio[{number}]"
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
