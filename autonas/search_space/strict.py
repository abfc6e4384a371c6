"""Strict reading of YAML: every mistake is an error that names the file, the line, the key and the fix.

YAML turns ``no`` into False, ``010`` into 8 and ``1e-4`` into text without a word, and keeps the last of two equal
keys.  In a search space each of these would change a search silently, so all of them are refused here.
"""

from __future__ import annotations

import copy
import difflib
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from autonas.errors import SpaceError

__all__ = ["Document", "near", "shown"]

_EXPONENT = re.compile(r"[-+]?[\d_]*\.?\d+[eE][-+]?\d+")
_OTHER_BASE = re.compile(r"[-+]?0[0-9_bBxXoO][0-9a-fA-F_]*|[-+]?\d+(:\d+)+(\.\d*)?")


def near(name: object, known: Collection[str]) -> str:
    """Sentence with the names that exist, the near ones first."""
    close = difflib.get_close_matches(str(name), list(known), n=3, cutoff=0.5)
    guess = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{guess}Allowed: {', '.join(sorted(known)) or 'none'}."


def shown(value: object) -> str:
    """A value as a person would name it, with its kind."""
    kinds = {bool: "a boolean", str: "text", int: "a number", float: "a number", type(None): "nothing"}
    kind = kinds.get(type(value), f"a {type(value).__name__}")
    return f"{value!r} ({kind})"


class Document:
    """One YAML file as plain data that knows on which line each key stands.

    Parameters
    ----------
    text : str
    label : str
        Name of the file in error messages.

    Attributes
    ----------
    source : str
        The text.
    data : dict
        The top-level mapping.
    inherited : int
        Entries of the portfolio, the first ones, that are not the file's own (see ``extend``).

    Raises
    ------
    SpaceError
        If the text is no YAML mapping, repeats a key, or holds a scalar that YAML reads in a surprising way.
    """

    def __init__(self, text: str, label: str) -> None:
        import yaml

        loader_class = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.source, self.label, self.inherited = text, label, 0
        self._lines: dict[str, int] = {}
        try:
            loader = loader_class(text)
            root = loader.get_single_node()
            if not isinstance(root, yaml.MappingNode):
                raise SpaceError(f"{label}: a mapping of keys to values was required at the top level.")
            self._walk(root, "", (), set())
            self.data: dict[str, Any] = loader.construct_document(root)
        except yaml.YAMLError as error:
            raise SpaceError(f"{label} is not valid YAML: {' '.join(str(error).split())}") from error

    def _walk(self, node: Any, path: str, above: tuple[int, ...], done: set[int]) -> None:
        """Note the line of every key and refuse surprising scalars, repeated keys and values that hold themselves."""
        import yaml

        self._lines[path] = node.start_mark.line + 1
        if id(node) in above:
            raise self.error(path, "the value contains itself. Write it without an alias.")
        if id(node) in done:  # an alias of what was looked at before
            return
        done.add(id(node))
        above = (*above, id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                name = str(key.value)
                inner = f"{path}.{name}" if path else name
                self._lines[inner] = key.start_mark.line + 1
                self._scalar(key, inner)
                if name in seen:
                    raise self.error(inner, f"the key {name!r} stands twice. Remove or rename one of them.")
                seen.add(name)
                self._walk(value, inner, above, done)
        elif isinstance(node, yaml.SequenceNode):
            for number, value in enumerate(node.value):
                self._walk(value, f"{path}[{number}]", above, done)
        else:
            self._scalar(node, path)

    def _scalar(self, node: Any, path: str) -> None:
        """Refuse a plain scalar that YAML 1.1 reads as something else than it looks like."""
        if node.style or not isinstance(node.value, str):  # quoted, or no scalar: it says what it means
            return
        kind, text = node.tag.rsplit(":", 1)[-1], node.value
        if kind == "bool" and text.lower() not in ("true", "false"):
            meant = text.lower() in ("yes", "on", "y")
            raise self.error(
                path, f'YAML reads {text} as the boolean {meant}. Write "{text}" in quotes for text, or true or false.'
            )
        if kind == "str" and _EXPONENT.fullmatch(text):
            fix = re.sub(r"^(-?\d+)e", r"\1.0e", repr(float(text)))
            raise self.error(path, f"YAML reads {text} as text. Write {fix} for the number, or quotes for text.")
        if kind in ("int", "float") and _OTHER_BASE.fullmatch(text):
            raise self.error(path, f"YAML reads {text} in another base. Write a decimal number, or quotes for text.")

    def written_out(self, data: dict[str, Any], label: str, inherited: int) -> Document:
        """The document with parts of another; positions in the lists of a kind no longer say where something stands."""
        other = copy.copy(self)
        lines = {path: n for path, n in self._lines.items() if "[" not in path or not path.startswith("kinds.")}
        other.__dict__.update(data=data, label=label, inherited=inherited, _lines=lines)
        return other

    def states(self, path: str) -> bool:
        """Whether a key stands in this file itself, and not in one that it extends."""
        return path in self._lines

    def error(self, path: str, message: str) -> SpaceError:
        """The error that names the file, the line and the key."""
        known = re.sub(r" \([^)]*\)", "", path)  # without the names that make it readable
        while known and known not in self._lines:  # a key that is missing has the line of what it is missing in
            known = known[: max(known.rfind("."), known.rfind("["), 0)]
        line = f", line {self._lines[known]}" if known in self._lines else ""
        return SpaceError(f"{self.label}{line}: {path + ': ' if path else ''}{message}")

    def mapping(
        self, value: Any, path: str, required: Collection[str] = (), optional: Collection[str] = ()
    ) -> dict[str, Any]:
        """``value`` as a mapping that has all required keys and no unknown ones."""
        if not isinstance(value, Mapping):
            raise self.error(path, f"a mapping was required, given {shown(value)}.")
        for key in value:
            if key not in required and key not in optional:
                inner = f"{path}.{key}" if path else str(key)
                raise self.error(inner, f"unknown key {key!r}. {near(key, [*required, *optional])}")
        for key in required:
            if key not in value:
                raise self.error(path, f"the key {key!r} is missing. Required: {', '.join(required)}.")
        return dict(value)

    def items(self, value: Any, path: str) -> list[Any]:
        """``value`` as a list."""
        if not isinstance(value, list):
            raise self.error(path, f"a list was required, given {shown(value)}.")
        return value

    def text(self, value: Any, path: str) -> str:
        """``value`` as text that is not empty."""
        if not isinstance(value, str) or not value.strip():
            raise self.error(path, f"text was required, given {shown(value)}. Put it in quotes.")
        return value

    def number(self, value: Any, path: str, *, whole: bool = False) -> float:
        """``value`` as a finite number."""
        what = "a whole number" if whole else "a number"
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            hint = " Remove the quotes." if isinstance(value, str) and re.fullmatch(r"[-+.\deE]+", value) else ""
            raise self.error(path, f"{what} was required, given {shown(value)}.{hint}")
        if whole and not isinstance(value, int):
            raise self.error(path, f"{what} was required, given {value!r}.")
        return value

    def boolean(self, value: Any, path: str) -> bool:
        """``value`` as true or false."""
        if not isinstance(value, bool):
            raise self.error(path, f"true or false was required, given {shown(value)}.")
        return value
