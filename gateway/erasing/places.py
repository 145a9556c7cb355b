"""Erases from what is no stream: hashes, sorted sets and keys, each with its owner's layout.

A layout is told in the module of its owner; whoever changes one there changes it here, and
tests/integration/erasing/test_erasing.py plants a text in all of them and looks for what is left.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from gateway.contract import EventSubject, Streams
from gateway.erasing.subject import Subject
from gateway.traffic.minute_ranking import ranking_pattern

__all__ = [
    "erase_access",
    "erase_books",
    "erase_failures",
    "erase_notices",
    "erase_refetches",
    "erase_snapshots",
    "erase_told",
]

_SCAN: Final = 1000


async def erase_notices(redis: Redis, prefix: str, subject: Subject) -> int:
    """Withdraw the notices that wait in every target's outbox (consumers.notifier.outbox).

    Nobody is told of them any more, but for a message that is under way at that moment.
    """
    count = 0
    async for key in _keys(redis, f"{prefix}:notifier:{{*}}:notices"):
        fields = [
            field
            async for field, value in redis.hscan_iter(key, count=_SCAN)
            if subject.has_notice(field.decode(errors="replace"), value)
        ]
        if fields:
            async with redis.pipeline(transaction=True) as pipeline:
                pipeline.hdel(key, *fields)
                pipeline.zrem(key.removesuffix("notices") + "due", *fields)
                count += int((await pipeline.execute())[0])
    return count


async def erase_failures(redis: Redis, streams: Streams, subject: Subject) -> int:
    """Forget how groups failed with it (consumers.runtime.failure_records): errors quote texts."""
    before, _, _after = streams.failures("*", 0).partition("*")
    count = 0
    async for key in _keys(redis, f"{before}*"):
        fields = [
            field
            async for field, value in redis.hscan_iter(key, count=_SCAN)
            if subject.has_failure(value)
        ]
        if fields:
            count += int(await _answer(redis.hdel(key, *fields)))
    return count


async def erase_refetches(redis: Redis, streams: Streams, subject: Subject) -> int:
    """Let nothing be asked for again (consumers.enricher.refetch_queue)."""
    count = 0
    for partition in streams.numbers:
        queue = streams.refetch(partition)
        events = f"{queue}:events"
        fields = [
            field
            async for field, value in redis.hscan_iter(events, count=_SCAN)
            if subject.has(msgspec.msgpack.decode(value, type=tuple[bytes, int])[0])
        ]
        if fields:
            async with redis.pipeline(transaction=True) as pipeline:
                pipeline.zrem(queue, *fields)
                pipeline.hdel(events, *fields)
                count += int((await pipeline.execute())[1])
    return count


async def erase_snapshots(redis: Redis, streams: Streams, subject: Subject) -> int:
    """Forget whose comments and objects were (consumers.enricher.snapshots)."""
    about = subject.about or EventSubject("*")
    before, _, after = streams.snapshot(0, subject.member_id, about).partition("{0}")
    which = f"{after.rpartition(':')[0]}:*" if subject.is_portal else after
    return await _delete_all(redis, f"{before}{{*}}{which}")


async def erase_told(redis: Redis, prefix: str, subject: Subject) -> int:
    """Forget the hashes of what consumers were told (gateway.missed_events.comment_states)."""
    portal = f"{prefix}:told:{{{subject.member_id}}}"
    if subject.is_portal:
        return await _delete_all(redis, f"{portal}:*") + int(await redis.delete(portal))
    count = 0
    async for key in _keys(redis, f"{portal}:*"):
        count += int(await _answer(redis.hdel(key, str(subject.comment_id))))
    return count


async def erase_books(redis: Redis, prefix: str, member_id: str) -> int:
    """Forget what is counted and kept of a portal besides its access: quarantined deliveries, gaps,
    its queue, its rhythm and troubles, how much it sends, how much of its limits is left.
    """
    of_portal = f"{{{member_id}}}"
    count = await _delete_all(redis, f"{prefix}:quarantine:{of_portal}*")
    count += await _delete_all(redis, f"{prefix}:rest:{of_portal}:*")
    for name in ("gaps", "no-queue", "care"):
        count += int(await redis.delete(f"{prefix}:{name}:{of_portal}"))
    async for key in _keys(redis, f"{prefix}:traffic:*"):
        count += int(await _answer(redis.hdel(key, member_id)))
    async for key in _keys(redis, ranking_pattern(prefix)):
        count += int(await redis.zrem(key, member_id))
    count += int(await _answer(redis.hdel(f"{prefix}:care:troubled", member_id)))
    count += int(await redis.zrem(f"{prefix}:quarantine:portals", member_id))
    return count + int(await redis.zrem(f"{prefix}:offline-signals", member_id))


async def erase_access(redis: Redis, prefix: str, member_id: str) -> int:
    """Forget the tokens of a portal's application (gateway.bitrix24.token_store)."""
    key = f"{prefix}:oauth:{{{member_id}}}"
    return int(await redis.delete(key)) + int(await redis.delete(f"{key}:refresh"))


async def _delete_all(redis: Redis, pattern: str) -> int:
    return sum([int(await redis.delete(key)) async for key in _keys(redis, pattern)])


async def _keys(redis: Redis, pattern: str) -> AsyncIterator[str]:
    """The keys that match, of all nodes."""
    keys = {key.decode() async for key in redis.scan_iter(match=pattern, count=_SCAN)}
    for key in sorted(keys):
        yield key


async def _answer(command: Any) -> Any:
    """redis-py types what it awaits as either of two things."""
    return await command
