"""Whoever sends his body by drops keeps nobody out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest

from tests.integration.protection.edge import BODY, HEAD, Serve, counted, post
from tests.support.connections import connected
from tests.support.eventually import eventually

SLOW = 1000


@asynccontextmanager
async def slow_bodies(port: int, count: int) -> AsyncIterator[None]:
    """So many connections, each with a head that announces a body, and one byte of it."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(connected(port)) for _ in range(count)]
        for _, writer in connections:
            writer.write(f"{HEAD}Content-Length: 60000\r\n\r\ne".encode())
        yield


async def is_answered(port: int) -> bool:
    """Whether a genuine delivery is."""
    try:
        return (await post(port))[0] == 200
    except aiohttp.ClientError:
        return False


async def test_a_thousand_slow_bodies_leave_every_delivery_its_answer(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.bounded_server._INSTANT_S", 0.0)
    port = await serve(max_connections=SLOW, body_timeout_s=60)

    async with slow_bodies(port, SLOW):
        await eventually(lambda: is_answered(port))
        answers = [await post(port) for _ in range(20)]

    assert [status for status, _, _ in answers] == [200] * 20


async def test_a_body_that_has_been_awaited_for_a_second_makes_room(serve: Serve) -> None:
    port = await serve(max_connections=2, body_timeout_s=60)
    before = counted("refused", "too_many_connections")

    async with slow_bodies(port, 2):
        await eventually(lambda: is_answered(port))

    assert counted("refused", "too_many_connections") > before


async def test_bodies_that_are_owed_give_way_before_connections_that_are_idle(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.bounded_server._INSTANT_S", 0.0)
    port = await serve(max_connections=2, body_timeout_s=60)
    head = f"{HEAD}Content-Length: {len(BODY)}\r\n\r\n".encode()
    async with connected(port) as (reader, writer):

        async def deliver() -> None:
            writer.write(head + BODY)
            assert await reader.readuntil(b"\r\n\r\nok")

        async with slow_bodies(port, 1), asyncio.timeout(5):
            await deliver()
            assert await is_answered(port)
            await deliver()
    writer.close()
