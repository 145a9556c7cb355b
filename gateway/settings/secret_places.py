"""Finds the settings that hold secrets, by their types."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, inspect

from gateway.secret_references import is_reference
from gateway.secret_urls import taken_apart
from gateway.settings.tree import Settings

__all__ = ["SecretPlace", "secret_places"]


class SecretPlace(Struct, frozen=True):
    """A setting that holds a secret: its name as `[section] key`, and the file that it names.

    `is_literal`: the secret itself stands in the settings. Neither has the secret.
    """

    name: str
    file: str | None
    is_literal: bool


def secret_places(settings: Settings) -> list[SecretPlace]:
    """Every secret that is set, in the order of the settings; a URL counts if it has a password."""
    return list(_of_table(settings, inspect.type_info(Settings), ""))


def _of_table(table: Any, kind: Any, name: str) -> Iterator[SecretPlace]:
    for field in kind.fields:
        inner = f"{name} {field.encode_name}" if name else f"[{field.encode_name}]"
        yield from _of_value(getattr(table, field.name), field.type, inner)


def _of_value(value: Any, kind: inspect.Type, name: str) -> Iterator[SecretPlace]:
    match kind:
        case inspect.Metadata(extra={"secret": "whole"}):
            if value:
                yield _place(name, value)
        case inspect.Metadata(extra={"secret": "password"}):
            if is_reference(value) or _has_password(value):
                yield _place(name, value)
        case inspect.Metadata():
            yield from _of_value(value, kind.type, name)
        case inspect.StructType():
            yield from _of_table(value, kind, name)
        case inspect.VarTupleType():
            for item in value:
                yield from _of_value(item, kind.item_type, name)


def _has_password(url: str) -> bool:
    parts = taken_apart(url)
    return parts is not None and bool(parts.password)


def _place(name: str, value: str) -> SecretPlace:
    if not is_reference(value):
        return SecretPlace(name, None, is_literal=True)
    return SecretPlace(
        name, value.removeprefix("file:") if value.startswith("file:") else None, is_literal=False
    )
