"""Reads out each notification of the demo, as somebody on this machine would.

https://github.com/caronc/apprise/wiki/Notify_Custom_JSON
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from aiohttp import web

__all__ = ["notification_sink"]


class _Notification(msgspec.Struct):
    title: str = ""
    message: str = ""


@asynccontextmanager
async def notification_sink(say: Callable[[str, str], None]) -> AsyncIterator[str]:
    """The Apprise URL to notify; `say` prints a line under a name."""

    async def receive(request: web.Request) -> web.Response:
        try:
            told = msgspec.json.decode(await request.read(), type=_Notification)
        except msgspec.DecodeError:
            return web.Response(status=400)
        words = " ".join(f"{told.title}: {told.message}".split())
        say("notified", f"notification delivered: {words}")
        return web.Response()

    app = web.Application()
    app.router.add_post("/", receive)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"json://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
