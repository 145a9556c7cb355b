"""Looks through the `events` stream for certain subjects: what has come in online.

The last minutes are kept in memory, since most questions are about them; for what is older, the
stream is read again, once for all who ask meanwhile. Events that were recovered do not count: they
did not come in.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import (
    APP_SUBJECT,
    EVENT_FIELD,
    PORTAL_SUBJECT,
    EntryId,
    EventSubject,
    Streams,
)

__all__ = ["Key", "OnlineEvent", "OnlineEvents"]

_PAGE: Final = 1000
_NOT_QUEUED: Final = frozenset({APP_SUBJECT, PORTAL_SUBJECT})
_MAX_KEPT: Final = 200_000
# About 80 MB; beyond it, less time is kept.


class Key(NamedTuple):
    """A kind of change of a subject, which is named as in an event: `deal/77`."""

    member_id: str
    subject: str
    type: str

    @classmethod
    def of_comment(cls, member_id: str, comment_id: int, event_type: str) -> "Key":
        """A kind of change of a comment."""
        return cls(member_id, str(EventSubject.of_comment(comment_id)), event_type)


class OnlineEvent(NamedTuple):
    """The latest that was said of it: by the portal's clock, and by the gateway's (Unix seconds).

    Not necessarily by one and the same event.
    """

    happened_at: float
    received_at: float

    def with_later(self, other: "OnlineEvent") -> "OnlineEvent":
        """The latest of both."""
        return OnlineEvent(
            max(self.happened_at, other.happened_at), max(self.received_at, other.received_at)
        )


class _Data(Struct):
    member_id: str = ""


class _Event(Struct):
    type: str
    subject: str
    time: datetime
    receivedat: datetime
    data: _Data
    recovered: bool = False


class _Question(Struct, eq=False):
    """What somebody wants to know of entries from a moment on and before another (ms)."""

    keys: frozenset[Key]
    since_ms: int
    before_ms: int
    answer: dict[Key, OnlineEvent] | None = None


_decode = msgspec.json.Decoder(_Event).decode


class OnlineEvents:
    """Finds on the stream what has come in online.

    Any number of tasks may ask at once; `client` is a control client.
    """

    def __init__(self, client: Redis, streams: Streams, *, kept_s: float) -> None:
        self._client = client
        self._streams = streams
        self._kept_ms = int(kept_s * 1000)
        # With the time of the entry (ms), about in its order.
        self._kept: dict[Key, tuple[int, OnlineEvent]] = {}
        self._kept_from_ms = 0
        self._read_to: dict[int, str] = {}
        self._lock = asyncio.Lock()
        self._questions: list[_Question] = []
        self._reading_again = asyncio.Lock()

    def __len__(self) -> int:
        """How many are kept in memory."""
        return len(self._kept)

    async def of(self, keys: Collection[Key], *, since_ms: int) -> Mapping[Key, OnlineEvent]:
        """What was stored about these at least from `since_ms` on (as in entries' ids), until now.

        Raises one of connections.FAILURES.
        """
        async with self._lock:
            await self._catch_up()
            kept_from_ms = self._kept_from_ms
            found = {key: self._kept[key][1] for key in keys if key in self._kept}
        if since_ms < kept_from_ms:
            question = _Question(frozenset(keys), since_ms, kept_from_ms)
            for key, event in (await self._earlier(question)).items():
                found[key] = found.get(key, event).with_later(event)
        return found

    async def _earlier(self, question: _Question) -> Mapping[Key, OnlineEvent]:
        """The answer to a question: whoever is the first reads for all that wait by then."""
        self._questions.append(question)
        try:
            async with self._reading_again:
                if question.answer is None:
                    await self._answer(tuple(self._questions))
        finally:
            self._questions.remove(question)
        return question.answer or {}

    async def _answer(self, questions: Sequence[_Question]) -> None:
        wanted = frozenset[Key]().union(*(question.keys for question in questions))
        first = str(min(question.since_ms for question in questions))
        last = str(max(question.before_ms for question in questions) - 1)
        found: dict[Key, OnlineEvent] = {}
        for partition in {
            home
            for key in wanted
            for home in self._streams.homes_of(key.member_id, EventSubject.parse(key.subject))
        }:
            page = _Page((), first, is_last=False)
            while not page.is_last:
                page = await self._page(partition, page.next, last)
                for _, key, event in page.events:
                    if key in wanted:
                        found[key] = found.get(key, event).with_later(event)
        for question in questions:
            question.answer = {key: found[key] for key in question.keys if key in found}

    async def _catch_up(self) -> None:
        oldest_ms = int(time.time() * 1000) - self._kept_ms
        for partition in self._streams.numbers:
            page = _Page((), self._read_to.get(partition, str(oldest_ms)), is_last=False)
            while not page.is_last:
                page = await self._page(partition, page.next, "+")
                self._read_to[partition] = page.next
                for at_ms, key, event in page.events:
                    _, before = self._kept.pop(key, (0, event))
                    self._kept[key] = (at_ms, before.with_later(event))
                self._forget(oldest_ms)
        self._forget(oldest_ms)

    def _forget(self, oldest_ms: int) -> None:
        """Forget what is older, and what is more than can be kept."""
        self._kept_from_ms = max(self._kept_from_ms, oldest_ms)
        for key, (at_ms, _) in list(islice(self._kept.items(), _PAGE)):
            if at_ms >= self._kept_from_ms and len(self._kept) <= _MAX_KEPT:
                break
            self._kept_from_ms = max(self._kept_from_ms, at_ms + 1)
            del self._kept[key]

    async def _page(self, partition: int, first: str, last: str) -> "_Page":
        key = self._streams.key("events", partition)
        entries: Any = await self._client.xrange(key, first, last, count=_PAGE)
        return _Page(
            tuple(found for entry in entries if (found := _online_event(*entry)) is not None),
            f"({entries[-1][0].decode()}" if entries else first,
            is_last=len(entries) < _PAGE,
        )


class _Page(NamedTuple):
    """What a part of a stream said, and where the next part begins."""

    events: "tuple[tuple[int, Key, OnlineEvent], ...]"
    next: str
    is_last: bool


def _online_event(
    entry_id: bytes, fields: Mapping[bytes, bytes]
) -> tuple[int, Key, OnlineEvent] | None:
    """The time of an entry (ms) and what it says, if a portal told it and it came in online."""
    try:
        event = _decode(fields.get(EVENT_FIELD, b""))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if event.recovered or event.subject.partition("/")[0] in _NOT_QUEUED:
        return None
    return (
        EntryId.of(entry_id).ms,
        Key(event.data.member_id, event.subject, event.type),
        OnlineEvent(event.time.timestamp(), event.receivedat.timestamp()),
    )
