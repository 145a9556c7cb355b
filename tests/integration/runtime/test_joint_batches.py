"""A consumer whose batches are of all its partitions, on a real server."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence

from redis.asyncio import Redis

from consumers import Entry
from tests.integration.runtime.index_group import consumer, letters
from tests.integration.runtime.running import comment_event, publish, running, settled
from tests.support.eventually import eventually

PARTITIONS = 8


def key(partition: int) -> str:
    return f"b24:events:{{{partition}}}"


async def publish_each(redis: Redis, count: int, *, first: int = 1) -> None:
    """So many events on each partition; the comments' ids begin with their partition."""
    for partition in range(PARTITIONS):
        events = [comment_event(1000 * partition + first + one) for one in range(count)]
        await publish(redis, key(partition), events)


async def all_settled(redis: Redis, *, without: int | None = None) -> bool:
    some = [partition for partition in range(PARTITIONS) if partition != without]
    return all([await settled(redis, key(partition), "index") for partition in some])


def number_of(entry: Entry) -> int:
    return entry.event.data.comment_id  # type: ignore[union-attr]


async def test_partitions_are_handled_in_one_call_in_order_and_acknowledged(
    redis: Redis, redis_url: str
) -> None:
    calls: list[set[int]] = []
    handled: dict[int, list[int]] = defaultdict(list)
    app = consumer()

    @app.on_batch("*", max_events=10_000, max_wait_s=0.5, across_partitions=True)
    async def load(entries: Sequence[Entry]) -> None:
        calls.append({entry.partition for entry in entries})
        for entry in entries:
            handled[entry.partition].append(number_of(entry))

    async with running(app, redis_url, partitions=PARTITIONS):
        await eventually(lambda: redis.exists(*map(key, range(PARTITIONS))))
        await publish_each(redis, 20)
        await eventually(lambda: sum(map(len, handled.values())) == 20 * PARTITIONS)
        await eventually(lambda: all_settled(redis))

    assert set(range(PARTITIONS)) in calls
    assert len(calls) < PARTITIONS, "not one for each partition"
    for partition, numbers in handled.items():
        assert numbers == [1000 * partition + one for one in range(1, 21)]


async def test_a_bad_entry_is_buried_and_costs_no_other_partition_an_attempt(
    redis: Redis, redis_url: str
) -> None:
    attempts: Counter[int] = Counter()
    handled: Counter[int] = Counter()
    app = consumer(max_attempts=2)

    @app.on_batch("*", max_events=1000, max_wait_s=0.2, across_partitions=True)
    async def load(entries: Sequence[Entry]) -> None:
        for entry in entries:
            attempts[number_of(entry)] = max(attempts[number_of(entry)], entry.attempt)
        if any(number_of(entry) == 3005 for entry in entries):
            raise ValueError("bad row")
        handled.update(map(number_of, entries))

    await publish_each(redis, 10)
    async with running(app, redis_url, partitions=PARTITIONS):
        await eventually(lambda: all_settled(redis))

    assert len(handled) == 10 * PARTITIONS - 1
    assert set(handled.values()) == {1}, "each once"
    others = {number for number in attempts if number // 1000 != 3}
    assert {attempts[number] for number in others} == {1}
    found = [
        letter
        for partition in range(PARTITIONS)
        for letter in await letters(redis, partition=partition)
    ]
    assert [(letter.stream, letter.reason) for letter in found] == [("events", "failed")]


async def test_a_lease_that_is_lost_during_a_call_harms_no_other_partition(
    redis: Redis, redis_url: str
) -> None:
    begun, released = asyncio.Event(), asyncio.Event()
    epochs: list[int] = []
    app = consumer()

    @app.on_batch("*", max_events=1000, max_wait_s=0.2, across_partitions=True)
    async def load(entries: Sequence[Entry]) -> None:
        epochs.extend(entry.epoch for entry in entries if entry.partition == 3)
        if len({entry.partition for entry in entries}) == PARTITIONS:
            begun.set()
            await released.wait()

    async with running(app, redis_url, partitions=PARTITIONS):
        await eventually(lambda: redis.exists("b24:lease:index:{3}"))
        await publish_each(redis, 5)
        async with asyncio.timeout(20):
            await begun.wait()
        # As another process that has taken it, and has died since.
        lease = "b24:lease:index:{3}"
        await redis.hincrby(lease, "epoch", 1)
        released.set()
        await eventually(lambda: all_settled(redis, without=3))
        # The lease runs out, this process takes it anew, and handles the entries once more.
        await eventually(lambda: all_settled(redis), timeout_s=30)

    assert len(set(epochs)) > 1
    assert len(epochs) >= 10, "the first acknowledgement was refused"
