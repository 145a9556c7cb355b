"""Streams of Server-Sent Events: from a cursor on, with heartbeats, however their clients read."""

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from consumers.testing import comment_event, entity_event
from gateway.contract import Comment
from tests.integration.feed.feed_client import FeedClient, following, open_feed, put
from tests.support.eventually import eventually

MANY: Final = 300


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_a_stream_goes_on_from_the_event_that_was_read_last(
    redis: Redis, redis_url: str
) -> None:
    await put(redis, [comment_event(number) for number in range(1, 301)])
    async with open_feed(redis_url) as client:
        async with client.stream(after="oldest") as events:
            first = await following(events, 120)
        async with client.stream(last=first[-1].id, after="oldest") as events:
            await put(redis, [comment_event(number) for number in range(301, 311)])
            second = await following(events, 190)

    assert [event.number for event in first + second] == list(range(1, 311))
    assert {event.event for event in first + second} == {"message"}


async def test_a_page_goes_on_from_an_event_of_a_stream(redis: Redis, redis_url: str) -> None:
    await put(redis, [comment_event(number) for number in range(1, 21)], partitions=4)
    async with open_feed(redis_url, partitions=4) as client:
        async with client.stream(after="oldest") as events:
            seen = await following(events, 13)
        left = await client.all(seen[-1].id)

    assert sorted([event.number for event in seen] + left) == list(range(1, 21))


async def test_a_stream_has_what_was_asked_for_alone(redis: Redis, redis_url: str) -> None:
    async with (
        open_feed(redis_url) as client,
        client.stream(types="*.deal.*") as deals,
        client.stream() as everything,
    ):
        await put(redis, [comment_event(1), entity_event("deal/2"), comment_event(3)])
        await put(redis, [entity_event("deal/4")])

        assert [event.number for event in await following(everything, 4)] == [1, 2, 3, 4]
        assert [event.number for event in await following(deals, 2)] == [2, 4]


async def test_a_thousand_who_wait_share_one_reader(redis: Redis, redis_url: str) -> None:
    """Three hundred here; the benchmark has a thousand."""
    async with open_feed(redis_url, partitions=4) as client, AsyncExitStack() as stack:
        begin = (await client.page())["cursor"]
        connected = len(await redis.client_list())
        opened = [await stack.enter_async_context(client.stream()) for _ in range(50)]
        waiting = [asyncio.create_task(client.page(after=begin, wait="30")) for _ in range(MANY)]
        await eventually(lambda: counted("b24_feed_waiting_requests") == MANY)
        before: Any = await redis.info("commandstats")
        await put(redis, [comment_event(1)], partitions=4)
        pages = await asyncio.gather(*waiting)
        for events in opened:
            await following(events, 1)
        after: Any = await redis.info("commandstats")

    assert len(pages) == MANY
    assert len(await redis.client_list()) <= connected
    for name in ("cmdstat_xrange", "cmdstat_xread"):
        calls = [stats.get(name, {"calls": 0})["calls"] for stats in (before, after)]
        assert calls[1] - calls[0] <= 3, name


async def test_a_stream_says_that_it_lives_and_how_far_it_is(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.feed.feed_process.HEARTBEAT_S", 0.2)
    async with open_feed(redis_url) as client:
        begin = (await client.page())["cursor"]
        async with client.stream(types="*.deal.*") as events:
            await put(redis, [comment_event(1)])
            async with asyncio.timeout(30):
                async for beat in events:
                    if beat.id and beat.id != begin:
                        break
            assert beat.data == ""

        assert (await client.page(after=beat.id))["events"] == []


async def test_a_stream_ends_in_order_when_the_feed_stops(redis_url: str) -> None:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(open_feed(redis_url))
        reading = await stack.enter_async_context(client.stream())
        waiting = asyncio.create_task(client.page(wait="60"))
        await eventually(lambda: counted("b24_feed_waiting_requests") == 1)
        ended = asyncio.create_task(_read_to_the_end(reading))
        stack.push_async_callback(asyncio.wait_for, ended, 10)
        stack.push_async_callback(asyncio.wait_for, waiting, 10)
        client.stop()

        assert (await asyncio.wait_for(waiting, 20))["events"] == []
        assert await asyncio.wait_for(ended, 20) == 0


async def _read_to_the_end(events: Any) -> int:
    return len([event async for event in events if event.data])


async def test_a_stream_lasts_its_time_and_then_ends(redis: Redis, redis_url: str) -> None:
    async with open_feed(redis_url, stream_s=1) as client, client.stream() as events:
        assert await asyncio.wait_for(_read_to_the_end(events), 20) == 0


async def test_who_waits_and_goes_away_waits_no_longer(redis_url: str) -> None:
    async with open_feed(redis_url) as client:
        with socket.socket() as stranger:
            _ask(stranger, client, "/events?wait=60")
            await eventually(lambda: counted("b24_feed_waiting_requests") == 1)
        await eventually(lambda: counted("b24_feed_waiting_requests") == 0, timeout_s=20)


async def test_who_only_holds_connections_keeps_nobody_out(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.bounded_server._INSTANT_S", 0.0)
    cut = counted("b24_feed_connections_cut_total", reason="too_many_connections")
    async with open_feed(redis_url, max_connections=4) as client, AsyncExitStack() as stack:
        await stack.enter_async_context(client.stream())
        for _ in range(8):
            _, writer = await asyncio.open_connection("127.0.0.1", client.port)
            stack.callback(writer.close)

        assert (await client.get())[0] == 200
        assert counted("b24_feed_streams", token="all") == 1
    assert counted("b24_feed_connections_cut_total", reason="too_many_connections") > cut


async def test_a_client_who_never_reads_is_cut_and_holds_up_nobody(
    redis: Redis, redis_url: str
) -> None:
    text = "x" * 60_000
    event = comment_event(1, comment=Comment(state="present", text=text))
    cut = counted("b24_feed_connections_cut_total", reason="slow")
    async with open_feed(redis_url, send_timeout_s=0.5) as client, client.stream() as events:
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            _ask(stranger, client, "/events/stream")
            await eventually(lambda: counted("b24_feed_streams", token="all") == 2)
            reading = asyncio.create_task(following(events, 200))
            for _ in range(20):
                await put(redis, [event] * 10)

            assert len(await reading) == 200
            await eventually(lambda: counted("b24_feed_connections_cut_total", reason="slow") > cut)
            await eventually(lambda: counted("b24_feed_streams", token="all") == 1)


async def test_a_client_who_never_reads_a_stream_on_which_little_comes_is_cut_too(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As is one whose machine is gone without a word."""
    monkeypatch.setattr("consumers.feed.feed_process.HEARTBEAT_S", 0.2)
    event = comment_event(1, comment=Comment(state="present", text="x" * 60_000))
    cut = counted("b24_feed_connections_cut_total", reason="slow")
    async with open_feed(redis_url, send_timeout_s=1) as client:
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            _ask(stranger, client, "/events/stream")
            await eventually(lambda: counted("b24_feed_streams", token="all") == 1)
            await put(redis, [event] * 2)  # far less than a process holds for one client
            await eventually(lambda: counted("b24_feed_streams", token="all") == 0)
            assert counted("b24_feed_connections_cut_total", reason="slow") > cut


async def test_a_client_who_does_not_read_a_page_is_cut(redis: Redis, redis_url: str) -> None:
    event = comment_event(1, comment=Comment(state="present", text="x" * 60_000))
    await put(redis, [event] * 200)
    cut = counted("b24_feed_connections_cut_total", reason="slow")
    async with open_feed(redis_url, send_timeout_s=0.5) as client:
        with socket.socket() as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            asks = b"".join([_request(client, "/events?after=oldest&limit=1000")] * 20)
            stranger.connect(("127.0.0.1", client.port))
            stranger.sendall(asks)
            await eventually(lambda: counted("b24_feed_connections_cut_total", reason="slow") > cut)
        assert (await client.get())[0] == 200


def _ask(stranger: socket.socket, client: FeedClient, path: str) -> None:
    stranger.connect(("127.0.0.1", client.port))
    stranger.sendall(_request(client, path))


def _request(client: FeedClient, path: str) -> bytes:
    bearer = client.headers["Authorization"]
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {bearer}\r\n\r\n".encode()
