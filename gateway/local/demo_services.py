"""Plays those whom the demo tells, on this machine: somebody who reads each notification, and a
service that events are pushed to, which checks their signatures as docs/relay.md has it.

https://github.com/caronc/apprise/wiki/Notify_Custom_JSON
"""

import hmac
import secrets
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import msgspec
from aiohttp import web

from gateway.contract import InvalidEvent, decode_event
from gateway.settings import EndpointSettings
from gateway.webhooks.webhook_signatures import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    secret_key,
    signature,
    signing_key,
)

__all__ = ["DemoServices", "open_demo_services"]

_MAX_AGE_S: Final = 300
_KEY_BYTES: Final = 32


class DemoServices(msgspec.Struct, frozen=True):
    """Where to notify, as an Apprise URL, and where to push."""

    notified_url: str
    endpoint: EndpointSettings


class _Notification(msgspec.Struct):
    title: str = ""
    message: str = ""


@asynccontextmanager
async def open_demo_services(say: Callable[[str, str], None]) -> AsyncIterator[DemoServices]:
    """Both, until the context ends; `say` prints a line under a name."""
    secret = f"whsec_{b64encode(secrets.token_bytes(_KEY_BYTES)).decode()}"
    key = secret_key(secret, name="the demo's")

    async def notify(request: web.Request) -> web.Response:
        try:
            told = msgspec.json.decode(await request.read(), type=_Notification)
        except msgspec.DecodeError:
            return web.Response(status=400)
        words = " ".join(f"{told.title}: {told.message}".split())
        say("notified", f"notification delivered: {words}")
        return web.Response()

    async def push(request: web.Request) -> web.Response:
        body = await request.read()
        if not _is_signed(request, body, key):
            return web.Response(status=401)
        try:
            event = decode_event(body)
        except InvalidEvent:
            return web.Response(status=400)
        say("pushed", f"{event.type} of {event.subject} came, signed by the secret")
        return web.Response(status=204)

    app = web.Application(client_max_size=4 * 2**20)
    app.router.add_post("/", notify)
    app.router.add_post("/events", push)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        place = f"127.0.0.1:{runner.addresses[0][1]}"
        endpoint = EndpointSettings(name="demo", url=f"http://{place}/events", secrets=(secret,))
        yield DemoServices(f"json://{place}/", endpoint)
    finally:
        await runner.cleanup()


def _is_signed(request: web.Request, body: bytes, key: bytes) -> bool:
    message_id, sent_at = request.headers.get(ID, ""), request.headers.get(TIMESTAMP, "")
    if not sent_at.isdecimal() or abs(time.time() - int(sent_at)) > _MAX_AGE_S:
        return False
    wanted = signature([signing_key(key)], message_id=message_id, timestamp=int(sent_at), body=body)
    given = request.headers.get(SIGNATURE, "").split()
    return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given)
