"""Holds leases in Redis: of several processes, one at a time does what must be done once.

A process that dies is followed by another one when its lease has run out. A lease is no fence: a
process that was suspended may go on for an instant after it lost one, so what is done under a lease
must bear being done twice.

The server keeps the moment when a lease ends. Should its clock be put back, that moment is not
waited for: whoever asks next lets the lease end when one would that is given now.
"""

from redis.asyncio import Redis

from gateway.redis_access import lua

__all__ = ["Leases"]


class Leases:
    """Holds the leases of one process, which `owner` names; each lasts `life_ms` from when it was
    asked, which has to be the same in all processes.

    `client` is a control client (gateway.redis_access.connections.control): everything here may be
    repeated.
    """

    def __init__(self, client: Redis, *, owner: str, life_ms: int) -> None:
        self._owner = owner
        self._life_ms = life_ms
        # Both run when memory is short: then, of all times, somebody must be there who trims.
        self._hold = lua.script(client, "gateway.redis_access", "hold_lease.lua")
        self._release = lua.script(client, "gateway.redis_access", "release_lease.lua")

    async def hold(self, lease: str) -> bool:
        """Take the lease, or keep it; whether it is ours."""
        return bool(await self._hold(keys=[lease], args=[self._owner, self._life_ms]))

    async def release(self, lease: str) -> None:
        """Give the lease back, if it is ours."""
        await self._release(keys=[lease], args=[self._owner])
