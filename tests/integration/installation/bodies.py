"""Genuine installations as they are on the wire, and what somebody makes of them."""

from typing import Any

import aiohttp
from msgspec import Struct

from gateway.inbound.form import parse_form
from gateway.local.redis_server import free_port
from gateway.sandbox.grants import RegisteredApplication
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.php_form import encode_form

__all__ = ["Answered", "forged", "genuine", "post"]

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Answered(Struct, frozen=True):
    """What a client sees of an answer."""

    status: int
    body: str
    headers: frozenset[str]


async def genuine(portal: LivePortal, application: RegisteredApplication | None = None) -> bytes:
    """The body of an ONAPPINSTALL whose access token is good, and which nobody has received."""
    await portal.install(f"http://127.0.0.1:{free_port()}/", application=application)
    await portal.sent()
    return portal.deliveries[-1].body


def forged(body: bytes, **changes: str | None) -> bytes:
    """The body with other fields in `auth`; None takes one away."""
    form: dict[str, Any] = dict(parse_form(body))
    form["auth"] = form["auth"] | changes
    return encode_form(form)


async def post(url: str, body: bytes) -> Answered:
    """Send a body from outside."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=_FORM, allow_redirects=False) as response,
    ):
        return Answered(response.status, await response.text(), frozenset(response.headers))
