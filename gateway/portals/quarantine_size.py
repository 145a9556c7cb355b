"""Counts the bytes that the quarantine holds, over all portals.

    b24:quarantine:bytes    hash: time / an eighth of [quarantine] kept_s -> bytes of what was
                            received then, and is kept

What expires takes its bytes along with its eighth, at most an eighth of the time too late. A count
is lost where Redis's answer is, so this is a bound and no account.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from redis.asyncio import Redis

__all__ = ["QuarantineSize"]

_EIGHTHS: Final = 8
_OVERHEAD: Final = 512
# What Redis needs for a delivery beside its bytes: its key, and its place in two sorted sets.


class QuarantineSize:
    """Counts the quarantine's size, as all processes together keep it. Raises what the client
    raises.
    """

    def __init__(self, client: Redis, *, kept_ms: int, prefix: str) -> None:
        self._client = client
        self._eighth_ms = max(1, kept_ms // _EIGHTHS)
        self._kept_ms = kept_ms
        self._key = f"{prefix}:quarantine:bytes"

    async def bytes(self, *, now_ms: int) -> int:
        """What is kept."""
        fields: Any = await self._client.hgetall(self._key)
        oldest = self._eighth(now_ms) - _EIGHTHS
        return sum(max(0, int(size)) for eighth, size in fields.items() if int(eighth) >= oldest)

    async def add(self, changes: Iterable[tuple[int, int]], *, now_ms: int) -> None:
        """Add these: times of receipt (ms), and the bytes of a delivery; negative for what went."""
        sums: Counter[int] = Counter()
        for received_ms, size in changes:
            sums[self._eighth(received_ms)] += size + (_OVERHEAD if size > 0 else -_OVERHEAD)
        if not sums:
            return
        oldest = self._eighth(now_ms) - _EIGHTHS
        async with self._client.pipeline(transaction=False) as pipeline:
            for eighth, size in sums.items():
                pipeline.hincrby(self._key, str(eighth), size)
            pipeline.hdel(self._key, *(str(oldest - number) for number in range(1, _EIGHTHS)))
            pipeline.pexpire(self._key, self._kept_ms + self._eighth_ms)
            await pipeline.execute()

    def _eighth(self, at_ms: int) -> int:
        return at_ms // self._eighth_ms
