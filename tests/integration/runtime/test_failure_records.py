"""How the last attempt with an entry failed is recorded in Redis, until the entry is settled."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers import Backoff, CommentEvent, Consumer, Entry, Output, Transient
from consumers.runtime.entry import HeldEntry
from consumers.runtime.failure_records import FailureRecords
from consumers.runtime.lua_scripts import Scripts
from consumers.runtime.partition_keys import PartitionKeys
from gateway.contract import EVENT_FIELD, FailedAttempt, Streams, decode_event
from tests.integration.runtime.running import comment_event, gateway, publish, running, settled
from tests.support.consumer_process import service
from tests.support.eventually import eventually

KEY = "b24:events:{0}"
KEYS = PartitionKeys.of(Streams(), group="index", stream="events", partition=0)
SOON = Backoff(first_s=0.05, limit_s=0.1)


async def records(redis: Redis, group: str) -> dict[str, FailedAttempt]:
    """What is recorded, by field."""
    found: Any = await redis.hgetall(f"b24:failures:{group}:{{0}}")
    read = {field.decode(): FailedAttempt.of(value) for field, value in found.items()}
    return {field: record for field, record in read.items() if record is not None}


async def ids_of(redis: Redis) -> list[str]:
    entries: Any = await redis.xrange(KEY)
    return [entry_id.decode() for entry_id, _fields in entries]


async def test_the_record_outlives_the_process_and_goes_with_the_entry(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    event = comment_event(2)
    await publish(redis, KEY, [comment_event(1), event, comment_event(3)])
    field = f"events:{(await ids_of(redis))[1]}"

    async def attempts() -> int:
        record = (await records(redis, "search-index")).get(field)
        return record.attempts if record else 0

    failing = {"SERVICE_FAILS_AT": "2", "GATEWAY_CONSUMERS_LEASE_S": "2"}
    with service(redis_url, tmp_path, **failing) as first:
        await eventually(attempts)
        first.kill()
    before = await records(redis, "search-index")
    with service(redis_url, tmp_path, **failing) as second:

        async def has_counted_on() -> bool:
            return await attempts() > before[field].attempts

        await eventually(has_counted_on)
        assert await second.stop() == 0
    left = await records(redis, "search-index")

    assert list(left) == [field]
    assert left[field].error == "Transient: the index is away: password=***"
    assert (left[field].event_id, left[field].portal) == (event.id, "portal")
    assert (left[field].subject, left[field].handler) == ("comment/2", "index")
    assert left[field].is_transient
    assert 0 < await redis.ttl("b24:failures:search-index:{0}") <= 7 * 86_400
    with service(redis_url, tmp_path):
        await eventually(lambda: settled(redis, KEY, "search-index"))
        assert await records(redis, "search-index") == {}


async def test_a_storm_of_failures_costs_one_write_for_many(redis: Redis, redis_url: str) -> None:
    app = Consumer(group="index", stream="events", backoff=SOON, max_attempts=100)
    failures = 0

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        nonlocal failures
        failures += 1
        raise KeyError(event.data.comment_id)

    await publish(redis, KEY, [comment_event(number) for number in range(1, 901)])
    await redis.config_resetstat()
    async with running(app, redis_url):
        await eventually(lambda: failures > 5000)
        stats: Any = await redis.info("commandstats")

    # The script sets the time to live once for each call of up to 200 records.
    assert 5 <= stats["cmdstat_expire"]["calls"] < failures / 50
    assert len(await records(redis, "index")) == 900


@pytest.mark.parametrize("kind", ["batch", "transform"])
async def test_every_kind_of_consumer_records(redis: Redis, redis_url: str, kind: str) -> None:
    app = Consumer(
        group="index", stream="events", output="comments" if kind == "transform" else None
    )
    is_away = True

    async def in_batches(entries: Sequence[Entry]) -> None:
        if is_away:
            raise Transient("away", retry_after_s=0.1)

    async def transformed(entries: Sequence[Entry]) -> list[Output | Exception]:
        away = Transient("away", retry_after_s=0.1)
        return [away if is_away else Output((entry.raw,)) for entry in entries]

    if kind == "batch":
        app.on_batch("*", max_wait_s=0.05)(in_batches)
    else:
        app.transform("*", together="source", max_subjects=10)(transformed)
    await publish(redis, KEY, [comment_event(number) for number in (1, 2, 3)])
    wanted = {f"events:{entry_id}" for entry_id in await ids_of(redis)}
    async with running(app, redis_url):

        async def are_recorded() -> bool:
            found = await records(redis, "index")
            return found.keys() == wanted and min(one.attempts for one in found.values()) > 2

        await eventually(are_recorded)
        (names,) = {one.handler for one in (await records(redis, "index")).values()}
        is_away = False
        await eventually(lambda: settled(redis, KEY, "index"))
        assert await records(redis, "index") == {}
    assert names.endswith("in_batches" if kind == "batch" else "transformed")


async def test_a_dead_letter_and_a_redelivery_leave_no_record(redis: Redis, redis_url: str) -> None:
    app = Consumer(
        group="index", stream="events", max_attempts=4, backoff=Backoff(first_s=0.5, factor=1)
    )
    is_broken, is_given_again = True, False

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        if is_broken and is_given_again:
            raise Transient("it is never given up on")
        if is_broken:
            raise KeyError(event.data.comment_id)

    await publish(redis, KEY, [comment_event(1)])
    (entry_id,) = await ids_of(redis)

    async def has(source: str) -> bool:
        return any(field.startswith(source) for field in await records(redis, "index"))

    async def is_dead() -> bool:
        return bool(await redis.xlen("b24:dead:index:{0}"))

    async with running(app, redis_url):
        await eventually(lambda: has(f"events:{entry_id}"))
        await eventually(is_dead)
        assert await records(redis, "index") == {}
        is_given_again = True
        await gateway(redis_url, "dead", "retry", "--group", "index", "--all", "--yes")
        await eventually(lambda: has("replay:"))
        is_broken = False

        async def is_through() -> bool:
            return not await redis.xlen("b24:replay:index:{0}")

        await eventually(is_through)
        assert await records(redis, "index") == {}


async def taken(redis: Redis, count: int) -> list[HeldEntry]:
    """Entries that the group has pending."""
    await publish(redis, KEY, [comment_event(number + 1) for number in range(count)])
    await redis.xgroup_create(KEY, "index", "0")
    page: Any = await redis.xreadgroup("index", "owner", {KEY: ">"})
    return [
        HeldEntry(
            source=KEYS.shared,
            id=entry_id,
            entry=Entry(
                stream="events",
                partition=0,
                epoch=1,
                id=entry_id.decode(),
                event=decode_event(fields[EVENT_FIELD]),
                raw=fields[EVENT_FIELD],
            ),
        )
        for entry_id, fields in page[KEY.encode()]
    ]


@pytest.fixture
async def held(redis: Redis) -> HeldEntry:
    """An entry that the group has pending."""
    (one,) = await taken(redis, 1)
    return one


async def test_records_are_bounded_and_the_oldest_go(redis: Redis) -> None:
    entries = await taken(redis, 1400)
    failures = FailureRecords(redis, KEYS, epoch=1)

    def fail(some: Sequence[HeldEntry]) -> None:
        for held in some:
            failures.failed([held], error="KeyError: 1", is_transient=False, handler="index")

    async def recorded_ids(first: int, last: int) -> bool:
        wanted = {f"events:{held.id.decode()}" for held in entries[first:last]}
        return (await records(redis, "index")).keys() == wanted

    fail(entries[:700])
    await eventually(partial(recorded_ids, 0, 700))
    fail(entries[700:])
    await eventually(partial(recorded_ids, 400, 1400))
    await failures.close(10.0)


async def test_of_one_call_its_first_entries_are_recorded(redis: Redis) -> None:
    entries = await taken(redis, 300)
    failures = FailureRecords(redis, KEYS, epoch=1)
    failures.failed(entries, error="KeyError: 1", is_transient=False, handler="index")
    await failures.close(10.0)

    found = await records(redis, "index")
    assert found.keys() == {f"events:{held.id.decode()}" for held in entries[:200]}


async def recorded(redis: Redis, held: HeldEntry, *, epoch: int) -> None:
    failures = FailureRecords(redis, KEYS, epoch=epoch)
    failures.failed([held], error="KeyError: 1", is_transient=False, handler="index")
    await failures.close(10.0)


async def test_what_was_settled_meanwhile_is_not_recorded(redis: Redis, held: HeldEntry) -> None:
    await redis.xack(KEY, "index", held.id)

    await recorded(redis, held, epoch=1)

    assert await records(redis, "index") == {}


async def test_a_former_owner_records_nothing(redis: Redis, held: HeldEntry) -> None:
    acquired = await Scripts(redis).acquire("b24:lease:index:{0}", "another", ttl_ms=60_000)
    assert acquired is not None

    await recorded(redis, held, epoch=acquired.epoch - 1)
    assert await records(redis, "index") == {}

    await recorded(redis, held, epoch=acquired.epoch)
    assert list(await records(redis, "index")) == [f"events:{held.id.decode()}"]


async def test_a_new_owner_removes_the_records_of_what_others_have_settled(
    redis: Redis, redis_url: str, held: HeldEntry
) -> None:
    await recorded(redis, held, epoch=1)
    assert await records(redis, "index")
    await redis.xack(KEY, "index", held.id)
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None: ...

    async with running(app, redis_url):

        async def are_gone() -> bool:
            return not await records(redis, "index")

        await eventually(are_gone)
