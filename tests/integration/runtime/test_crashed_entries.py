"""Entries whose processes ended: which are buried unseen, which are tried first and alone."""

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import CommentEvent, Entry, Transient
from gateway.contract import Streams
from tests.integration.runtime.index_group import KEY, consumer, letters
from tests.integration.runtime.running import comment_event, publish, running, settled
from tests.support.eventually import eventually

LEASE = Streams(partitions=1).lease("index", 0)


async def test_an_entry_that_ended_too_many_processes_is_buried_unseen(
    redis: Redis, redis_url: str
) -> None:
    await publish(redis, KEY, [comment_event(number) for number in (1, 2, 3)])
    await redis.xgroup_create(KEY, "index", "0")
    taken: Any = await redis.xreadgroup("index", "owner", {KEY: ">"})
    ids = [entry_id for entry_id, _fields in taken[KEY.encode()]]
    await redis.xclaim(KEY, "index", "owner", 0, ids[1:2], retrycount=5, justid=True)
    await redis.xclaim(KEY, "index", "owner", 0, ids[2:], retrycount=3, justid=True)
    handled: list[tuple[int, int]] = []
    app = consumer()

    @app.on("*")
    async def handle(event: CommentEvent, entry: Entry) -> None:
        handled.append((event.data.comment_id, entry.deliveries))

    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))

    assert handled == [(3, 4), (1, 2)]  # the suspect first, and alone
    assert [(letter.reason, letter.attempts) for letter in await letters(redis)] == [("crashed", 5)]


async def test_a_consumer_that_buries_no_crashed_entries_tries_them_first_and_alone(
    redis: Redis, redis_url: str
) -> None:
    first, second, third = events = [comment_event(number) for number in (1, 2, 3)]
    await publish(redis, KEY, events)
    await redis.xgroup_create(KEY, "index", "0")
    taken: Any = await redis.xreadgroup("index", "owner", {KEY: ">"})
    ids = [entry_id for entry_id, _fields in taken[KEY.encode()]]
    await redis.xclaim(KEY, "index", "owner", 0, ids[1:], retrycount=7, justid=True)
    batches: list[list[tuple[str, int]]] = []
    app = consumer(buries_crashed=False)

    @app.on_batch("*", max_wait_s=0)
    async def handle(entries: Sequence[Entry]) -> None:
        batches.append([(entry.event.id, entry.deliveries) for entry in entries])

    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))

    assert batches == [[(second.id, 8)], [(third.id, 8)], [(first.id, 2)]]
    assert await letters(redis) == []


async def test_stopping_a_consumer_in_good_order_counts_against_no_entry(
    redis: Redis, redis_url: str
) -> None:
    is_away = True
    tries = 0
    handled: list[tuple[int, int]] = []
    app = consumer()

    @app.on("*")
    async def handle(event: CommentEvent, entry: Entry) -> None:
        nonlocal tries
        if is_away:
            tries += 1
            raise Transient("away", retry_after_s=60)
        handled.append((event.data.comment_id, entry.deliveries))

    await publish(redis, KEY, [comment_event(number + 1) for number in range(4)])
    for release in range(1, 8):  # more than the deliveries after which an entry is given up
        async with running(app, redis_url):
            await eventually(lambda tried=4 * release: tries >= tried)  # type: ignore[misc]
    is_away = False
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))

    assert handled == [(number + 1, 1) for number in range(4)]
    assert await letters(redis) == []


async def test_who_has_lost_the_partition_meanwhile_reads_nothing_new(
    redis: Redis, redis_url: str
) -> None:
    """Nobody would look for it then: the new owner has seen already what is pending."""
    await publish(redis, KEY, [comment_event(1)])
    await redis.xgroup_create(KEY, "index", "0")
    taken: Any = await redis.xreadgroup("index", "owner", {KEY: ">"})
    ((suspect, _fields),) = taken[KEY.encode()]
    await redis.xclaim(KEY, "index", "owner", 0, [suspect], retrycount=3, justid=True)
    is_handled, has_ended = asyncio.Event(), asyncio.Event()
    app = consumer()

    @app.on("*")
    async def handle(_event: CommentEvent) -> None:
        is_handled.set()
        await has_ended.wait()

    async with running(app, redis_url):
        await is_handled.wait()
        with capture_logs() as lines:
            await redis.hset(LEASE, mapping={"owner": "another", "epoch": 2**42})
            await eventually(
                lambda: "partition lost to another process" in [line["event"] for line in lines]
            )
        await publish(redis, KEY, [comment_event(2)])
        has_ended.set()

    (group,) = await redis.xinfo_groups(KEY)
    assert group["last-delivered-id"] == suspect
