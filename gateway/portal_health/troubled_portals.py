"""Finds the portals in which something is wrong, as `gateway reconcile` noted it."""

from collections.abc import Iterable

from redis.asyncio import Redis

from gateway.contract import PortalData
from gateway.portal_health.troubled_index import TroubledIndex
from gateway.portal_health.troubles import trouble_states

__all__ = ["list_troubled", "troubles_of_portals"]


async def troubles_of_portals(
    client: Redis, member_ids: Iterable[str], *, prefix: str
) -> list[PortalData]:
    """What is wrong with these portals, by domain. Only reads.

    One reply, however many portals there are; raises one of connections.FAILURES.
    """
    known = set(member_ids)
    found = await TroubledIndex(client, prefix=prefix).read()
    of_these = (one for one in found if one.member_id in known)
    return sorted(of_these, key=lambda one: (one.domain, one.trouble))


async def list_troubled(client: Redis, member_ids: Iterable[str], *, prefix: str) -> None:
    """List those of these portals that are in trouble, by a small reply for each of them.

    For a process that leads, before it looks at any portal.
    """
    names = sorted(member_ids)
    troubles: dict[str, list[PortalData]] = {name: [] for name in names}
    for state in await trouble_states(client, prefix=prefix).read_all(names):
        for trouble in state.lasting.values():
            troubles[trouble.member_id].append(trouble)
    await TroubledIndex(client, prefix=prefix).note_all(troubles)
