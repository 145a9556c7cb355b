"""Fills a server as it is after months: a million entries, ten thousand portals, five groups."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from gateway.contract import EntryId, FailedAttempt, PortalData, Streams, timestamps
from gateway.portals.application_tokens import digest_of
from gateway.portals.registry import Registry
from gateway.redis_access import connections
from gateway.redis_access.entry_marks import EntryMarks
from tests.benchmarks.growth.event_ids import id_at
from tests.support.console_hour import write_hour
from tests.support.portal_trouble import note_trouble

__all__ = ["ENTRIES", "PORTALS", "Filled", "fill"]

ENTRIES: Final = 1_000_000
PORTALS: Final = 10_000
_IN_TROUBLE: Final = 100
_IN_HAND: Final = 10_000
_FAILURES: Final = 1_000
_LETTERS: Final = 100_000
_STEP: Final = 1_000
_STREAMS: Final = Streams()
_EVENTS: Final = _STREAMS.key("events", 0)
_FILL: Final = Path(__file__).with_name("installation.lua").read_text()
_GROUPS: Final = {"audit": 1.0, "enricher": 0.9, "index": 0.5, "notifier": 1.0, "warehouse": 0.99}
"""How much of the stream each was given."""


class Filled:
    """What was filled in, and how to ask for some of it."""

    def __init__(self) -> None:
        self.start_ms = round(time.time() * 1000) - 10 * ENTRIES

    def entry_id(self, number: int) -> str:
        """The entry of an event, by its number from 1 on."""
        return f"{self.start_ms + 10 * number}-0"

    def event_id(self, number: int) -> str:
        """The id of an event."""
        moment = datetime.fromtimestamp((self.start_ms + 10 * number) / 1000, UTC)
        return f"{id_at(moment, 0)[:14]}7000-8000-{number:012x}"


async def fill(url: str) -> Filled:
    """Fill an empty server; takes half a minute."""
    filled = Filled()
    async with connections.control(url, timeout_s=60) as redis:
        await _events(redis, filled)
        await _groups(redis, filled)
        await _letters(redis)
        await _portals(redis)
        await write_hour(redis)
    return filled


async def _events(redis: Any, filled: Filled) -> None:
    """The entries, with the marks that retention makes meanwhile."""
    at = timestamps.milliseconds(filled.start_ms)
    marks = EntryMarks(redis, _STREAMS.retention_marks("events", 0))
    for first in range(0, ENTRIES, _STEP):
        await redis.eval(_FILL, 1, _EVENTS, first, _STEP, filled.start_ms, PORTALS, at)
        await marks.note(EntryId.of(filled.entry_id(first + _STEP)), first + _STEP)


async def _groups(redis: Any, filled: Filled) -> None:
    for group, share in _GROUPS.items():
        given = round(share * ENTRIES)
        # As after a deletion, the server does not know how many one of them was given.
        entries_read = None if group == "warehouse" else given
        position = filled.entry_id(given)
        await redis.xgroup_create(_EVENTS, group, position, entries_read=entries_read)
    await redis.xreadgroup("index", "one", {_EVENTS: ">"}, count=_IN_HAND)
    first = round(_GROUPS["index"] * ENTRIES) + 1
    failures = {
        FailedAttempt.field("events", filled.entry_id(number)): FailedAttempt(
            at=timestamps.seconds(time.time()),
            attempts=3,
            error="ConnectError: search.example.com does not answer",
            event_id=filled.event_id(number),
            portal=f"m{number % PORTALS}",
            subject=f"comment/{number}",
            handler="index_comment",
        ).encode()
        for number in range(first, first + _FAILURES)
    }
    await redis.hset(_STREAMS.failures("index", 0), mapping=failures)


async def _letters(redis: Any) -> None:
    """Of another reason in the end, which is what somebody looks for in vain at the beginning."""
    key = _STREAMS.dead("index", 0)
    entries: Any = await redis.xrange(_EVENTS, count=_STEP)
    events = [fields[b"event"] for _, fields in entries]
    for first in range(0, _LETTERS, _STEP):
        async with redis.pipeline(transaction=False) as pipeline:
            for number in range(first, first + _STEP):
                pipeline.xadd(key, _letter(number, events))
            await pipeline.execute()


def _letter(number: int, events: Sequence[bytes]) -> Any:
    return {
        "event": events[number % len(events)],
        "group": "index",
        "stream": "events",
        "entry_id": f"{number + 1}-1",
        "attempts": "5",
        "reason": "failed" if number < _LETTERS - _STEP else "rejected",
        "error": "ValueError: " + "x" * 60,
        "failed_at": timestamps.seconds(time.time()),
    }


async def _portals(redis: Redis) -> None:
    registry, now, digest = Registry(redis, prefix="b24"), datetime.now(UTC), digest_of("fake")
    for first in range(0, PORTALS, _STEP):
        names = range(first, first + _STEP)
        await asyncio.gather(
            *(registry.add(f"m{number}", f"p{number}.example", digest, now=now) for number in names)
        )
    for number in range(0, PORTALS, PORTALS // _IN_TROUBLE):
        trouble = PortalData(
            member_id=f"m{number}",
            domain=f"p{number}.example",
            trouble="silent",
            since=timestamps.seconds_of(now),
        )
        await note_trouble(redis, trouble)
