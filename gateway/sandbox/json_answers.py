"""Writes answers as a portal does: JSON as PHP makes it of arrays, and the time that it took."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.sandbox.call_results import ListPage, RestError

__all__ = ["as_php_array", "error_answer", "iso", "json_answer", "members_of", "time_of"]

# That of a portal in Moscow: not the clock's, which is UTC on servers.
_ZONE: Final = timezone(timedelta(hours=3))


def as_php_array(members: Mapping[str, Any]) -> Mapping[str, Any] | list[Any]:
    """A map as PHP's json_encode writes it: with the keys 0, 1, 2, …, or none, it is a list."""
    if list(members) == [str(index) for index in range(len(members))]:
        return list(members.values())
    return members


def iso(at: float) -> str:
    """A time in Unix seconds as the portal shows it: ISO 8601 with its own offset."""
    return datetime.fromtimestamp(int(at), tz=UTC).astimezone(_ZONE).isoformat()


def time_of(
    began: float, ended: float, *, operating_s: float | None = None, reset_at: int | None = None
) -> dict[str, Any]:
    """The key `time` of an answer; the counters of the operating limit only where there is one."""
    told: dict[str, Any] = {
        "start": began,
        "finish": ended,
        "duration": ended - began,
        "processing": ended - began,
        "date_start": iso(began),
        "date_finish": iso(ended),
    }
    if reset_at is not None:
        told["operating_reset_at"] = reset_at
    if operating_s is not None:
        told["operating"] = operating_s
    return told


def members_of(result: Any) -> dict[str, Any]:
    """A method's result as keys of the answer: a list also says how many there are, and what next.

    https://apidocs.bitrix24.com/settings/how-to-call-rest-api/list-methods-pecularities.html
    """
    if not isinstance(result, ListPage):
        return {"result": result}
    told: dict[str, Any] = {"result": {result.name: result.rows} if result.name else result.rows}
    if result.next_start is not None:
        told["next"] = result.next_start
    if result.total is not None:
        told["total"] = result.total
    return told


def json_answer(told: Mapping[str, Any], *, status: int = 200) -> web.Response:
    """The whole answer."""
    return web.Response(
        status=status, body=msgspec.json.encode(told), content_type="application/json"
    )


def error_answer(error: RestError, **more: Any) -> web.Response:
    """The answer to a call that is refused."""
    told = {"error": error.code, "error_description": error.description, **more}
    return json_answer(told, status=error.status)
