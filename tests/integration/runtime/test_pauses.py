"""A group that an operator pauses keeps its place, and loses nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import CommentEvent, Consumer, Entry
from consumers.testing import comment_event
from gateway.contract import Streams
from gateway.local.redis_server import free_port
from gateway.redis_access import connections
from gateway.retention.keeper import Retention
from gateway.settings import RetentionSettings
from tests.integration.runtime.pausable import (
    GROUP,
    KEY,
    KINDS,
    STREAMS,
    in_order,
    noting,
    pause,
    pending_count,
    resume,
)
from tests.integration.runtime.running import publish, running, settled
from tests.support.eventually import eventually


def some_events(count: int, *, portal: str = "aaa", subjects: int = 5) -> list[CommentEvent]:
    return [comment_event(number % subjects + 1, member_id=portal) for number in range(count)]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_paused_group_handles_nothing_and_then_everything_in_its_order(
    redis: Redis, redis_url: str, kind: str
) -> None:
    handled: list[CommentEvent] = []
    before, after = some_events(50), some_events(300)
    await publish(redis, KEY, before)
    port = free_port()
    async with running(noting(kind, handled), redis_url, port=port):
        await eventually(lambda: settled(redis, KEY, GROUP))
        await pause(redis)

        async def says_paused() -> bool:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port}/readyz") as answer,
            ):
                return answer.status == 200 and "paused: the whole group" in await answer.text()

        await eventually(says_paused)
        # A read that was under way when the pause began may still take what comes first.
        await publish(redis, KEY, after)
        await stays_so(redis, handled, 50)
        assert await says_paused()
        await resume(redis)
        await eventually(lambda: settled(redis, KEY, GROUP))

    assert in_order(handled, [*before, *after])


async def stays_so(redis: Redis, handled: list[CommentEvent], count: int) -> None:
    """Look, for as long as three leases are renewed, that nothing is handled."""
    until: Any = await redis.hget(STREAMS.lease(GROUP, 0), "until")
    for _ in range(3):

        async def is_renewed(before: Any = until) -> Any:
            now = await redis.hget(STREAMS.lease(GROUP, 0), "until")
            return now if now != before else None

        until = await eventually(is_renewed)
        assert len(handled) == count


async def test_a_paused_group_holds_its_stream(redis: Redis, redis_url: str) -> None:
    handled: list[CommentEvent] = []
    await publish(redis, KEY, some_events(300))
    await redis.xgroup_create(KEY, GROUP, "0")
    await pause(redis)
    async with running(noting("events", handled), redis_url):
        await stays_so(redis, handled, 0)
        await Retention(
            redis, STREAMS, RetentionSettings(days=1e-9, warn_held_days=1e-9)
        ).look_once()
        assert await redis.xlen(KEY) == 300
        await resume(redis)
        await eventually(lambda: settled(redis, KEY, GROUP))

    assert len(handled) == 300


async def test_nobody_takes_over_from_a_process_that_is_paused(
    redis: Redis, redis_url: str
) -> None:
    handled: list[CommentEvent] = []
    lease = STREAMS.lease(GROUP, 0)
    await redis.xgroup_create(KEY, GROUP, "0", mkstream=True)
    await pause(redis)
    async with (
        running(noting("events", handled), redis_url),
        running(noting("events", handled), redis_url),
    ):

        async def are_two() -> bool:
            return int(await redis.zcard(STREAMS.members(GROUP))) == 2

        await eventually(are_two)
        await stays_so(redis, handled, 0)  # until the partition is whose it is to be of two
        epoch = await redis.hget(lease, "epoch")
        await publish(redis, KEY, some_events(10))
        await stays_so(redis, handled, 0)
        assert await redis.hget(lease, "epoch") == epoch
        await resume(redis)
        await eventually(lambda: settled(redis, KEY, GROUP))

    assert len(handled) == 10


@pytest.mark.parametrize("kind", KINDS)
async def test_a_paused_portal_waits_and_all_others_go_on(
    redis: Redis, redis_url: str, kind: str
) -> None:
    handled: list[CommentEvent] = []
    first = some_events(20, portal="aaa") + some_events(20, portal="bbb")
    await publish(redis, KEY, first)
    async with running(noting(kind, handled), redis_url):
        await eventually(lambda: settled(redis, KEY, GROUP))
        with capture_logs() as logs:
            await pause(redis, portal="aaa")
            await eventually(lambda: any(line["event"] == "paused" for line in logs))
            paused = some_events(3000, portal="aaa", subjects=50)
            others = some_events(500, portal="bbb")
            await publish(redis, KEY, [*paused, *others])
            await eventually(lambda: len(handled) == len(first) + len(others))

            async def is_all_pending() -> bool:
                return await pending_count(redis) == len(paused)

            await eventually(is_all_pending)
            assert in_order(handled, [*first, *others])
            await resume(redis)
            await eventually(lambda: settled(redis, KEY, GROUP))

    assert in_order(handled, [*first, *paused, *others])
    said = [line["event"] for line in logs if "paused" in line["event"]]
    assert said == ["paused", "not paused any more"]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_follows_a_paused_type_of_the_same_comment_waits_with_it(
    redis: Redis, redis_url: str, kind: str
) -> None:
    handled: list[CommentEvent] = []
    events = [
        comment_event(number, change, member_id="aaa")
        for number in range(1, 21)
        for change in ("added", "updated", "deleted")
        if change != "updated" or number % 2
    ]
    await publish(redis, KEY, [])
    await redis.xgroup_create(KEY, GROUP, "0", mkstream=True)
    await pause(redis, event_type="comment.updated")
    async with running(noting(kind, handled), redis_url):
        await publish(redis, KEY, events)
        # Twenty were added, and the ten of even numbers deleted: nothing of theirs waits.
        await eventually(lambda: len(handled) == 30)
        assert all(
            event.type.endswith("added") or event.data.comment_id % 2 == 0 for event in handled
        )
        await resume(redis)
        await eventually(lambda: settled(redis, KEY, GROUP))

    assert in_order(handled, events)


async def test_a_portal_that_fails_is_paused_and_keeps_nobody_waiting(
    redis: Redis, redis_url: str
) -> None:
    """The batch that fails again and again is made anew, without what is paused."""
    handled: list[str] = []
    attempts = 0
    app = Consumer(group=GROUP, stream="events", transient=(OSError,))

    @app.on_batch("*", max_events=100, max_wait_s=0.05)
    async def load(entries: Sequence[Entry]) -> None:
        nonlocal attempts
        attempts += 1
        if is_broken and any(entry.event.source.endswith("aaa") for entry in entries):
            raise OSError("never with this portal")
        handled.extend(entry.event.id for entry in entries)

    is_broken = True
    events = some_events(10, portal="aaa") + some_events(10, portal="bbb")
    await publish(redis, KEY, events)
    async with running(app, redis_url):
        await eventually(lambda: attempts > 1)
        await pause(redis, portal="aaa")
        await eventually(lambda: len(handled) == 10)
        is_broken = False
        await resume(redis)
        await eventually(lambda: settled(redis, KEY, GROUP))

    assert sorted(handled) == sorted(event.id for event in events)


async def test_a_pause_ends_by_itself(redis: Redis, redis_url: str) -> None:
    handled: list[CommentEvent] = []
    await redis.xgroup_create(KEY, GROUP, "0", mkstream=True)
    await pause(redis, until=datetime.now(UTC) + timedelta(seconds=2))
    async with running(noting("events", handled), redis_url):
        await publish(redis, KEY, some_events(10))
        await eventually(lambda: settled(redis, KEY, GROUP))
        assert await redis.hgetall(STREAMS.pauses(GROUP)) == {}

    assert len(handled) == 10


async def test_a_pause_reaches_every_partition_of_a_cluster(cluster_url: str) -> None:
    streams = Streams(partitions=4)
    handled: list[CommentEvent] = []
    async with connections.control(cluster_url) as redis:
        for key in streams.keys("events"):
            await redis.xgroup_create(key, GROUP, "0", mkstream=True)
        await pause(redis, portal="aaa", streams=streams)
        paused, others = some_events(100, portal="aaa"), some_events(100, portal="bbb")
        async with running(noting("events", handled), cluster_url, partitions=4):
            for number, event in enumerate([*paused, *others]):
                await publish(redis, streams.key("events", number % 4), [event])
            await eventually(lambda: len(handled) == 100)
            assert {event.source for event in handled} == {others[0].source}
            await resume(redis, streams=streams)
            await eventually(lambda: len(handled) == 200)

            async def are_settled() -> bool:
                return all([await settled(redis, key, GROUP) for key in streams.keys("events")])

            await eventually(are_settled)
