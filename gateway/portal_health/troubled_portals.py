"""Finds the portals in which something is wrong, as `gateway reconcile` noted it. Only reads."""

from collections.abc import Iterable

from redis.asyncio import Redis

from gateway.contract import PortalData
from gateway.portal_health.troubles import trouble_states
from gateway.portals.registry import Registry

__all__ = ["troubles_of_portals"]


async def troubles_of_portals(
    client: Redis, member_ids: Iterable[str], *, prefix: str
) -> list[PortalData]:
    """What is wrong with these portals and with the registered ones, by domain.

    Takes a small reply for each portal; raises one of connections.FAILURES.
    """
    registered = (await Registry(client, prefix=prefix).read()).registrations
    known = {*member_ids, *(one.member_id for one in registered)}
    states = await trouble_states(client, prefix=prefix).read_all(sorted(known))
    found = [trouble for state in states for trouble in state.lasting.values()]
    return sorted(found, key=lambda one: (one.domain, one.trouble))
