"""The live tail, and viewers that do not read it."""

import asyncio
import socket
from typing import Any

from aiohttp import web
from redis.asyncio import Redis

from gateway.console.installation_looks import InstallationLooks
from gateway.console.page_question import PageQuestion
from gateway.console.tail_stream import send_tail
from gateway.settings import RedisSettings, Settings
from tests.integration.runtime.running import comment_event, publish
from tests.support.console_stage import EVENTS


async def test_a_viewer_who_never_reads_gives_the_place_back(redis: Redis, redis_url: str) -> None:
    settings = Settings(redis=RedisSettings(url=redis_url))
    looks = InstallationLooks(settings, settings, None)
    ended: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def follow(request: web.Request) -> web.StreamResponse:
        transport: Any = request.transport
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        transport.set_write_buffer_limits(high=0)  # so that a write waits for the viewer soon
        writing = asyncio.create_task(publish_for_ever())
        try:
            return await send_tail(request, PageQuestion(settings, {}, looks), longest_s=1.0)
        finally:
            writing.cancel()
            ended.set_result(transport.is_closing())

    async def publish_for_ever() -> None:
        while True:
            await publish(redis, EVENTS, [comment_event(number) for number in range(1, 50)])

    app = web.Application()
    app.router.add_get("/", follow)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    viewer = socket.socket()
    viewer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    try:
        viewer.connect(runner.addresses[0])
        viewer.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")

        assert await asyncio.wait_for(ended, 30)  # by cutting the connection
    finally:
        viewer.close()
        await runner.cleanup()
        await looks.close()
