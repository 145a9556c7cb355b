"""What has come in online: of the last minutes from memory, and of before from the stream."""

import asyncio
import time
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.contract import CommentEvent, EventSubject, Streams, encode_event
from gateway.missed_events import online_events
from gateway.missed_events.online_events import Key, OnlineEvents
from tests.integration.runtime.running import comment_event

STREAMS = Streams(partitions=3)
NOW_MS = int(time.time() * 1000)


def key(comment_id: int) -> Key:
    return Key.of_comment("portal", comment_id, comment_event(comment_id).type)


async def put(redis: Redis, event: CommentEvent, *, ago_s: float) -> None:
    """Store an event as if it had come so many seconds ago."""
    partition = STREAMS.partition_of(
        event.data.member_id, EventSubject.of_comment(event.data.comment_id)
    )
    entry_id = f"{NOW_MS - int(ago_s * 1000)}-*"
    await redis.xadd(STREAMS.key("events", partition), {"event": encode_event(event)}, id=entry_id)


async def seen(one: OnlineEvents, comment_ids: range, *, ago_s: float) -> list[int]:
    found = await one.of([key(n) for n in comment_ids], since_ms=NOW_MS - int(ago_s * 1000))
    return sorted(int(key.subject.partition("/")[2]) for key in found)


async def test_old_and_new_entries_of_all_partitions_are_seen(redis: Redis) -> None:
    for number in range(1, 41):
        await put(redis, comment_event(number), ago_s=1000 - number * 20)
    one = OnlineEvents(redis, STREAMS, kept_s=300)

    assert await seen(one, range(1, 50), ago_s=2000) == list(range(1, 41))
    assert await seen(one, range(1, 50), ago_s=305) == list(range(35, 41))


async def test_what_comes_in_after_a_look_is_seen_by_the_next_one(redis: Redis) -> None:
    one = OnlineEvents(redis, STREAMS, kept_s=300)
    assert await seen(one, range(1, 5), ago_s=60) == []

    await put(redis, comment_event(1), ago_s=-1)
    await put(redis, comment_event(2), ago_s=-1)

    assert await seen(one, range(1, 5), ago_s=60) == [1, 2]


async def test_the_latest_of_several_events_counts(redis: Redis) -> None:
    event = comment_event(7)
    for ago_s, moment in ((500, "10:00:09"), (20, "10:00:03"), (10, "10:00:05")):
        told = f"2025-12-18T{moment}Z"
        await put(redis, replace(event, time=told, receivedat=told), ago_s=ago_s)
    one = OnlineEvents(redis, STREAMS, kept_s=100)

    found = await one.of([key(7)], since_ms=NOW_MS - 1_000_000)

    latest = replace(event, time="2025-12-18T10:00:09Z").occurred_at.timestamp()
    assert found == {key(7): (latest, latest)}


async def test_what_was_recovered_or_is_no_event_did_not_come_in(redis: Redis) -> None:
    await put(redis, replace(comment_event(1), recovered=True), ago_s=10)
    await redis.xadd(STREAMS.key("events", 0), {"event": b"rubbish"})
    await redis.xadd(STREAMS.key("events", 0), {"other": b"field"})
    one = OnlineEvents(redis, STREAMS, kept_s=100)

    assert await seen(one, range(1, 5), ago_s=60) == []


async def test_more_than_fits_in_memory_is_read_again(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_events, "_MAX_KEPT", 50)
    for number in range(1, 201):
        await put(redis, comment_event(number), ago_s=300 - number)
    one = OnlineEvents(redis, STREAMS, kept_s=1000)

    assert await seen(one, range(1, 300), ago_s=900) == list(range(1, 201))
    assert len(one) <= 50


async def reads(redis: Redis) -> int:
    """How often the stream was looked into since the counts were set to zero."""
    stats: Any = await redis.info("commandstats")
    return int(stats["cmdstat_xrange"]["calls"])


async def test_the_stream_is_read_again_once_for_all_who_ask_meanwhile(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_events, "_PAGE", 1)  # so that reading takes a while
    for number in range(1, 101):
        await put(redis, comment_event(number), ago_s=1000 - number)
    one = OnlineEvents(redis, STREAMS, kept_s=60)
    await seen(one, range(1, 2), ago_s=10)
    await redis.config_resetstat()

    found = await asyncio.gather(
        *(seen(one, range(number, number + 3), ago_s=2000) for number in range(1, 91))
    )

    assert found == [list(range(number, number + 3)) for number in range(1, 91)]
    # Each looks for what is new in three partitions; a hundred old ones are read a few times.
    assert await reads(redis) <= 90 * 3 + 10 * 103


async def test_one_who_gives_up_asking_leaves_the_others_their_answers(redis: Redis) -> None:
    await put(redis, comment_event(1), ago_s=1000)
    one = OnlineEvents(redis, STREAMS, kept_s=60)
    asking = [asyncio.create_task(seen(one, range(1, 3), ago_s=2000)) for _ in range(10)]
    for task in asking[:5]:
        await asyncio.sleep(0)
        task.cancel()

    assert await asyncio.gather(*asking[5:]) == [[1]] * 5
