"""Knows the domains of portals, and refuses one where a member id is asked for."""

from collections.abc import Mapping

from redis.asyncio import Redis

from gateway.errors import OperatorError
from gateway.portals.registry import Registry
from gateway.settings import Settings

__all__ = ["known_domains", "refuse_domain"]


async def known_domains(redis: Redis, settings: Settings) -> dict[str, str]:
    """The domains of all portals that are registered or stand in the settings, by member id.

    Raises one of connections.FAILURES.
    """
    known = await Registry(redis, prefix=settings.redis.prefix).read()
    domains = {one.member_id: one.domain for one in known.registrations}
    return domains | {portal.member_id: portal.domain for portal in settings.portals}


def refuse_domain(name: str, domains: Mapping[str, str]) -> None:
    """Raise OperatorError for a portal's domain: nothing is stored under it, and an erasure that
    found nothing would be on record as done.
    """
    for member_id, domain in domains.items():
        if name not in domains and domain.lower() == name.lower():
            raise OperatorError(f"{name} is a domain: erase --portal {member_id}")
