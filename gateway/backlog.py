"""How many entries stand between two ids of a stream: counted by the server, in small steps.

For where the server has no number of its own: a group's `lag` is missing once entries ahead of it
were deleted, and after the group was made at an id in the middle.
https://redis.io/docs/latest/commands/xinfo-groups/
"""

from typing import Any, Final

from redis.asyncio import Redis

__all__ = ["count_entries"]

_STEP: Final = 500
"""Entries of one step; they keep the server for about a millisecond and do not leave it."""

_COUNT: Final = """#!lua flags=no-writes
-- Count the entries of KEYS[1] from ARGV[1] to ARGV[2], up to ARGV[3]. Returns {count, last id}.
local entries = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
return {#entries, #entries > 0 and entries[#entries][1] or ''}
"""


async def count_entries(redis: Redis, key: str, first: str, last: str) -> int:
    """The number of entries from one bound to the other, as XRANGE understands bounds."""
    script: Any = redis.register_script(_COUNT)
    count = 0
    while True:
        step: int
        step, last_id = await script(keys=[key], args=[first, last, _STEP])
        count += step
        if step < _STEP:
            return count
        first = f"({last_id.decode()}"
