"""Knows under which address each portal is registered here, whatever address an event names.

An event's domain is what its sender says, and only informational: whoever has a token of a portal
may name any host. Links in messages lead to where the portal is by the word of others: of the
authorization server, which knows when a portal is renamed; else of the settings; else of whoever
registered it.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog
from redis.asyncio import Redis

from gateway.portals.facts import PortalFacts
from gateway.portals.registry import Registry, portals_among
from gateway.redis_access import connections
from gateway.settings import Settings

__all__ = ["Domains"]

log = structlog.get_logger()

_EVERY_S: Final = 30.0


class Domains:
    """Keeps the addresses of portals, as last read; looking one up does no I/O."""

    def __init__(self, settled: Mapping[str, str] | None = None) -> None:
        self._settled = dict(settled or {})
        self._registered: dict[str, str] = {}
        self._known = self._settled

    @classmethod
    def of(cls, settings: Settings) -> "Domains":
        """Those that the settings name."""
        return cls({portal.member_id: portal.domain for portal in settings.portals})

    def find(self, member_id: str) -> str | None:
        """The address of a portal, if it is known."""
        return self._known.get(member_id)

    async def follow(self, redis: Redis, *, prefix: str) -> None:
        """Read again what Redis knows from time to time, until cancelled; what cannot be read
        stays as it was.
        """
        while True:
            try:
                await self.read(redis, prefix=prefix)
            except connections.AWAY_OR_REFUSING as error:
                log.warning("addresses of portals cannot be read", error=str(error))
            await asyncio.sleep(_EVERY_S)

    async def read(self, redis: Redis, *, prefix: str) -> None:
        """Read what Redis knows. Raises one of connections.AWAY, or ResponseError."""
        reading = await Registry(redis, prefix=prefix).read()
        facts = await PortalFacts(redis, prefix=prefix).all()
        if reading.version is not None:  # else it lost them, or never had any
            portals = portals_among(reading.registrations)
            self._registered = {portal.member_id: portal.domain for portal in portals}
        self._known = {
            **self._registered,
            **self._settled,
            **{member_id: one.domain for member_id, one in facts.items() if one.domain},
        }
