"""Lists the accounts in Redis that an installation has: who may do what, with which keys.

deploy/redis/users.acl and the blocks of docs/redis-rights.md are made of it by `make docs`, tests
run processes with just these rights, and `gateway doctor --role` asks for them.

An account has a rule for all that it does, and some have further ones, which Redis calls selectors:
a command is allowed if one of the rules allows both it and all of its keys. That is what keeps a
consumer, which has to acknowledge what it read of a stream, from writing to that stream. Keys of
scripts have to be both readable and writable, whatever the script does with them, unless it is
called by EVAL_RO: https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/
"""

from typing import Final

from msgspec import Struct

__all__ = ["ACCOUNTS", "AccessRule", "RedisAccount", "consumer_account"]


class AccessRule(Struct, frozen=True):
    """Patterns of keys, as `~b24:…` or `%R~b24:…` for reading only, and commands, as `+xadd`."""

    keys: tuple[str, ...]
    commands: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> "AccessRule":
        """What is written in a text, each thing once, in its order."""
        words = tuple(dict.fromkeys(text.split()))
        return cls(
            tuple(word for word in words if not word.startswith("+")),
            tuple(word for word in words if word.startswith("+")),
        )


class RedisAccount(Struct, frozen=True, kw_only=True):
    """An account: what it is called, its rule, and its selectors."""

    name: str
    rule: AccessRule
    selectors: tuple[AccessRule, ...] = ()

    @property
    def rules(self) -> tuple[AccessRule, ...]:
        """All of its rules."""
        return (self.rule, *self.selectors)

    def words(self) -> list[str]:
        """What follows `ACL SETUSER name on >password`: a selector stands within parentheses."""
        own = [*self.rule.keys, *self.rule.commands]
        return own + [f"({' '.join((*one.keys, *one.commands))})" for one in self.selectors]


def _account(name: str, rule: str, *selectors: str) -> RedisAccount:
    return RedisAccount(
        name=name, rule=AccessRule.of(rule), selectors=tuple(map(AccessRule.of, selectors))
    )


_OF_GROUP: Final = (
    "~b24:lease:{group}:* ~b24:dead:{group}:* ~b24:replay:{group}:* ~b24:failures:{group}:* "
    "~b24:balance:{group}:*"
)
_CONSUMER: Final = """
    ~b24:members:{group} ~b24:pauses:{group} %R~b24:strikes:{group} ~b24:processes
    %R~b24:partitions ~b24:partitions:ended
    +ping +time +eval_ro +evalsha +script|load +client|id +client|unblock +hget +hgetall +hmget
    +hset +hdel +hincrby +expire +zadd +zrem +zrange +zremrangebyscore +xreadgroup +xack +xclaim
    +xadd +xdel +xlen +xpending +xrange +xrevrange +xgroup|create +xinfo|stream +xinfo|groups
"""
_OF_STREAM: Final = """
    +eval_ro +evalsha +xreadgroup +xack +xclaim +xlen +xpending +xrange +xrevrange +xgroup|create
    +xinfo|stream +xinfo|groups
"""


def consumer_account(
    name: str,
    *streams: str,
    group: str | None = None,
    keys: str = "",
    shared_keys: str = "",
    commands: str = "",
    stream_commands: str = "",
    output: str | None = None,
) -> RedisAccount:
    """The account of a group, which is called like it, on `events`, `comments` or both.

    `keys` and `commands` are what it has besides, `shared_keys` those that its scripts touch
    together with a stream's, `stream_commands` those that it uses on streams, too. Only with an
    `output` may it append to one of the gateway's streams.
    """
    group = group or name
    own = f"{_OF_GROUP} {shared_keys}".format(group=group)
    touched = " ".join(f"~b24:{one}:*" for one in (*streams, *([output] if output else [])))
    trimmed = " ".join(f"%R~b24:retention:{one}:*" for one in streams)
    selectors = [f"{touched} {own} {trimmed} {_OF_STREAM} {stream_commands}"]
    if output is not None:
        selectors.append(f"~b24:{output}:* +xadd")
    rule = f"{own} {trimmed} {keys} {_CONSUMER} {commands} {stream_commands}".format(group=group)
    return _account(name, rule, *selectors)


_RECEIVER: Final = """
    ~b24:events:* %R~b24:comments:* %R~b24:dead:* ~b24:producer:* ~b24:recovered:* ~b24:retention:*
    ~b24:quarantine:* ~b24:rates:* ~b24:traffic:* ~b24:processes ~b24:spools ~b24:offline-signals
    ~b24:{portals}* ~b24:oauth:* ~b24:rest:* ~b24:care:* ~b24:reconcile:lease
    ~b24:balance:* ~b24:history %R~b24:lease:* ~b24:partitions %R~b24:partitions:ended
    %R~b24:drill:last
    +ping +eval +eval_ro +evalsha +script|load +multi +exec +exists +get +mget +set +del +expire
    +pexpire +pttl +time +info +scan +hget +hset +hsetnx +hdel +hkeys +hincrby +hmget +hgetall
    +hscan +zadd +zcard +zcount +zincrby +zrange +zrevrange +zscore +zrem +zremrangebyrank
    +zremrangebyscore +strlen +xadd +xrange +xtrim +xpending +xinfo|stream +xinfo|groups
"""
_RECONCILER: Final = """
    ~b24:events:* ~b24:comments:* ~b24:recovered:* ~b24:reconcile:lease ~b24:alerts
    ~b24:offline-signals ~b24:processes ~b24:spools ~b24:{portals}* ~b24:oauth:* ~b24:rest:*
    ~b24:care:* ~b24:gaps:* ~b24:no-queue:* ~b24:told:* ~b24:told-position ~b24:balance:*
    %R~b24:traffic:* %R~b24:lease:* %R~b24:pauses:* %R~b24:strikes:* %R~b24:failures:*
    %R~b24:replay:* %R~b24:dead:* %R~b24:retention:* %R~b24:partitions %R~b24:partitions:ended
    +ping +eval +eval_ro +evalsha +script|load +multi +exec +exists +get +mget +set +del +expire
    +pexpire +pttl +time +info +hget +hset +hsetnx +hdel +hincrby +hmget +hgetall +hscan +hlen
    +hvals +zadd +zcard +zrange +zrem +zpopmin +zscore +zremrangebyrank +zremrangebyscore +xadd
    +xrange +xrevrange +xlen +xpending +xinfo|stream +xinfo|groups
"""
_NOTIFIER: Final = """
    +multi +exec +get +set +del +exists +hexists +hlen +incrby +zscore +zcard +zcount
    +zrangebyscore +pexpire +pttl
"""
_ENRICHER: Final = "+zscore +zcard +zremrangebyrank +pexpire +pttl +set +get +mget +hexists"
_FEED: Final = """
    %R~b24:comments:* %R~b24:events:* %R~b24:retention:* ~b24:processes %R~b24:partitions
    +ping +time +eval_ro +evalsha +script|load +hset +hdel +hgetall +expire +xread +xrange
    +xrevrange +xinfo|stream
"""
_LOOKER: Final = """
    %R~b24:events:* %R~b24:comments:* %R~b24:dead:* %R~b24:replay:* %R~b24:lease:*
    %R~b24:members:* %R~b24:pauses:* %R~b24:strikes:* %R~b24:failures:* %R~b24:emitted:*
    %R~b24:refetch:* %R~b24:balance:* %R~b24:retention:* %R~b24:processes %R~b24:spools
    %R~b24:history %R~b24:offline-signals %R~b24:alerts %R~b24:{portals}* %R~b24:care:*
    %R~b24:gaps:* %R~b24:no-queue:* %R~b24:traffic:* %R~b24:rates:* %R~b24:quarantine:*
    %R~b24:notifier:* %R~b24:relay:* %R~b24:recovered:* %R~b24:reconcile:lease
    %R~b24:drill:last %R~b24:partitions %R~b24:partitions:ended
    +ping +eval_ro +time +info +multi +exec +exists +get +mget +scan +hget +hmget +hgetall +hscan
    +hvals +zcard +zcount +zrange +zrevrange +zscore +xread +xrange +xrevrange +xlen +xpending
    +xinfo|stream +xinfo|groups
"""
_OPERATOR: Final = """
    ~b24:*
    +ping +time +info +eval +eval_ro +evalsha +script|load +multi +exec +exists +scan +get +mget
    +set +del +expire +pexpire +pttl +hget +hset +hdel +hmget +hgetall +hvals +hincrby +hscan
    +zadd +zcard +zcount +zrange +zrevrange +zrem +zscore +zremrangebyrank +zremrangebyscore
    +xread +xadd +xdel +xrange +xrevrange +xlen +xpending +xinfo|stream +xinfo|groups
    +xgroup|create +xgroup|destroy
"""
_ERASER: Final = """
    ~b24:*
    +ping +eval +evalsha +script|load +multi +exec +scan +type +get +del +exists +hget +hset +hdel
    +hincrby +hgetall +hscan +zrem +xrange +xadd +xdel +xack +xinfo|stream +xinfo|groups +info
    +bgrewriteaof
"""
_KEEPER: Final = """
    ~b24:*
    +ping +eval_ro +time +scan +type +pttl +get +hgetall +zrange +smembers +lrange +xinfo|stream
    +xinfo|groups +xpending +xrange +unlink +set +hset +zadd +sadd +rpush +pexpireat +xadd +xsetid
    +xgroup|create +xgroup|destroy +xclaim
"""

_DRILL: Final = " ".join(
    (
        "~b24:drill:*",
        "+unlink",
        *(one for one in f"{_RECEIVER} {_CONSUMER}".split() if one[0] == "+"),
    )
)
# A receiver, a consumer and whoever cleans up, under a prefix of their own.

ACCOUNTS: Final[dict[str, RedisAccount]] = {
    account.name: account
    for account in (
        # It trims what it does not write.
        _account(
            "receiver",
            _RECEIVER,
            "~b24:comments:* ~b24:retention:* +evalsha +xtrim",
            "~b24:dead:* +xtrim",
        ),
        _account("reconciler", _RECONCILER),
        consumer_account("audit", "events"),
        consumer_account(
            "enricher",
            "events",
            keys="~b24:oauth:* ~b24:rest:* %R~b24:{{portals}}*",
            shared_keys="~b24:emitted:{group}:* ~b24:snapshot:* ~b24:refetch:*",
            commands=_ENRICHER,
            output="comments",
        ),
        consumer_account("warehouse", "comments"),
        consumer_account(
            "notifier",
            "comments",
            keys="~b24:notifier:* %R~b24:{{portals}}*",
            commands=_NOTIFIER,
        ),
        consumer_account(
            "relay",
            "comments",
            "events",
            group="relay-*",
            keys="~b24:relay:endpoints",
            stream_commands="+xread",
        ),
        _account("feed", _FEED),
        consumer_account("service", "comments"),
        _account(
            "tailer",
            "%R~b24:events:* %R~b24:comments:* %R~b24:dead:* %R~b24:partitions "
            "+ping +time +hgetall +xread +xrange +xrevrange +xinfo|stream",
        ),
        _account("looker", _LOOKER),
        _account("operator", _OPERATOR),
        _account("eraser", _ERASER),
        _account("keeper", _KEEPER),
        # Its record is an event, on a partition that there is.
        _account("drill", _DRILL, "~b24:events:* %R~b24:partitions +xadd +hgetall"),
    )
}
"""By name. `service` is a service of another team: its group is called like its account."""
