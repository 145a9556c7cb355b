"""Removes a group: from its streams, with all that it has in Redis.

Partition by partition, each in one step of the server that looks first whether a process works on
it. When the command is killed in between, what is left is removed by calling it again; nothing of
it is lost that was not to be removed, since a group that is half gone is found by what is left.

| It ends | Then |
|---|---|
| before a partition's step | that partition is as it was; a process that is started takes it |
| after it | the group is gone there; a process that is started makes it anew, from its start |
| before the members, pauses and strikes | these are left, and found by the next call |
"""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.balance.keys import group_balance_key
from gateway.contract import FEEDERS, Streams
from gateway.ops.group_interventions import GroupInterventions, interventions_of
from gateway.ops.group_standings import standings
from gateway.ops.partition_owners import now_ms_at, owner_of
from gateway.redis_access import lua
from gateway.webhooks.endpoint_records import forget_record
from gateway.webhooks.push_endpoints import endpoint_of

__all__ = ["GroupInUse", "GroupRemoval", "look_at_group", "remove_group"]

_STREAMS: Final = ("events", "comments")
_NOTIFIER: Final = "notifier"
# Its outboxes (consumers.notifier.outbox) are keys by target, and of no other group.


class GroupInUse(Exception):
    """A process works on a partition of the group; it would make the group anew."""


class GroupRemoval(Struct, frozen=True, kw_only=True):
    """What there is of a group, and goes with it; `keys` counts its keys in Redis.

    `lag` are entries that it was not given yet, `pending` those that it was given and has not
    handled, `redeliveries` those that it is given again. `notices` wait in the notifier's outboxes;
    None for another group. `owners` are processes that work on it.
    """

    group: str
    streams: tuple[str, ...]
    lag: int
    pending: int
    redeliveries: int
    dead_letters: int
    interventions: GroupInterventions
    keys: int
    owners: tuple[str, ...]
    notices: int | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing of it."""
        return not self.streams and not self.keys


async def look_at_group(redis: Redis, streams: Streams, group: str) -> GroupRemoval:
    """What would be removed. Only reads."""
    standing = [one for one in await standings(redis, streams) if one.group == group]
    owners: dict[str, None] = {}
    dead = again = keys = 0
    for partition in streams.numbers:
        now_ms = await now_ms_at(redis, streams.key("events", partition))
        owner = await owner_of(redis, streams, group, partition, now_ms=now_ms)
        if owner.name is not None:
            owners[owner.name] = None
        dead += await redis.xlen(streams.dead(group, partition))
        again += await redis.xlen(streams.replay(group, partition))
        keys += sum([await redis.exists(key) for key in _keys_of(streams, group, partition)])
    keys += sum([await redis.exists(key) for key in _common_keys(streams, group)])
    notices = None
    if group == _NOTIFIER:
        outboxes = [key async for key in _outboxes(redis, streams)]
        keys += len(outboxes)
        notices = sum([await _count_notices(redis, key) for key in outboxes])
    return GroupRemoval(
        group=group,
        streams=tuple(dict.fromkeys(one.stream for one in standing)),
        lag=sum(one.lag for one in standing),
        pending=sum(one.pending for one in standing),
        redeliveries=again,
        dead_letters=dead,
        interventions=await interventions_of(redis, streams, group),
        keys=keys,
        owners=tuple(owners),
        notices=notices,
    )


async def remove_group(
    redis: Redis, streams: Streams, group: str, *, told: Callable[[int], None] | None = None
) -> None:
    """Remove a group and all its keys; `told` hears each partition on which it is gone.

    Idempotent. Raises GroupInUse, also when it is gone on some partitions already.
    """
    script = lua.script(redis, "gateway.ops", "remove_group.lua")
    for partition in streams.numbers:
        shared = [streams.key(stream, partition) for stream in _STREAMS]
        lease, *others = _keys_of(streams, group, partition)
        owner: bytes = await script(keys=[lease, *shared, *others], args=[group, len(shared)])
        if owner:
            raise GroupInUse(
                f"{owner.decode()} works on {group}: stop its processes first; "
                "the lease of one that was killed ends within [consumers] lease_s"
            )
        if told is not None:
            told(partition)
    for key in _common_keys(streams, group):
        await redis.delete(key)
    await _forget_ends(redis, streams, group)
    if group == _NOTIFIER:
        async for key in _outboxes(redis, streams):
            await redis.delete(key)
    if (endpoint := endpoint_of(group)) is not None:
        await forget_record(redis, endpoint, prefix=streams.prefix)


def _keys_of(streams: Streams, group: str, partition: int) -> list[str]:
    """The keys of a group on a partition, the lease first."""
    named = (streams.lease, streams.dead, streams.replay, streams.failures, streams.emitted)
    return [
        *(key(group, partition) for key in named),
        group_balance_key(streams.prefix, group, partition),
    ]


def _common_keys(streams: Streams, group: str) -> list[str]:
    return [streams.members(group), streams.pauses(group), streams.strikes(group)]


async def _forget_ends(redis: Redis, streams: Streams, group: str) -> None:
    """Have nobody wait for a group that is gone (consumers.runtime.layout_order)."""
    for layout in streams.layouts[:-1]:
        field = f"{group}:{layout.start}"
        if group in FEEDERS.values():
            noting: Any = redis.hset(streams.ends, field, "1")
        else:
            noting = redis.hdel(streams.ends, field)
        await noting


async def _outboxes(redis: Redis, streams: Streams) -> AsyncIterator[str]:
    async for key in redis.scan_iter(match=f"{streams.prefix}:notifier:{{*}}:*", count=1000):
        yield key.decode()


async def _count_notices(redis: Redis, key: str) -> int:
    if not key.endswith(":notices"):
        return 0
    count: Any = await redis.hlen(key)
    return int(count)
