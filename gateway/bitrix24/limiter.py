"""Bounds how often a portal is called, by all processes together.

    b24:rest:{<member id>}:bucket           when the portal's bucket will be empty
    b24:rest:{<member id>}:held:<method>    a method that has used up its time, until it expires

A portal counts requests in a bucket per address they come from, which leaks a fixed number a
second and takes none when full: https://apidocs.bitrix24.com/limits.html. The same bucket is kept
here, by the clock of Redis, so that requests wait here instead of being refused there.
"""

import asyncio
import math
from collections.abc import Collection
from typing import Final

from redis.asyncio import Redis

from gateway.bitrix24.answers import MAX_OPERATING_PAUSE_S
from gateway.bitrix24.errors import OperationTimeLimit, TooManyRequests
from gateway.bitrix24.request_retry import LONGEST_PAUSE_S
from gateway.bitrix24.scripts import script, store_failures

__all__ = ["Limiter"]

# Requests may overtake each other on their way, or find others there that we do not know of; a
# tenth of the bucket stays free for them.
_SHARE_OF_BURST: Final = 0.9


class Limiter:
    """Keeps the buckets of all portals; `client` is a control client
    (gateway.redis_access.connections.control).
    """

    def __init__(
        self,
        client: Redis,
        *,
        prefix: str,
        requests_per_s: float,
        burst: int,
        longest_wait_s: float = 120.0,
    ) -> None:
        """`longest_wait_s` is the longest patience of anybody who waits for the same portals.

        No moment further ahead than that is believed: a clock that was ahead, and has been put
        right since, must not keep requests waiting for the time that it told.
        """
        self._client = client
        self._prefix = prefix
        self._interval_us = max(1, round(1_000_000 / requests_per_s))
        self._burst = max(1, math.floor(burst * _SHARE_OF_BURST))
        longest_us = round(max(longest_wait_s, LONGEST_PAUSE_S) * 1_000_000)
        self._bounds = (longest_us, round(MAX_OPERATING_PAUSE_S * 1000))
        self._admit = script(client, "admit")
        self._fill = script(client, "fill")

    async def wait(self, member_id: str, methods: Collection[str], *, patience_s: float) -> None:
        """Return when a request that calls these methods may be sent; those who wait keep order.

        Raises TooManyRequests or OperationTimeLimit at once if that would take longer than
        `patience_s`, Unavailable if Redis does not answer. Cancelled, it leaves its place unused.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + patience_s
        while True:
            left_s = max(0.0, until - loop.time())
            is_admitted, wait_s, is_held = await self._ask(member_id, methods, left_s)
            if not is_admitted and wait_s > left_s:
                if is_held:
                    raise OperationTimeLimit("a method has used up its time", retry_in_s=wait_s)
                raise TooManyRequests("too many requests wait for the portal", retry_in_s=wait_s)
            await asyncio.sleep(wait_s)
            if is_admitted:
                return

    async def fill(self, member_id: str, *, pause_s: float) -> None:
        """The portal refuses requests: let none go for `pause_s`, and then one at a time."""
        args = [self._interval_us, self._burst, round(pause_s * 1_000_000), self._bounds[0]]
        with store_failures():
            await self._fill(keys=[self._bucket(member_id)], args=args)

    async def hold(self, member_id: str, method: str, *, pause_s: float) -> None:
        """The portal refuses a method: let nobody call it for `pause_s`."""
        pause_ms = max(1, round(pause_s * 1000))
        with store_failures():
            await self._client.set(self._held(member_id, method), 1, px=pause_ms)

    async def _ask(
        self, member_id: str, methods: Collection[str], patience_s: float
    ) -> tuple[bool, float, bool]:
        keys = [self._bucket(member_id), *(self._held(member_id, method) for method in methods)]
        args = [self._interval_us, self._burst, round(patience_s * 1_000_000), *self._bounds]
        with store_failures():
            is_admitted, wait_us, is_held = await self._admit(keys=keys, args=args)
        return bool(is_admitted), wait_us / 1_000_000, bool(is_held)

    def _bucket(self, member_id: str) -> str:
        return f"{self._prefix}:rest:{{{member_id}}}:bucket"

    def _held(self, member_id: str, method: str) -> str:
        return f"{self._prefix}:rest:{{{member_id}}}:held:{method.lower()}"
