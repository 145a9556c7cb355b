"""Bounds how often the authorization servers are asked about installations that somebody claims.

Anybody can claim one. All processes together ask a server twice a second at most, and each has a
few claims under way at most, whatever comes in; what is beyond that is told to come later. Of what
somebody waits for, one party has a share, which leaves turns and places to the others.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
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
_SHARE: Final = 2
# One party has one in so many of the turns, and of the places one in twice so many.
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
        self._shares = Limiter(
            client, prefix=prefix, requests_per_s=_PER_S / _SHARE, burst=_BURST // _SHARE
        )
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def place(self, *, urgent_for: str) -> Iterator[None]:
        """A claim under way, as long as the context lasts.

        It is urgent while somebody waits for the answer: the party, such as a client's address,
        that `urgent_for` names. Raises InstallationDelayed when too many are, of all or of this
        one.
        """
        if urgent_for and (
            self._under_way.total() >= _MAX_UNDER_WAY
            or self._under_way[urgent_for] >= _MAX_UNDER_WAY // (2 * _SHARE)
        ):
            raise InstallationDelayed("busy")
        self._under_way[urgent_for] += bool(urgent_for)
        try:
            yield
        finally:
            self._under_way[urgent_for] -= bool(urgent_for)
            self._under_way = +self._under_way  # without those that have none

    async def turn(self, server: str, *, urgent_for: str) -> None:
        """Return when the server with this root may be asked one question; raises
        InstallationDelayed.

        What is urgent is given up soon, and has a share of the turns. What has waited on the disk
        keeps its place in the line, which those who have just come cannot take.
        """
        patience_s = _PATIENCE_S if urgent_for else _LONG_PATIENCE_S
        name = f"{_NAME}:{host_of(server)}"
        try:
            if urgent_for:
                await self._shares.wait(f"{name}:{_digest(urgent_for)}", (), patience_s=0.0)
            await self._limiter.wait(name, (), patience_s=patience_s)
        except Limited as error:
            raise InstallationDelayed("busy") from error
        except Unavailable as error:
            raise InstallationDelayed("redis") from error


def _digest(party: str) -> str:
    """What stands for a party in Redis, which need not know addresses."""
    return sha256(party.encode()).hexdigest()[:16]
