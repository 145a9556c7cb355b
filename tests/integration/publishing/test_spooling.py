"""Publisher, spool and drainer together, with a server that goes away and comes back."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway import settings
from gateway.balance.ledger_choice import choose_ledger
from gateway.drill.lossy_proxy import LossyProxy, on_loopback
from gateway.local.redis_server import RedisServer
from gateway.publishing.batch import Stored
from gateway.publishing.errors import CannotStore
from gateway.publishing.publisher import Publisher
from gateway.publishing.spool.batch_file import SpooledBatch, SpoolFile
from gateway.publishing.spool.drainer import Drainer
from gateway.publishing.spool.reports import SpoolReporter, complete_until_ms, read_reports
from gateway.publishing.spool.store import Spool
from gateway.publishing.stream_writer import stream_writer
from gateway.redis_access import connections
from tests.support.eventually import eventually

Edge = Callable[..., Awaitable[Publisher]]


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    """Starts a publisher with a spool and a drainer, as a receiver process has them.

    `tells` is where the spool is told of, if not to the same address.
    """
    async with AsyncExitStack() as stack:

        async def start(
            url: str, *, tells: str = "", max_bytes: int = 1 << 20, **publish: Any
        ) -> Publisher:
            redis, how = settings.RedisSettings(url=url), settings.PublishSettings(**publish)
            control = connections.control(tells or url)
            stack.push_async_callback(control.aclose)
            spool = await Spool.open(tmp_path / "spool", max_bytes=max_bytes)
            stack.push_async_callback(spool.close)
            ledger = choose_ledger(tmp_path / "spool", in_spool=None)
            stack.callback(ledger.close)
            drainer = Drainer(
                spool,
                tmp_path / "spool",
                redis.streams,
                partial(stream_writer, redis, how),
                ledger,
                reporter=SpoolReporter(control, tmp_path / "spool", prefix=redis.prefix),
                deadline_s=how.deadline_s,
                holds_back=lambda _: False,
            )
            stack.push_async_callback(drainer.close)
            publisher = Publisher(redis, how, spool, ledger, holds_back=lambda _: False)
            stack.push_async_callback(publisher.close)
            publisher.start()
            drainer.start()
            return publisher

        yield start


async def events_on(server: RedisServer) -> list[bytes]:
    client = Redis.from_url(server.url)
    try:
        entries: Any = await client.xrange("b24:events:{0}")
        return [fields[b"event"] for _, fields in entries]
    finally:
        await client.aclose()


async def until_there_are(server: RedisServer, count: int) -> list[bytes]:
    async def are_there() -> bool:
        return len(await events_on(server)) >= count

    await eventually(are_there)
    return await events_on(server)


async def until_live(publisher: Publisher, event: bytes) -> None:
    """Publish an event again and again, until the spool is passed by."""

    async def is_live() -> bool:
        return await publisher.publish(event, 0) is Stored.STREAM

    await eventually(is_live)


async def test_events_wait_in_the_spool_while_redis_is_away_and_keep_their_order(
    own_server: RedisServer, edge: Edge
) -> None:
    publisher = await edge(own_server.url)
    sent = [b"%03d" % n for n in range(90)]
    assert await publisher.publish(sent[0], 0) is Stored.STREAM
    own_server.kill()

    stored = [await publisher.publish(event, 0) for event in sent[1:60]]
    own_server.start()
    # These come while the backlog drains: they keep their place behind it.
    stored += [await publisher.publish(event, 0) for event in sent[60:]]

    assert set(stored[:59]) == {Stored.SPOOL}
    assert await until_there_are(own_server, 90) == sent
    await until_live(publisher, b"live again")


async def test_a_batch_that_was_written_though_redis_did_not_say_so_is_not_published_twice(
    own_server: RedisServer, edge: Edge
) -> None:
    async with LossyProxy(on_loopback(own_server.port)) as proxy:
        publisher = await edge(proxy.url, tells=own_server.url)
        await publisher.publish(b"first", 0)
        proxy.lose_replies(2)  # the call, and its repetition

        stored = await asyncio.gather(*(publisher.publish(b"%d" % n, 0) for n in range(20)))

        assert stored == [Stored.SPOOL] * 20
        await until_live(publisher, b"last")
    events = await events_on(own_server)
    assert events[:21] == [b"first", *(b"%d" % n for n in range(20))]
    assert set(events[21:]) == {b"last"}


async def test_a_server_that_hangs_costs_one_deadline_and_no_event(
    own_server: RedisServer, edge: Edge
) -> None:
    publisher = await edge(own_server.url, deadline_s=0.3)
    await publisher.publish(b"first", 0)
    own_server.pause()

    async with asyncio.timeout(2):
        stored = [await publisher.publish(b"%d" % n, 0) for n in range(20)]
    own_server.resume()

    assert stored == [Stored.SPOOL] * 20
    assert await until_there_are(own_server, 21) == [b"first", *(b"%d" % n for n in range(20))]


async def test_out_of_memory_counts_as_being_away(own_server: RedisServer, edge: Edge) -> None:
    publisher = await edge(own_server.url)
    client = Redis.from_url(own_server.url)
    await client.config_set("maxmemory", "1")

    assert await publisher.publish(b"too much", 0) is Stored.SPOOL

    await client.config_set("maxmemory", "0")
    await client.aclose()
    assert await until_there_are(own_server, 1) == [b"too much"]


async def test_a_full_spool_refuses_and_accepts_again_once_redis_took_its_events(
    own_server: RedisServer, edge: Edge
) -> None:
    publisher = await edge(own_server.url, max_bytes=100_000)
    own_server.kill()
    stored = 0
    with pytest.raises(CannotStore, match="spool_full"):
        while stored < 1000:
            await publisher.publish(b"%05d" % stored + bytes(1000), 0)
            stored += 1
    own_server.start()

    assert 10 < stored < 100
    events = await until_there_are(own_server, stored)
    assert [int(event[:5]) for event in events] == list(range(stored))
    await until_live(publisher, b"99999")


async def test_what_a_full_spool_does_not_take_passes_what_waits_there_and_costs_it_nothing(
    own_server: RedisServer, edge: Edge
) -> None:
    publisher = await edge(own_server.url, max_bytes=100_000)
    await publisher.publish(b"first", 0)
    own_server.kill()
    for number in range(10):
        assert await publisher.publish(b"%d" % number + bytes(1000), 0) is Stored.SPOOL
    own_server.start()

    large = bytes(95_000)
    assert await publisher.publish(large, 0) is Stored.STREAM

    events = await until_there_are(own_server, 12)
    assert sorted(events) == sorted(
        [b"first", large, *(b"%d" % n + bytes(1000) for n in range(10))]
    )


async def test_workers_of_one_machine_share_the_spool_and_one_of_them_drains(
    own_server: RedisServer, edge: Edge
) -> None:
    first, second = await edge(own_server.url), await edge(own_server.url)
    own_server.kill()
    assert await first.publish(b"1", 0) is Stored.SPOOL

    # The other worker sees the backlog, and does not overtake it.
    own_server.start()
    assert await second.publish(b"2", 0) in {Stored.SPOOL, Stored.STREAM}

    assert await until_there_are(own_server, 2) == [b"1", b"2"]


async def test_a_spooled_batch_is_taken_however_long_after_newer_ones_it_comes(
    own_server: RedisServer, edge: Edge, tmp_path: Path
) -> None:
    """As when a spool that could not be read, or was set aside, is there again."""
    publisher = await edge(own_server.url)
    await publisher.publish(b"1", 0)
    own_server.kill()
    assert await publisher.publish(b"2", 0) is Stored.SPOOL
    file = SpoolFile(tmp_path / "spool", max_bytes=1 << 20)
    missing = file.oldest(0, 10)
    file.remove([batch.position for batch in missing])

    own_server.start()
    await until_live(publisher, b"3")
    file.append(missing)
    file.close()

    async def is_there() -> bool:
        return b"2" in await events_on(own_server)

    await eventually(is_there)


async def test_what_waits_in_a_spool_is_told_until_it_is_on_its_stream(
    own_server: RedisServer, edge: Edge
) -> None:
    publisher = await edge(own_server.url)
    client = connections.control(own_server.url)

    async def complete_until() -> tuple[int, int]:
        reports, now_ms = await read_reports(client, prefix="b24")
        return complete_until_ms(reports, now_ms=now_ms, patience_s=3600), now_ms

    async def is_reported() -> bool:
        return bool((await read_reports(client, prefix="b24"))[0])

    await eventually(is_reported)
    own_server.kill()
    before_ms = time.time_ns() // 1_000_000
    await publisher.publish(b"event", 0)
    own_server.start()

    # Nobody has told anything since: up to the outage it is certain, and no further.
    assert (await complete_until())[0] <= before_ms
    await until_there_are(own_server, 1)

    async def is_complete() -> bool:
        return (await complete_until())[0] > before_ms

    await eventually(is_complete)
    await client.aclose()


async def test_a_spool_keeps_its_name_when_the_receiver_starts_again(
    redis: Redis, redis_url: str, edge: Edge
) -> None:
    for _ in range(2):
        await edge(redis_url)

    async def is_named() -> bool:
        return bool(await redis.hlen("b24:spools"))

    await eventually(is_named)
    assert await redis.hlen("b24:spools") == 1


async def test_a_long_backlog_of_single_events_leaves_in_few_calls(
    own_server: RedisServer, edge: Edge, tmp_path: Path
) -> None:
    file = SpoolFile(tmp_path / "spool", max_bytes=1 << 20)
    file.append([SpooledBatch(0, "long-gone", n, [b"%d" % n]) for n in range(1, 2001)])
    file.close()

    await edge(own_server.url)

    assert await until_there_are(own_server, 2000) == [b"%d" % n for n in range(1, 2001)]
    async with Redis.from_url(own_server.url) as client:
        stats = await client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] <= 20  # some of them the reporter's
