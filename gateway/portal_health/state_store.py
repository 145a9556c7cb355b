"""Keeps the state of each portal's health in Redis, so that whoever leads next goes on from there.

    b24:care:{<member id>}      hash: hearing, troubles -> JSON; kept for 90 days after a write

A process that was suspended may believe that it still leads, so every write says what it was made
of, and is done only if that still stands there.
"""

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from gateway.redis_access import lua

__all__ = ["PortalStateStore", "Remembered"]

T = TypeVar("T", bound=Struct)

_KEPT_S: Final = 90 * 24 * 3600
_PAGE: Final = 500


class Remembered(Struct, Generic[T], frozen=True):
    """What was read; `value` is None where nothing is, or nothing that can be used."""

    value: T | None
    raw: bytes


class PortalStateStore(Generic[T]):
    """Keeps one field of all portals' hashes.

    Raises one of connections.FAILURES when Redis does not do its part; everything may be
    repeated. `client` is a control client (gateway.redis_access.connections.control) without
    decoding.
    """

    def __init__(self, client: Redis, kind: type[T], *, prefix: str, field: str) -> None:
        self._client = client
        self._decoder: msgspec.json.Decoder[T] = msgspec.json.Decoder(kind)
        self._prefix = prefix
        self._field = field
        self._swap = lua.script(client, "gateway.portal_health", "swap.lua")

    async def read(self, member_id: str) -> Remembered[T]:
        """What is remembered of a portal."""
        raw: Any = await self._client.hget(self._key(member_id), self._field)
        return Remembered(self._value(raw), raw or b"")

    async def read_all(self, member_ids: Sequence[str]) -> list[T]:
        """What is remembered of these portals, in their order, without those of which nothing is.

        Asked for in pages, so that the server serves others between them.
        """
        found = []
        for at in range(0, len(member_ids), _PAGE):
            async with self._client.pipeline(transaction=False) as pipeline:
                for member_id in member_ids[at : at + _PAGE]:
                    pipeline.hget(self._key(member_id), self._field)
                found += await pipeline.execute()
        values = map(self._value, found)
        return [value for value in values if value is not None]

    async def swap(self, member_id: str, old: Remembered[T], new: T) -> bool:
        """Remember `new` in place of what was read; false if something else stands there now."""
        arguments = [self._field, old.raw, msgspec.json.encode(new), _KEPT_S]
        return bool(await self._swap(keys=[self._key(member_id)], args=arguments))

    def _value(self, raw: bytes | None) -> T | None:
        try:
            return None if raw is None else self._decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _key(self, member_id: str) -> str:
        return f"{self._prefix}:care:{{{member_id}}}"
