"""Puts together what one group of a process needs, out of what the process has for all of them."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis

from consumers.runtime.consumer import Consumer
from consumers.runtime.dead_letter_limit import DeadLetterRate
from consumers.runtime.event_memory import ReadEvent
from consumers.runtime.failure_records import FailureRecords
from consumers.runtime.gate import Gate
from consumers.runtime.in_flight import in_flight_of
from consumers.runtime.joint_calls import JointCalls
from consumers.runtime.joint_reading import JointConnection, JointReading
from consumers.runtime.layout_order import LayoutOrder
from consumers.runtime.lua_scripts import Acquired, Scripts
from consumers.runtime.metrics import Metrics
from consumers.runtime.outages import Outages
from consumers.runtime.ownership import Ownership
from consumers.runtime.partition import OwnedPartition
from consumers.runtime.partition_keys import PartitionKeys
from consumers.runtime.reader import ReadPace
from consumers.runtime.reader_connection import ReaderConnection
from consumers.runtime.retry_policy import RetryPolicy
from consumers.runtime.standing_interventions import StandingInterventions
from consumers.runtime.tenure import Tenure
from gateway.redis_access import connections
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import Settings

__all__ = ["OwnedCount", "ProcessParts", "ownership_of"]

_BLOCK_S: Final = 2.5
_INSPECT_S: Final = 10.0
_PARTITIONS_PER_PACE: Final = 4
"""Up to this many partitions an idle process sends under five commands a second."""
_COUNTED_S: Final = 1.0
_LONGEST_INSPECT_S: Final = 60.0


class OwnedCount:
    """Counts the partitions that the groups of a process own, anew at most once a second.

    It is asked with each read of each of them.
    """

    def __init__(self, ownerships: Callable[[], Sequence[Ownership]]) -> None:
        self._ownerships = ownerships
        self._count = 0
        self._counted_at = float("-inf")

    def __call__(self) -> int:
        """How many there are, or were a second ago."""
        now = time.monotonic()
        if now - self._counted_at >= _COUNTED_S:
            self._count = sum(len(one.partitions) for one in self._ownerships())
            self._counted_at = now
        return self._count


class ProcessParts(Struct, frozen=True, eq=False, kw_only=True):
    """What the groups of a process share.

    `member` is what the process is called among those of each group, `control` a client for short
    commands. `joint` reads for all groups, if there are several; else each reads by itself.
    `owned_count` is how many partitions the process owns, of all groups.
    """

    settings: Settings
    member: str
    control: Redis
    outages: Outages
    read_event: ReadEvent
    joint: JointReading | None
    owned_count: OwnedCount

    @property
    def longest_block_s(self) -> float:
        """How long a read may block at most."""
        return self.settings.consumers.lease_s * 2 / 3

    def pace(self) -> ReadPace:
        """Slower, the more partitions there are."""
        factor = max(1.0, self.owned_count() / _PARTITIONS_PER_PACE)
        return ReadPace(
            min(_BLOCK_S * factor, self.longest_block_s),
            min(_INSPECT_S * factor, _LONGEST_INSPECT_S),
        )

    def connection(self, keys: PartitionKeys) -> ReaderConnection | JointConnection:
        """What a group reads a partition on."""
        if self.joint is not None:
            return JointConnection(self.joint, keys.shared.key, keys.redeliveries.key)

        async def connect(key: str) -> Redis:
            url = self.settings.redis.url
            return await connections.reader_of(url, key, block_s=self.longest_block_s)

        return ReaderConnection(connect, keys.shared.key)


def ownership_of(consumer: Consumer, parts: ProcessParts, metrics: Metrics) -> Ownership:
    """What takes a group's share of partitions, and runs them."""
    settings, control = parts.settings, parts.control
    streams = settings.redis.streams
    scripts = Scripts(control)
    wishes = StandingInterventions(control, streams, consumer.group)
    rate = DeadLetterRate(consumer.dead_letter_limit)
    farewell_s = settings.consumers.grace_s / 8
    calls = _joint_calls(consumer)

    def own(keys: PartitionKeys, acquired: Acquired) -> OwnedPartition:
        tenure = Tenure(
            keys=keys,
            epoch=acquired.epoch,
            gate=Gate(limit=consumer.concurrency),
            in_flight=in_flight_of(consumer, hands=lambda: ownership.partitions),
            failures=FailureRecords(control, keys, epoch=acquired.epoch),
            scripts=scripts,
            metrics=metrics,
            rate=rate,
            outages=parts.outages,
            wishes=wishes,
            read_event=parts.read_event,
        )
        return OwnedPartition(
            consumer,
            tenure,
            former=acquired,
            connection=parts.connection(keys),
            settings=settings.consumers,
            farewell_s=farewell_s,
            pace=parts.pace,
            calls=calls,
        )

    def keys_of(partition: int) -> PartitionKeys:
        return PartitionKeys.of(
            streams,
            group=consumer.group,
            stream=consumer.stream,
            partition=partition,
            output=consumer.output,
        )

    ownership = Ownership(
        keys_of,
        LayoutOrder(control, streams, group=consumer.group, stream=consumer.stream),
        group=consumer.group,
        member=parts.member,
        members_key=streams.members(consumer.group),
        scripts=scripts,
        lease_s=settings.consumers.lease_s,
        farewell_s=farewell_s,
        one_by_one=RedisAddress.of(settings.redis.url).kind == "cluster",
        outages=parts.outages,
        wishes=wishes,
        own=own,
    )
    return ownership


def _joint_calls(consumer: Consumer) -> JointCalls | None:
    """The calls that the partitions of this process have in common, if its handler wants that."""
    handler = consumer.batch_handler
    if handler is None or not handler.across_partitions:
        return None
    return JointCalls(handler, RetryPolicy.of(consumer).is_transient)
