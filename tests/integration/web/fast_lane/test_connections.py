"""A connection whose request took the lane, until it is answered: Redis holds the answer back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from tests.integration.web.fast_lane.requests import USUAL, usual
from tests.integration.web.fast_lane.twins import Twin, twin
from tests.support.eventually import eventually

PAUSE_MS = 400


class Client:
    """A connection that has sent one delivery, so that the next one takes the lane."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def answer(self) -> bytes:
        """The next answer, whose body is as long as that of all answers here."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
        return head + await self.reader.readexactly(length)


@asynccontextmanager
async def in_lane(receiver: Twin, delivery: bytes = usual()) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
    client = Client(reader, writer)
    try:
        for _ in range(2):
            writer.write(delivery)
            assert (await client.answer()).startswith(b"HTTP/1.1 200")
        yield client
    finally:
        writer.close()


async def hold_back(redis: Redis, milliseconds: int = PAUSE_MS) -> None:
    await redis.client_pause(milliseconds, all=False)


def taken() -> float:
    return REGISTRY.get_sample_value("b24gw_fast_lane_events_total") or 0.0


async def test_what_comes_before_the_answer_is_answered_after_it(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with twin(redis_url, tmp_path, fast=True) as receiver, in_lane(receiver) as client:
        before = taken()
        await hold_back(redis)
        client.writer.write(usual())
        await asyncio.sleep(0.05)
        client.writer.write(b"GET /bitrix24/events HTTP/1.1\r\nHost: x\r\n")
        await asyncio.sleep(0.05)
        client.writer.write(b"\r\n" + usual())

        answers = [await client.answer() for _ in range(3)]

    assert [answer.rpartition(b"\r\n\r\n")[2] for answer in answers] == [b"ok", b"ready", b"ok"]
    assert taken() == before + 1


async def test_a_stop_waits_for_the_answer(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    async with twin(redis_url, tmp_path, fast=True) as receiver, in_lane(receiver) as client:
        before = taken()
        await hold_back(redis)
        client.writer.write(usual())
        await asyncio.sleep(0.05)
        answer = asyncio.create_task(client.answer())
        async with asyncio.timeout(10):
            await receiver.server.last_requests(0.01)
            receiver.server.pre_shutdown()
            await receiver.server.shutdown(5.0)
            assert (await answer).startswith(b"HTTP/1.1 200")
            assert await client.reader.read() == b"", "and the connection is closed"
    assert taken() == before + 1


async def test_a_stop_waits_no_longer_than_it_may(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with twin(redis_url, tmp_path, fast=True) as receiver, in_lane(receiver) as client:
        await hold_back(redis, 20 * PAUSE_MS)
        client.writer.write(usual())
        await asyncio.sleep(0.05)
        began = monotonic()
        await receiver.server.shutdown(0.1)
        assert monotonic() - began < 10 * PAUSE_MS / 1000
        assert await client.reader.read() == b""
        await redis.client_unpause()
        await eventually(lambda: not receiver.server.connections)


async def test_a_connection_is_not_idle_until_it_is_answered_and_then_it_is(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with (
        twin(redis_url, tmp_path, fast=True, keepalive_s=0.1) as receiver,
        in_lane(receiver) as client,
    ):
        await hold_back(redis)
        client.writer.write(usual())

        assert (await client.answer()).startswith(b"HTTP/1.1 200")
        async with asyncio.timeout(5):
            assert await client.reader.read() == b""


async def test_a_connection_that_is_not_answered_makes_no_room(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with (
        twin(redis_url, tmp_path, fast=True, max_connections=2) as receiver,
        in_lane(receiver) as client,
        in_lane(receiver) as idle,
    ):
        await hold_back(redis)
        client.writer.write(usual())
        await asyncio.sleep(0.05)
        _, newest = await asyncio.open_connection("127.0.0.1", receiver.port)

        assert await idle.reader.read() == b"", "the idle one goes"
        assert (await client.answer()).startswith(b"HTTP/1.1 200")
        newest.close()


async def test_an_event_of_a_client_that_went_is_stored(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with twin(redis_url, tmp_path, fast=True) as receiver:
        async with in_lane(receiver) as client:
            await hold_back(redis)
            client.writer.write(usual(USUAL.replace(b"=999", b"=77")))
            await asyncio.sleep(0.05)
        with capture_logs() as lines:
            await eventually(lambda: not receiver.server.connections)
            await asyncio.sleep(2 * PAUSE_MS / 1000)
        events = await receiver.events()
    assert [event["subject"] for event in events][-1] == "comment/77"
    assert not [line for line in lines if line["log_level"] in {"error", "critical"}]


@pytest.mark.parametrize("fast", [True, False])
async def test_what_cannot_be_stored_is_answered_503_and_named(
    redis: Redis, redis_url: str, tmp_path: Path, *, fast: bool
) -> None:
    async with (
        twin(redis_url, tmp_path, fast=fast, max_queued=1) as receiver,
        in_lane(receiver) as first,
        in_lane(receiver) as second,
        in_lane(receiver) as third,
    ):
        await hold_back(redis)
        first.writer.write(usual())
        await asyncio.sleep(0.05)
        second.writer.write(usual())
        await asyncio.sleep(0.05)
        with capture_logs() as lines:
            third.writer.write(usual())
            answer = await third.answer()
        assert await first.answer()
        assert await second.answer()

    head, _, body = answer.decode().partition("\r\n\r\n")
    status, *headers = head.split("\r\n")
    assert (status, body) == ("HTTP/1.1 503 Service Unavailable", "unavailable")
    assert sorted(line.partition(": ")[0] for line in headers) == [
        *("Content-Length", "Content-Type", "Date", "Retry-After")
    ]
    (line,) = [line for line in lines if line["event"] == "delivery unavailable"]
    assert (line["reason"], line["comment_id"]) == ("queue_full", 999)


@pytest.mark.parametrize("fast", [True, False])
async def test_a_body_over_the_limit_is_refused_though_its_head_is_known(
    redis_url: str, tmp_path: Path, *, fast: bool
) -> None:
    limit = len(USUAL) + 1
    async with (
        twin(redis_url, tmp_path, fast=fast, max_body=limit) as receiver,
        in_lane(receiver) as client,
    ):
        for more, status in ((b"&", 200), (b"&a", 413)):
            client.writer.write(usual(USUAL + more))
            assert (await client.answer()).startswith(b"HTTP/1.1 %d" % status)


async def test_only_a_client_that_the_guard_knows_takes_the_lane(
    redis_url: str, tmp_path: Path
) -> None:
    guarded: dict[str, Any] = {
        "allow_mode": "enforce",
        "allow_networks": ("192.0.2.0/24",),
        "trusted_proxies": ("127.0.0.1",),
    }
    inside = usual(USUAL, b"X-Forwarded-For: 192.0.2.7")
    outside = usual(USUAL, b"X-Forwarded-For: 198.51.100.7")
    async with twin(redis_url, tmp_path, fast=True, **guarded) as receiver:
        before = taken()
        async with in_lane(receiver, inside) as client:
            assert taken() == before + 1
            for delivery, status in ((outside, 403), (inside, 200), (outside, 403)):
                client.writer.write(delivery)
                assert (await client.answer()).startswith(b"HTTP/1.1 %d" % status)
    assert taken() == before + 2
