"""Makes calls of what an account may do, to ask Redis whether a user may."""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.doctor.redis_accounts import ACCOUNTS, RedisAccount, consumer_account

__all__ = ["ROLES", "calls_of", "possible_accounts"]

ROLES: Final = (
    "audit",
    "drill",
    "enricher",
    "feed",
    "notifier",
    "receiver",
    "reconciler",
    "relay",
    "service",
    "warehouse",
)
"""Names of the accounts of processes; `service` is a consumer of whoever asks."""

_SAMPLES: Final[dict[str, Sequence[str]]] = {
    "eval": ("return 1", "1", "{key}"),
    "eval_ro": ("return 1", "1", "{key}"),
    "evalsha": ("0" * 40, "1", "{key}"),
    "script|load": ("return 1",),
    "client|unblock": ("1",),
    "scan": ("0",),
    "xread": ("STREAMS", "{key}", "0"),
    "xreadgroup": ("GROUP", "g", "c", "STREAMS", "{key}", ">"),
    "xgroup|create": ("{key}", "g", "0"),
    "expire": ("{key}", "1"),
    "pexpire": ("{key}", "1"),
}
_ARGUMENTS: Final[dict[int, str]] = {
    0: "ping multi exec time info client|id",
    1: (
        "exists get mget del unlink pttl hkeys hgetall hlen hvals strlen zcard zpopmin xlen "
        "xinfo|stream xinfo|groups"
    ),
    2: "set hscan hget hdel hmget hexists incrby zrem zscore xdel xpending",
    3: (
        "hset hsetnx hincrby zadd zcount zincrby zrange zrangebyscore zrevrange zremrangebyrank "
        "zremrangebyscore xack xrange xrevrange xtrim"
    ),
    4: "xadd",
    5: "xclaim",
}


def possible_accounts(role: str, user: str) -> list[RedisAccount]:
    """The accounts of which `user` has to have one: a service reads this stream or that one.

    Its group is taken to be called like the user.
    """
    if role == "service":
        return [consumer_account(user, stream) for stream in ("comments", "events")]
    return [ACCOUNTS[role]]


def calls_of(account: RedisAccount, prefix: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each command of each rule, and a call of it on a key that this rule is about.

    Of keys that the rule lets be written, if there are any.
    """
    for rule in account.rules:
        patterns = sorted(rule.keys, key=lambda one: one.startswith("%R"))
        name = patterns[0].partition("~b24:")[2].replace("*", "{0}")
        for command in rule.commands:
            yield command[1:], _sample_of(command[1:], f"{prefix}:{name}")


def _sample_of(command: str, key: str) -> tuple[str, ...]:
    """With as many arguments as the command takes at least."""
    words = tuple(command.upper().split("|"))
    if command in _SAMPLES:
        return (*words, *(word.replace("{key}", key) for word in _SAMPLES[command]))
    (count,) = (count for count, names in _ARGUMENTS.items() if command in names.split())
    return (*words, *((key, "1", "1", "1", "1")[:count]))
