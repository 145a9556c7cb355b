"""Looks at a stream in Redis, keeps its books, and trims it, for retention."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import EntryId
from gateway.redis_access import lua
from gateway.retention.losses import Books
from gateway.retention.stream_state import (
    GroupState,
    StreamState,
)
from gateway.retention.trim_plan import TrimPlan

__all__ = ["StreamAccess", "StreamKeys", "StreamLook"]

_LIMIT: Final = 1000
# Entries a call: about a millisecond in which the server does nothing else.


class StreamKeys(Struct, frozen=True, kw_only=True):
    """The keys of one partition of a stream."""

    stream: str
    lease: str
    books: str
    marks: str


class StreamLook(Struct, frozen=True, kw_only=True):
    """A stream, if there is one, its books and the server's clock at one moment."""

    state: StreamState | None
    books: Books | None
    now_ms: int


class StreamAccess:
    """Sends commands for one receiver process, which `owner` names; `client` may repeat any of
    them.
    """

    def __init__(self, client: Redis, *, owner: str) -> None:
        self._client = client
        self._owner = owner
        self._look = lua.script(client, "gateway.retention", "look.lua")
        self._trim = lua.script(client, "gateway.retention", "trim.lua")
        self._write = lua.script(client, "gateway.retention", "books.lua")

    async def look(self, keys: StreamKeys) -> StreamLook:
        """Read all at one moment."""
        now_ms, books, stream, groups = await self._look(
            keys=[keys.stream, keys.books], args=[_LIMIT]
        )
        return StreamLook(
            state=None if stream is None else _state_of(stream, groups),
            books=_books_of(books),
            now_ms=now_ms,
        )

    async def trim(
        self, keys: StreamKeys, plan: TrimPlan, non_holding: frozenset[str]
    ) -> tuple[int, Mapping[str, int]] | None:
        """Remove up to a thousand entries of those that may go.

        Returns how many, and how many each of the groups that hold nothing had not acknowledged;
        None if the plan is void: somebody else leads, or a group has come or gone back.
        """
        assert plan.trim_to is not None  # noqa: S101 - tells the type checker
        seen = [word for name, place in plan.seen for word in (name, str(place))]
        removed, *lost = await self._trim(
            keys=[keys.stream, keys.lease, keys.books],
            args=[
                self._owner,
                str(plan.trim_to),
                _LIMIT,
                len(plan.seen),
                *seen,
                *sorted(non_holding),
            ],
        )
        if removed < 0:
            return None
        names = [name.decode() for name in lost[::2]]
        return removed, dict(zip(names, lost[1::2], strict=True))

    async def write_books(self, keys: StreamKeys, books: Books | None) -> None:
        """Replace the books, if we lead; None removes them."""
        fields: list[Any] = []
        if books is not None:
            fields += ["own", books.own, "others", books.others]
            fields += ["max_deleted", str(books.max_deleted)]
        await self._write(keys=[keys.lease, keys.books], args=[self._owner, *fields])


def _state_of(stream: list[Any], groups: list[list[Any]]) -> StreamState:
    length, first, last, max_deleted, added = stream
    return StreamState(
        length=length,
        first=_id_of(first),
        last=EntryId.of(last),
        max_deleted=EntryId.of(max_deleted),
        added=added,
        groups=tuple(map(_group_of, groups)),
    )


def _group_of(row: list[Any]) -> GroupState:
    name, delivered, read_count, lag, pending, oldest_pending, gone, next_unread = row
    return GroupState(
        name=name.decode(),
        delivered=EntryId.of(delivered),
        read_count=read_count,
        lag=lag,
        pending=pending,
        oldest_pending=_id_of(oldest_pending),
        next_unread=_id_of(next_unread),
        pending_before_first=gone,
    )


def _books_of(fields: list[bytes | None]) -> Books | None:
    own, others, max_deleted = fields
    if others is None or max_deleted is None:
        return None
    return Books(own=int(own or 0), others=int(others), max_deleted=EntryId.of(max_deleted))


def _id_of(text: bytes | None) -> EntryId | None:
    return None if text is None else EntryId.of(text)
