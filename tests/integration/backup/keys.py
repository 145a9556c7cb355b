"""Keys of all types, and what a server has in its keys, to be compared with what another has."""

import json
import time
from typing import Any, Final

from cryptography.fernet import Fernet
from redis.asyncio import Redis

__all__ = ["SETTINGS", "contents", "fill", "without_gone"]

_SECOND_MS: Final = 1_000
_KEY: Final = Fernet.generate_key().decode()
SETTINGS: Final = {"REDIS_PARTITIONS": "2", "VAULT_KEYS": json.dumps([_KEY])}
"""What the commands have to know of what is filled in."""

_BINARY: Final = bytes(range(256))


async def fill(redis: Redis, *, entries: int = 1_200) -> None:
    """Streams with groups in all states, and keys of all types: more than a page of each."""
    client: Any = redis
    for partition in (0, 1):
        key = f"b24:events:{{{partition}}}"
        for number in range(1, entries + 1):
            await client.xadd(
                key, {"event": _BINARY + str(number).encode()}, id=f"{number}-{partition}"
            )
        await client.xgroup_create(key, "index", "0")
        await client.xgroup_create(key, "late", f"{entries // 2}-0")
        await client.xreadgroup("index", "one", {key: ">"}, count=700)
        await client.xack(key, "index", *(f"{number}-{partition}" for number in range(1, 101)))
        await client.xreadgroup("index", "two", {key: ">"}, count=3)
        await client.xclaim(key, "index", "two", 0, [f"150-{partition}"])
        await client.xdel(key, f"160-{partition}", f"{entries}-{partition}")  # one is pending
        await client.xtrim(key, minid=f"50-{partition}", approximate=False)
        await client.hset(f"b24:balance:{{{partition}}}", mapping={"published": entries})
        await client.set(
            f"b24:snapshot:{{{partition}}}:portal:7", Fernet(_KEY).encrypt(b"x"), px=3_600_000
        )
    await client.xgroup_create("b24:comments:{0}", "warehouse", "$", mkstream=True)
    await client.xadd("b24:dead:index:{0}", {"event": "x", "reason": "failed"})
    await client.xdel("b24:dead:index:{0}", *[one async for one in _ids(client)])
    await client.zadd(
        "b24:recovered:{0}", {f"id-{n}": 1_795_000_000_000.5 + n for n in range(1_500)}
    )
    await client.hset("b24:{portals}", mapping={_BINARY: _BINARY, b"": b""})
    await client.sadd("b24:of-a-service", "a", "b")
    await client.rpush("b24:queue-of-a-service", "c", "a", "b")
    await client.set("b24:{portals}:version", "7")
    await client.set("b24:told-position", "0-0", px=1)  # over before anybody looks
    await client.hset("b24:processes", "a-host:1:x", "{}")
    await client.set("other:key", "of somebody else")


async def contents(redis: Redis) -> dict[str, Any]:
    """What is in all keys under the prefix, without what only says who lives."""
    found: dict[str, Any] = {}
    async for key in redis.scan_iter(match="b24:*", count=1000):
        if key not in {b"b24:processes", b"b24:told-position"}:  # the other one is gone
            found[key.decode()] = (await _held(redis, key), await _life_s(redis, key))
    return found


def without_gone(found: dict[str, Any]) -> dict[str, Any]:
    """What is left of pending entries of which the entry is gone: they cannot be made anew."""
    for key, (held, _) in found.items():
        if key.startswith("b24:events:"):
            there = {entry_id for entry_id, _ in held[2]}
            for name, (at, read, pending) in held[1].items():
                held[1][name] = (at, read, [one for one in pending if one[0] in there])
    return found


async def _ids(client: Any) -> Any:
    for entry_id, _ in await client.xrange("b24:dead:index:{0}"):
        yield entry_id


async def _life_s(client: Any, key: bytes) -> int:
    """When it ends, in tens of seconds of Unix time; -1 for never."""
    left_ms = await client.pttl(key)
    return -1 if left_ms < 0 else round((time.time() * 1000 + left_ms) / 10 / _SECOND_MS)


async def _held(client: Any, key: bytes) -> Any:
    kind = (await client.type(key)).decode()
    if kind == "string":
        return await client.get(key)
    if kind == "hash":
        return await client.hgetall(key)
    if kind == "zset":
        return await client.zrange(key, 0, -1, withscores=True)
    if kind == "set":
        return await client.smembers(key)
    if kind == "list":
        return await client.lrange(key, 0, -1)
    return await _stream(client, key)


async def _stream(client: Any, key: bytes) -> Any:
    about = await client.xinfo_stream(key)
    names = ("length", "last-generated-id", "entries-added", "max-deleted-entry-id")
    groups = {}
    for group in await client.xinfo_groups(key):
        waits = await client.xpending_range(key, group["name"], "-", "+", 10_000)
        pending = [(one["message_id"], one["consumer"], one["times_delivered"]) for one in waits]
        groups[group["name"]] = (group["last-delivered-id"], group.get("entries-read"), pending)
    return {name: about[name] for name in names}, groups, await client.xrange(key)
