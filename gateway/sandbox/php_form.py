"""Writes forms as PHP's `http_build_query` does, which is how Bitrix24 fills its requests.

https://www.php.net/manual/en/function.http-build-query.php
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import quote_plus

__all__ = ["Value", "encode_form"]

Value: TypeAlias = "str | int | bool | Mapping[str, Value] | Sequence[Value] | None"


def encode_form(fields: Mapping[str, Value]) -> bytes:
    """The fields in their order, nested keys in percent-encoded brackets, UTF-8.

    A boolean is `1` or `0`; `None` and an empty map or list vanish; a space is `+`.
    """
    return "&".join(
        f"{_quoted(key)}={_quoted(text)}"
        for name, value in fields.items()
        for key, text in _flat(name, value)
    ).encode("ascii")


def _flat(name: str, value: Value) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, bool):
        yield name, str(int(value))
    elif isinstance(value, str | int):
        yield name, str(value)
    else:
        items = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, inner in items:
            yield from _flat(f"{name}[{key}]", inner)


def _quoted(text: str) -> str:
    # PHP's urlencode() predates RFC 3986 and encodes the tilde too.
    return quote_plus(text).replace("~", "%7E")
