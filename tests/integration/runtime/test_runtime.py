"""A consumer on a real server, within the test: what it does with each kind of entry."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import CommentEvent, DeadLetterLimit, Entry, Reject, Transient
from consumers.runtime.settlement import DeadLetterLimitReached
from gateway.contract import COMMENT_UPDATED, encode_event
from gateway.local.redis_server import ServerBinary
from tests.integration.runtime.index_group import KEY, consumer, letters
from tests.integration.runtime.running import comment_event, publish, running, settled
from tests.support.eventually import eventually


async def test_poison_is_buried_and_its_neighbours_are_handled(
    redis: Redis, redis_url: str
) -> None:
    handled: list[int] = []
    app = consumer(max_attempts=1)

    @app.on("bitrix24.crm.*")
    async def handle(event: CommentEvent) -> None:
        if event.data.comment_id == 2:
            raise Reject("no such deal")
        if event.data.comment_id == 3:
            raise ZeroDivisionError
        handled.append(event.data.comment_id)

    await redis.xadd(KEY, {"event": b"\x00not an event"})
    await redis.xadd(KEY, {"other": b"field"})
    await publish(redis, KEY, [comment_event(number) for number in (1, 2, 3, 4)])
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))

    found = await letters(redis)
    assert handled == [1, 4]
    assert [letter.reason for letter in found] == [
        "undecodable",
        "undecodable",
        "rejected",
        "failed",
    ]
    assert found[0].event == b"\x00not an event"
    assert found[2].error == "Reject: no such deal"
    assert {(letter.group, letter.stream) for letter in found} == {("index", "events")}
    assert json.loads(found[3].event)["data"]["comment_id"] == 3


async def test_an_entry_that_no_handler_takes_is_acknowledged(redis: Redis, redis_url: str) -> None:
    app = consumer()

    @app.on("bitrix24.crm.timeline.comment.deleted")
    async def handle(event: CommentEvent) -> None:
        raise AssertionError(event)

    await publish(redis, KEY, [comment_event(1)])
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))

    assert await letters(redis) == []


async def test_an_entry_deleted_while_it_was_pending_is_acknowledged_and_counted(
    redis: Redis, redis_url: str
) -> None:
    await publish(redis, KEY, [comment_event(number) for number in (1, 2)])
    await redis.xgroup_create(KEY, "index", "0")
    taken: Any = await redis.xreadgroup("index", "owner", {KEY: ">"})
    await redis.xdel(KEY, taken[KEY.encode()][0][0])
    handled: list[int] = []
    app = consumer()

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        handled.append(event.data.comment_id)

    with capture_logs() as logs:
        async with running(app, redis_url):
            await eventually(lambda: settled(redis, KEY, "index"))

    assert handled == [2]
    assert [line for line in logs if line["event"] == "payload lost"]


async def test_entries_trimmed_unread_raise_the_alarm(
    redis: Redis, redis_url: str, server_binary: ServerBinary
) -> None:
    handled: list[int] = []
    app = consumer()

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        handled.append(event.data.comment_id)

    await publish(redis, KEY, [comment_event(number + 1) for number in range(10)])
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))
    await publish(redis, KEY, [comment_event(number + 11) for number in range(20)])
    await redis.xtrim(KEY, maxlen=5, approximate=False)
    with capture_logs() as logs:
        async with running(app, redis_url):
            await eventually(lambda: settled(redis, KEY, "index"))

    alarms = [line["entries"] for line in logs if line["event"].startswith("entries were trimmed")]
    # Nobody owned the partition meanwhile, and Redis before 7.4 forgets what a group has read.
    assert alarms == ([] if server_binary.version < (7, 4) else [15])
    assert len(handled) == 15


async def test_a_deploy_that_fails_every_entry_stops_before_the_stream_is_poured_away(
    redis: Redis, redis_url: str
) -> None:
    app = consumer(max_attempts=1, dead_letter_limit=DeadLetterLimit(max_count=5))

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        raise KeyError(event.id)

    await publish(redis, KEY, [comment_event(number + 1) for number in range(100)])
    for _start in range(3):  # a supervisor starts it again and again
        with pytest.raises(DeadLetterLimitReached):
            # The other partitions, of which nothing failed, end with it.
            async with asyncio.timeout(30), running(app, redis_url, partitions=3) as task:
                await asyncio.wait((task,), timeout=20)
                assert task.done()

    assert len(await letters(redis)) <= 5 + 64  # those that were under way side by side
    assert (await redis.xpending(KEY, "index"))["pending"] >= 31


async def test_what_is_away_costs_no_attempts_and_no_order(redis: Redis, redis_url: str) -> None:
    is_away = True
    calls: Counter[int] = Counter()
    handled: dict[int, list[str]] = {}
    app = consumer(max_attempts=1, transient=(ConnectionError,))

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        calls[event.data.comment_id] += 1
        if is_away:
            raise Transient("away", retry_after_s=0.05)
        handled.setdefault(event.data.comment_id, []).append(event.id)

    events = [comment_event(number % 4 + 1) for number in range(40)]
    await publish(redis, KEY, events)
    async with running(app, redis_url):
        await eventually(lambda: min(calls[number] for number in (1, 2, 3, 4)) > 3)
        is_away = False
        await eventually(lambda: settled(redis, KEY, "index"))

    assert await letters(redis) == []
    for number in (1, 2, 3, 4):
        assert handled[number] == [e.id for e in events if e.data.comment_id == number]


async def test_a_handler_that_was_cancelled_from_within_is_called_again(
    redis: Redis, redis_url: str
) -> None:
    calls = 0
    app = consumer(max_attempts=1)

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise asyncio.CancelledError

    await publish(redis, KEY, [comment_event(1)])
    async with running(app, redis_url):
        await eventually(lambda: calls == 2)
        await eventually(lambda: settled(redis, KEY, "index"))

    assert await letters(redis) == []


async def test_batches_keep_the_order_and_bury_only_the_bad_entry(
    redis: Redis, redis_url: str
) -> None:
    handled: list[int] = []
    app = consumer(max_attempts=1)

    @app.on_batch("*", max_events=16, max_wait_s=0.05)
    async def load(entries: Sequence[Entry]) -> None:
        numbers = [entry.event.data.comment_id for entry in entries]  # type: ignore[union-attr]
        if 30 in numbers:
            raise ValueError("bad row")
        handled.extend(numbers)

    await publish(redis, KEY, [comment_event(number + 1) for number in range(100)])
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))

    assert handled == [number for number in range(1, 101) if number != 30]
    assert [letter.reason for letter in await letters(redis)] == ["failed"]


async def test_a_new_group_may_begin_with_what_comes_from_now_on(
    redis: Redis, redis_url: str
) -> None:
    handled: list[int] = []
    app = consumer(start="now")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        handled.append(event.data.comment_id)

    await publish(redis, KEY, [comment_event(1)])
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, KEY, "index"))
        await publish(redis, KEY, [comment_event(2)])
        await eventually(lambda: handled == [2])


@pytest.mark.parametrize("how", ["group", "stream", "everything"])
async def test_a_group_that_vanishes_is_made_anew_and_misses_nothing(
    redis: Redis, redis_url: str, how: str
) -> None:
    handled: Counter[str] = Counter()
    app = consumer(start="now")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        handled[event.id] += 1

    first, second = [comment_event(1) for _ in range(20)], [comment_event(2) for _ in range(20)]
    await redis.xgroup_create(KEY, "index", "0", mkstream=True)
    with capture_logs() as logs:
        async with running(app, redis_url):
            await publish(redis, KEY, first)
            await eventually(lambda: len(handled) == 20)
            if how == "group":
                await redis.xgroup_destroy(KEY, "index")
            elif how == "stream":
                await redis.delete(KEY)
            else:
                await redis.flushall()
            await publish(redis, KEY, second)
            await eventually(lambda: len(handled) == 40)
            await eventually(lambda: settled(redis, KEY, "index"))

    assert set(handled.values()) == {1}
    assert len([line for line in logs if line["event"] == "reading failed"]) < 8
    assert [line for line in logs if line["event"] == "group was lost and made anew"]


async def test_the_event_of_a_comment_keeps_its_type(redis: Redis, redis_url: str) -> None:
    seen: list[Entry] = []
    app = consumer()

    @app.on("*.updated")
    async def handle(event: CommentEvent, entry: Entry) -> None:
        seen.append(entry)

    event = comment_event(1)
    await publish(redis, KEY, [event])
    async with running(app, redis_url):
        await eventually(lambda: bool(seen))

    (entry,) = seen
    assert (entry.event.type, entry.raw) == (COMMENT_UPDATED, encode_event(event))
    assert (entry.attempt, entry.deliveries, entry.is_replay) == (1, 1, False)
    assert entry.epoch > 1_700_000_000_000
