"""ConfigSpace's own YAML dialect, checked: hyperparameters, conditions, forbidden clauses of a space file.

Everything here works on plain mappings and returns plain mappings of the same dialect, with full names, so that a
space can be listed and expanded without importing ConfigSpace.  Left out of the dialect: normal and beta priors.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from autonas.search_space.strict import Document, near, shown

__all__ = ["Spec", "allows", "condition", "conjunction", "declared", "forbidden", "hyperparameter", "mentioned"]

Spec = dict[str, Any]
"""A hyperparameter, condition or forbidden clause in ConfigSpace's dialect."""

Resolve = Callable[[str], Spec | None]
"""From a name as written in the file to the hyperparameter that it means there, with its full name."""

_TYPES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # required keys, optional keys
    "categorical": (("choices",), ("default_value", "weights")),
    "ordinal": (("sequence",), ("default_value",)),
    "uniform_int": (("lower", "upper"), ("default_value", "log")),
    "uniform_float": (("lower", "upper"), ("default_value", "log")),
    "constant": (("value",), ()),
}
_COMPARISONS = {"EQ": "value", "NEQ": "value", "LT": "value", "GT": "value", "IN": "values"}
_CLAUSES = {"EQUALS", "CLAUSE_LT", "CLAUSE_LE", "CLAUSE_GT", "CLAUSE_GE"}
_RELATIONS = {"RELATION_LT", "RELATION_LE", "RELATION_EQ", "RELATION_GT", "RELATION_GE"}


def _type(doc: Document, raw: Any, path: str, known: Mapping[str, Any]) -> str:
    doc.mapping(raw, path, optional=raw if isinstance(raw, Mapping) else ())
    if "type" not in raw:
        raise doc.error(path, f"the key 'type' is missing. One of: {', '.join(known)}.")
    if raw["type"] not in known:
        raise doc.error(f"{path}.type", f"unknown type {raw['type']!r}. {near(raw['type'], list(known))}")
    return str(raw["type"])


def _values(doc: Document, raw: Any, path: str, *, least: int = 1) -> list[Any]:
    """A list of distinct values of one kind: all text, all numbers, or all booleans."""
    values = doc.items(raw, path)
    if len(values) < least:
        raise doc.error(path, "at least one value was required, given an empty list.")
    for number, value in enumerate(values):
        if not isinstance(value, str | int | float):
            raise doc.error(f"{path}[{number}]", f"text, a number or a boolean was required, given {shown(value)}.")
        if value in values[:number]:
            raise doc.error(f"{path}[{number}]", f"the value {value!r} stands twice. Remove one.")
    kinds = {"text" if isinstance(v, str) else "boolean" if isinstance(v, bool) else "number" for v in values}
    if len(kinds) > 1:
        raise doc.error(
            path, f"the values mix {' and '.join(sorted(kinds))}. Write all of one kind (quotes make text)."
        )
    return values


def hyperparameter(doc: Document, raw: Any, path: str) -> Spec:
    """One checked hyperparameter.

    Raises
    ------
    SpaceError
        For an unknown or missing key, a value of the wrong type, or a default that is not allowed.
    """
    kind = _type(doc, raw, path, _TYPES)
    required, optional = _TYPES[kind]
    spec = doc.mapping(raw, path, ("type", "name", *required), (*optional, "meta"))
    name = doc.text(spec["name"], f"{path}.name")
    path = f"{path} ({name})"
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
        raise doc.error(path, f"a name of letters, digits, '_', '-' and '.' was required, given {name!r}.")
    if kind in ("categorical", "ordinal"):
        key = required[0]
        values = _values(doc, spec[key], f"{path}.{key}")
        if "weights" in spec:
            weights = [doc.number(w, f"{path}.weights") for w in doc.items(spec["weights"], f"{path}.weights")]
            if len(weights) != len(values) or min(weights) < 0 or sum(weights) == 0:
                raise doc.error(f"{path}.weights", f"{len(values)} numbers >= 0 were required, given {weights}.")
        if "default_value" in spec and not allows(spec, spec["default_value"]):
            raise doc.error(f"{path}.default_value", f"one of {values} was required, given {spec['default_value']!r}.")
    elif kind == "constant":
        _values(doc, [spec["value"]], f"{path}.value")
    else:
        _check_range(doc, spec, path)
    if "meta" in spec:
        doc.mapping(spec["meta"], f"{path}.meta", optional=spec["meta"] if isinstance(spec["meta"], Mapping) else ())
    return spec


def _check_range(doc: Document, spec: Spec, path: str) -> None:
    whole = spec["type"] == "uniform_int"
    for key in ("lower", "upper", "default_value"):
        if key in spec:
            doc.number(spec[key], f"{path}.{key}", whole=whole)
    lower, upper = spec["lower"], spec["upper"]
    if lower >= upper:
        raise doc.error(path, f"lower < upper was required, given {lower} and {upper}. For one value, use a constant.")
    if doc.boolean(spec.get("log", False), f"{path}.log") and lower <= 0:
        raise doc.error(f"{path}.lower", f"a log scale requires lower > 0, given {lower}.")
    default = spec.get("default_value", lower)
    if not lower <= default <= upper:
        raise doc.error(f"{path}.default_value", f"a value in [{lower}, {upper}] was required, given {default}.")


def declared(doc: Document, raw: Any, path: str, prefix: str = "", taken: Collection[str] = ()) -> dict[str, Spec]:
    """Checked hyperparameters, with full names, by the names that the file uses.

    Parameters
    ----------
    taken : collection of str
        Names that they may not have.
    """
    found: dict[str, Spec] = {}
    for number, item in enumerate(doc.items(raw, path)):
        spec = hyperparameter(doc, item, f"{path}[{number}]")
        name = spec["name"]
        if name in found or name in taken:
            raise doc.error(f"{path}[{number}].name", f"the name {name!r} is taken. Rename one of them.")
        found[name] = {**spec, "name": prefix + name}
    return found


def allows(spec: Spec, value: Any) -> bool:
    """Whether a hyperparameter can have a value."""
    if "lower" in spec:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        whole = spec["type"] == "uniform_float" or isinstance(value, int)
        return is_number and whole and spec["lower"] <= value <= spec["upper"]
    values = spec.get("choices") or spec.get("sequence") or [spec.get("value")]
    return any(value == v and isinstance(value, str | bool) == isinstance(v, str | bool) for v in values)


def _reference(doc: Document, name: Any, path: str, resolve: Resolve, known: list[str]) -> Spec:
    spec = resolve(name) if isinstance(name, str) else None
    if spec is None:
        raise doc.error(path, f"unknown hyperparameter {name!r}. {near(name, known)}")
    return spec


def _value(doc: Document, value: Any, path: str, spec: Spec) -> Any:
    if not allows(spec, value):
        allowed = f"a value in [{spec['lower']}, {spec['upper']}]" if "lower" in spec else f"one of {_finite(spec)}"
        raise doc.error(path, f"{spec['name']!r} never has the value {value!r}. Required: {allowed}.")
    return value


def _finite(spec: Spec) -> list[Any]:
    return spec.get("choices") or spec.get("sequence") or [spec.get("value")]


def condition(doc: Document, raw: Any, path: str, resolve: Resolve, known: list[str]) -> Spec:
    """One checked condition, with full names.

    A NEQ becomes an IN over the parent's other values: ConfigSpace calls a NEQ true where the parent is inactive.
    """
    kind = _type(doc, raw, path, {**_COMPARISONS, "AND": "conditions", "OR": "conditions"})
    if kind in ("AND", "OR"):
        spec = doc.mapping(raw, path, ("type", "conditions"), ("child",))
        inner = f"{path}.conditions"
        parts = [
            condition(doc, part, f"{inner}[{n}]", resolve, known)
            for n, part in enumerate(doc.items(raw["conditions"], inner))
        ]
        if len(parts) < 2:
            raise doc.error(inner, f"{kind} combines at least two conditions, given {len(parts)}.")
        children = {part["child"] for part in parts}
        if "child" in spec:
            children.add(_reference(doc, spec["child"], f"{path}.child", resolve, known)["name"])
        if len(children) > 1:
            raise doc.error(path, f"all conditions need the same child, given {', '.join(sorted(children))}.")
        return {"type": kind, "child": parts[0]["child"], "conditions": parts}
    key = _COMPARISONS[kind]
    spec = doc.mapping(raw, path, ("type", "child", "parent", key))
    child = _reference(doc, spec["child"], f"{path}.child", resolve, known)
    parent = _reference(doc, spec["parent"], f"{path}.parent", resolve, known)
    if child is parent:
        raise doc.error(path, f"{child['name']!r} cannot depend on itself.")
    names: Spec = {"child": child["name"], "parent": parent["name"]}
    if kind == "IN":
        values = _values(doc, spec["values"], f"{path}.values")
        return {"type": "IN", **names, "values": [_value(doc, v, f"{path}.values", parent) for v in values]}
    value = _value(doc, spec["value"], f"{path}.value", parent)
    if kind in ("LT", "GT") and parent["type"] in ("categorical", "constant"):
        raise doc.error(f"{path}.parent", f"{kind} requires a parent with an order, {parent['name']!r} is categorical.")
    if kind == "NEQ":
        if "lower" in parent:
            raise doc.error(path, "NEQ requires a categorical or ordinal parent. Use LT, GT and OR for a number.")
        others = [v for v in _finite(parent) if v != value]
        if not others:
            raise doc.error(path, f"{parent['name']!r} has no other value than {value!r}: the child is never active.")
        return {"type": "IN", **names, "values": others}
    return {"type": kind, **names, "value": value}


def conjunction(first: Spec, second: Spec | None) -> Spec:
    """Both conditions on one child; the second is that of the file, if there is one."""
    if second is None:
        return first
    parts = second["conditions"] if second["type"] == "AND" else [second]
    return {"type": "AND", "child": first["child"], "conditions": [first, *parts]}


def forbidden(doc: Document, raw: Any, path: str, resolve: Resolve, known: list[str]) -> Spec:
    """One checked forbidden clause, with full names."""
    kind = _type(doc, raw, path, dict.fromkeys(("IN", "AND", "OR", *sorted(_CLAUSES), *sorted(_RELATIONS))))
    if kind in ("AND", "OR"):
        inner = f"{path}.clauses"
        clauses = doc.items(doc.mapping(raw, path, ("type", "clauses"))["clauses"], inner)
        if len(clauses) < 2:
            raise doc.error(inner, f"{kind} combines at least two clauses, given {len(clauses)}.")
        parts = [forbidden(doc, part, f"{inner}[{n}]", resolve, known) for n, part in enumerate(clauses)]
        return {"type": kind, "clauses": parts}
    if kind in _RELATIONS:
        spec = doc.mapping(raw, path, ("type", "left", "right"))
        sides = {side: _reference(doc, spec[side], f"{path}.{side}", resolve, known) for side in ("left", "right")}
        return {"type": kind, **{side: of["name"] for side, of in sides.items()}}
    key = "values" if kind == "IN" else "value"
    spec = doc.mapping(raw, path, ("type", "name", key))
    target = _reference(doc, spec["name"], f"{path}.name", resolve, known)
    if kind == "IN":
        values = _values(doc, spec["values"], f"{path}.values")
        return {"type": kind, "name": target["name"], key: [_value(doc, v, f"{path}.{key}", target) for v in values]}
    clause = {"name": target["name"], key: _value(doc, spec["value"], f"{path}.value", target)}
    if kind in ("CLAUSE_LE", "CLAUSE_GE"):  # ConfigSpace samples the one as the other, and prints at each use of it
        strict = {"type": f"{kind[:-1]}T", **clause}
        return {"type": "OR", "clauses": [strict, {"type": "EQUALS", **clause}]}
    return {"type": kind, **clause}


def mentioned(spec: Spec) -> Iterator[str]:
    """Full names of all hyperparameters that a condition or a forbidden clause speaks of."""
    for part in (*spec.get("conditions", ()), *spec.get("clauses", ())):
        yield from mentioned(part)
    for key in ("child", "parent", "name", "left", "right"):
        if key in spec:
            yield spec[key]
