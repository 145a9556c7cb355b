"""Makes the consumer groups of a partition where they are missing, at the right place."""

from typing import Literal

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from consumers.runtime.partition_keys import PartitionKeys
from gateway.contract import EntryId
from gateway.redis_access.stream_information import stream_information

__all__ = ["ensure_groups"]

log = structlog.get_logger()


async def ensure_groups(
    client: Redis,
    keys: PartitionKeys,
    *,
    start: Literal["beginning", "now"],
    known: str | None,
) -> bool:
    """Create the groups that are missing; whether that of the stream was.

    Nothing happens to those that are there.

    `known` is the last entry that the group's owner is through with, if it remembers one: then
    the group was lost, and goes on after it. On a stream that is younger than that it goes on at
    the beginning. Where nothing is known, it begins at `start`.
    """
    if known is None:
        is_new = await _create(client, keys.shared.key, keys.group, "0" if start != "now" else "$")
        if is_new:
            log.info("group created", stream=keys.shared.key, group=keys.group, start=start)
    else:
        is_new = await _restore(client, keys, known)
    await _create(client, keys.redeliveries.key, keys.group, "0")
    return is_new


async def _restore(client: Redis, keys: PartitionKeys, known: str) -> bool:
    stream = await stream_information(client, keys.shared.key)
    last_id, first_id = "0-0", None
    if stream is not None:
        last_id = stream["last-generated-id"].decode()
        first_id = stream["first-entry"][0].decode() if stream["first-entry"] else None
    is_younger = EntryId.of(last_id) < EntryId.of(known)
    at = "0-0" if is_younger else known
    if not await _create(client, keys.shared.key, keys.group, at):
        return False
    if is_younger:
        missing = f"the stream was made anew: what it held up to {known} and after is gone"
    elif first_id is not None and EntryId.of(first_id) > EntryId.of(known):
        missing = f"whatever stood between {known} and {first_id}, the first entry now"
    else:
        missing = "nothing"
    log.error(
        "group was lost and made anew",
        stream=keys.shared.key,
        group=keys.group,
        goes_on_after=at,
        missing=missing,
    )
    return True


async def _create(client: Redis, key: str, group: str, at: str) -> bool:
    try:
        await client.xgroup_create(key, group, at, mkstream=True)
    except ResponseError as error:
        if str(error).startswith("BUSYGROUP"):
            return False
        raise
    return True
