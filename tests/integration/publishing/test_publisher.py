"""The publisher against a real server: batches, repeated batches, cancelled requests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway import settings
from gateway.balance.ledger import Ledger
from gateway.drill.lossy_proxy import LossyProxy, on_loopback
from gateway.local.redis_server import RedisServer
from gateway.publishing.batch import Stored
from gateway.publishing.errors import CannotStore
from gateway.publishing.publisher import Publisher
from gateway.publishing.spool.store import Spool

STREAM = "b24:events:{0}"
Opened = Callable[..., Publisher]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    """Makes started publishers, and closes them after the test."""
    async with AsyncExitStack() as stack:
        spool = await Spool.open(tmp_path / "spool", max_bytes=1 << 20)
        stack.push_async_callback(spool.close)

        def open_publisher(
            url: str,
            partitions: int = 1,
            holds_back: Callable[[int], bool] = lambda _: False,
            **publish: Any,
        ) -> Publisher:
            publisher = Publisher(
                settings.RedisSettings(url=url, partitions=partitions),
                settings.PublishSettings(**publish),
                spool,
                Ledger.in_memory(),
                holds_back=holds_back,
            )
            publisher.start()
            stack.push_async_callback(publisher.close)
            return publisher

        yield open_publisher


async def events_on(redis: Redis, stream: str = STREAM) -> list[bytes]:
    entries: Any = await redis.xrange(stream)
    return [fields[b"event"] for _, fields in entries]


async def stored(publisher: Publisher, event: bytes) -> Stored:
    """As a request does it: a task of its own that waits."""
    return await publisher.publish(event, 0)


async def calls_of(redis: Redis, command: str) -> int:
    stats: Any = await redis.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def test_requests_that_arrive_together_go_out_in_one_script_call(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    publisher = opened(redis_url)
    await publisher.publish(b"first", 0)  # loads the script
    before = await calls_of(redis, "evalsha")

    stored = await asyncio.gather(*(publisher.publish(b"%d" % n, 0) for n in range(100)))

    assert stored == [Stored.STREAM] * 100
    assert await calls_of(redis, "evalsha") - before == 1
    assert await events_on(redis) == [b"first", *(b"%d" % n for n in range(100))]


async def test_more_events_than_a_batch_holds_keep_their_order(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    publisher = opened(redis_url)

    await asyncio.gather(*(publisher.publish(b"%d" % n, 0) for n in range(1000)))

    assert await events_on(redis) == [b"%d" % n for n in range(1000)]


async def test_each_partition_has_its_own_stream(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    publisher = opened(redis_url, partitions=3)

    await asyncio.gather(*(publisher.publish(b"%d" % n, n % 3) for n in range(9)))

    assert await events_on(redis, "b24:events:{1}") == [b"1", b"4", b"7"]


async def test_a_lost_reply_costs_neither_an_event_nor_a_duplicate(
    redis: Redis, shared_server: RedisServer, opened: Opened
) -> None:
    async with LossyProxy(on_loopback(shared_server.port)) as proxy:
        publisher = opened(proxy.url)
        await publisher.publish(b"before", 0)
        proxy.lose_replies(1)

        stored = await asyncio.gather(*(publisher.publish(b"%d" % n, 0) for n in range(50)))

        assert stored == [Stored.STREAM] * 50
        assert proxy.lost == 1
    assert await events_on(redis) == [b"before", *(b"%d" % n for n in range(50))]


async def test_an_error_that_nobody_foresaw_costs_its_batch_and_no_other_one(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    faults = [ValueError("nobody foresaw this"), asyncio.CancelledError(), RecursionError()]

    def holds_back(_partition: int) -> bool:
        if faults:
            raise faults.pop(0)
        return False

    publisher = opened(redis_url, holds_back=holds_back)
    for number in range(3):
        with pytest.raises(CannotStore, match="internal"):
            await publisher.publish(b"failed %d" % number, 0)

    assert await publisher.publish(b"stored", 0) == Stored.STREAM
    assert await events_on(redis) == [b"stored"]


async def test_what_waits_while_publishing_fails_at_the_stop_is_answered(
    redis_url: str, opened: Opened
) -> None:
    def holds_back(_partition: int) -> bool:
        raise ValueError("nobody foresaw this")

    publisher = opened(redis_url, holds_back=holds_back)
    requests = [asyncio.create_task(stored(publisher, b"%d" % n)) for n in range(600)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await publisher.close()
        results = await asyncio.gather(*requests, return_exceptions=True)

    assert {str(error) for error in results} == {"internal"}


async def test_a_request_that_is_cancelled_costs_the_others_nothing(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    publisher = opened(redis_url)
    requests = [asyncio.create_task(stored(publisher, b"%d" % n)) for n in range(10)]
    await asyncio.sleep(0)
    requests[3].cancel()

    results = await asyncio.gather(*requests, return_exceptions=True)

    assert isinstance(results.pop(3), asyncio.CancelledError)
    assert results == [Stored.STREAM] * 9
    assert len(await events_on(redis)) == 10


async def test_a_full_queue_is_refused_at_once(redis_url: str, opened: Opened) -> None:
    publisher = opened(redis_url, max_queued=5)

    results = await asyncio.gather(
        *(stored(publisher, b"%d" % n) for n in range(8)), return_exceptions=True
    )

    assert [str(result) for result in results] == ["stream"] * 5 + ["queue_full"] * 3


async def test_closing_stores_what_was_accepted(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    publisher = opened(redis_url)
    requests = [asyncio.create_task(stored(publisher, b"%d" % n)) for n in range(600)]
    await asyncio.sleep(0)

    await publisher.close()

    assert await asyncio.gather(*requests) == [Stored.STREAM] * 600
    assert len(await events_on(redis)) == 600
