"""Queues events that went out without what they are about, until it is asked for again.

    b24:refetch:{p}             sorted set: event ids by when they are due, in Unix milliseconds
    b24:refetch:{p}:events      hash: the event as it came, and since when it waits

Both are written together with the event on the output, by the runtime's script. Bounded and
expiring: nothing waits longer than `kept_days`, and no more than `max_count` for each partition.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from consumers import Partition, Write
from gateway.contract import EventSubject, Streams, decode_event
from gateway.redis_access import lua

__all__ = ["RefetchQueue", "Waiting", "next_due_ms"]

_DAY_MS: Final = 86_400_000
_MOST_MS: Final = 900_000
"""Nothing waits longer for its next turn, so that a portal's return is noticed within minutes."""
_PAGE: Final = 500


class Waiting(Struct, frozen=True, array_like=True):
    """An event that waits, as it came, and since when in Unix milliseconds."""

    event: bytes
    since_ms: int


def next_due_ms(now_ms: int, since_ms: int, *, first_ms: int) -> int:
    """When to ask again: after as long as it has waited already, within bounds."""
    return now_ms + min(max(now_ms - since_ms, first_ms), max(_MOST_MS, first_ms))


def _by(now_ms: int, waiting: Waiting) -> Waiting:
    """As it is; what waits since a time to come, by a clock that was ahead, since now."""
    return waiting if waiting.since_ms <= now_ms else Waiting(waiting.event, now_ms)


class RefetchQueue:
    """Keeps the queues of all partitions; `clock` gives Unix seconds. Commands may be repeated."""

    def __init__(
        self,
        redis: Redis,
        streams: Streams,
        *,
        group: str,
        output: str,
        first_s: float,
        kept_days: float,
        max_count: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._streams = streams
        self._group = group
        self._output = output
        self._first_ms = max(1, round(first_s * 1000))
        self._kept_ms = round(kept_days * _DAY_MS)
        self._max_count = max_count
        self._clock = clock
        self._again = lua.script(redis, "consumers.enricher", "lua/again.lua")

    def writes(self, partition: int, event_id: str, raw: bytes) -> tuple[Write, ...]:
        """What makes an event wait; nothing if nothing is kept."""
        if not self._kept_ms:
            return ()
        queue, events = self._keys(partition)
        now_ms = self._now_ms()
        due_ms = next_due_ms(now_ms, now_ms, first_ms=self._first_ms)
        return (
            Write("HSET", events, (event_id, msgspec.msgpack.encode(Waiting(raw, now_ms)))),
            Write("ZADD", queue, (due_ms, event_id)),
            Write("PEXPIRE", events, (2 * self._kept_ms,)),
            Write("PEXPIRE", queue, (2 * self._kept_ms,)),
        )

    async def due(self, partition: int) -> dict[str, Waiting]:
        """Events whose time has come, the oldest times first; not all, if there are many.

        A time that is further ahead than any pause was told by a clock that has been put right
        since, and has come, too.
        """
        queue, events = self._keys(partition)
        now_ms = self._now_ms()
        beyond = f"({now_ms + max(_MOST_MS, self._first_ms)}"
        ids: list[bytes] = []
        for least, most in (("-inf", str(now_ms)), (beyond, "+inf")):
            arguments = (least, most, "BYSCORE", "LIMIT", 0, _PAGE - len(ids))
            some: Any = await self._redis.execute_command("ZRANGE", queue, *arguments)  # type: ignore[no-untyped-call]
            ids += some
        if not ids:
            return {}
        values: Any = await self._redis.hmget(events, ids)
        found = {
            event_id.decode(): _by(now_ms, msgspec.msgpack.decode(value, type=Waiting))
            for event_id, value in zip(ids, values, strict=True)
            if value is not None
        }
        if gone := [event_id for event_id in ids if event_id.decode() not in found]:
            await self._redis.zrem(queue, *gone)
        return found

    async def move(self, partition: int) -> None:
        """Let what waits on a former partition wait where its subject is now, from where it is sent
        in order with what comes of that. Where it waits twice after a crash, it may be sent twice.
        """
        queue, events = self._keys(partition)
        while ids := await self._ids(queue):
            values: Any = await self._redis.hmget(events, ids)
            for event_id, value in zip(ids, values, strict=True):
                if value is None:
                    continue
                place = self._home_of(msgspec.msgpack.decode(value, type=Waiting).event)
                to, its_events = self._keys(place)
                async with self._redis.pipeline(transaction=False) as pipeline:
                    pipeline.hset(its_events, event_id, value)
                    pipeline.zadd(to, {event_id: self._now_ms()})
                    pipeline.pexpire(its_events, 2 * self._kept_ms)
                    pipeline.pexpire(to, 2 * self._kept_ms)
                    await pipeline.execute()
            await self._redis.zrem(queue, *ids)
            await self._redis.hdel(events, *ids)

    async def _ids(self, queue: str) -> list[str]:
        ids: Any = await self._redis.zrange(queue, 0, _PAGE - 1)
        return [one.decode() for one in ids]

    def _home_of(self, raw: bytes) -> int:
        event = decode_event(raw)
        member_id, subject = event.source.rpartition(":")[2], EventSubject.parse(event.subject)
        return self._streams.partition_of(member_id, subject)

    def is_former(self, partition: int) -> bool:
        """Whether nothing new waits on a partition."""
        return self._streams.is_former(partition)

    async def postpone(self, partition: int, waiting: Mapping[str, Waiting]) -> None:
        """Let these wait for another turn."""
        queue, _events = self._keys(partition)
        now_ms = self._now_ms()
        due = {
            event_id: next_due_ms(now_ms, one.since_ms, first_ms=self._first_ms)
            for event_id, one in waiting.items()
        }
        await self._redis.zadd(queue, due, xx=True)

    def is_expired(self, waiting: Waiting) -> bool:
        """Whether it has waited for as long as anything does."""
        return self._now_ms() - waiting.since_ms > self._kept_ms

    async def forget(self, partition: int, event_ids: Collection[str]) -> None:
        """Let these wait no more."""
        if event_ids:
            queue, events = self._keys(partition)
            await self._redis.zrem(queue, *event_ids)
            await self._redis.hdel(events, *event_ids)

    async def over_bound(self, partition: int) -> Sequence[str]:
        """Those that are too many: whose next turn is the furthest away, as they had the most."""
        queue, _events = self._keys(partition)
        count = int(await self._redis.zcard(queue)) - self._max_count
        if count <= 0:
            return ()
        ids: Any = await self._redis.zrange(queue, -min(count, 10 * _PAGE), -1)
        return [event_id.decode() for event_id in ids]

    async def count(self, partition: int) -> int:
        """How many wait."""
        return int(await self._redis.zcard(self._keys(partition)[0]))

    async def emit(
        self, owner: Partition, event_id: str, event: bytes, writes: Sequence[Write]
    ) -> bool:
        """Write the event once more and let it wait no more, in one step.

        False if another process owns the partition now; nothing twice after a repetition.
        """
        assert len(writes) <= 1  # noqa: S101 - an object has one snapshot
        queue, events = self._keys(owner.number)
        keys = [
            self._streams.lease(self._group, owner.number),
            queue,
            events,
            self._streams.key(self._output, owner.number),
            *(write.key for write in writes),
        ]
        args: list[Any] = [owner.epoch, event_id, event]
        for write in writes:
            args += (write.command, *write.arguments)
        return bool(await self._again(keys=keys, args=args) >= 0)

    def _keys(self, partition: int) -> tuple[str, str]:
        key = self._streams.refetch(partition)
        return key, f"{key}:events"

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)
