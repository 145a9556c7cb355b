"""Reads the portals of an installation, anew only when one was changed."""

import asyncio
from collections.abc import Sequence

from redis.asyncio import Redis

from gateway.portals.directory import Directory, Portal, shown_portals_of
from gateway.portals.registry import Reading, Registry, portals_among
from gateway.settings import Settings

__all__ = ["CurrentPortals"]


class CurrentPortals:
    """Those of the settings and those that are registered, for somebody who asks again and again.

    Raises what a control client raises.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._version: str | None = None
        self._portals: Sequence[Portal] | None = None

    async def read(self, redis: Redis) -> Sequence[Portal]:
        """All of them, by domain; one small reply while none was changed."""
        registry = Registry(redis, prefix=self._settings.redis.prefix)
        version = await registry.version()
        if self._portals is None or version != self._version:
            reading = await registry.read_in_pages()
            # Beside the loop: of ten thousand portals it takes a tenth of a second.
            self._portals = await asyncio.to_thread(_known, self._settings, reading)
            self._version = reading.version
        return self._portals


def _known(settings: Settings, reading: Reading) -> Sequence[Portal]:
    directory = Directory(shown_portals_of(settings.portals))
    directory.learn(portals_among(reading.registrations))
    return sorted(directory, key=lambda one: (one.domain, one.member_id))
