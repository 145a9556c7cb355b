"""Finds what the enricher made of an event: its entry on `comments`, and what that says.

The layout of what is read besides is consumers.enricher.refetch_queue's and the runtime's
(`Streams.emitted`).
"""

from typing import Any, Final

from msgspec import UNSET
from redis.asyncio import Redis

from gateway.contract import CommentEvent, EntityEvent, EntryId, Streams, timestamps
from gateway.explanation.entry_search import FoundEntry, SearchDeadline, look_through
from gateway.explanation.event_way import FetchOutcome

__all__ = ["entries_on_comments", "outcome_in"]

_GROUP: Final = "enricher"
_MOST: Final = 10
"""Entries of one event: it comes again when what it is about could not be had at first."""
_SCRIPT_MS: Final = 1_000


async def entries_on_comments(
    redis: Redis, streams: Streams, found: FoundEntry, *, deadline: SearchDeadline
) -> list[FoundEntry]:
    """What the enricher wrote because of an entry of `events`.

    By when it wrote that, as far as that is remembered; else what was written since the entry was
    stored is looked through, until the deadline.
    """
    event, partition = found.entry.event, found.partition
    assert event is not None  # noqa: S101 - it was found by its id
    key, stored_ms = streams.key("comments", partition), EntryId.of(found.entry.id).ms
    name = f"shared:{found.entry.id}"
    written_ms: Any = await redis.zscore(streams.emitted(_GROUP, partition), name)
    begin_ms = stored_ms if written_ms is None else int(written_ms) - 1
    end = "+" if written_ms is None else str(int(written_ms) + _SCRIPT_MS)
    reading = await look_through(
        redis,
        key,
        str(begin_ms),
        end,
        needle=event.id.encode(),
        wanted=lambda entry: entry.event is not None and entry.event.id == event.id,
        most=_MOST if written_ms is not None else 1,
        deadline=deadline,
    )
    return [FoundEntry("comments", partition, entry) for entry in reading.found]


async def outcome_in(redis: Redis, streams: Streams, found: FoundEntry) -> FetchOutcome | None:
    """What an entry of `comments` says of its comment or object; None if none was fetched."""
    event = found.entry.event
    if not isinstance(event, CommentEvent | EntityEvent):
        return None
    fetched = event.data.comment if isinstance(event, CommentEvent) else event.data.object
    if fetched is UNSET:
        return None
    again_ms = await redis.zscore(streams.refetch(found.partition), event.id)
    return FetchOutcome(
        entry_id=found.entry.id,
        state=fetched.state,
        reason=fetched.reason,
        fetched_at=fetched.fetched_at,
        asked_again_at=timestamps.milliseconds(int(again_ms)) if again_ms is not None else None,
    )
