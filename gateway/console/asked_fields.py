"""Reads the fields of a question out of a query, a form, or a JSON object."""

from collections.abc import Iterable
from typing import Final

import msgspec
from aiohttp import web

from gateway.console.page_question import BadQuestion

__all__ = ["fields_of_query", "fields_of_request"]

_LONGEST: Final = 20_000
# Some hundred addresses of dead letters.


def fields_of_query(request: web.Request) -> dict[str, str]:
    """The fields, without blanks around; empty ones are none, several of a name one by blanks."""
    return _joined(request.query.items())


async def fields_of_request(request: web.Request) -> dict[str, str]:
    """The same of a form or a JSON object in the body; raises BadQuestion."""
    if request.content_type != "application/json":
        try:
            posted = await request.post()
        except (ValueError, LookupError) as error:  # of bytes, parts, or a charset that is none
            raise BadQuestion("the form cannot be read") from error
        return _joined((name, value) for name, value in posted.items() if isinstance(value, str))
    try:
        given = msgspec.json.decode(
            await request.read(), type=dict[str, str | int | bool | list[str]]
        )
    except ValueError as error:  # DecodeError, or UnicodeDecodeError
        raise BadQuestion(f"not a JSON object of fields: {error}") from error
    return _joined((name, one) for name, value in given.items() for one in _texts(value))


def _texts(value: str | int | bool | list[str]) -> list[str]:  # noqa: FBT001 - of JSON
    match value:
        case bool():
            return ["1"] if value else []
        case list():
            return value
    return [str(value)]


def _joined(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in items:
        if text := value.strip():
            fields[name] = f"{fields[name]} {text}" if name in fields else text
    if sum(map(len, fields.values())) > _LONGEST:
        raise BadQuestion("the fields are too long")
    return fields
