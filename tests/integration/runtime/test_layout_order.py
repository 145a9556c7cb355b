"""Groups begin with new partitions when they are through with former ones, each by itself."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

from redis.asyncio import Redis

from consumers import CommentEvent, Consumer, Event
from consumers.testing import comment_event
from gateway.contract import EventSelection, Streams, encode_event
from gateway.heartbeats.process_list import processes
from gateway.ops.group_interventions import end_pauses, pause_group
from gateway.ops.group_standings import standings
from gateway.ops.partition_standing import partition_standing
from gateway.status.group_summary import summaries
from tests.integration.runtime.running import running, settled
from tests.support.eventually import eventually
from tests.support.repartitioning import change_partitions, layouts_of, put_events


def noting(group: str, handled: list[Event], *, stream: str = "events") -> Consumer:
    consumer = Consumer(group=group, stream=stream)

    @consumer.on("*")
    async def note(event: Event) -> None:
        handled.append(event)

    return consumer


def some_events(count: int) -> list[CommentEvent]:
    return [comment_event(number % 7 + 1) for number in range(count)]


def by_subject(events: Sequence[Event]) -> dict[str | None, list[str]]:
    found: defaultdict[str | None, list[str]] = defaultdict(list)
    for event in events:
        found[event.subject].append(event.id)
    return dict(found)


async def is_through(redis: Redis, group: str, stream: str = "events") -> bool:
    streams = await layouts_of(redis)
    keys = [key for key in streams.keys(stream) if await redis.exists(key)]
    return all([await settled(redis, key, group) for key in keys])


async def is_held(redis: Redis, group: str) -> bool:
    """Whether a process of the group has looked for its pauses since."""
    before = await redis.hget(f"b24:lease:{group}:{{0}}", "until")
    await eventually(lambda: _has_changed(redis, group, before))
    before = await redis.hget(f"b24:lease:{group}:{{0}}", "until")
    await eventually(lambda: _has_changed(redis, group, before))
    return True


async def _has_changed(redis: Redis, group: str, before: object) -> bool:
    return await redis.hget(f"b24:lease:{group}:{{0}}", "until") != before


async def has_taken(redis: Redis, group: str, streams: Streams) -> bool:
    """Whether a process of the group knows the new number, and has looked what it may read."""
    found = await processes(redis, prefix=streams.prefix)
    own = [one.report for one in found if one.report.group == group]
    return bool(own) and all(one.layouts == len(streams.counts) for one in own)


async def test_a_group_that_is_behind_delays_nobody_else(redis: Redis, redis_url: str) -> None:
    quick, slow = list[Event](), list[Event]()
    events = some_events(60)
    async with (
        running(noting("quick", quick), redis_url),
        running(noting("slow", slow), redis_url),
    ):
        await put_events(redis, events[:20])
        await eventually(lambda: is_through(redis, "slow"))
        await pause_group(
            redis, Streams(), "slow", EventSelection(), until=None, now=datetime.now(UTC)
        )
        await eventually(lambda: is_held(redis, "slow"))
        await put_events(redis, events[20:40])
        streams = await change_partitions(redis, 3)
        await put_events(redis, events[40:])

        await eventually(lambda: len(quick) == 60)
        await eventually(lambda: is_through(redis, "quick"))
        found = await standings(redis, streams)
        rows = {one.group: one for one in summaries(found)}
        assert [one.partition for one in found if one.waits_for_former] == [1, 2, 3]
        assert {one.group for one in found if one.waits_for_former} == {"slow"}
        assert rows["slow"].waits_for_former
        assert not rows["slow"].unowned
        assert len(slow) < 41
        await end_pauses(redis, streams, "slow", None)
        await eventually(lambda: len(slow) == 60)

    assert by_subject(quick) == by_subject(slow) == by_subject(events)
    assert (await partition_standing(redis, streams)).count == 3


async def test_a_group_that_begins_later_has_everything_in_order(
    redis: Redis, redis_url: str
) -> None:
    events, handled = some_events(210), list[Event]()
    await put_events(redis, events[:70])
    await change_partitions(redis, 3)
    await put_events(redis, events[70:140])
    await change_partitions(redis, 2)
    await put_events(redis, events[140:])

    async with (
        running(noting("late", handled), redis_url),
        running(noting("late", handled), redis_url),
    ):
        await eventually(lambda: len(handled) == 210)
        await eventually(lambda: is_through(redis, "late"))

    assert by_subject(handled) == by_subject(events)


async def test_readers_of_comments_wait_for_the_enricher(redis: Redis, redis_url: str) -> None:
    handled = list[Event]()
    events = some_events(30)
    await redis.xgroup_create("b24:events:{0}", "enricher", "0", mkstream=True)
    await put_events(redis, events[:10], stream="comments")
    async with running(noting("reader", handled, stream="comments"), redis_url):
        await eventually(lambda: len(handled) == 10)
        streams = await change_partitions(redis, 4)
        await put_events(redis, events[20:], stream="comments")
        await eventually(lambda: has_taken(redis, "reader", streams))
        # What the enricher still had to write, since it is slower than its readers.
        for event in events[10:20]:
            await redis.xadd("b24:comments:{0}", {"event": encode_event(event)})
        await eventually(lambda: len(handled) >= 20)
        assert [one.id for one in handled] == [one.id for one in events[:20]]

        await redis.hset("b24:partitions:ended", "enricher:0", "1")
        await eventually(lambda: len(handled) == 30)

    assert by_subject(handled) == by_subject(events)
    assert await redis.hget("b24:partitions:ended", "reader:0") == b"1"


async def test_nobody_waits_for_an_enricher_that_there_is_not(redis: Redis, redis_url: str) -> None:
    handled, events = list[Event](), some_events(20)
    await put_events(redis, events[:10], stream="comments")
    await change_partitions(redis, 2)
    await put_events(redis, events[10:], stream="comments")

    async with running(noting("reader", handled, stream="comments"), redis_url):
        await eventually(lambda: len(handled) == 20)

    assert by_subject(handled) == by_subject(events)
