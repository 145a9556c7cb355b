"""Removes dead letters that are old: they hold what somebody wrote, and nobody may ever look."""

from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from gateway import metrics
from gateway.contract import EntryId, Streams

__all__ = ["DeadLetterExpiry"]

log: Any = structlog.get_logger(__name__)

_EVERY_S: Final = 3600.0
# Each look goes through all keys of the server.
_DAY_MS: Final = 86_400_000


class DeadLetterExpiry:
    """Removes old dead letters of each group that there is or was; `client` is a control client."""

    def __init__(self, client: Redis, streams: Streams, *, kept_days: float) -> None:
        self._client = client
        self._before, _, _after = streams.dead("*", 0).partition("*")
        self._kept_ms = round(kept_days * _DAY_MS)
        self._next_at = 0.0

    async def age_out(self, *, now: float) -> None:
        """Remove those that are too old at `now` (Unix seconds); does so once an hour.

        May be repeated, also by several processes at once. Raises RedisError and its like, but not
        where the user has no right to dead letters: that is told.
        """
        if not self._kept_ms or now < self._next_at:
            return
        oldest = EntryId(max(0, round(now * 1000) - self._kept_ms))
        keys = self._client.scan_iter(match=f"{self._before}*", count=1000, _type="STREAM")
        try:
            async for key in keys:
                await self._trim(key.decode(), oldest)
        except NoPermissionError as error:
            log.warning(
                "old dead letters may not be removed",
                error=str(error),
                what_to_do="see docs/redis-rights.md",
            )
        self._next_at = now + _EVERY_S

    async def _trim(self, key: str, oldest: EntryId) -> None:
        count = int(await self._client.xtrim(key, minid=str(oldest), approximate=False))
        if count:
            group = key[len(self._before) : key.rindex(":{")]
            metrics.AGED_DEAD_LETTERS.labels(group).inc(count)
            log.info("old dead letters removed", stream=key, group=group, letters=count)
