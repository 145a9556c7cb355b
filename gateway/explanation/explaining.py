"""Asks all places for an event at once, within the time that an answer may take."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.background import owned
from gateway.contract import KIND_FIELD, CommentEvent, EntryId, moment_in, timestamps
from gateway.errors import OperatorError
from gateway.explanation.entry_search import FoundEntry, SearchDeadline, entries_around
from gateway.explanation.event_way import EventPlace, EventWay, ReceivedEvent, SpoolOutcome
from gateway.explanation.fetch_outcomes import entries_on_comments, outcome_in
from gateway.explanation.group_outcomes import outcomes_of
from gateway.explanation.notification_outcomes import notifications_of
from gateway.explanation.quarantine_search import quarantined_for
from gateway.ops.answer_times import answered
from gateway.ops.entry_lines import ReadEntry, entry_of, portal_names
from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.spool.event_search import SpooledEvent, events_in_spool
from gateway.redis_access.connections import FAILURES
from gateway.redis_access.redis_faults import predicate
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import Settings

__all__ = ["explain", "received_at_of", "spooled", "why_no_answer"]

_EVENT_SHARE: Final = 0.45
_ALL_SHARE: Final = 0.7
# Of the time, for looking through streams. What follows a search, however far that has come, is a
# few commands.
_CLOCKS_DIFFER_MS: Final = 60_000

Tell = Callable[[EventWay], None]


class _Search(Struct, frozen=True):
    """What is looked for: when it was received, and for how long."""

    settings: Settings
    received_ms: int
    event_deadline: SearchDeadline
    deadline: SearchDeadline


def received_at_of(event_id: str) -> datetime:
    """When it was received, by its id. Raises OperatorError for what is no event's id."""
    received_at = moment_in(event_id)
    if received_at is None:
        raise OperatorError(f"{event_id}: no id of an event, which has its time of receipt in it")
    return received_at


async def explain(
    settings: Settings, event_id: str, *, within_s: float, looked_s: float | None = None
) -> EventWay:
    """The way of the event of this id, as far as Redis tells it in so many seconds.

    Streams are looked through for `looked_s` of them, or for what the rest can spare.

    Works with Redis away: then the spool of this machine is all that was asked. Raises
    OperatorError for what is no event's id.
    """
    received_at = received_at_of(event_id)
    received_ms = round(received_at.timestamp() * 1000)
    way = EventWay(
        event_id=event_id,
        received_at=_text(received_at),
        is_found=False,
        spool=SpoolOutcome(is_here=False),
        commands=_commands(event_id),
    )

    def tell(more: EventWay) -> None:
        nonlocal way
        way = more

    spent_s = _ALL_SHARE * within_s if looked_s is None else looked_s
    spooling = owned(_in_spool(settings, event_id, received_ms, within_s=within_s))
    search = _Search(
        settings,
        received_ms,
        event_deadline=SearchDeadline(_EVENT_SHARE / _ALL_SHARE * spent_s),
        deadline=SearchDeadline(spent_s),
    )
    try:
        await answered(
            settings.redis, lambda redis: _asked(redis, search, way, tell), within_s=within_s
        )
    except FAILURES as error:
        way = replace(way, why_no_redis=why_no_answer(settings, error))
    spool, event = await spooling
    return replace(
        way, spool=spool, event=way.event or event, is_found=way.is_found or spool.is_here
    )


def why_no_answer(settings: Settings, error: BaseException) -> str:
    """One line for people on a failure of Redis."""
    where = RedisAddress.of(settings.redis.url)
    return f"{where} {' '.join(predicate(error).split())}"


async def spooled(
    settings: Settings, needle: bytes, *, since_ms: int, within_s: float
) -> list[SpooledEvent]:
    """Events with this in them that wait on this machine, newest first; raises SpoolUnavailable."""
    return await asyncio.to_thread(
        events_in_spool,
        Path(settings.spool.dir),
        needle,
        since_ms=since_ms,
        most=10,
        within_s=within_s,
    )


async def _asked(redis: Redis, search: _Search, way: EventWay, tell: Tell) -> None:
    """Ask Redis, and tell what is known after each step."""
    settings, deadline = search.settings, search.deadline
    found, way = await _found(redis, search, way)
    tell(way)
    if found is None:
        await _elsewhere(redis, settings, way, tell)
        return
    streams = settings.redis.streams
    way = replace(way, groups=await outcomes_of(redis, streams, found, deadline=deadline))
    tell(way)
    for comment in await entries_on_comments(redis, streams, found, deadline=deadline):
        groups = await outcomes_of(redis, streams, comment, deadline=deadline)
        fetched = await outcome_in(redis, streams, comment)
        is_comment = isinstance(comment.entry.event, CommentEvent)
        way = replace(
            way,
            places=(*way.places, _place(comment)),
            groups=(*way.groups, *groups),
            comment=fetched if is_comment else None,
            object=None if is_comment else fetched,
        )
        tell(way)
    tell(replace(way, notifications=await notifications_of(redis, settings, found.entry)))


async def _found(
    redis: Redis, search: _Search, way: EventWay
) -> tuple[FoundEntry | None, EventWay]:
    """The event's entry on `events`, by the time in its id; if it was recovered, by when."""
    streams = search.settings.redis.streams
    scores: list[Any] = await asyncio.gather(
        *(redis.zscore(streams.recovered(partition), way.event_id) for partition in streams.numbers)
    )
    recovered = {number: score for number, score in enumerate(scores) if score is not None}
    stored_ms = next((int(score) for score in recovered.values()), search.received_ms)
    entries, looked = await entries_around(
        redis,
        streams,
        "events",
        stored_ms,
        needle=way.event_id.encode(),
        wanted=lambda entry: entry.event is not None and entry.event.id == way.event_id,
        deadline=search.event_deadline,
        partitions=list(recovered) or None,
    )
    if not entries:
        return None, replace(way, looked=looked)
    found = entries[0]
    return found, replace(
        way,
        is_found=True,
        event=_received(found.entry),
        places=(_place(found),),
        looked=looked,
    )


async def _elsewhere(redis: Redis, settings: Settings, way: EventWay, tell: Tell) -> None:
    """Ask where an event can be that is on no stream: in other spools, or in the quarantine."""
    asked: Any = redis.hvals(f"{settings.redis.prefix}:spools")
    oldest = [int(value.split()[1]) for value in await asked]
    waiting = [one for one in oldest if one]
    if waiting:
        way = replace(way, spools_since=timestamps.milliseconds(min(waiting)))
        tell(way)
    tell(replace(way, quarantined_for=await quarantined_for(redis, settings, way.event_id)))


async def _in_spool(
    settings: Settings, event_id: str, received_ms: int, *, within_s: float
) -> tuple[SpoolOutcome, ReceivedEvent | None]:
    since_ms = received_ms - _CLOCKS_DIFFER_MS
    try:
        some = await spooled(settings, event_id.encode(), since_ms=since_ms, within_s=within_s)
    except SpoolUnavailable as error:
        return SpoolOutcome(is_here=False, why_not_known=error.detail), None
    for one in some:
        entry = entry_of("spool", "0-0", {b"event": one.raw})
        if entry.event is not None and entry.event.id == event_id:
            since = timestamps.milliseconds(one.spooled_ms)
            return SpoolOutcome(is_here=True, since=since), _received(entry)
    return SpoolOutcome(is_here=False), None


def _received(entry: ReadEntry) -> ReceivedEvent:
    event = entry.event
    assert event is not None  # noqa: S101 - it was found by its id
    portal, domain = portal_names(event)
    return ReceivedEvent(
        type=event.type,
        subject=event.subject,
        portal=portal,
        domain=domain,
        received_at=event.receivedat,
        happened_at=event.time,
        is_recovered=event.recovered is True,
    )


def _place(found: FoundEntry) -> EventPlace:
    return EventPlace(
        stream=found.stream,
        partition=found.partition,
        entry_id=found.entry.id,
        stored_at=timestamps.milliseconds(EntryId.of(found.entry.id).ms),
        is_replay=KIND_FIELD in found.entry.fields,
    )


def _commands(event_id: str) -> tuple[str, ...]:
    """Those that show what stands in files and databases of consumers."""
    return f"consumers audit show --event {event_id}", f"consumers warehouse find {event_id}"


def _text(moment: datetime) -> str:
    return timestamps.milliseconds_of(moment)
