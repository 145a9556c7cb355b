"""Erases entries of streams: of `events` and `comments`, of dead letters, of redeliveries."""

from collections.abc import AsyncIterator
from typing import Any, Final

from redis.asyncio import Redis

from gateway.balance.keys import group_balance_key
from gateway.contract import EVENT_FIELD, Streams
from gateway.erasing.subject import Subject
from gateway.redis_access import lua
from gateway.redis_access.stream_information import group_names

__all__ = ["erase_dead_letters", "erase_entries", "erase_redeliveries"]

_PAGE: Final = 500
_SOME: Final = 100
# Deletions of one call: each takes the server a few microseconds for each group.


async def erase_entries(redis: Redis, streams: Streams, stream: str, subject: Subject) -> int:
    """Erase from a stream that groups read; how many entries. May be repeated.

    Retention's books and the groups' consumers are told, so that none of it is taken for a loss.
    """
    script = lua.script(redis, "gateway.erasing", "erase_entries.lua")
    count = 0
    # All partitions: of the number that there was before, a comment may have had another one.
    for partition in streams.numbers:
        key = streams.key(stream, partition)
        async for ids in _found(redis, key, subject):
            groups = await group_names(redis, key)
            keys = [
                key,
                streams.retention_books(stream, partition),
                *(streams.lease(group, partition) for group in groups),
                *(group_balance_key(streams.prefix, group, partition) for group in groups),
            ]
            count += int(await script(keys=keys, args=[len(groups), *groups, *ids]))
    return count


async def erase_dead_letters(redis: Redis, streams: Streams, subject: Subject) -> int:
    """Erase the dead letters of every group; how many."""
    count = 0
    for key, _ in await _keys_of_groups(redis, streams.dead("*", 0)):
        async for ids in _found(redis, key, subject):
            count += int(await redis.xdel(key, *ids))
    return count


async def erase_redeliveries(redis: Redis, streams: Streams, subject: Subject) -> int:
    """Erase what groups were to be given again; how many entries."""
    count = 0
    for key, group in await _keys_of_groups(redis, streams.replay("*", 0)):
        async for ids in _found(redis, key, subject):
            async with redis.pipeline(transaction=True) as pipeline:
                pipeline.xack(key, group, *ids)
                pipeline.xdel(key, *ids)
                count += int((await pipeline.execute())[1])
    return count


async def _found(redis: Redis, key: str, subject: Subject) -> AsyncIterator[list[bytes]]:
    """The ids of the entries that are about the subject, some at a time, the oldest first."""
    after = "-"
    found: list[bytes] = []
    while True:
        page: Any = await redis.xrange(key, after, "+", count=_PAGE)
        found += [
            entry_id for entry_id, fields in page if subject.has(fields.get(EVENT_FIELD, b""))
        ]
        is_last = len(page) < _PAGE
        while len(found) >= _SOME or (is_last and found):
            yield found[:_SOME]
            del found[:_SOME]
        if is_last:
            return
        after = f"({page[-1][0].decode()}"


async def _keys_of_groups(redis: Redis, pattern: str) -> list[tuple[str, str]]:
    """The streams of all groups and partitions, those of groups that are gone included.

    `pattern` is the key of the group `*` and the partition 0.
    """
    before, _, _after = pattern.partition("*")
    keys = [
        key.decode()
        async for key in redis.scan_iter(match=f"{before}*", count=1000, _type="STREAM")
    ]
    return [(key, key[len(before) : key.rindex(":{")]) for key in sorted(keys)]
