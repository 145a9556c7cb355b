"""Events that nobody waits for in a task are stored once each, in order, whatever happens."""

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
from tests.support.eventually import eventually

STREAM = "b24:events:{0}"


class Sender:
    """Sends events, and keeps what it is told of each."""

    def __init__(self, publisher: Publisher) -> None:
        self.publisher = publisher
        self.told: list[str] = []

    def send(self, *events: bytes) -> None:
        for event in events:
            self.publisher.store(event, 0, self)

    def settled(self, stored: Stored) -> None:
        self.told.append(stored)

    def failed(self, error: CannotStore) -> None:
        self.told.append(error.reason)

    async def is_told(self, *what: str) -> None:
        await eventually(lambda: self.told == [*what])


Opened = Callable[..., Sender]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    """Makes senders with started publishers, which are closed after the test."""
    async with AsyncExitStack() as stack:
        spool = await Spool.open(tmp_path / "spool", max_bytes=1 << 20)
        stack.push_async_callback(spool.close)

        def open_sender(
            url: str, *, holds_back: Callable[[int], bool] = lambda _: False, **publish: Any
        ) -> Sender:
            publisher = Publisher(
                settings.RedisSettings(url=url),
                settings.PublishSettings(**publish),
                spool,
                Ledger.in_memory(),
                holds_back=holds_back,
            )
            publisher.start()
            stack.push_async_callback(publisher.close)
            return Sender(publisher)

        yield open_sender


async def events_on(redis: Redis) -> list[bytes]:
    entries: Any = await redis.xrange(STREAM)
    return [fields[b"event"] for _, fields in entries]


async def one_by_one(sender: Sender, *events: bytes) -> None:
    for event in events:
        count = len(sender.told)
        sender.send(event)
        await eventually(lambda count=count: len(sender.told) > count)  # type: ignore[misc]


async def test_events_that_come_alone_are_each_stored_in_a_call_of_their_own(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    sender = opened(redis_url)

    await one_by_one(sender, *(b"%d" % n for n in range(20)))

    assert sender.told == ["stream"] * 20
    assert await events_on(redis) == [b"%d" % n for n in range(20)]


async def test_events_with_and_without_a_task_keep_their_order(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    sender = opened(redis_url)
    waiting = []
    for number in range(600):
        if number % 7 < 4:
            sender.send(b"%d" % number)
        else:
            waiting.append(asyncio.ensure_future(sender.publisher.publish(b"%d" % number, 0)))
        if number % 5 == 0:
            await asyncio.sleep(0)

    assert set(await asyncio.gather(*waiting)) == {Stored.STREAM}
    await sender.is_told(*["stream"] * (600 - len(waiting)))
    assert await events_on(redis) == [b"%d" % n for n in range(600)]


async def test_a_lost_reply_costs_neither_an_event_nor_a_duplicate(
    redis: Redis, shared_server: RedisServer, opened: Opened
) -> None:
    async with LossyProxy(on_loopback(shared_server.port)) as proxy:
        sender = opened(proxy.url)
        await one_by_one(sender, b"first", b"second")
        proxy.lose_replies(1)

        sender.send(*(b"%d" % n for n in range(50)))

        await sender.is_told(*["stream"] * 52)
        assert proxy.lost == 1
    assert await events_on(redis) == [b"first", b"second", *(b"%d" % n for n in range(50))]


async def test_a_network_that_breaks_without_a_word_leaves_events_to_the_spool_at_the_deadline(
    redis: Redis, shared_server: RedisServer, opened: Opened
) -> None:
    async with LossyProxy(on_loopback(shared_server.port)) as proxy:
        sender = opened(proxy.url, deadline_s=0.5)
        await one_by_one(sender, b"first", b"second")
        proxy.hold()

        sender.send(b"third", b"fourth")

        await sender.is_told("stream", "stream", "spool", "spool")
    assert await events_on(redis) == [b"first", b"second"]


async def test_a_server_that_has_forgotten_its_scripts_stores(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    sender = opened(redis_url)
    await one_by_one(sender, b"first", b"second")
    await redis.script_flush()

    await one_by_one(sender, b"third", b"fourth")

    assert sender.told == ["stream"] * 4
    assert await events_on(redis) == [b"first", b"second", b"third", b"fourth"]


async def test_a_connection_that_the_server_has_closed_costs_no_event(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    sender = opened(redis_url)
    await one_by_one(sender, b"first", b"second")
    await redis.client_kill_filter(_type="normal", skipme=True)

    await one_by_one(sender, b"third", b"fourth")

    assert sender.told == ["stream"] * 4
    assert await events_on(redis) == [b"first", b"second", b"third", b"fourth"]


async def test_a_server_that_refuses_leaves_events_to_the_spool(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    sender = opened(redis_url)
    await one_by_one(sender, b"first", b"second")
    used: Any = await redis.info("memory")
    await redis.config_set("maxmemory", used["used_memory"] // 2)
    try:
        await one_by_one(sender, b"third", b"fourth")
    finally:
        await redis.config_set("maxmemory", 0)

    assert sender.told == ["stream", "stream", "spool", "spool"]
    assert await events_on(redis) == [b"first", b"second"]


async def test_an_error_that_nobody_foresaw_costs_its_batch_and_no_other_one(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    is_faulty = False

    def holds_back(_partition: int) -> bool:
        if is_faulty:
            raise ValueError("nobody foresaw this")
        return False

    sender = opened(redis_url, holds_back=holds_back)
    await one_by_one(sender, b"first", b"second")
    is_faulty = True
    await one_by_one(sender, b"third")
    is_faulty = False
    await one_by_one(sender, b"fourth")

    assert sender.told == ["stream", "stream", "internal", "stream"]
    assert await events_on(redis) == [b"first", b"second", b"fourth"]


async def test_closing_stores_what_was_accepted(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    sender = opened(redis_url)
    await one_by_one(sender, b"first", b"second")

    sender.send(*(b"%d" % n for n in range(600)))
    await sender.publisher.close()

    assert sender.told == ["stream"] * 602
    assert len(await events_on(redis)) == 602


async def test_closing_that_is_cut_off_says_that_nothing_was_stored(
    shared_server: RedisServer, opened: Opened
) -> None:
    async with LossyProxy(on_loopback(shared_server.port)) as proxy:
        sender = opened(proxy.url, deadline_s=60)
        await one_by_one(sender, b"first", b"second")
        proxy.hold()
        sender.send(*(b"%d" % n for n in range(300)))

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await sender.publisher.close()

        assert sender.told == ["stream", "stream", *["internal"] * 300]
