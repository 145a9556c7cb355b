"""Bounds how often the authorization servers are asked about installations that somebody claims.

Anybody can claim one. All processes together ask a server twice a second at most, and each has a
few claims under way at most, whatever comes in; what is beyond that is told to come later.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.asyncio import Redis

from gateway.bitrix24.applications import host_of
from gateway.bitrix24.errors import Limited, Unavailable
from gateway.bitrix24.limiter import Limiter
from gateway.installation.errors import InstallationDelayed

__all__ = ["Checks"]

_PER_S: Final = 2.0
_BURST: Final = 20
_MAX_UNDER_WAY: Final = 8
_PATIENCE_S: Final = 0.5
_LONG_PATIENCE_S: Final = 10.0
_NAME: Final = ":installations"
# What the buckets' names begin with, among those of portals, whose ids have no colon.


class Checks:
    """Gives out turns to ask; `client` is a control client
    (gateway.redis_access.connections.control).
    """

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._limiter = Limiter(client, prefix=prefix, requests_per_s=_PER_S, burst=_BURST)
        self._under_way = 0

    @contextmanager
    def place(self, *, is_urgent: bool) -> Iterator[None]:
        """A claim under way, as long as the context lasts; raises InstallationDelayed when there
        are too many.

        It is urgent while somebody waits for the answer.
        """
        if is_urgent and self._under_way >= _MAX_UNDER_WAY:
            raise InstallationDelayed("busy")
        self._under_way += is_urgent
        try:
            yield
        finally:
            self._under_way -= is_urgent

    async def turn(self, server: str, *, is_urgent: bool) -> None:
        """Return when the server with this root may be asked one question; raises
        InstallationDelayed.

        What is urgent is given up soon. What has waited on the disk keeps its place in the line,
        which those who have just come cannot take.
        """
        patience_s = _PATIENCE_S if is_urgent else _LONG_PATIENCE_S
        name = f"{_NAME}:{host_of(server)}"
        try:
            await self._limiter.wait(name, (), patience_s=patience_s)
        except Limited as error:
            raise InstallationDelayed("busy") from error
        except Unavailable as error:
            raise InstallationDelayed("redis") from error
