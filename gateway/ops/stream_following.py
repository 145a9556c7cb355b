"""Follows streams without consuming them: plain XREAD, no group, nothing is written."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.background import owned
from gateway.contract import EntryId
from gateway.ending import end
from gateway.errors import OperatorError
from gateway.ops.entry_lines import ReadEntry, entry_of
from gateway.redis_access import connections
from gateway.redis_access.connections import AWAY, FAILURES, RedisFault, fault_of
from gateway.redis_access.redis_url import RedisAddress
from gateway.redis_access.stream_information import stream_information

__all__ = ["follow"]

_BLOCK_S: Final = 2.0
_COUNT: Final = 500
_MORE_S: Final = 2.0
_AHEAD: Final = 200
"""Entries that were read and not yet taken; more wait on the server."""
_LONGEST_PAUSE_S: Final = 5.0


async def follow(
    url: str,
    keys: Sequence[str],
    *,
    after: str | Mapping[str, str] | None = None,
    until_ms: int | None = None,
    told: Callable[[str], None],
    containing: str | None = None,
    is_endless: bool = True,
    more: Callable[[], Awaitable[Sequence[str]]] | None = None,
) -> AsyncGenerator[ReadEntry, None]:
    """The entries of all keys as they are stored, each key's in order.

    Without an end, or unless it `is_endless` up to where the streams end when they are read. What
    `more` says, since partitions may be added, is followed then from its beginning.

    Begins after the entry id `after`, or that of each key, else with what is stored from now on.
    Ends with what is stored before `until_ms`, in Unix ms. With `containing`, entries are left out,
    undecoded, none of whose fields has that text in it. While Redis is away
    it keeps trying, tells that once and when Redis is back, and goes on where it was. Raises
    OperatorError if Redis answers that it will not do this, and AuthenticationError if it lets
    nobody in. Safe to cancel.

    In a cluster each key has a connection of its own, to the node that holds it: it refuses a read
    of several keys, even if it holds them all.
    """
    is_cluster = RedisAddress.of(url).kind == "cluster"
    absence = _Absence(told)
    needle = (containing or "").encode()
    found: asyncio.Queue[ReadEntry | Exception | None] = asyncio.Queue(_AHEAD)

    left, tasks = 0, list[asyncio.Task[None]]()

    def begin(some: Sequence[str], after: str | Mapping[str, str] | None) -> None:
        nonlocal left
        places = dict.fromkeys(some, after) if isinstance(after, str) else after
        follower = _Follower(
            url, some, places, absence, needle, until_ms=until_ms, is_endless=is_endless
        )
        left += 1
        tasks.append(owned(_put_all(follower, found)))

    for some in [[key] for key in keys] if is_cluster else [keys]:
        begin(some, after)
    if is_endless and more is not None:
        tasks.append(owned(_begin_more(keys, more, begin)))
    try:
        while left:
            one = await found.get()
            if isinstance(one, Exception):
                raise one
            if one is None:
                left -= 1
            else:
                yield one
    finally:
        await end(*tasks)


async def _put_all(
    follower: "_Follower", found: asyncio.Queue[ReadEntry | Exception | None]
) -> None:
    """Put what comes into the queue, and None at the end, or what has ended it."""
    try:
        await follower.run(found)
        await found.put(None)
    except Exception as error:  # noqa: BLE001 - whoever follows is told all of them
        await found.put(error)


async def _begin_more(
    keys: Sequence[str],
    more: Callable[[], Awaitable[Sequence[str]]],
    begin: Callable[[Sequence[str], str], None],
) -> None:
    """Begin to read each key that there is more of, as long as this runs."""
    known = set(keys)
    while True:
        await asyncio.sleep(_MORE_S)
        with suppress(*FAILURES):
            for key in await more():
                if key not in known:
                    known.add(key)
                    begin([key], "0-0")


class _Absence:
    """Tells once that Redis is away, whichever of its nodes it is, and once that it is back."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self._told = told
        self._missed: set[object] = set()

    def begins(self, whose: object, error: Exception) -> None:
        if not self._missed:
            self._told(f"Redis is away, trying again: {error}")
        self._missed.add(whose)

    def ends(self, whose: object) -> None:
        if whose in self._missed:
            self._missed.remove(whose)
            if not self._missed:
                self._told("Redis is back")


class _Follower:
    """One connection, and how far it has read each of its keys."""

    def __init__(
        self,
        url: str,
        keys: Sequence[str],
        after: Mapping[str, str] | None,
        absence: _Absence,
        needle: bytes,
        *,
        until_ms: int | None,
        is_endless: bool,
    ) -> None:
        self._url = url
        self._is_endless = is_endless
        self._keys = keys
        self._until_ms = until_ms
        self._positions: dict[Any, Any] = {key: after[key] for key in keys} if after else {}
        self._absence = absence
        self._needle = needle
        self._pause_s = 0.0

    async def run(self, found: asyncio.Queue[ReadEntry | Exception | None]) -> None:
        """Put entries into the queue, up to the end. Raises as `follow` does if Redis refuses."""
        while True:
            try:
                await self._read(found)
            except AWAY as error:
                if fault_of(error) is RedisFault.REFUSING:  # such as of a password
                    raise
                self._absence.begins(self, error)
            except ResponseError as error:
                keys = ", ".join(self._keys)
                raise OperatorError(f"Redis refuses to read {keys}: {error}") from error
            else:
                return
            self._pause_s = min(2 * self._pause_s + 0.25, _LONGEST_PAUSE_S)
            await asyncio.sleep(self._pause_s)

    async def _read(self, found: asyncio.Queue[ReadEntry | Exception | None]) -> None:
        """Read from the node that has the keys now, up to the end or until that fails."""
        reader = await connections.reader_of(self._url, self._keys[0], block_s=_BLOCK_S)
        try:
            if not self._positions:
                self._positions = {key: await _end_of(reader, key) for key in self._keys}
            block_ms = int(_BLOCK_S * 1000) if self._is_endless else None
            while True:
                page: Any = await reader.xread(self._positions, count=_COUNT, block=block_ms)
                _raise_if_cancelled()
                self._absence.ends(self)
                self._pause_s = 0.0
                if not page and self._is_over():
                    return
                for key, entries in page.items():
                    await self._tell(found, key.decode(), entries)
                if not self._positions:
                    return
        finally:
            with suppress(*AWAY):
                await reader.aclose()

    def _is_over(self) -> bool:
        """Whether nothing more is to come, where nothing is there now."""
        is_late = self._until_ms is not None and time.time() * 1000 >= self._until_ms
        return is_late or not self._is_endless

    async def _tell(
        self,
        found: asyncio.Queue[ReadEntry | Exception | None],
        key: str,
        entries: Sequence[tuple[bytes, dict[bytes, bytes]]],
    ) -> None:
        needle = self._needle
        for entry_id, fields in entries:
            if self._until_ms is not None and EntryId.of(entry_id).ms >= self._until_ms:
                del self._positions[key]
                return
            if any(needle in value for value in fields.values()):
                await found.put(entry_of(key, entry_id.decode(), fields))
                self._positions[key] = entry_id.decode()
        self._positions[key] = entries[-1][0].decode()


def _raise_if_cancelled() -> None:
    """End here, if redis-py has swallowed the cancellation (gateway/ending.py says how)."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def _end_of(reader: Redis, key: str) -> str:
    """The id of the last entry that was ever stored; `$` would skip what comes between reads."""
    about = await stream_information(reader, key)
    if about is None:
        return "0-0"
    last: bytes = about["last-generated-id"]
    return last.decode()
