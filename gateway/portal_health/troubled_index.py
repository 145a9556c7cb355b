"""Lists the portals in trouble in one place, so that nobody has to ask about all of them.

    b24:care:troubled     hash: member id -> JSON of what is wrong with it

What is wrong with a portal stands in its own state (gateway.portal_health.troubles); this follows
it. Whoever begins to lead goes through all portals, so what an older version has left out is in it
then.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from gateway.contract import PortalData

__all__ = ["TroubledIndex"]

_DECODER: Final = msgspec.json.Decoder(tuple[PortalData, ...])


class TroubledIndex:
    """Keeps the list of one installation. Raises what a control client raises; may be repeated."""

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client: Any = client
        self._key = f"{prefix}:care:troubled"

    async def note(self, member_id: str, lasting: Iterable[PortalData]) -> None:
        """What is wrong with a portal now; nothing, if it is well."""
        if value := tuple(lasting):
            await self._client.hset(self._key, member_id, msgspec.json.encode(value))
        else:
            await self._client.hdel(self._key, member_id)

    async def note_all(self, troubles: Mapping[str, Sequence[PortalData]]) -> None:
        """What is wrong with each of these portals now."""
        fields = {name: msgspec.json.encode(some) for name, some in troubles.items() if some}
        well = [name for name, some in troubles.items() if not some]
        async with self._client.pipeline(transaction=True) as pipeline:
            if well:
                pipeline.hdel(self._key, *well)
            if fields:
                pipeline.hset(self._key, mapping=fields)
            await pipeline.execute()

    async def read(self) -> Sequence[PortalData]:
        """All troubles, in no order."""
        fields = await self._client.hgetall(self._key)
        return [one for value in fields.values() for one in _DECODER.decode(value)]
