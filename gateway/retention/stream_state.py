"""Holds what Redis says of one stream and its groups: values only. Pure."""

from msgspec import Struct
from msgspec.structs import replace

from gateway.contract import EntryId

__all__ = ["GroupState", "StreamState"]


class GroupState(Struct, frozen=True, kw_only=True):
    """A group's place on a stream.

    `read_count` is how many of all entries ever added stand up to `delivered`, where the server
    knows it. `next_unread` is the first entry behind `delivered`. `pending_before_first` counts
    pending entries that stand before the stream's first entry, so that nobody can read them.
    """

    name: str
    delivered: EntryId
    read_count: int | None
    lag: int | None
    pending: int
    oldest_pending: EntryId | None
    next_unread: EntryId | None
    pending_before_first: int = 0

    @property
    def oldest_needed(self) -> EntryId | None:
        """The first entry that the group has not acknowledged; None if there is none."""
        return self.oldest_pending or self.next_unread

    @property
    def needed_from(self) -> EntryId:
        """Every entry before this id is acknowledged by the group."""
        return self.oldest_pending or self.delivered.next


class StreamState(Struct, frozen=True, kw_only=True):
    """A stream that exists. `first` is None if it has no entries; `added` counts all ever added."""

    length: int
    first: EntryId | None
    last: EntryId
    max_deleted: EntryId
    added: int
    groups: tuple[GroupState, ...]

    def without_counts(self) -> "StreamState":
        """The same, of a server that cannot say what groups have read
        (gateway.redis_access.entry_count).
        """
        groups = tuple(replace(group, read_count=None, lag=None) for group in self.groups)
        return replace(self, groups=groups)

    @property
    def removed(self) -> int:
        """How many entries have been removed so far, by whomever."""
        return self.added - self.length

    @property
    def begins_at(self) -> EntryId:
        """No entry stands before this id."""
        return self.first or self.last.next

    def held(self, group: GroupState) -> int | None:
        """How many entries the group has not acknowledged; None where the server cannot tell.

        The server's own lag is missing after deletions, and on some versions counts what was
        removed; at both ends of the stream it can be told without it:
        https://github.com/redis/redis/pull/13338
        """
        pending = group.pending - group.pending_before_first
        if group.next_unread is None:
            return pending
        if group.next_unread == self.first:
            return self.length
        return None if group.lag is None else min(pending + group.lag, self.length)
