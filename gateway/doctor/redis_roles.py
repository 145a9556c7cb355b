"""Names what each process needs to be allowed in Redis, as docs/redis-rights.md has it.

A test holds the two together.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

__all__ = ["ROLES", "Role", "sample_of"]

Role: TypeAlias = str

_CONSUMER: Final = (
    "ping time eval eval_ro evalsha script|load client|id client|unblock hget hgetall hmget "
    "hset hdel hincrby expire zadd zrem zrange zremrangebyscore xreadgroup xack xclaim xadd "
    "xdel xlen xpending xrange xrevrange xgroup|create xinfo|stream xinfo|groups"
)
ROLES: Final[dict[Role, tuple[str, ...]]] = {
    role: tuple(commands.split())
    for role, commands in {
        "receiver": (
            "ping eval eval_ro evalsha script|load multi exec exists get mget set del expire "
            "pexpire pttl time info scan hget hset hsetnx hdel hkeys hincrby hmget hgetall "
            "hscan zadd zcard zcount zincrby zrange zrevrange zscore zrem zremrangebyrank "
            "zremrangebyscore strlen xadd xrange xtrim xpending xinfo|stream xinfo|groups"
        ),
        "reconciler": (
            "ping eval eval_ro evalsha script|load multi exec exists get mget set del expire "
            "pexpire pttl time info hget hset hsetnx hdel hincrby hmget hgetall hscan hlen hvals "
            "zadd zcard zrange zrem zpopmin zscore zremrangebyrank zremrangebyscore xadd xrange "
            "xrevrange xlen xpending xinfo|stream xinfo|groups"
        ),
        "service": _CONSUMER,
    }.items()
}
"""The commands that suffice, by the name of the user in the page."""

_SAMPLES: Final[dict[str, Sequence[str]]] = {
    "eval": ("return 1", "0"),
    "eval_ro": ("return 1", "0"),
    "evalsha": ("0" * 40, "0"),
    "script|load": ("return 1",),
    "client|unblock": ("1",),
    "scan": ("0",),
    "xreadgroup": ("GROUP", "g", "c", "STREAMS", "{key}", ">"),
    "xgroup|create": ("{key}", "g", "0"),
    "expire": ("{key}", "1"),
    "pexpire": ("{key}", "1"),
}
_ARGUMENTS: Final[dict[int, str]] = {
    0: "ping multi exec time info client|id",
    1: (
        "exists get mget del pttl hkeys hgetall hlen hvals strlen zcard zpopmin xlen xinfo|stream "
        "xinfo|groups"
    ),
    2: "set hscan hget hdel hmget zrem zscore xdel xpending",
    3: (
        "hset hsetnx hincrby zadd zcount zincrby zrange zrevrange zremrangebyrank "
        "zremrangebyscore xack xrange xrevrange xtrim"
    ),
    4: "xadd",
    5: "xclaim",
}


def sample_of(command: str, key: str) -> tuple[str, ...]:
    """A call of a command on a key, with as many arguments as it takes at least."""
    words = tuple(command.upper().split("|"))
    if command in _SAMPLES:
        return (*words, *(word.format(key=key) for word in _SAMPLES[command]))
    (count,) = (count for count, names in _ARGUMENTS.items() if command in names.split())
    return (*words, *((key, "1", "1", "1", "1")[:count]))
