"""Notes a trouble of a portal, as the process that leads does when it has found one."""

from redis.asyncio import Redis

from gateway.contract import PortalData
from gateway.portal_health.trouble_rules import TroubleState
from gateway.portal_health.troubled_index import TroubledIndex
from gateway.portal_health.troubles import trouble_states

__all__ = ["note_trouble"]


async def note_trouble(redis: Redis, trouble: PortalData) -> None:
    """The portal has this trouble and no other; its event is told already."""
    states = trouble_states(redis, prefix="b24")
    kept = await states.read(trouble.member_id)
    await states.swap(trouble.member_id, kept, TroubleState(lasting={trouble.trouble: trouble}))
    await TroubledIndex(redis, prefix="b24").note(trouble.member_id, [trouble])
