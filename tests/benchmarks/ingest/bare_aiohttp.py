"""The floor: aiohttp reads the body and answers 200; nothing is checked and nothing stored."""

import os

import uvloop
from aiohttp import web


async def handle(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(body=b"ok")


def application() -> web.Application:
    app = web.Application()
    app.router.add_post("/bitrix24/events", handle)
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(
        application(), host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None
    )
