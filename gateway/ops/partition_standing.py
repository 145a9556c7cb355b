"""Asks into how many partitions events are spread, and whether that is being changed."""

from typing import Final

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from gateway.contract import Streams
from gateway.ops.partition_owners import now_ms_at
from gateway.partitioning.partition_record import ABORT, PartitionRecord, read_record

__all__ = ["LONG_S", "PartitionStanding", "partition_standing"]

LONG_S: Final = 60.0
"""A change that lasts longer was killed, or waits for somebody: it takes a second."""


class PartitionStanding(Struct, frozen=True, kw_only=True):
    """Into how many partitions events are spread; `numbers` are theirs, `former` how many there
    were before. `following` is the number that is to come, or `abort`, since `since_s` seconds.
    """

    count: int
    numbers: str
    former: int
    following: str | None = None
    since_s: float = 0.0

    @property
    def why_not(self) -> str | None:
        """In words, why it is not well; None if it is."""
        if self.following is None or self.since_s < LONG_S:
            return None
        what = "an undoing" if self.following == ABORT else f"a change to {self.following}"
        return f"{what} of the {self.count} partitions was begun and not ended"

    @property
    def remedy(self) -> str:
        """What ends that."""
        if self.following == ABORT:
            return "gateway repartition --abort"
        return f"gateway repartition {self.following}, or gateway repartition --abort"


async def partition_standing(redis: Redis, streams: Streams) -> PartitionStanding:
    """How it is, as far as this user may ask; `streams` are those that are on record.

    Raises one of connections.FAILURES.
    """
    try:
        record = await read_record(redis, streams)
    except NoPermissionError:
        record = PartitionRecord()
    since_s = 0.0
    if record.next is not None:
        now_ms = await now_ms_at(redis, streams.record)
        since_s = max(0.0, (now_ms - record.since_ms) / 1000)
    in_force = streams.in_force
    return PartitionStanding(
        count=streams.partitions,
        numbers=f"{in_force.start}..{in_force.stop - 1}" if len(in_force) > 1 else str(in_force[0]),
        former=in_force.start,
        following=record.next,
        since_s=since_s,
    )
