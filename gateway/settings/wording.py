"""Says in words what is wrong with a value of a setting: msgspec speaks of types and patterns."""

import re
from typing import Any, Final

from msgspec import inspect

__all__ = ["in_words"]

_KINDS: Final = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}
_BOUNDS: Final = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than"}
_GOT: Final = re.compile(r"Expected `(?P<kind>\w+)(?: \| null)?`, got `(?P<got>\w+)`")
_BOUND: Final = re.compile(r"Expected `(?P<kind>\w+)` (?P<sign>[<>]=?) (?P<bound>\S+)")
_LENGTH: Final = re.compile(r"Expected `(?P<kind>\w+)` of length (?P<sign>[<>]=?) (?P<bound>\d+)")
_MISSING: Final = re.compile(r"Object missing required field `(?P<field>[^`]*)`")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`")
_STEP: Final = re.compile(r"\[\d+\]|\.(?P<field>\w+)")


def in_words(fault: str, kind: Any, path: str) -> str:
    """The fault that msgspec found at `path` (`[0].urls`) in a value of `kind`.

    What a pattern asks for is said by the `description` beside it. Never shows a value but one that
    is none of a few words.
    """
    if found := _GOT.fullmatch(fault):
        return f"must be {_name(found['kind'])}, not {_name(found['got'])}"
    if found := _BOUND.fullmatch(fault):
        bound = found["bound"].removesuffix(".0")
        return f"must be {_name(found['kind'])}, {_BOUNDS[found['sign']]} {bound}"
    if found := _LENGTH.fullmatch(fault):
        things = "entries" if found["kind"] == "array" else "characters"
        return f"must have {_BOUNDS[found['sign']]} {found['bound']} {things}"
    if found := _MISSING.fullmatch(fault):
        return f"{found['field']} is missing"
    where, description = _located(inspect.type_info(kind), path)
    if found := _UNKNOWN.fullmatch(fault):
        fields = where.fields if isinstance(where, inspect.StructType) else ()
        known = ", ".join(field.encode_name for field in fields)
        return f"unknown key {found['field']}; known are {known}"
    if "matching regex" in fault:
        return f"must be {description}"
    if isinstance(where, inspect.LiteralType):
        return f"must be one of {', '.join(map(str, where.values))}"
    return fault


def _name(kind: str) -> str:
    return _KINDS.get(kind, kind)


def _located(kind: inspect.Type, path: str) -> tuple[inspect.Type, str]:
    """The type at the path, and its description."""
    found, description = _plain(kind)
    for step in _STEP.finditer(path):
        if isinstance(found, inspect.VarTupleType):
            inner = found.item_type
        elif isinstance(found, inspect.StructType):
            inner = next(one.type for one in found.fields if one.encode_name == step["field"])
        else:
            break
        found, description = _plain(inner)
    return found, description


def _plain(kind: inspect.Type) -> tuple[inspect.Type, str]:
    """A type without what is noted on it and without `None`; and its description."""
    description = ""
    while True:
        match kind:
            case inspect.Metadata():
                description = (kind.extra_json_schema or {}).get("description", description)
                kind = kind.type
            case inspect.UnionType():
                kind = next(one for one in kind.types if not isinstance(one, inspect.NoneType))
            case _:
                return kind, description
