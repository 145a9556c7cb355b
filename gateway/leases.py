"""Leases in Redis: of several processes, one at a time does what must be done once.

A process that dies is followed by another one when its lease has run out. A lease is no fence: a
process that was suspended may go on for an instant after it lost one, so what is done under a lease
must bear being done twice.

The server keeps the moment when a lease ends. Should its clock be put back, that moment is not
waited for: whoever asks next lets the lease end when one would that is given now.
"""

from typing import Any, Final

from redis.asyncio import Redis

__all__ = ["Leases"]

# Both are allowed when memory is short: then, of all times, somebody must be there who trims.
_HOLD: Final = """#!lua flags=allow-oom
-- Take or keep the lease KEYS[1] for ARGV[1] for ARGV[2] ms; 1 if it is held, 0 if by another.
-- One of another that has longer to live than any lease was given by a clock that has been put
-- right since, or has no end: it lasts as long as one that is given now, or its owner keeps it.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then
  local left_ms = redis.call('PTTL', KEYS[1])
  if left_ms < 0 or left_ms > tonumber(ARGV[2]) then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
  end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
_RELEASE: Final = """#!lua flags=allow-oom
-- Give up the lease KEYS[1], if it is that of ARGV[1].
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
return 1
"""


class Leases:
    """The leases of one process, which `owner` names; each lasts `life_ms` from when it was asked,
    which has to be the same in all processes.

    `client` is a control client (gateway.connections.control): everything here may be repeated.
    """

    def __init__(self, client: Redis, *, owner: str, life_ms: int) -> None:
        self._owner = owner
        self._life_ms = life_ms
        self._hold: Any = client.register_script(_HOLD)
        self._release: Any = client.register_script(_RELEASE)

    async def hold(self, lease: str) -> bool:
        """Take the lease, or keep it; whether it is ours."""
        return bool(await self._hold(keys=[lease], args=[self._owner, self._life_ms]))

    async def release(self, lease: str) -> None:
        """Give the lease back, if it is ours."""
        await self._release(keys=[lease], args=[self._owner])
