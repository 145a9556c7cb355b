"""Finds the events that an operator may mean who knows a comment, or a portal and a time."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.background import owned
from gateway.contract import EntryId, EventSubject, Streams, timestamps
from gateway.explanation.entry_search import (
    FoundEntry,
    SearchDeadline,
    Wanted,
    entries_around,
    look_through,
)
from gateway.explanation.event_way import Candidate, LookedThrough
from gateway.explanation.explaining import spooled, why_no_answer
from gateway.ops.answer_times import answered
from gateway.ops.entry_lines import ReadEntry, entry_of, portal_names
from gateway.publishing.errors import SpoolUnavailable
from gateway.redis_access.connections import FAILURES
from gateway.redis_access.stream_information import stream_information
from gateway.settings import Settings

__all__ = ["Candidates", "EventWish", "candidates"]

_LOOK_SHARE: Final = 0.7
_MOST: Final = 10


class EventWish(Struct, frozen=True, kw_only=True):
    """What is known of the events: a comment, a portal (member id or domain), about when.

    A comment, or a portal and a time, at least.
    """

    comment_id: int | None = None
    portal: str | None = None
    at: datetime | None = None

    @property
    def needle(self) -> bytes:
        """What the JSON of each of them has in it."""
        if self.comment_id is not None:
            return f'"subject":"{EventSubject.of_comment(self.comment_id)}"'.encode()
        return (self.portal or "").encode()

    def has(self, entry: ReadEntry) -> bool:
        """Whether an entry is one of them, whenever it was."""
        event = entry.event
        if event is None:
            return False
        subject = None if self.comment_id is None else str(EventSubject.of_comment(self.comment_id))
        return subject in (None, event.subject) and self.portal in (None, *portal_names(event))


class Candidates(Struct, frozen=True):
    """The events, the nearest to the time first or else the newest, and where was looked for them.

    `why_no_redis` says why only the spool of this machine was.
    """

    found: Sequence[Candidate]
    looked: Sequence[LookedThrough]
    why_no_redis: str | None


async def candidates(
    settings: Settings, wish: EventWish, *, within_s: float, looked_s: float | None = None
) -> Candidates:
    """Up to ten events of each partition: around a time, or the newest.

    Streams are looked through for `looked_s` of the time, or for what the rest can spare.
    """
    looked: list[LookedThrough] = []
    found: list[Candidate] = []
    why_no_redis = None
    waiting = owned(_waiting(settings, wish, within_s=within_s))
    deadline = SearchDeadline(_LOOK_SHARE * within_s if looked_s is None else looked_s)
    try:
        entries, looked = await answered(
            settings.redis,
            lambda redis: _entries(redis, settings.redis.streams, wish, deadline),
            within_s=within_s,
        )
        found = [_candidate(one.entry, f"{one.stream}/{one.partition}") for one in entries]
    except FAILURES as error:
        why_no_redis = why_no_answer(settings, error)
    known = {one.event_id for one in found}
    found += [one for one in await waiting if one.event_id not in known]
    found.sort(key=lambda one: one.received_at, reverse=True)
    if wish.at is not None:
        at = wish.at
        found.sort(key=lambda one: abs(timestamps.moment_of(one.received_at) - at))
    return Candidates(found, looked, why_no_redis)


async def _entries(
    redis: Redis, streams: Streams, wish: EventWish, deadline: SearchDeadline
) -> tuple[list[FoundEntry], list[LookedThrough]]:
    if wish.at is not None:
        return await entries_around(
            redis, streams, "events", round(wish.at.timestamp() * 1000),
            needle=wish.needle, wanted=wish.has, deadline=deadline, most=_MOST,
        )  # fmt: skip
    each = await asyncio.gather(
        *(
            _newest(redis, streams, partition, wish.needle, wish.has, deadline=deadline)
            for partition in streams.numbers
        )
    )
    return (
        [one for some, _ in each for one in some],
        [looked for _, looked in each if looked is not None],
    )


async def _newest(
    redis: Redis,
    streams: Streams,
    partition: int,
    needle: bytes,
    wanted: Wanted,
    *,
    deadline: SearchDeadline,
) -> tuple[list[FoundEntry], LookedThrough | None]:
    key = streams.key("events", partition)
    info = await stream_information(redis, key)
    if info is None:
        return [], None
    reading = await look_through(
        redis, key, "-", "+",
        needle=needle, wanted=wanted, most=_MOST, deadline=deadline, is_backwards=True,
    )  # fmt: skip
    oldest = info["first-entry"]
    begins_ms = EntryId.of(oldest[0]).ms if oldest else None
    last_ms = EntryId.of(info["last-generated-id"]).ms
    reached_ms = EntryId.of(reading.reached).ms if reading.reached else begins_ms or last_ms
    return [FoundEntry("events", partition, entry) for entry in reading.found], LookedThrough(
        stream="events",
        partition=partition,
        since=timestamps.milliseconds(reached_ms),
        until=timestamps.milliseconds(last_ms),
        begins_at=timestamps.milliseconds(begins_ms) if begins_ms is not None else None,
        is_whole=reading.reached is None,
    )


async def _waiting(settings: Settings, wish: EventWish, *, within_s: float) -> list[Candidate]:
    """Those that are in the spool of this machine, if it has one."""
    try:
        some = await spooled(settings, wish.needle, since_ms=0, within_s=within_s)
    except SpoolUnavailable:
        return []
    entries = [entry_of("spool", "0-0", {b"event": one.raw}) for one in some]
    return [_candidate(entry, "spool") for entry in entries if wish.has(entry)]


def _candidate(entry: ReadEntry, place: str) -> Candidate:
    event = entry.event
    assert event is not None  # noqa: S101 - it was wanted
    portal, domain = portal_names(event)
    return Candidate(
        event_id=event.id,
        type=event.type,
        subject=event.subject,
        portal=portal,
        domain=domain,
        received_at=event.receivedat,
        place=place,
    )
