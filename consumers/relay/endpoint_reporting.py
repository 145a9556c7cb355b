"""Writes to Redis how endpoints answered last, every few seconds if there is anything new."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from redis.asyncio import Redis

from gateway.contract import timestamps
from gateway.redis_access.connections import AWAY_OR_REFUSING
from gateway.webhooks.endpoint_records import EndpointRecord, read_records, write_records

__all__ = ["Attempted", "EndpointReporting"]

_EVERY_S: Final = 2.0


Attempted = tuple[float, int | None, float | None, str, float | None, float | None]
"""Of an attempt: when, the status, the seconds it took, what went wrong; when the endpoint took
an event last, and since when it takes none. Moments are Unix time."""


class EndpointReporting:
    """Keeps what is to be written; what cannot be written now is written with the next."""

    def __init__(self, redis: Redis, *, prefix: str) -> None:
        self._redis = redis
        self._prefix = prefix
        self._new: dict[str, Attempted] = {}

    async def former(self) -> dict[str, EndpointRecord]:
        """What was written before; nothing if Redis does not say."""
        try:
            return await read_records(self._redis, prefix=self._prefix)
        except AWAY_OR_REFUSING:
            return {}

    def note(self, name: str, attempt: Attempted) -> None:
        """Note the last attempt at an endpoint."""
        self._new[name] = attempt

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.write()

    async def write(self) -> None:
        """Write what is new, if Redis takes it."""
        new, self._new = self._new, {}
        if not new:
            return
        records = {name: _record(attempt) for name, attempt in new.items()}
        try:
            await write_records(self._redis, records, prefix=self._prefix)
        except AWAY_OR_REFUSING:
            self._new = new | self._new


def _record(attempt: Attempted) -> EndpointRecord:
    at, status, took_s, error, delivered_at, failing_since = attempt
    return EndpointRecord(
        at=_written(at) or "",
        status=status,
        took_ms=None if took_s is None else round(took_s * 1000, 1),
        error=error,
        delivered_at=_written(delivered_at),
        failing_since=_written(failing_since),
    )


def _written(moment: float | None) -> str | None:
    if moment is None:
        return None
    return timestamps.milliseconds_of(datetime.fromtimestamp(moment, UTC))
