"""Finds whether somebody else removed entries that a group had not read. Pure.

Redis tells nobody: a group that is behind a trim goes on after the gap, and its lag is 0. But it
counts the entries ever added, so those that are gone are known by number, and our own trims are
counted with them (gateway/retention/books.lua). What is left over, somebody else removed.
"""

from collections.abc import Mapping

from msgspec import Struct

from gateway.contract import EntryId
from gateway.retention.stream_state import GroupState, StreamState

__all__ = ["Books", "Loss", "Removal", "balanced", "removal"]


class Books(Struct, frozen=True, kw_only=True):
    """What is on record of a stream: how many entries retention removed, how many others did,
    and the highest id that the latter deleted one by one.
    """

    own: int
    others: int
    max_deleted: EntryId


class Loss(Struct, frozen=True):
    """A group that lost entries unread, or may have: the fewest and the most it can be."""

    group: str
    at_least: int
    at_most: int


class Removal(Struct, frozen=True, kw_only=True):
    """Entries that somebody else removed since the books were written."""

    count: int
    losses: tuple[Loss, ...]


def removal(
    state: StreamState,
    books: Books | None,
    before: Mapping[str, GroupState],
) -> Removal | None:
    """What others have removed since, if anything, and whom it took entries from.

    `before` are the groups as the last look found them, where there was one: a group that has
    passed the gap since may have read what was removed, or not. Without books nothing is known of
    the past, so it is not judged; nor is a count that went down (another stream by the same name,
    a restored backup).
    """
    if books is None:
        return None
    count = state.removed - books.own - books.others
    if count <= 0:
        return None
    losses = (_loss(state, group, before.get(group.name), books, count) for group in state.groups)
    return Removal(count=count, losses=tuple(loss for loss in losses if loss.at_most))


def balanced(state: StreamState, books: Books | None) -> Books:
    """The books that take all that is gone now for known."""
    own = books.own if books is not None and books.own <= state.removed else 0
    return Books(own=own, others=state.removed - own, max_deleted=state.max_deleted)


def _loss(
    state: StreamState, group: GroupState, before: GroupState | None, books: Books, count: int
) -> Loss:
    known = before.pending_before_first if before is not None else 0
    pending = max(0, group.pending_before_first - known)
    at_least, at_most = _unread(state, group, before, books, count)
    return Loss(group.name, min(pending + at_least, count), min(pending + at_most, count))


def _unread(
    state: StreamState, group: GroupState, before: GroupState | None, books: Books, count: int
) -> tuple[int, int]:
    """The fewest and the most entries of `count` that were removed before they were delivered."""
    if group.delivered < min(state.begins_at, state.last):
        # Everything that it was delivered is gone, so the rest of what is gone it never was.
        if group.read_count is not None:
            lost = min(count, max(0, state.removed - group.read_count))
            return lost, lost
        if before is None or before.delivered != group.delivered:
            return 0, count
        # The server does not count for a group that it delivered nothing. If that one was there
        # already and had all of the stream to read, it lost all.
        if group.delivered == EntryId(0):
            return count, count
        if before.next_unread is not None and before.next_unread >= state.begins_at:
            return 0, 0  # what stood behind its place still does
        return (1 if before.next_unread is not None else 0), count
    is_deleted = state.max_deleted > books.max_deleted
    if is_deleted and state.max_deleted > group.delivered:
        return 1, count
    if before is not None and before.delivered < group.delivered:
        has_passed_gap = (before.next_unread or before.delivered) < state.begins_at
        has_passed_hole = is_deleted and state.max_deleted > before.delivered
        if has_passed_gap or has_passed_hole:
            return 0, count
    return 0, 0
