"""A transforming consumer on a real server: each entry becomes its output once, come what may."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import CommentEvent, Consumer, Entry, Output, Reject, Transient, Write
from consumers.runtime.lua_scripts import Emitted, Scripts
from consumers.testing import comment_event, deliver_events
from gateway.contract import Redelivery, decode_event, encode_event
from gateway.local.redis_server import RedisServer
from tests.integration.runtime.running import publish, running, settled
from tests.support.consumer_process import service
from tests.support.eventually import eventually

EVENTS = "b24:events:{0}"
COMMENTS = "b24:comments:{0}"
DEAD, LEASE = "b24:dead:relay:{0}", "b24:lease:relay:{0}"
EMITTED, OWN = "b24:emitted:relay:{0}", "b24:replay:relay:{0}"
NOTES = ("b24:failures:relay:{0}", "b24:balance:relay:{0}")


def relay(**options: Any) -> Consumer:
    return Consumer(group="relay", stream="events", output="comments", **options)


async def written(redis: Redis) -> list[tuple[str, bytes | None]]:
    """The ids of the events on the output, and the second field of each entry."""
    entries: Any = await redis.xrange(COMMENTS)
    return [(decode_event(fields[b"event"]).id, fields.get(b"kind")) for _id, fields in entries]


async def test_events_are_written_with_what_belongs_to_them(redis: Redis, redis_url: str) -> None:
    app = relay()

    @app.transform("*.comment.*", together="source", max_subjects=50)
    async def comments(entries: Sequence[Entry]) -> list[Output]:
        return [
            Output(
                (replace(entry.event, traceparent="00-a"), entry.raw),
                (Write("SET", "b24:seen:{0}", (entry.id, "PX", 60_000)),),
            )
            for entry in entries
        ]

    @app.transform("*")
    async def others(entries: Sequence[Entry]) -> list[Output]:
        return [Output() for _entry in entries]

    events = [comment_event(number) for number in range(1, 101)]
    await publish(redis, EVENTS, events)
    await redis.xadd(EVENTS, {"event": encode_event(events[0]).replace(b"comment.updated", b"x")})
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, EVENTS, "relay"))

    assert await written(redis) == [(event.id, None) for event in events for _ in range(2)]
    entries: Any = await redis.xrange(COMMENTS, count=2)
    assert [b'"00-a"' in fields[b"event"] for _id, fields in entries] == [True, False]
    last: Any = await redis.get("b24:seen:{0}")
    assert last.count(b"-") == 1
    assert 0 < await redis.pttl("b24:seen:{0}") <= 60_000


async def test_single_failures_of_a_batch_concern_their_own_entries(
    redis: Redis, redis_url: str
) -> None:
    calls: Counter[int] = Counter()
    app = relay(max_attempts=2)

    @app.transform("*", together="source", max_subjects=50)
    async def handle(entries: Sequence[Entry]) -> list[Output | Exception]:
        def result(entry: Entry) -> Output | Exception:
            assert isinstance(entry.event, CommentEvent)
            number = entry.event.data.comment_id
            calls[number] += 1
            if number == 1:
                return Reject("never")
            if number == 2 and calls[2] < 5:
                return Transient("soon", retry_after_s=0.01)
            if number == 3:
                return KeyError("always")
            return Output((entry.raw,))

        return [result(entry) for entry in entries]

    events = [comment_event(number) for number in (1, 2, 2, 3, 4)]
    await publish(redis, EVENTS, events)
    async with running(app, redis_url):
        await eventually(lambda: settled(redis, EVENTS, "relay"))

    ids = [event_id for event_id, _kind in await written(redis)]
    assert ids == [events[4].id, events[1].id, events[2].id]
    letters: Any = await redis.xrange(DEAD)
    assert [fields[b"reason"] for _id, fields in letters] == [b"rejected", b"failed"]


@pytest.mark.parametrize(
    "returned",
    [
        [],
        [None],
        [Output((), (Write("SET", "b24:elsewhere", ("x",)),))],
        [Output((), (Write("SET", "b24:{0}", (None,)),))],  # type: ignore[arg-type]
        [Output((), (Write("SET", "b24:{0}", ("\ud800",)),))],
        [Output((object(),))],  # type: ignore[arg-type]
    ],
    ids=[
        *("too few", "no output", "a key of another slot", "an argument of no type"),
        *("an argument that is no text", "an event that is none"),
    ],
)
async def test_what_a_handler_must_not_return_is_a_failed_attempt(returned: Any) -> None:
    app = relay(max_attempts=2)

    @app.transform("*")
    async def handle(entries: Sequence[Entry]) -> Any:
        return returned

    event = comment_event(1)
    result = await deliver_events(app, [event])

    assert (result.dead, result.outputs) == ({event.id: "failed"}, [])


async def test_a_repeated_step_writes_nothing_twice_and_a_former_owner_nothing(
    redis: Redis,
) -> None:
    await publish(redis, EVENTS, [comment_event(number) for number in (1, 2)])
    await redis.xgroup_create(EVENTS, "relay", "0")
    taken: Any = await redis.xreadgroup("relay", "owner", {EVENTS: ">"})
    first, second = (entry_id for entry_id, _fields in taken[EVENTS.encode()])
    event = encode_event(comment_event(1))
    scripts = Scripts(redis)
    await redis.hset(LEASE, "epoch", "7")

    async def emit(*ids: bytes, epoch: int = 7) -> bool:
        return await scripts.emit(
            (LEASE, COMMENTS, EMITTED, EVENTS, OWN, *NOTES),
            epoch=epoch,
            group="relay",
            max_remembered=100,
            emitted=[Emitted(one, False, False, [event, event], []) for one in ids],
        )

    assert not await emit(first, epoch=6)
    assert await redis.xlen(COMMENTS) == 0
    assert await emit(first)
    assert await emit(first, second)
    assert await emit(first, second)

    assert await redis.xlen(COMMENTS) == 4
    assert (await redis.xpending(EVENTS, "relay"))["pending"] == 0


async def test_what_the_server_refuses_stays_pending_and_is_written_when_it_can_be(
    own_server: RedisServer,
) -> None:
    from gateway.redis_access import connections

    redis = connections.control(own_server.url)
    app = relay()

    @app.transform("*")
    async def handle(entries: Sequence[Entry]) -> list[Output]:
        return [
            Output((entry.raw,), (Write("HSET", "b24:h:{0}", (entry.id, "1")),))
            for entry in entries
        ]

    await redis.set("b24:h:{0}", "of another type")
    events = [comment_event(number) for number in range(1, 6)]
    await publish(redis, EVENTS, events)
    with capture_logs() as logs:
        async with running(app, own_server.url):

            def failures(text: str) -> int:
                return sum(
                    text in str(line.get("error"))
                    for line in logs
                    if line["event"] == "writing failed"
                )

            async def pending() -> int:
                return int((await redis.xpending(EVENTS, "relay"))["pending"])

            await eventually(lambda: failures("WRONGTYPE") == 1)
            assert (await pending(), await redis.exists(COMMENTS)) == (5, 0)

            await redis.config_set("maxmemory", 1)
            await redis.delete("b24:h:{0}")
            await eventually(lambda: failures("maxmemory") == 1)
            assert (await pending(), await redis.exists(COMMENTS)) == (5, 0)

            await redis.config_set("maxmemory", 0)
            await eventually(lambda: settled(redis, EVENTS, "relay"))

    assert [event_id for event_id, _kind in await written(redis)] == [e.id for e in events]
    assert await redis.hlen("b24:h:{0}") == 5
    await redis.aclose()


async def test_a_group_that_is_deleted_and_made_anew_writes_nothing_twice(
    redis: Redis, redis_url: str
) -> None:
    app = relay()
    door = asyncio.Event()
    handled = Counter[str]()

    @app.transform("*")
    async def handle(entries: Sequence[Entry]) -> list[Output]:
        if entries[0].event.subject == "comment/1":
            await door.wait()
        handled.update(entry.event.id for entry in entries)
        return [Output((entry.raw,)) for entry in entries]

    events = [comment_event(number) for number in range(1, 51)]
    await publish(redis, EVENTS, events)
    async with running(app, redis_url):
        await eventually(lambda: len(handled) == 49)
        await eventually(lambda: has_length(redis, 49))
        # Made anew, the group goes on behind the first entry that is not done: the one at the door.
        await redis.xgroup_destroy(EVENTS, "relay")
        await eventually(lambda: sum(handled.values()) == 98)
        door.set()
        await eventually(lambda: settled(redis, EVENTS, "relay"))

    count = Counter(event_id for event_id, _kind in await written(redis))
    assert count == Counter(event.id for event in events)


async def has_length(redis: Redis, count: int) -> bool:
    return int(await redis.xlen(COMMENTS)) >= count


async def test_replayed_events_are_marked_on_the_output_and_retried_ones_are_not(
    redis: Redis, redis_url: str
) -> None:
    app = relay()

    @app.transform("*")
    async def handle(entries: Sequence[Entry]) -> list[Output]:
        return [
            Output((entry.raw,), is_replay=entry.event.subject == "comment/3") for entry in entries
        ]

    told: list[tuple[str, bool]] = []
    reader = Consumer(group="reader", stream="comments")

    @reader.on("*")
    async def read(event: CommentEvent, entry: Entry) -> None:
        told.append((event.id, entry.is_replay))

    replayed, retried, old, new = (comment_event(number) for number in (1, 2, 3, 4))
    for event, is_replay in ((replayed, True), (retried, False)):
        again = Redelivery(
            event=encode_event(event), stream="events", entry_id="1-0", is_replay=is_replay
        )
        await redis.xadd(OWN, again.fields())  # type: ignore[arg-type]
    await publish(redis, EVENTS, [old, new])
    async with running(app, redis_url), running(reader, redis_url):
        await eventually(lambda: len(told) == 4)
        await eventually(lambda: settled(redis, EVENTS, "relay"))

    assert await redis.xlen(OWN) == 0
    assert dict(told) == {replayed.id: True, retried.id: False, old.id: True, new.id: False}


async def test_a_killed_process_leaves_every_event_on_the_output_once(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    events = [comment_event(number % 300 + 1) for number in range(3000)]
    await publish(redis, EVENTS, events)
    name = "tests.integration.runtime.transformer:app"
    for kill in range(2):
        with service(
            redis_url, tmp_path, name=name, GATEWAY_CONSUMERS_LEASE_S="2", SERVICE_TAKES_S="0.02"
        ) as process:
            least = 400 * (kill + 1)

            await eventually(lambda least=least: has_length(redis, least))  # type: ignore[misc]
            process.kill()
    assert await redis.xlen(COMMENTS) < 3000
    with service(redis_url, tmp_path, name=name, GATEWAY_CONSUMERS_LEASE_S="2"):
        await eventually(lambda: settled(redis, EVENTS, "relay"), timeout_s=30)

    ids = [event_id for event_id, _kind in await written(redis)]
    assert Counter(ids) == Counter(event.id for event in events)
    order = {event.id: number for number, event in enumerate(events)}
    by_comment: dict[int, list[int]] = {}
    for event_id in ids:
        by_comment.setdefault(order[event_id] % 300, []).append(order[event_id])
    assert all(numbers == sorted(numbers) for numbers in by_comment.values())
