"""Names the streams, and says which partition an event belongs to.

The partition number stands in braces so that all keys of a partition share a slot of a cluster:
https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
"""

from typing import Final
from zlib import crc32

from msgspec import Struct

from gateway.contract.event_subject import EventSubject

__all__ = ["EVENT_FIELD", "KIND_FIELD", "REPLAY_KIND", "Streams"]

EVENT_FIELD: Final = b"event"
"""The field of every entry on `events` and `comments`, which is an event."""

KIND_FIELD: Final = b"kind"
"""A field that an entry on `comments` may have besides; REPLAY_KIND is all that it may hold."""

REPLAY_KIND: Final = b"replay"
"""The event was there before, and comes again with what is known of it now: rebuild state from it,
and tell nobody."""


class Streams(Struct, frozen=True, kw_only=True):
    """The streams of one installation: its prefix and its number of partitions."""

    prefix: str = "b24"
    partitions: int = 1

    def key(self, stream: str, partition: int) -> str:
        """The key of a stream's partition; `stream` is `events` or `comments`."""
        return f"{self.prefix}:{stream}:{{{partition}}}"

    def keys(self, stream: str) -> tuple[str, ...]:
        """The keys of all partitions of a stream, in order."""
        return tuple(self.key(stream, partition) for partition in range(self.partitions))

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

    def partition_of(self, member_id: str, subject: EventSubject) -> int:
        """The partition of a subject: the same on every machine and in every version.

        CRC-32 of `<member_id>:<partition_key of the subject>` in UTF-8, modulo the number of
        partitions.
        """
        if self.partitions == 1:
            return 0
        return crc32(f"{member_id}:{subject.partition_key}".encode()) % self.partitions
