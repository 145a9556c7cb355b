"""Finds what a group has not handled: what it has in hand, and from where on the rest."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from redis.asyncio import Redis

from gateway.errors import OperatorError
from gateway.ops.entry_lines import ReadEntry, entry_of
from gateway.redis_access.stream_information import group_rows

__all__ = ["delivered_up_to", "entries_pending"]

_PAGE: Final = 200


async def delivered_up_to(redis: Redis, keys: Sequence[str], group: str) -> dict[str, str]:
    """The last entry that a group was given of each key; what follows waits for it.

    Raises OperatorError if the group reads none of them.
    """
    found = {}
    for key in keys:
        for row in await group_rows(redis, key):
            if row["name"] == group.encode():
                found[key] = row["last-delivered-id"].decode()
    if not found:
        raise OperatorError(f"group {group} does not read {keys[0]}")
    return found


async def entries_pending(redis: Redis, key: str, group: str) -> AsyncIterator[ReadEntry]:
    """What a group was given of a key and has not handled, oldest first; trimmed ones left out."""
    after = "-"
    while True:
        rows: Any = await redis.xpending_range(key, group, after, "+", _PAGE)
        async with redis.pipeline(transaction=False) as pipeline:
            for row in rows:
                pipeline.xrange(key, row["message_id"], row["message_id"])
            pages: Any = await pipeline.execute()
        for page in pages:
            for entry_id, fields in page:
                yield entry_of(key, entry_id.decode(), fields)
        if len(rows) < _PAGE:
            return
        after = f"({rows[-1]['message_id'].decode()}"
