"""Names the streams, and says which partition an event belongs to.

The partition number stands in braces so that all keys of a partition share a slot of a cluster:
https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Final
from zlib import crc32

from gateway.contract.event_subject import EventSubject

__all__ = ["EVENT_FIELD", "FEEDERS", "KIND_FIELD", "REPLAY_KIND", "Streams"]

EVENT_FIELD: Final = b"event"
"""The field of every entry on `events` and `comments`, which is an event."""

KIND_FIELD: Final = b"kind"
"""A field that an entry on `comments` may have besides; REPLAY_KIND is all that it may hold."""

FEEDERS: Final = {"comments": "enricher"}
"""Which group writes what a stream has."""

REPLAY_KIND: Final = b"replay"
"""The event was there before, and comes again with what is known of it now: rebuild state from it,
and tell nobody."""


class Streams:
    """The streams of one installation: its prefix and its partitions.

    Partitions of one time are a layout: consecutive numbers, from 0 on in the first one. A new
    layout has numbers that there were not before, so that each stream is of one layout alone, and
    an older one ends where the newer one begins (docs/decisions/0032-repartition.md). All parts of
    a process share one object, which `adopt` tells of a new layout.
    """

    __slots__ = ("_counts", "_first", "partitions", "prefix")

    def __init__(self, *, prefix: str = "b24", partitions: int = 1) -> None:
        self.prefix = prefix
        self.adopt((partitions,))

    def adopt(self, counts: Sequence[int]) -> None:
        """Take these for the numbers of partitions that there were, the one in force last."""
        self._counts = tuple(counts)
        self._first = sum(self._counts[:-1])
        self.partitions = self._counts[-1]
        """Into how many partitions events are spread now."""

    @property
    def counts(self) -> tuple[int, ...]:
        """The numbers of partitions that there were, the one in force last."""
        return self._counts

    @property
    def layouts(self) -> list[range]:
        """The numbers of each layout's partitions, those in force last."""
        ends = list(accumulate(self._counts))
        return [range(end - count, end) for end, count in zip(ends, self._counts, strict=True)]

    @property
    def numbers(self) -> range:
        """The numbers of all partitions, former ones first: there may be something on each."""
        return range(self._first + self.partitions)

    @property
    def in_force(self) -> range:
        """The numbers of the partitions into which events are spread now."""
        return range(self._first, self._first + self.partitions)

    def is_former(self, partition: int) -> bool:
        """Whether nothing new is put on a partition."""
        return partition < self._first

    def key(self, stream: str, partition: int) -> str:
        """The key of a stream's partition; `stream` is `events` or `comments`."""
        return f"{self.prefix}:{stream}:{{{partition}}}"

    def keys(self, stream: str) -> tuple[str, ...]:
        """The keys of all partitions of a stream, former ones first."""
        return tuple(self.key(stream, partition) for partition in self.numbers)

    def dead(self, group: str, partition: int) -> str:
        """The key of a group's dead letters of one partition."""
        return f"{self.prefix}:dead:{group}:{{{partition}}}"

    def producer(self, partition: int, producer_id: str) -> str:
        """The key that remembers a producer's last batch on a partition of `events`."""
        return f"{self.prefix}:producer:{{{partition}}}:{producer_id}"

    def recovered(self, partition: int) -> str:
        """The key that remembers the ids of events that are put on a partition of `events` once."""
        return f"{self.prefix}:recovered:{{{partition}}}"

    def replay(self, group: str, partition: int) -> str:
        """The key of the entries of one partition that a group alone is given again."""
        return f"{self.prefix}:replay:{group}:{{{partition}}}"

    def emitted(self, group: str, partition: int) -> str:
        """The key that remembers what a transforming group wrote last on a partition."""
        return f"{self.prefix}:emitted:{group}:{{{partition}}}"

    def snapshot(self, partition: int, member_id: str, subject: EventSubject) -> str:
        """The key of what is remembered of a comment or another object, encrypted."""
        return f"{self.prefix}:snapshot:{{{partition}}}:{member_id}:{subject.partition_key}"

    def refetch(self, partition: int) -> str:
        """The key of the events that went out without their object, by when it is asked for."""
        return f"{self.prefix}:refetch:{{{partition}}}"

    def failures(self, group: str, partition: int) -> str:
        """The key of the last failed attempts of what a group has in hand of one partition."""
        return f"{self.prefix}:failures:{group}:{{{partition}}}"

    def lease(self, group: str, partition: int) -> str:
        """The key that says which process of a group owns a partition."""
        return f"{self.prefix}:lease:{group}:{{{partition}}}"

    def members(self, group: str) -> str:
        """The key of the living processes of a group."""
        return f"{self.prefix}:members:{group}"

    def pauses(self, group: str) -> str:
        """The key of what a group is to let wait (gateway.contract.interventions)."""
        return f"{self.prefix}:pauses:{group}"

    def strikes(self, group: str) -> str:
        """The key of what a group is to make dead letters of, unseen."""
        return f"{self.prefix}:strikes:{group}"

    def retention_lease(self, partition: int) -> str:
        """The key that says which receiver trims the streams of a partition."""
        return f"{self.prefix}:retention:{{{partition}}}"

    def retention_books(self, stream: str, partition: int) -> str:
        """The key of the record of what was removed from a stream's partition, and by whom."""
        return f"{self.prefix}:retention:{stream}:{{{partition}}}"

    def retention_marks(self, stream: str, partition: int) -> str:
        """The key of the notes of how many entries a stream's partition has had up to an id."""
        return f"{self.prefix}:retention:{stream}:{{{partition}}}:marks"

    def sealed(self, partition: int) -> str:
        """The key that is there once nothing new may be put on a partition of `events`."""
        return f"{self.prefix}:events:{{{partition}}}:sealed"

    @property
    def record(self) -> str:
        """The key of the numbers of partitions that this installation has had."""
        return f"{self.prefix}:partitions"

    @property
    def ends(self) -> str:
        """The key that says which group is through with which former layout."""
        return f"{self.prefix}:partitions:ended"

    def partition_of(self, member_id: str, subject: EventSubject) -> int:
        """The partition of a subject: the same on every machine and in every version.

        CRC-32 of `<member_id>:<partition_key of the subject>` in UTF-8, modulo the number of
        partitions, counted from the first one that is in force.
        """
        if self.partitions == 1:
            return self._first
        return self._first + _hash_of(member_id, subject) % self.partitions

    @staticmethod
    def partition_in(layout: range, member_id: str, subject: EventSubject) -> int:
        """The partition of a subject in a layout."""
        return layout.start + _hash_of(member_id, subject) % len(layout)

    def homes_of(self, member_id: str, subject: EventSubject) -> list[int]:
        """The partition of a subject in each layout, that in force last."""
        return [self.partition_in(layout, member_id, subject) for layout in self.layouts]


def _hash_of(member_id: str, subject: EventSubject) -> int:
    return crc32(f"{member_id}:{subject.partition_key}".encode())
