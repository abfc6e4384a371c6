"""The files of spaces: the packaged library, a person's own, and fragments that files include."""

from __future__ import annotations

import os
import re
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from autonas.errors import OptionError, SpaceError, unknown
from autonas.search_space.extend import extended
from autonas.search_space.strict import Document, near

__all__ = ["is_packaged", "library", "open_fragment", "open_space", "space_names", "whole"]

_PATH = re.compile(r"[/\\]|\.ya?ml$")  # what tells a path from a name


@cache
def library() -> dict[str, Traversable]:
    """The packaged files by name, fragments too."""
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


@cache
def _packaged(name: str) -> Document:
    """A file of the library; nobody changes its data."""
    return Document(library()[name].read_text(encoding="utf-8"), f"{name}.yaml")


def space_names() -> list[str]:
    """Names of the packaged spaces; fragments are none."""
    return [name for name in library() if "fragment" not in _packaged(name).data]


def fragment_names() -> list[str]:
    """Names of the packaged fragments."""
    return [name for name in library() if "fragment" in _packaged(name).data]


def is_packaged(name: str | os.PathLike[str]) -> bool:
    """Whether this is the name of a packaged file and not a path."""
    return isinstance(name, str) and not _PATH.search(name)


def open_space(name: str | os.PathLike[str]) -> tuple[Document, Path | None]:
    """The file as it is written, and the folder in which its fragments are looked for first."""
    text = os.fspath(name)
    if is_packaged(name):
        if text not in library():
            raise unknown("space", text, space_names(), f"For a file of your own give its path: ./{text}.yaml")
        doc = _packaged(text)
        if "fragment" in doc.data:
            raise OptionError(f"{text!r} is a fragment, no space: a space file has it by `include: [{text}]`.")
        return doc, None
    path = Path(text)
    return _read(path, f"The space {text} cannot be read"), path.parent


def whole(doc: Document, folder: Path | None, above: tuple[str, ...] = ()) -> Document:
    """The document together with what it extends."""
    if "extends" not in doc.data:
        return doc
    target = doc.text(doc.data["extends"], "extends")
    is_path = _PATH.search(target)
    full = str(((folder or Path()) / target).resolve()) if is_path else target
    if full in above:
        raise doc.error("extends", f"{target} extends this file in turn. Write one of them out.")
    try:
        base, base_folder = open_space(Path(full) if is_path else target)
    except OptionError as error:
        raise doc.error("extends", str(error)) from error
    return extended(doc, whole(base, base_folder, (*above, full)))


def _read(path: Path, failure: str) -> Document:
    try:
        return Document(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(f"{failure}: {error}. Give the path of a YAML file.") from error


def open_fragment(doc: Document, name: Any, path: str, folder: Path | None) -> Document:
    """The fragment that a file names at ``path``: one that lies beside it, or a packaged one."""
    doc.text(name, path)
    if folder is not None and (folder / f"{name}.yaml").is_file():
        part = _read(folder / f"{name}.yaml", f"{doc.label}: {path}: the fragment cannot be read")
    elif name in library():
        part = _packaged(name)
    else:
        where = f"{folder} nor in the library" if folder is not None else "the library"
        raise doc.error(path, f"there is no file {name}.yaml in {where}. {near(name, fragment_names())}")
    if "fragment" not in part.data:
        raise doc.error(path, f"{name!r} is a whole space, no fragment. {near(name, fragment_names())}")
    return part
