"""Makes docs/settings.md of the tree: `python -m gateway.settings.reference` prints it."""

import ast
import sys
import textwrap
from collections.abc import Iterator
from inspect import getdoc, getsource
from itertools import pairwise
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, inspect

from gateway.settings.tree import Settings

__all__ = ["meanings", "page"]

_INTRODUCTION = """\
# Settings

One tree for every process. It is read from a TOML file (`--config FILE`, else the file that
`GATEWAY_CONFIG` names, else `./gateway.toml` if there is one), then from the environment, which
wins. A wrong value or an unknown key stops the start with one line for each fault. Commands that
are called in the directory of a running `gateway up` work with its settings (`var/up.json`, for its
user alone), unless a file is named, or there, that it has not read itself; the environment wins.

* In the environment, a list is a JSON list, or words separated by commas.
* A *secret* is the value itself, or better a reference to it: `env:NAME` (a variable) or
  `file:/path` (a file, stripped of white space) or `credential:NAME` (one that systemd gives this
  process, a file in the directory `$CREDENTIALS_DIRECTORY`).
* What Kubernetes and Docker set in a container for a service called `gateway` or `gateway-…`
  (`GATEWAY_SERVICE_HOST`, `GATEWAY_PORT=tcp://…`, `GATEWAY_HTTP_PORT_8080_TCP`) is passed over.
* `gateway config` shows the effective settings with the secrets masked.

This page is made from `gateway/settings/sections` by `make docs`.
"""


def page() -> str:
    """The whole page as Markdown."""
    kind = inspect.type_info(Settings)
    assert isinstance(kind, inspect.StructType)  # noqa: S101 - tells the type checker
    return "\n".join([_INTRODUCTION, *_sections(kind, ())])


def meanings(table: type[Struct]) -> dict[str, str]:
    """What each key of `table` means: the text that stands under it in the source."""
    (definition,) = ast.parse(textwrap.dedent(getsource(table))).body
    assert isinstance(definition, ast.ClassDef)  # noqa: S101 - tells the type checker
    return {
        key: " ".join(text.split())
        for statement, below in pairwise(definition.body)
        if isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and (key := statement.target.id)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(text := below.value.value, str)
    }


def _sections(table: inspect.StructType, above: tuple[str, ...]) -> Iterator[str]:
    for field in table.fields:
        path = (*above, field.encode_name)
        match field.type:
            case inspect.StructType() as section:
                yield from _section(section, path, heading=f"[{'.'.join(path)}]")
                yield from _sections(section, path)
            case inspect.VarTupleType(item_type=inspect.StructType() as section):
                yield from _section(section, path, heading=f"[[{'.'.join(path)}]]")
                yield from _sections(section, path)
            case _:
                pass


def _section(table: inspect.StructType, path: tuple[str, ...], *, heading: str) -> Iterator[str]:
    is_list = heading.startswith("[[")
    summary = " ".join((getdoc(table.cls) or "").split()).partition(": ")[2]
    yield f"## `{heading}`\n"
    yield f"{summary[:1].upper()}{summary[1:]}\n"
    if is_list:
        yield f"A table each. In the environment: `{_variable(path)}`, a JSON list of objects.\n"
    yield f"| Key |{'' if is_list else ' Variable |'} Type | Default | Meaning |"
    yield f"|---|{'' if is_list else '---|'}---|---|---|"
    meaning = meanings(table.cls)
    for field in table.fields:
        variable = "" if is_list else f" `{_variable((*path, field.encode_name))}` |"
        cells = (_words(field.type), _default(field), meaning[field.name])
        yield f"| `{field.encode_name}` |{variable} {' | '.join(map(_cell, cells))} |"
    yield ""


def _variable(path: tuple[str, ...]) -> str:
    return "_".join(("GATEWAY", *path)).upper()


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def _default(field: inspect.Field) -> str:
    if field.required:
        return "required"
    value: Any = field.default
    if value is NODEFAULT:
        value = field.default_factory()
    return f"`{msgspec.json.encode(value).decode()}`"


def _words(kind: inspect.Type) -> str:
    """The type and its bounds for people."""
    match kind:
        case inspect.Metadata(extra={"secret": "whole"}):
            return "secret"
        case inspect.Metadata():
            return _words(kind.type)
        case inspect.BoolType():
            return "boolean"
        case inspect.IntType():
            return f"integer{_bounds(kind)}"
        case inspect.FloatType():
            return f"number{_bounds(kind)}"
        case inspect.StrType():
            return f"string `{kind.pattern}`" if kind.pattern else "string"
        case inspect.LiteralType():
            return ", ".join(f"`{json}`" for json in map(_json, kind.values))
        case inspect.VarTupleType():
            return f"list of {_plural(_words(kind.item_type))}"
        case inspect.StructType():
            return "table"
        case inspect.UnionType():
            return " or ".join(map(_words, kind.types))
        case inspect.NoneType():
            return "nothing"
    raise TypeError(f"no words for the type {kind}")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _plural(words: str) -> str:
    noun, space, rest = words.partition(" ")
    return f"{noun}s{space}{rest}"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" {kind.ge}…{kind.le}"
    if kind.ge is not None:
        return f" ≥ {kind.ge}"
    return f" > {kind.gt}" if kind.gt is not None else ""


if __name__ == "__main__":
    sys.stdout.write(page())
