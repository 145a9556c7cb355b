"""Asks what Redis says of a stream and of its groups, of one that is not there as well.

XINFO answers an error for a key that does not exist, as for one that may not be read:
https://redis.io/docs/latest/commands/xinfo-stream/. Only the former is an answer here.
"""

from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

__all__ = ["group_names", "group_rows", "stream_information"]

_NOT_THERE: Final = "no such key"


async def stream_information(redis: Redis, key: str) -> dict[str, Any] | None:
    """XINFO STREAM; None if there is no such stream. Raises ResponseError for other refusals."""
    try:
        information: dict[str, Any] = await redis.xinfo_stream(key)
    except ResponseError as error:
        if _NOT_THERE in str(error):
            return None
        raise
    return information


async def group_rows(redis: Redis, key: str) -> list[dict[str, Any]]:
    """XINFO GROUPS, a row for each; none of a stream that is not there. Raises as above."""
    try:
        rows: list[dict[str, Any]] = await redis.xinfo_groups(key)
    except ResponseError as error:
        if _NOT_THERE in str(error):
            return []
        raise
    return rows


async def group_names(redis: Redis, key: str) -> list[str]:
    """The groups of a stream; none of one that is not there. Raises as above."""
    return [row["name"].decode() for row in await group_rows(redis, key)]
