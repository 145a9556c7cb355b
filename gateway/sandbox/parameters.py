"""Reads the parameters of a REST call: JSON, a form, the query, and whatever of it is mixed.

https://apidocs.bitrix24.com/settings/how-to-call-rest-api/general-principles.html
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from aiohttp import web

from gateway.inbound.form import FormError, Limits, parse_form

__all__ = ["access_token", "folded", "listed", "query_parameters", "read_parameters"]

_LIMITS: Final = Limits(max_bytes=16 * 2**20, max_keys=10_000, max_depth=10)
_TOKENS: Final = ("AUTH", "ACCESS_TOKEN")


async def read_parameters(request: web.Request) -> dict[str, Any]:
    """What query and body say together; the body wins. What cannot be read says nothing."""
    parameters = query_parameters(request.query_string)
    body = await request.read()
    if request.content_type == "application/json":
        try:
            tree = msgspec.json.decode(body)
        except msgspec.DecodeError:
            tree = None
        return parameters | (tree if isinstance(tree, dict) else {})
    return parameters | query_parameters(body.decode("utf-8", "replace"))


def query_parameters(query: str) -> dict[str, Any]:
    """A query or form by PHP's rules."""
    try:
        return dict(parse_form(query.encode(), _LIMITS))
    except FormError:
        return {}


def access_token(request: web.Request, parameters: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The token, of the parameters or the header, and the parameters without it."""
    left = {key: value for key, value in parameters.items() if key.upper() not in _TOKENS}
    for key, value in parameters.items():
        if key.upper() in _TOKENS and isinstance(value, str):
            return value, left
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else ""), left


def folded(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """With the names in capitals; of two that become one the last stays."""
    return {str(key).upper(): value for key, value in parameters.items()}


def listed(value: Any) -> list[Any]:
    """A list, whichever way it was written: JSON's, PHP's array of a form, or a single value."""
    if value is None or value == "":
        return []
    if isinstance(value, Mapping):
        return list(value.values())
    return list(value) if isinstance(value, list) else [value]
