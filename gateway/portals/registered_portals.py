"""Gives the portals that are registered: in the settings, and in Redis."""

from redis.asyncio import Redis

from gateway.portals.directory import Directory, Portal, chosen, shown_portals_of
from gateway.portals.registry import Registry, portals_among
from gateway.settings import Settings

__all__ = ["registered_portals"]


async def registered_portals(
    client: Redis, settings: Settings, name: str | None = None
) -> list[Portal]:
    """All of them, by domain; or the one that is called so, by member id or domain.

    Raises OperatorError if none is called so, and one of connections.FAILURES.
    """
    directory = Directory(shown_portals_of(settings.portals))
    registry = Registry(client, prefix=settings.redis.prefix)
    directory.learn(portals_among((await registry.read()).registrations))
    return chosen(sorted(directory, key=lambda one: one.domain), name)
