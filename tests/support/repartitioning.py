"""Changes the number of partitions of a test's installation, and puts events where they belong."""

from collections.abc import Sequence

from redis.asyncio import Redis

from gateway.contract import CloudEvent, EventSubject, Streams, encode_event
from gateway.ops import partition_change as steps
from gateway.partitioning.partition_record import adopt_record

__all__ = ["change_partitions", "layouts_of", "put_events"]


async def layouts_of(redis: Redis) -> Streams:
    """The streams as they are on record."""
    streams = Streams()
    await adopt_record(redis, streams)
    return streams


async def change_partitions(redis: Redis, count: int) -> Streams:
    """Change the number as the command does, and return the streams that there are then."""
    streams = await layouts_of(redis)
    await steps.announce(redis, streams, count)
    await steps.make_groups(redis, streams, count)
    for partition in streams.in_force:
        await steps.seal(redis, streams, partition)
    await steps.turn(redis, streams, count)
    return streams


async def put_events(redis: Redis, events: Sequence[CloudEvent], *, stream: str = "events") -> None:
    """Put events on the partitions of their subjects."""
    streams = await layouts_of(redis)
    for event in events:
        subject = EventSubject.parse(event.subject or "")
        member_id = event.source.rpartition(":")[2]
        key = streams.key(stream, streams.partition_of(member_id, subject))
        await redis.xadd(key, {"event": encode_event(event)})
