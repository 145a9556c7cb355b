"""Answers what came last on a stream: the newest entries, those of a portal or type alone."""

import asyncio
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.console.page_question import BadQuestion, PageQuestion
from gateway.contract import EntryId
from gateway.explanation.entry_search import RangeReading, SearchDeadline, look_through
from gateway.ops.entry_lines import ReadEntry, as_line, is_meant, keys_of, portal_names

__all__ = ["NAME", "TailAnswer", "TailEntry", "load", "stream_of", "tailed"]

NAME: Final = "tail"
_SHOWN: Final = 50
_MOST: Final = 500


class TailEntry(Struct, frozen=True, kw_only=True):
    """An entry of a stream; `line` is what `gateway tail` prints of it."""

    stream: str
    entry_id: str
    received_at: str | None
    event_id: str | None
    type: str | None
    portal: str | None
    subject: str | None
    line: str


class TailAnswer(Struct, frozen=True, kw_only=True):
    """The newest entries that are wanted, the newest first.

    Unless `is_whole`, there was no time to look further back than to `reached`, an entry id.
    """

    stream: str
    entries: list[TailEntry]
    is_whole: bool
    reached: str | None


async def load(question: PageQuestion) -> TailAnswer:
    """Raises BadQuestion for a stream that there cannot be."""
    stream, keys = stream_of(question)
    limit = question.number("limit", _SHOWN, most=_MOST)
    selection = question.selection
    deadline = SearchDeadline(question.looked_s)

    def wanted(entry: ReadEntry) -> bool:
        return is_meant(entry, selection)

    async def newest(redis: Redis, key: str) -> RangeReading:
        return await look_through(
            redis, key, "-", "+",
            needle=b"", wanted=wanted, most=limit, deadline=deadline, is_backwards=True,
        )  # fmt: skip

    readings = await question.ask(
        lambda redis: asyncio.gather(*(newest(redis, key) for key in keys))
    )
    found = [entry for reading in readings for entry in reading.found]
    found.sort(key=lambda entry: EntryId.of(entry.id), reverse=True)
    early = [one.reached for one in readings if one.reached and len(one.found) < limit]
    return TailAnswer(
        stream=stream,
        entries=[tailed(entry) for entry in found[:limit]],
        is_whole=not early,
        reached=max(early, key=EntryId.of, default=None),
    )


def stream_of(question: PageQuestion) -> tuple[str, tuple[str, ...]]:
    """The stream that is asked for, and its keys; raises BadQuestion."""
    stream = question.fields.get("stream", "events")
    try:
        return stream, keys_of(stream, question.streams)
    except ValueError as error:
        raise BadQuestion(str(error)) from error


def tailed(entry: ReadEntry) -> TailEntry:
    """An entry as it is shown."""
    event = entry.event
    member_id, domain = portal_names(event) if event else (None, None)
    return TailEntry(
        stream=entry.stream,
        entry_id=entry.id,
        received_at=event.receivedat if event else None,
        event_id=event.id if event else None,
        type=event.type if event else None,
        portal=domain or member_id,
        subject=event.subject if event else None,
        line=as_line(entry),
    )
